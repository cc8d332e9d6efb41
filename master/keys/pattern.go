package keys

import (
	"errors"
	"fmt"
	"strings"

	"brine/proto/target"
)

// patterns are globs over ids or names.
type patterns []*target.Glob

// parsePatterns reads globs, and reports every mistake.
func parsePatterns(list []string) (patterns, error) {
	var all patterns
	var errs []error
	for _, p := range list {
		g, err := target.ParseGlob(p)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrInvalid, err))
			continue
		}
		all = append(all, g)
	}
	return all, errors.Join(errs...)
}

func (p patterns) any(name string) bool {
	for _, g := range p {
		if g.Match(name) {
			return true
		}
	}
	return false
}

// exact tells that a pattern can match one id only: whoever typed it meant that one.
func exact(pattern string) bool { return !strings.ContainsAny(pattern, "*?[") }
