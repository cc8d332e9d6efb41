package keys

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto"
	"brine/proto/role"
	"brine/proto/target"
)

const maxNamed = 5 // ids and names that a refusal lists

// Allowed tells why an operator may not use a function on minions in
// environments, or nil. Each id must be within a role that allows the function
// in each of the environments; with none named, in any. Without ids, for a verb
// of brine ("@key.list"), one role must allow it: one with a glob that begins
// with '@', or with a plain glob if its targets are "*"; so "*" on "web*"
// opens no verb. The error says what is missing and who can give it.
func (d *DB) Allowed(op *proto.OperatorRecord, function string, ids []string, environments ...string) error {
	if op == nil || op.Revoked || d.over(op) {
		return fmt.Errorf("operator %q may not use %s: the operator is unknown, revoked or expired", op.GetName(), function)
	}
	rights := rightsTo(op, function)
	if len(rights) == 0 {
		return d.refusal(op, function, ids, environments, "")
	}
	for _, env := range environments {
		inside := slices.DeleteFunc(slices.Clone(rights), func(r right) bool { return !r.in(env) })
		if denied := outside(inside, ids); len(denied) > 0 {
			return d.refusal(op, function, denied, environments, onOf(" in environment "+env, denied, ids))
		}
	}
	if denied := outside(rights, ids); len(denied) > 0 {
		return d.refusal(op, function, denied, environments, onOf("", denied, ids))
	}
	return nil
}

// onOf says on which minions something may not be done.
func onOf(where string, denied, ids []string) string {
	return fmt.Sprintf("%s on %d of %d minions: %s", where, len(denied), len(ids), some(denied))
}

// some lists the first few.
func some(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamed)], ", ")
	if len(names) > maxNamed {
		text += " ..."
	}
	return text
}

// refusal says what an operator may not do, which role is missing, and who can give it.
func (d *DB) refusal(op *proto.OperatorRecord, function string, denied, environments []string, detail string) error {
	missing := &proto.Role{Functions: []string{function}, Targets: denied, Environments: environments}
	if len(denied) > maxNamed {
		missing.Targets = append(slices.Clone(denied[:maxNamed]), "...")
	}
	if len(environments) == 0 {
		missing.Environments = []string{role.Base}
	}
	text := fmt.Sprintf("operator %q may not use %s%s; missing is a role such as '%s'", op.Name, function, detail, role.Format(missing))
	if admins := d.admins(); len(admins) > 0 {
		text += fmt.Sprintf(", which %s can give (brine operator set %s --add-role)", some(admins), op.Name)
	}
	return errors.New(text)
}

// admins are the names of those who may do everything.
func (d *DB) admins() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var names []string
	for _, op := range d.operators {
		if IsAdmin(op) && !d.over(op) {
			names = append(names, op.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// IsAdmin tells whether an operator has a role that allows everything.
func IsAdmin(op *proto.OperatorRecord) bool { return slices.ContainsFunc(op.GetRoles(), role.IsAdmin) }

// right is where one role allows a function.
type right struct {
	targets, environments patterns
	everywhere            bool
}

func (r right) in(env string) bool { return r.everywhere || r.environments.any(env) }

// outside are the ids that no right reaches.
func outside(rights []right, ids []string) (denied []string) {
	for _, id := range ids {
		if !slices.ContainsFunc(rights, func(r right) bool { return r.targets.any(id) }) {
			denied = append(denied, id)
		}
	}
	return denied
}

// rightsTo are an operator's rights to a function. A glob that cannot be read
// allows nothing.
func rightsTo(op *proto.OperatorRecord, function string) (rights []right) {
	for _, r := range op.Roles {
		if !opens(r, function) {
			continue
		}
		rights = append(rights, right{
			targets: readable(r.GetTargets()), environments: readable(r.GetEnvironments()), everywhere: role.Everywhere(r),
		})
	}
	return rights
}

// opens tells whether one of a role's globs over functions means this one.
func opens(r *proto.Role, function string) bool {
	site := slices.Contains(r.GetTargets(), "*")
	return slices.ContainsFunc(r.GetFunctions(), func(f string) bool {
		if strings.HasPrefix(function, "@") && !strings.HasPrefix(f, "@") && !site {
			return false
		}
		return readable([]string{f}).any(function)
	})
}

// readable are those of some globs that can be read.
func readable(list []string) (all patterns) {
	for _, p := range list {
		if g, err := target.ParseGlob(p); err == nil {
			all = append(all, g)
		}
	}
	return all
}

// MayGrant tells why an operator may not give or take these roles, or nil: an
// admin may, everyone else only what one of their own roles has whole.
func (d *DB) MayGrant(op *proto.OperatorRecord, roles []*proto.Role) error {
	if IsAdmin(op) {
		return nil
	}
	var beyond []string
	for _, r := range roles {
		if !within(r, op.Roles) {
			beyond = append(beyond, "'"+role.Format(r)+"'")
		}
	}
	if len(beyond) == 0 {
		return nil
	}
	text := fmt.Sprintf("operator %q may not give or take roles beyond those of %s: %s", op.GetName(), op.GetName(), strings.Join(beyond, ", "))
	if admins := d.admins(); len(admins) > 0 {
		text += "; " + some(admins) + " can"
	}
	return errors.New(text)
}

// within tells whether all that a role allows is allowed by one of some roles,
// for each of its functions, targets and environments.
func within(r *proto.Role, own []*proto.Role) bool {
	targets, environments := r.GetTargets(), r.GetEnvironments()
	if len(targets) == 0 {
		targets = []string{""}
	}
	if len(environments) == 0 {
		environments = []string{"*"}
	}
	for _, f := range r.GetFunctions() {
		for _, t := range targets {
			for _, e := range environments {
				if !slices.ContainsFunc(own, func(o *proto.Role) bool { return contains(o, f, t, e) }) {
					return false
				}
			}
		}
	}
	return true
}

// contains tells whether a role allows all that these globs mean.
func contains(o *proto.Role, function, target, environment string) bool {
	if strings.HasPrefix(function, "@") {
		site := slices.Contains(o.GetTargets(), "*")
		return slices.ContainsFunc(o.GetFunctions(), func(f string) bool {
			return (site || strings.HasPrefix(f, "@")) && wider(f, function)
		})
	}
	any := func(list []string, glob string) bool {
		return slices.ContainsFunc(list, func(g string) bool { return wider(g, glob) })
	}
	return any(o.GetFunctions(), function) && any(o.GetTargets(), target) && (role.Everywhere(o) || any(o.GetEnvironments(), environment))
}

// wider tells whether a glob matches all that another one does. It says no
// where that takes more than to match its text: with sets and "?".
func wider(glob, other string) bool {
	if glob == other || glob == "*" {
		return true
	}
	g, err := target.ParseGlob(glob)
	if err != nil || !exact(other) && (strings.ContainsAny(glob, "?[") || strings.Contains(other, "[")) {
		return false
	}
	return g.Match(other)
}
