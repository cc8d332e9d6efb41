package pkgver

import "cmp"

// Deb compares versions as dpkg does: epoch, upstream version, revision; a tilde sorts before everything.
func Deb(a, b string) int {
	ea, a := epoch(a)
	eb, b := epoch(b)
	va, ra, _ := release(a)
	vb, rb, _ := release(b)
	return cmp.Or(numbers(ea, eb), debPart(va, vb), debPart(ra, rb))
}

// debPart compares alternating runs of other characters and of digits.
func debPart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			x, y := debOrder(a), debOrder(b)
			if x != y {
				return cmp.Compare(x, y)
			}
			a, b = a[min(1, len(a)):], b[min(1, len(b)):]
		}
		n, m := while(a, digit), while(b, digit)
		if c := numbers(a[:n], b[:m]); c != 0 {
			return c
		}
		a, b = a[n:], b[m:]
	}
	return 0
}

// debOrder is the weight of the first character: the tilde is before the end, letters before all others.
func debOrder(s string) int {
	switch {
	case s == "" || digit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case letter(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}
