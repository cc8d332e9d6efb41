package pkgver

import (
	"cmp"
	"slices"
	"strings"
)

// APK compares versions as apk does: numbers, a letter, suffixes such as _alpha and _p, and the revision after -r.
func APK(a, b string) int {
	x, y := apkTokens(a), apkTokens(b)
	for i := range max(len(x), len(y)) {
		var p, q apkToken
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if c := p.compare(q); c != 0 {
			return c
		}
	}
	return 0
}

// Kinds of tokens; of two versions the one whose next token is of the lower kind is older.
const (
	apkPre    = iota - 1 // a suffix such as _rc, before the release
	apkEnd               // no token
	apkRev               // the revision
	apkSuffix            // a suffix such as _p, after the release
	apkLetter
	apkNumber
)

type apkToken struct {
	kind   int
	rank   int    // of suffixes
	number string // digits
	first  bool
}

func (t apkToken) compare(o apkToken) int {
	if t.kind != o.kind {
		return cmp.Compare(t.kind, o.kind)
	}
	if t.kind == apkNumber && !t.first && (strings.HasPrefix(t.number, "0") || strings.HasPrefix(o.number, "0")) {
		return strings.Compare(t.number, o.number) // a fraction
	}
	return cmp.Or(cmp.Compare(t.rank, o.rank), numbers(t.number, o.number))
}

var (
	apkBefore = []string{"alpha", "beta", "pre", "rc"}
	apkAfter  = []string{"cvs", "svn", "git", "hg", "p"}
)

func apkTokens(v string) (tokens []apkToken) {
	for v != "" {
		var t apkToken
		switch c := v[0]; {
		case digit(c):
			t.kind, t.first = apkNumber, len(tokens) == 0
		case c == '.':
			v = v[1:]
			continue
		case strings.HasPrefix(v, "-r"):
			t.kind, v = apkRev, v[2:]
		case c == '_':
			n := while(v[1:], letter)
			if t = apkSuffixOf(v[1 : 1+n]); t.kind == apkEnd {
				return tokens
			}
			v = v[1+n:]
		case letter(c):
			tokens = append(tokens, apkToken{kind: apkLetter, rank: int(c)})
			v = v[1:]
			continue
		default:
			return tokens // the hash of a commit, or nothing that apk knows
		}
		n := while(v, digit)
		t.number, v = v[:n], v[n:]
		tokens = append(tokens, t)
	}
	return tokens
}

func apkSuffixOf(name string) apkToken {
	if i := slices.Index(apkBefore, name); i >= 0 {
		return apkToken{kind: apkPre, rank: i}
	}
	if i := slices.Index(apkAfter, name); i >= 0 {
		return apkToken{kind: apkSuffix, rank: i}
	}
	return apkToken{}
}
