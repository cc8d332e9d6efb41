package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/account"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type absentArgs struct {
	which
	Local bool `arg:"local" doc:"only a group of the host's own files, none of a directory service"`
}

func absent(ctx context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	g, err := account.FindGroup(ctx, h, a.Name, a.Local)
	if account.Missing(err) {
		return module.Plan{Same: fmt.Sprintf("Group %s is not present", a.Name)}, nil
	}
	if err != nil {
		return module.Plan{}, err
	}
	users, err := account.Users(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	for _, u := range users {
		if u.GID == g.GID {
			return module.Plan{}, module.Unknown("cannot remove the group %q: it is the primary group of the user %q", a.Name, u.Name)
		}
	}
	return module.Plan{
		Writes: []string{"/etc/group"},
		Steps:  []module.Step{module.Change(a.Name, "removed", func(ctx context.Context) error { return drop(ctx, h, a.Name) })},
		Would:  fmt.Sprintf("Group %s is set for removal", a.Name),
		Did:    fmt.Sprintf("Removed group %s", a.Name),
	}, nil
}

type presentArgs struct {
	addArgs
	AddUsers account.Names  `arg:"addusers" doc:"users that are in the group"`
	DelUsers account.Names  `arg:"delusers" doc:"users that are not in the group"`
	Members  *account.Names `arg:"members" doc:"the users in the group: all others leave it"`
}

// CheckArgs finds what contradicts itself.
func (a presentArgs) CheckArgs() error {
	errs := []error{a.which.CheckArgs()}
	if a.Members != nil && len(a.AddUsers)+len(a.DelUsers) > 0 {
		errs = append(errs, errors.New(`argument "members" names all users: leave "addusers" and "delusers" out`))
	}
	for _, user := range a.AddUsers {
		if slices.Contains(a.DelUsers, user) {
			errs = append(errs, fmt.Errorf(`arguments "addusers" and "delusers" both name %q`, user))
		}
	}
	return errors.Join(errs...)
}

func present(ctx context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	joining := slices.Clone(a.AddUsers)
	if a.Members != nil {
		joining = slices.Clone(*a.Members)
	}
	missing, err := missingUsers(ctx, h, joining)
	if err != nil {
		return module.Plan{}, err
	}
	if len(missing) > 0 {
		return module.Plan{}, module.Unknown("cannot put users into the group %q that are not there: %s", a.Name, strings.Join(missing, ", "))
	}
	g, err := account.FindGroup(ctx, h, a.Name, a.Local)
	if err != nil && !account.Missing(err) {
		return module.Plan{}, err
	}
	if err := a.free(ctx, h, g); err != nil {
		return module.Plan{}, err
	}
	if g == nil {
		if err := account.CheckNew(a.Name); err != nil {
			return module.Plan{}, err
		}
		return a.planNew(h, a.target(nil)), nil
	}
	return a.planChange(h, g), nil
}

// free refuses a number that another group has.
func (a *presentArgs) free(ctx context.Context, h *host.Host, g *account.Group) error {
	if a.GID == nil || a.NonUnique || g != nil && g.GID == uint32(*a.GID) {
		return nil
	}
	if name, taken := h.AccountName("group", uint32(*a.GID)); taken && name != a.Name {
		return module.Unknown("cannot give the group %q the number %d: the group %q has it", a.Name, *a.GID, name)
	}
	return nil
}

// target is who is to be in the group.
func (a *presentArgs) target(have []string) []string {
	to := []string{}
	if a.Members != nil {
		to = append(to, *a.Members...)
	} else {
		for _, user := range append(slices.Clone(have), a.AddUsers...) {
			if !slices.Contains(a.DelUsers, user) {
				to = append(to, user)
			}
		}
	}
	var once []string
	for _, user := range to {
		if !slices.Contains(once, user) {
			once = append(once, user)
		}
	}
	return once
}

func (a *presentArgs) planNew(h *host.Host, members []string) module.Plan {
	g := account.Group{Name: a.Name, Passwd: "x", Members: members}
	known := g.Info()
	known.Delete("gid")
	if a.GID != nil {
		known.Put("gid", int64(*a.GID))
	}
	return module.Plan{
		Writes: []string{"/etc/group"},
		Steps: []module.Step{{Changes: known, Do: func(ctx context.Context) (module.Done, error) {
			done := module.Done{Changes: &value.Dict{}}
			err := a.create(ctx, h)
			if err == nil {
				err = fill(ctx, h, a.Name, nil, members)
			}
			if now, bad := account.FindGroup(ctx, h, a.Name, a.Local); bad == nil {
				done.Changes = now.Info()
			}
			return done, err
		}}},
		Would: fmt.Sprintf("Group %s set to be added", a.Name),
		Did:   fmt.Sprintf("New group %s created", a.Name),
	}
}

func (a *presentArgs) planChange(h *host.Host, g *account.Group) module.Plan {
	plan := module.Plan{Same: fmt.Sprintf("Group %s is present and up to date", a.Name)}
	to := a.target(g.Members)
	if a.GID != nil && uint32(*a.GID) != g.GID {
		gid := uint32(*a.GID)
		plan.Steps = append(plan.Steps, module.Change("gid", int64(gid), func(ctx context.Context) error {
			return renumber(ctx, h, a.Name, gid, a.NonUnique)
		}))
	}
	if joined, left := without(to, g.Members), without(g.Members, to); len(joined)+len(left) > 0 {
		step := module.Step{Changes: &value.Dict{}, Do: func(ctx context.Context) (module.Done, error) {
			return module.Done{}, fill(ctx, h, a.Name, g.Members, to)
		}}
		if len(joined) > 0 {
			step.Changes.Put("addusers", listOf(joined))
		}
		if len(left) > 0 {
			step.Changes.Put("delusers", listOf(left))
		}
		plan.Steps = append(plan.Steps, step)
	}
	plan.Writes = []string{"/etc/group"}
	plan.Would = fmt.Sprintf("The group %s is set to be changed", a.Name)
	plan.Did = fmt.Sprintf("Updated group %s", a.Name)
	return plan
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return slices.Contains(others, x) })
}

func listOf(texts []string) *value.List {
	list := value.NewList()
	for _, t := range texts {
		list.Items = append(list.Items, t)
	}
	return list
}
