package role

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxEnvironment = 128

// CheckEnvironment accepts names of environments, such as base, feature/x and ünï: the branches of git that can be ones.
// Commas, blanks, and what means something in globs, paths and URLs are not among them.
func CheckEnvironment(name string) error {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./@", r)
	}
	switch {
	case name == "" || len(name) > maxEnvironment:
		return fmt.Errorf("cannot use environment %.80q: its name has %d bytes, want 1 to %d", name, len(name), maxEnvironment)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, odd):
		return fmt.Errorf("cannot use environment %.80q: want letters, digits, '_', '-', '.', '/' and '@'", name)
	case strings.Contains("/"+name+"/", "/.") || strings.Contains(name, "//") || name[0] == '/' || strings.HasSuffix(name, "/"):
		return fmt.Errorf("cannot use environment %.80q: no part of its name is empty or begins with '.'", name)
	}
	return nil
}
