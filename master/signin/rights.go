package signin

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"brine/proto"
	"brine/proto/target"
)

// rights are those that one table of [external_auth] gives.
type rights struct {
	backend string
	entries []entry
}

// An entry is what one user, or users, or a group are given.
type entry struct {
	who   string       // as it stands there
	group bool         // who is the name of a group
	users *target.Glob // of users
	roles []*proto.Role
}

// fold makes names alike that a backend takes for the same one. Directories don't tell upper case from lower.
func fold(name string) string { return strings.ToLower(name) }

// readRights reads a table. Every mistake is reported.
func readRights(backend string, table map[string]any) (*rights, error) {
	r := &rights{backend: backend}
	var errs []error
	for who, given := range table {
		e := entry{who: who}
		key := fmt.Sprintf("external_auth.%s.%q", backend, who)
		if name, ok := strings.CutSuffix(who, "%"); ok {
			e.who, e.group = name, true
		}
		if e.who == "" {
			errs = append(errs, fmt.Errorf("%s: want the name of a user, or of a group and a %%", key))
			continue
		}
		pattern := e.who
		if backend == ldapName {
			pattern = fold(pattern)
		}
		var err error
		if !e.group {
			e.users, err = target.ParseGlob(pattern)
			errs = append(errs, about(key, err)...)
		}
		e.roles, err = readRoles(given)
		errs = append(errs, about(key, err)...)
		r.entries = append(r.entries, e)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	slices.SortFunc(r.entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.who, b.who), order(a.group, b.group)) })
	return r, errors.Join(errs...)
}

// about says of each of several mistakes what it is about.
func about(key string, err error) (errs []error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			errs = append(errs, about(key, one)...)
		}
	} else if err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", key, err))
	}
	return errs
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// readRoles reads what somebody is given: functions on all minions, {"web*" = ["state.*"]}, or the long form with
// functions, targets and environments.
func readRoles(given any) (roles []*proto.Role, err error) {
	items, ok := given.([]any)
	if tables, all := given.([]map[string]any); all { // as TOML has it where there is nothing else
		for _, t := range tables {
			items = append(items, t)
		}
		ok = true
	}
	if !ok {
		return nil, fmt.Errorf("want a list of functions and tables, got %v", given)
	}
	var errs []error
	everywhere := &proto.Role{Targets: []string{"*"}}
	for _, item := range items {
		switch item := item.(type) {
		case string:
			f, err := function(item, true)
			errs = append(errs, err)
			everywhere.Functions = append(everywhere.Functions, f)
		case map[string]any:
			more, err := readTable(item)
			errs = append(errs, err)
			roles = append(roles, more...)
		default:
			errs = append(errs, fmt.Errorf("want a function or a table, got %v", item))
		}
	}
	if len(everywhere.Functions) > 0 {
		roles = append([]*proto.Role{everywhere}, roles...)
	}
	return roles, errors.Join(errs...)
}

func readTable(table map[string]any) (roles []*proto.Role, err error) {
	if _, long := table["functions"]; long {
		return readLong(table)
	}
	var errs []error
	for _, on := range slices.Sorted(maps.Keys(table)) {
		functions, err := functions(table[on])
		errs = append(errs, err, place(on))
		roles = append(roles, &proto.Role{Functions: functions, Targets: []string{on}})
	}
	return roles, errors.Join(errs...)
}

func readLong(table map[string]any) ([]*proto.Role, error) {
	role := &proto.Role{Targets: []string{"*"}}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(table)) {
		v := table[key]
		var err error
		switch key {
		case "functions":
			role.Functions, err = functions(v)
		case "targets":
			role.Targets, err = listed(v, place)
		case "environments":
			role.Environments, err = listed(v, glob)
		default:
			err = fmt.Errorf("unknown key %q beside functions: want targets or environments", key)
		}
		errs = append(errs, err)
	}
	return []*proto.Role{role}, errors.Join(errs...)
}

func functions(v any) ([]string, error) {
	if text, ok := v.(string); ok {
		v = []any{text}
	}
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		return nil, fmt.Errorf("want a list of functions, got %v", v)
	}
	var all []string
	var errs []error
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			errs = append(errs, fmt.Errorf("want the name of a function or a glob, got %v: rights don't look at arguments", item))
			continue
		}
		f, err := function(text, false)
		errs = append(errs, err)
		all = append(all, f)
	}
	return all, errors.Join(errs...)
}

// listed reads texts, one or more: an empty list would mean all where none is said.
func listed(v any, check func(string) error) ([]string, error) {
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		return nil, fmt.Errorf("want a list of texts, got %v", v)
	}
	var all []string
	var errs []error
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			errs = append(errs, fmt.Errorf("want a text, got %v", item))
			continue
		}
		errs = append(errs, check(text))
		all = append(all, text)
	}
	return all, errors.Join(errs...)
}

// function reads a glob over functions. One that is not of brine's own verbs ("@...") never means them, as in Salt:
// roles of operators otherwise take "*" for both.
func function(text string, verbs bool) (string, error) {
	g, err := target.ParseGlob(text)
	switch {
	case err != nil:
		return text, err
	case text == "":
		return text, errors.New("want a function, got an empty text")
	case strings.HasPrefix(text, "@"):
		if !verbs {
			return text, fmt.Errorf("%q is not about minions: it stands by itself, without a target", text)
		}
		return text, nil
	case strings.HasPrefix(text, "*"):
		return "[!@]" + text, nil
	case strings.HasPrefix(text, "?"):
		return "[!@]" + text[1:], nil
	case g.Match("@") || strings.HasPrefix(text, "["):
		return text, fmt.Errorf("%q: a class of characters can't stand at the beginning", text)
	}
	return text, nil
}

// place checks where a right holds: a glob over ids, or a place in a directory.
func place(text string) error {
	if _, ok := placeName(text); ok {
		return nil
	}
	for _, r := range text {
		if !strings.ContainsRune("*?[]!._@+-", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return fmt.Errorf("%q: rights are given on ids of minions, which the keys prove: want a glob", text)
		}
	}
	if len(text) > 1 && text[1] == '@' && strings.Contains("EGIJLNPRSC", text[:1]) {
		return fmt.Errorf("%q: rights are given on ids of minions, which the keys prove: want a glob", text)
	}
	return glob(text)
}

func glob(text string) error {
	if text == "" {
		return errors.New("want a glob, got an empty text")
	}
	_, err := target.ParseGlob(text)
	return err
}

// placeName is the DN of "ldap(OU=webservers,dc=example)".
func placeName(text string) (dn string, ok bool) {
	rest, ok := strings.CutPrefix(text, "ldap(")
	dn, closed := strings.CutSuffix(rest, ")")
	return dn, ok && closed
}

// places are those of the directory that rights are given on.
func (r *rights) places() []string {
	var all []string
	for _, e := range r.entries {
		for _, role := range e.roles {
			for _, t := range role.Targets {
				if dn, ok := placeName(t); ok && !slices.Contains(all, dn) {
					all = append(all, dn)
				}
			}
		}
	}
	return all
}

// known are the groups of a person that the rights name.
func (r *rights) known(groups []string) []string {
	var all []string
	for _, e := range r.entries {
		if e.group && slices.ContainsFunc(groups, func(g string) bool { return r.same(g, e.who) }) {
			all = append(all, e.who)
		}
	}
	return all
}

func (r *rights) same(a, b string) bool { return a == b || r.backend == ldapName && fold(a) == fold(b) }

// roles are what a user of these groups is given. As in Salt "*" is for those whom no other name means.
func (r *rights) roles(user string, groups []string, places []*proto.Place) (roles []*proto.Role) {
	if r.backend == ldapName {
		user = fold(user)
	}
	named := false
	for _, e := range r.entries {
		switch {
		case e.group:
			if slices.ContainsFunc(groups, func(g string) bool { return r.same(g, e.who) }) {
				roles = append(roles, e.roles...)
			}
		case e.who != "*" && e.users.Match(user):
			named = true
			roles = append(roles, e.roles...)
		}
	}
	for _, e := range r.entries {
		if e.who == "*" && !e.group && !named {
			roles = append(roles, e.roles...)
		}
	}
	return located(roles, places)
}

// located puts ids in the place of places. A role of which no minion is left is none.
func located(roles []*proto.Role, places []*proto.Place) (out []*proto.Role) {
	for _, role := range roles {
		var targets []string
		for _, t := range role.Targets {
			dn, ok := placeName(t)
			if !ok {
				targets = append(targets, t)
				continue
			}
			for _, p := range places {
				if p.Name == dn {
					targets = append(targets, p.Minions...)
				}
			}
		}
		if len(targets) > 0 {
			out = append(out, &proto.Role{Functions: role.Functions, Targets: targets, Environments: role.Environments})
		}
	}
	return out
}

// salts are Salt's words for rights, and what stands for them here.
func salts() map[string]string {
	return map[string]string{
		"@wheel": `"@wheel.*" and "@key.*"`, "@runner": `"@runner.*", "@state.orchestrate", "@job.*", "@minion.*", "@master.list" and "@master.refresh"`, "@jobs": `"@job.*"`,
	}
}

// short leaves of the functions of masters, of which there are many, one word for all of a kind.
func short(verbs []string) (all []string) {
	for _, v := range verbs {
		for _, kind := range []string{"@runner.", "@wheel."} {
			if strings.HasPrefix(v, kind) {
				v = kind + "*"
			}
		}
		all = append(all, v)
	}
	return slices.Compact(all)
}

// unknownVerbs are mistakes in rights to brine's own verbs.
func (r *rights) unknownVerbs(verbs []string) (errs []error) {
	for _, e := range r.entries {
		for _, role := range e.roles {
			for _, f := range role.Functions {
				g, err := target.ParseGlob(f)
				if err != nil || !strings.HasPrefix(f, "@") || slices.ContainsFunc(verbs, g.Match) {
					continue
				}
				hint := "brine has " + strings.Join(short(verbs), ", ")
				if s := salts()[f]; s != "" {
					hint = "here that is " + s
				}
				errs = append(errs, fmt.Errorf("external_auth.%s.%q: nothing is called %q: %s", r.backend, e.who, f, hint))
			}
		}
	}
	return errs
}
