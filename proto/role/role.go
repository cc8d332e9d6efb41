// Package role reads and writes what an operator may do, as people type it:
//
//	test.*, state.apply on web*, db1 in base
//
// Functions, ids of minions and environments are globs with commas between
// them. A role without "in" is of environment base.
package role

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto"
	"brine/proto/target"
)

// Base is the environment of roles that name none, and of jobs that do not.
const Base = "base"

// The roles that have names.
const (
	admin  = "admin"
	viewer = "viewer"
)

// bounds keep an operator's record small: every master reads it.
const (
	maxPatterns = 200
	maxPattern  = 256
)

// Parse reads a role: FUNCTIONS on TARGETS in ENVIRONMENTS, or the name of
// one: admin may do everything, viewer may look at everything that masters
// show. Roles of brine's own verbs alone ("@job.list, @key.*") need no targets.
// Every mistake is in the error.
func Parse(text string) (*proto.Role, error) {
	switch strings.TrimSpace(text) {
	case admin:
		return &proto.Role{Functions: []string{"*"}, Targets: []string{"*"}, Environments: []string{"*"}}, nil
	case viewer:
		return &proto.Role{Functions: []string{"@audit.list", "@event.list", "@hook.list", "@job.list", "@job.show", "@key.list", "@master.list",
			"@minion.list", "@notify.list", "@operator.list", "@rules.list"}, Environments: []string{Base}}, nil
	}
	r, err := split(text)
	if err == nil {
		err = Check(r)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read role %q: %w", text, err)
	}
	return r, nil
}

// split cuts a role at its words "on" and "in".
func split(text string) (*proto.Role, error) {
	var lists [3]string
	at, seen := 0, [3]bool{true}
	for _, word := range strings.Fields(text) {
		if next := slices.Index([]string{"", "on", "in"}, word); next > 0 {
			if seen[next] || next < at {
				return nil, fmt.Errorf("want FUNCTIONS on TARGETS in ENVIRONMENTS, each once; here is another %q", word)
			}
			at, seen[next] = next, true
			continue
		}
		lists[at] += word + " "
	}
	r := &proto.Role{Functions: words(lists[0]), Targets: words(lists[1]), Environments: words(lists[2])}
	switch {
	case seen[1] && len(r.Targets) == 0:
		return nil, errors.New(`the ids of minions are missing behind "on"`)
	case seen[2] && len(r.Environments) == 0:
		return nil, errors.New(`the environments are missing behind "in"`)
	case !seen[2]:
		r.Environments = []string{Base}
	}
	return r, nil
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// Check tells what is wrong with a role, every mistake at once.
func Check(r *proto.Role) error {
	var errs []error
	if len(r.GetFunctions()) == 0 {
		errs = append(errs, errors.New(`it has no functions, such as "test.*"; "*" means all`))
	}
	onMinions := slices.ContainsFunc(r.GetFunctions(), func(f string) bool { return !strings.HasPrefix(f, "@") })
	if onMinions && len(r.GetTargets()) == 0 {
		errs = append(errs, errors.New(`it names no minions: add "on web*", or "on *" for all`))
	}
	n := 0
	for _, list := range [][]string{r.GetFunctions(), r.GetTargets(), r.GetEnvironments()} {
		for _, pattern := range list {
			n++
			errs = append(errs, checkPattern(pattern))
		}
	}
	if n > maxPatterns {
		errs = append(errs, fmt.Errorf("it has %d patterns, at most %d are allowed", n, maxPatterns))
	}
	return errors.Join(errs...)
}

func checkPattern(pattern string) error {
	if pattern == "" || len(pattern) > maxPattern {
		return fmt.Errorf("the pattern %.40q has %d bytes, want 1 to %d", pattern, len(pattern), maxPattern)
	}
	_, err := target.ParseGlob(pattern)
	return err
}

// Format writes a role as Parse reads it. A record from before there were
// environments holds in all of them.
func Format(r *proto.Role) string {
	if IsAdmin(r) {
		return admin
	}
	text := strings.Join(r.GetFunctions(), ",")
	if len(r.GetTargets()) > 0 {
		text += " on " + strings.Join(r.Targets, ",")
	}
	switch envs := strings.Join(r.GetEnvironments(), ","); {
	case !slices.ContainsFunc(r.GetFunctions(), func(f string) bool { return !strings.HasPrefix(f, "@") }):
	case envs == "":
		text += " in *"
	default:
		text += " in " + envs
	}
	return text
}

// FormatAll writes several roles.
func FormatAll(roles []*proto.Role) []string {
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = Format(r)
	}
	return texts
}

// IsAdmin tells whether a role allows everything.
func IsAdmin(r *proto.Role) bool {
	return slices.Contains(r.GetFunctions(), "*") && slices.Contains(r.GetTargets(), "*") && Everywhere(r)
}

// Everywhere tells whether a role holds in all environments.
func Everywhere(r *proto.Role) bool {
	return len(r.GetEnvironments()) == 0 || slices.Contains(r.Environments, "*")
}
