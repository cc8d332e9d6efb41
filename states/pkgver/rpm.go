package pkgver

import (
	"cmp"
	"strings"
)

// RPM compares epoch, version and release as rpm does. A release that only one of them has doesn't count, so that
// "1.2" is as new as "1.2-4".
func RPM(a, b string) int { return evr(a, b, rpmPart) }

// Pacman compares versions as pacman's vercmp does.
func Pacman(a, b string) int { return evr(a, b, pacmanPart) }

func evr(a, b string, part Compare) int {
	ea, a := epoch(a)
	eb, b := epoch(b)
	va, ra, hasA := release(a)
	vb, rb, hasB := release(b)
	if c := cmp.Or(numbers(ea, eb), part(va, vb)); c != 0 || !hasA || !hasB {
		return c
	}
	return part(ra, rb)
}

func separator(c byte) bool { return !digit(c) && !letter(c) && c != '~' && c != '^' }
func mark(c byte) bool      { return !digit(c) && !letter(c) }

// rpmPart compares runs of digits and of letters; what stands between them only separates, but for the tilde, which
// sorts before the end, and the caret, which sorts after the end and before anything else.
func rpmPart(a, b string) int {
	for {
		a, b = a[while(a, separator):], b[while(b, separator):]
		if c, both := signs(a, b, '~', true); c != 0 {
			return c
		} else if both {
			a, b = a[1:], b[1:]
			continue
		}
		if c, both := signs(a, b, '^', false); c != 0 {
			return c
		} else if both {
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		var c int
		if c, a, b = segment(a, b); c != 0 {
			return c
		}
	}
}

// signs compares versions of which one or both begin with a sign.
func signs(a, b string, sign byte, first bool) (c int, both bool) {
	x, y := a != "" && a[0] == sign, b != "" && b[0] == sign
	switch {
	case x && y:
		return 0, true
	case x && (first || b != ""):
		return -1, false
	case x:
		return 1, false
	case y && (first || a != ""):
		return 1, false
	case y:
		return -1, false
	}
	return 0, false
}

// segment compares the runs at the beginning of both, of the kind that a begins with. A number is newer than letters.
func segment(a, b string) (c int, restA, restB string) {
	kind, compare := letter, strings.Compare
	if digit(a[0]) {
		kind, compare = digit, numbers
	}
	n, m := while(a, kind), while(b, kind)
	if m == 0 {
		if digit(a[0]) {
			return 1, "", ""
		}
		return -1, "", ""
	}
	return compare(a[:n], b[:m]), a[n:], b[m:]
}

// pacmanPart is as rpm did it before the tilde: letters at the end are older than the end, and longer separators newer.
func pacmanPart(a, b string) int {
	for a != "" && b != "" {
		n, m := while(a, mark), while(b, mark)
		if a, b = a[n:], b[m:]; a == "" || b == "" {
			break
		}
		if n != m {
			return cmp.Compare(n, m)
		}
		var c int
		if c, a, b = segment(a, b); c != 0 {
			return c
		}
	}
	switch {
	case a == "" && b == "":
		return 0
	case a == "" && !letter(b[0]) || a != "" && letter(a[0]):
		return -1
	}
	return 1
}
