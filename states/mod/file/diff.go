package file

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	diffFile  = 1 << 20  // bytes of a file from which no diff is made
	diffEdits = 600      // lines changed from which a diff shows all between as replaced
	diffText  = 32 << 10 // bytes of a diff that are shown
	context3  = 3        // lines shown around a change
)

// tooLarge stands for a difference that is not made.
const tooLarge = "the content differs; it is too large to be shown"

// hides is what is shown instead of a difference, "" when it may be shown. What nobody but its owner may read,
// now or then, is only shown when show_changes says so.
func hides(show *bool, pillar bool, wanted mode, old *info) string {
	switch {
	case show != nil && *show:
		return ""
	case show != nil:
		return "<show_changes=False>"
	case pillar:
		return "<not shown: the content comes from pillar (show_changes: true shows it)>"
	case wanted.secret(), old != nil && modeOf(old.bits()).secret():
		return "<not shown: only its owner may read it (show_changes: true shows it)>"
	}
	return ""
}

// isText says whether people can read it.
func isText(b []byte) bool { return bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) }

// hasKey finds private keys, as OpenSSL, OpenSSH and OpenPGP write them.
var hasKey = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----`)
})

// diffOf is diff, but for private keys, that are only shown when show_changes says so.
func diffOf(old, new []byte, show *bool) string {
	if show == nil && (hasKey().Match(old) || hasKey().Match(new)) {
		return "<not shown: it holds a private key (show_changes: true shows it)>"
	}
	text := diff(old, new)
	if show == nil {
		text = hideSecrets(text)
	}
	return text
}

// hideSecrets hides in a diff hashes of passwords, as crypt(3) makes them, and what stands behind names such as
// db_password, but for words that say how and not what. What changed is still seen to be changed.
func hideSecrets(diff string) string {
	r := secretsIn()
	diff = r.hash.ReplaceAllString(diff, "$1********")
	return r.named.ReplaceAllStringFunc(diff, func(line string) string {
		m := r.named.FindStringSubmatch(line)
		if r.plain.MatchString(m[2]) {
			return line
		}
		return m[1] + "********"
	})
}

type secretPatterns struct{ hash, named, plain *regexp.Regexp }

var secretsIn = sync.OnceValue(func() (r secretPatterns) {
	r.hash = regexp.MustCompile(`(\$(?:1|2[abxy]?|5|6|7|y|gy|apr1)\$)[./A-Za-z0-9$=,]{20,}`)
	r.named = regexp.MustCompile(`(?im)^([-+ ][ \t]*(?:export[ \t]+)?["']?(?:[a-z0-9.-]*[_.-])?(?:passwords?|passwd|passphrase|secret|token|api_?key|pwd)` +
		`["']?[ \t]*[=:][ \t]*)([^ \t\r\n][^\r\n]*)`)
	r.plain = regexp.MustCompile(`(?i)^["']?(?:true|false|yes|no|on|off|none|null|required|optional|[{\[|>/].*|\$[{(].*|)["',;]*$`)
	return r
})

// diff is what Salt shows for a change of content: a unified diff of bounded size.
func diff(old, new []byte) string {
	switch was, is := isText(old), isText(new); {
	case !was && !is:
		return "Replace binary file"
	case !was:
		return "Replace binary file with text file"
	case !is:
		return "Replace text file with binary file"
	}
	text := unified(lines(old), lines(new))
	if len(text) <= diffText {
		return text
	}
	cut := strings.LastIndexByte(text[:diffText], '\n') + 1
	return fmt.Sprintf("%s[... %d lines left out ...]\n", text[:cut], strings.Count(text[cut:], "\n"))
}

// lines splits into lines with their ends.
func lines(b []byte) []string {
	all := strings.SplitAfter(string(b), "\n")
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// A lineEdit keeps (' '), takes away ('-') or adds ('+') a line.
type lineEdit struct {
	op   byte
	line string
}

func unified(old, new []string) string {
	edits := editsOf(old, new)
	var b strings.Builder
	b.WriteString("--- \n+++ \n")
	a, c := 0, 0 // lines of old and new before edits[i]
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			a, c, i = a+1, c+1, i+1
			continue
		}
		from := max(0, i-context3)
		for _, e := range edits[from:i] {
			if e.op == ' ' {
				a, c = a-1, c-1
			}
		}
		to := hunkEnd(edits, i)
		lenA, lenC := count(edits[from:to], '-'), count(edits[from:to], '+')
		fmt.Fprintf(&b, "@@ -%s +%s @@\n", span(a, lenA), span(c, lenC))
		for _, e := range edits[from:to] {
			b.WriteByte(e.op)
			b.WriteString(e.line)
			if !strings.HasSuffix(e.line, "\n") {
				b.WriteString("\n\\ No newline at end of file\n")
			}
		}
		a, c, i = a+lenA, c+lenC, to
	}
	return b.String()
}

// hunkEnd is where the hunk with the change at i ends: after the lines that follow its last change.
func hunkEnd(edits []lineEdit, i int) int {
	last := i
	for j := i; j < len(edits) && j-last <= 2*context3; j++ {
		if edits[j].op != ' ' {
			last = j
		}
	}
	return min(last+1+context3, len(edits))
}

// count is how many lines of a hunk are on one side.
func count(edits []lineEdit, side byte) int {
	n := 0
	for _, e := range edits {
		if e.op == ' ' || e.op == side {
			n++
		}
	}
	return n
}

// span is a place as unified diffs write it.
func span(before, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return fmt.Sprint(before + 1)
	}
	return fmt.Sprintf("%d,%d", before+1, n)
}

// editsOf makes old into new with few edits: equal ends are kept, the rest is compared.
func editsOf(old, new []string) []lineEdit {
	var head, tail []lineEdit
	for len(old) > 0 && len(new) > 0 && old[0] == new[0] {
		head = append(head, lineEdit{' ', old[0]})
		old, new = old[1:], new[1:]
	}
	for len(old) > 0 && len(new) > 0 && old[len(old)-1] == new[len(new)-1] {
		tail = append(tail, lineEdit{' ', old[len(old)-1]})
		old, new = old[:len(old)-1], new[:len(new)-1]
	}
	edits := append(head, shortest(old, new)...)
	for i := range tail {
		edits = append(edits, tail[len(tail)-1-i])
	}
	return edits
}

// shortest is Myers' algorithm ("An O(ND) Difference Algorithm", 1986). Beyond diffEdits edits it gives up
// and replaces everything. Row d holds for each diagonal k = x-y of -d, -d+2 ... d how far d edits reach.
func shortest(old, new []string) []lineEdit {
	limit := min(len(old)+len(new), diffEdits)
	var rows [][]int32
	for d := 0; d <= limit; d++ {
		row := make([]int32, d+1)
		for i := range row {
			x := reach(rows, d, i)
			y := x - (2*i - d)
			for x < len(old) && y < len(new) && old[x] == new[y] {
				x, y = x+1, y+1
			}
			if x >= len(old) && y >= len(new) {
				return trace(old, new, rows, d)
			}
			row[i] = int32(x)
		}
		rows = append(rows, row)
	}
	edits := make([]lineEdit, 0, len(old)+len(new))
	for _, line := range old {
		edits = append(edits, lineEdit{'-', line})
	}
	for _, line := range new {
		edits = append(edits, lineEdit{'+', line})
	}
	return edits
}

// added says whether the path of d edits on the i-th diagonal came there by adding a line.
func added(rows [][]int32, d, i int) bool {
	return i == 0 || i != d && rows[d-1][i-1] < rows[d-1][i]
}

// reach is where that path was right after its last edit.
func reach(rows [][]int32, d, i int) int {
	switch {
	case d == 0:
		return 0
	case added(rows, d, i):
		return int(rows[d-1][i])
	}
	return int(rows[d-1][i-1]) + 1
}

// trace walks the path of d edits back from the end of both files.
func trace(old, new []string, rows [][]int32, d int) []lineEdit {
	var back []lineEdit
	x, y := len(old), len(new)
	for ; d >= 0; d-- {
		i := (x - y + d) / 2
		for from := reach(rows, d, i); x > from; {
			x, y = x-1, y-1
			back = append(back, lineEdit{' ', old[x]})
		}
		switch {
		case d == 0:
		case added(rows, d, i):
			y--
			back = append(back, lineEdit{'+', new[y]})
		default:
			x--
			back = append(back, lineEdit{'-', old[x]})
		}
	}
	slices.Reverse(back)
	return back
}
