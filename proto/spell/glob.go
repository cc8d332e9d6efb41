package spell

import (
	"fmt"
	"strings"
)

// Glob returns ` (did you mean "web*"?)` for a glob that none of the names matches, or "". It suggests a name that is near
// to what the glob says, or, where several names begin nearly like it, what they begin with.
func Glob(pattern string, names []string) string {
	word := strings.Map(func(r rune) rune {
		if strings.ContainsRune("*?[]", r) {
			return -1
		}
		return r
	}, pattern)
	if word == "" {
		return ""
	}
	near := Nearest(word, names)
	limit := max(len(word)/3, 1) + 1
	if near != "" {
		limit = Distance(word, near, limit) + 1
	}
	if b := beginning(pattern, names, limit); b != "" {
		near = b
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", near)
}

// beginning is the glob of the names that begin with nearly what a pattern begins with, less than limit letters away in any
// case: the nearest, then that of most names, then the longest. If it is of one name only, it is that name.
func beginning(pattern string, names []string, limit int) string {
	head := pattern
	if i := strings.IndexAny(pattern, "*?["); i >= 0 {
		head = pattern[:i]
	}
	if len(head) < 2 {
		return ""
	}
	limit = min(limit, max(len(head)/3, 1)+1)
	owners := map[string]int{}
	for _, n := range names {
		for l := max(len(head)-1, 2); l <= min(len(head)+1, len(n)); l++ {
			owners[n[:l]]++
		}
	}
	best, least := "", limit
	for b, n := range owners {
		d := Distance(strings.ToLower(head), strings.ToLower(b), limit)
		if d >= limit || d > least {
			continue
		}
		if d < least || n > owners[best] || n == owners[best] && (len(b) > len(best) || len(b) == len(best) && b < best) {
			best, least = b, d
		}
	}
	if owners[best] > 1 {
		return best + "*"
	}
	for _, n := range names {
		if best != "" && strings.HasPrefix(n, best) {
			return n
		}
	}
	return ""
}
