// Package pkgver compares versions of packages as the package managers do.
package pkgver

import (
	"cmp"
	"strings"
)

// A Compare is -1, 0 or 1: whether version a is older than b, as new, or newer.
type Compare func(a, b string) int

func digit(c byte) bool  { return '0' <= c && c <= '9' }
func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// while is how many bytes at the beginning of s are of a kind.
func while(s string, kind func(byte) bool) int {
	n := 0
	for n < len(s) && kind(s[n]) {
		n++
	}
	return n
}

// numbers compares two strings of digits of any length.
func numbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// epoch splits "1:2.3" at its colon; without one the epoch is 0.
func epoch(v string) (epoch, rest string) {
	if i := strings.IndexByte(v, ':'); i >= 0 && while(v, digit) == i {
		return v[:i], v[i+1:]
	}
	return "0", v
}

// release splits what follows the last dash off.
func release(v string) (version, release string, has bool) {
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return v[:i], v[i+1:], true
	}
	return v, "", false
}

// WithoutEpoch is a version without its epoch.
func WithoutEpoch(v string) string {
	_, rest := epoch(v)
	return rest
}

// HasEpoch says whether a version names an epoch.
func HasEpoch(v string) bool {
	_, rest := epoch(v)
	return rest != v
}
