package grains

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

var states = []module.State{
	{
		Name: "absent",
		Doc:  "Make sure that a custom grain has no value, or with destructive that it is not there.",
		Example: `
			old_role:
			  grains.absent:
			    - destructive: true`,
		Plan: module.Look(planAbsent),
	},
	{
		Name: "append",
		Doc:  "Make sure that a value is in a grain that is a list and is there.",
		Example: `
			roles:
			  grains.append:
			    - value: web`,
		Plan: module.Look(planAppend),
	},
	{
		Name: "exists", Doc: "Make sure that there is such a grain, whatever its value.",
		Example: `
			os:
			  grains.exists`,
		Plan: module.Look(planExists),
	},
	{
		Name: "list_absent",
		Doc:  "Make sure that a value, or each of a list, is not in a grain that is a list.",
		Example: `
			roles:
			  grains.list_absent:
			    - value: db`,
		Plan: module.Look(planListAbsent),
	},
	{
		Name: "list_present",
		Doc:  "Make sure that a value, or each of a list, is in a grain that is a list; it is made when it is not there.",
		Example: `
			roles:
			  grains.list_present:
			    - value: [web, cache]`,
		Plan: module.Look(planListPresent),
	},
	{
		Name: "present",
		Doc: `
			Make sure of a grain's value. With names between colons what is inside of a grain is set. A list or map is overwritten,
			or takes another value's place, only with force.`,
		Example: `
			role:
			  grains.present:
			    - value: web
			apps:web:port:
			  grains.present:
			    - value: 8080`,
		Plan: module.Look(planPresent),
	},
}

type nameArgs struct {
	Name      string `arg:"name,required" doc:"the grain; a colon stands between the names of nested ones"`
	Delimiter string `arg:"delimiter" default:"':'" doc:"what stands in the name instead of the colon"`
}

// path is the name with colons.
func (a nameArgs) path() string {
	if a.Delimiter == "" {
		return a.Name
	}
	return strings.ReplaceAll(a.Name, a.Delimiter, colon)
}

func planExists(ctx context.Context, h *host.Host, a nameArgs) (module.Plan, error) {
	if _, ok := lookup(now(ctx, h), a.path(), colon); !ok {
		return module.Plan{}, module.Unknown("Grain does not exist")
	}
	return module.Plan{Same: "Grain exists"}, nil
}

type presentArgs struct {
	nameArgs
	Value any  `arg:"value,required" doc:"its value"`
	Force bool `arg:"force" doc:"overwrite a list or a map too"`
}

func planPresent(ctx context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	name := a.path()
	decide := setArgs{Key: name, Val: a.Value, Force: a.Force, Delimiter: colon}.decide
	c, err := decide(now(ctx, h))
	if err != nil {
		return module.Plan{}, err
	}
	if c == nil {
		return module.Plan{Same: "Grain is already set"}, nil
	}
	p := module.Plan{
		Would: fmt.Sprintf("Grain %s is set to be added", name),
		Did:   fmt.Sprintf("Set grain %s to %s", name, text(a.Value)),
	}
	if _, there := lookup(now(ctx, h), name, colon); there {
		p.Would = fmt.Sprintf("Grain %s is set to be changed", name)
	}
	return steps(h, p, c, decide, c.changes())
}

// steps makes the plan of one change. What exactly changes is decided once more when it is made.
func steps(h *host.Host, p module.Plan, c *change, decide decision, changes *value.Dict) (module.Plan, error) {
	if err := c.check(h); err != nil {
		return module.Plan{}, err
	}
	p.Steps = []module.Step{{
		Changes: changes,
		Do: func(ctx context.Context) (module.Done, error) {
			_, err := edit(ctx, h, decide)
			return module.Done{}, err
		},
	}}
	return p, nil
}

type absentArgs struct {
	nameArgs
	Destructive bool `arg:"destructive" doc:"delete the grain, not only its value"`
	Force       bool `arg:"force" doc:"do so with a list or a map too"`
}

func planAbsent(ctx context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	name := a.path()
	old, there := lookup(now(ctx, h), name, colon)
	switch {
	case !there:
		return module.Plan{Same: fmt.Sprintf("Grain %s does not exist", name)}, nil
	case old == nil && !a.Destructive:
		return module.Plan{Same: fmt.Sprintf("Grain %s has no value already", name)}, nil
	}
	decide := setArgs{Key: name, Force: a.Force, Destructive: a.Destructive, Delimiter: colon}.decide
	c, err := decide(now(ctx, h))
	if err != nil || c == nil {
		return module.Plan{}, err
	}
	if a.Destructive {
		return steps(h, module.Plan{
			Would: fmt.Sprintf("Grain %s is set to be deleted", name),
			Did:   fmt.Sprintf("Grain %s was deleted", name),
		}, c, decide, value.NewDict("deleted", name))
	}
	return steps(h, module.Plan{
		Would: fmt.Sprintf("Value for grain %s is set to be deleted (None)", name),
		Did:   fmt.Sprintf("Value for grain %s was set to None", name),
	}, c, decide, value.NewDict("grain", name, "value", nil))
}

type stateAppendArgs struct {
	nameArgs
	Value   any  `arg:"value,required" doc:"what is added"`
	Convert bool `arg:"convert" doc:"make a list of a grain that is none"`
}

func planAppend(ctx context.Context, h *host.Host, a stateAppendArgs) (module.Plan, error) {
	name := a.path()
	if _, there := lookup(now(ctx, h), name, colon); !there {
		return module.Plan{}, module.Unknown("Grain %s does not exist", name)
	}
	decide := func(grains *value.Dict) (*change, error) {
		list, err := listAt(grains, name, colon, a.Convert)
		if err != nil || contains(list.Items, a.Value) {
			return nil, err
		}
		list.Items = append(list.Items, a.Value)
		return put(grains, name, list, colon)
	}
	c, err := decide(now(ctx, h))
	if err != nil {
		return module.Plan{}, err
	}
	if c == nil {
		return module.Plan{Same: fmt.Sprintf("Value %s is already in the list for grain %s", text(a.Value), name)}, nil
	}
	return steps(h, module.Plan{
		Would: fmt.Sprintf("Value %s in grain %s is set to be added", text(a.Value), name),
		Did:   fmt.Sprintf("Value %s was added to grain %s", text(a.Value), name),
	}, c, decide, value.NewDict("added", a.Value))
}

type listArgs struct {
	nameArgs
	Value any `arg:"value,required" doc:"the value, or a list of them"`
}

// items are the values meant.
func (a listArgs) items() []any {
	if l, ok := a.Value.(*value.List); ok {
		return l.Items
	}
	return []any{a.Value}
}

func planListPresent(ctx context.Context, h *host.Host, a listArgs) (module.Plan, error) {
	name := a.path()
	list, added, err := a.adding(now(ctx, h))
	if err != nil {
		return module.Plan{}, err
	}
	if len(added.Items) == 0 {
		return module.Plan{Same: fmt.Sprintf("Value %s is already in grain %s", text(a.Value), name)}, nil
	}
	what := text(added)
	if len(added.Items) == 1 {
		what = text(added.Items[0])
	}
	return a.replacing(ctx, h, a.adding, module.Plan{
		Would: fmt.Sprintf("Value %s is set to be appended to grain %s", what, name),
		Did:   fmt.Sprintf("Append value %s to grain %s", what, name),
	}, value.NewDict("new", value.NewDict(name, list)))
}

// adding returns what the list is with the values, and those that it had not.
func (a listArgs) adding(grains *value.Dict) (list, added *value.List, err error) {
	list, err = listAt(grains, a.path(), colon, false)
	if v, _ := lookup(grains, a.path(), colon); err != nil && !value.Truth(v) {
		list, err = value.NewList(), nil // as in Salt nothing, "" or {} makes room
	}
	if err != nil {
		return nil, nil, err
	}
	added = value.NewList()
	for _, v := range a.items() {
		if !contains(list.Items, v) {
			list.Items = append(list.Items, v)
			added.Items = append(added.Items, v)
		}
	}
	return list, added, nil
}

// taking returns what the list is without the values, and those that it had.
func (a listArgs) taking(grains *value.Dict) (list, taken *value.List, err error) {
	if list, err = listAt(grains, a.path(), colon, false); err != nil {
		return nil, nil, err
	}
	taken = value.NewList()
	for _, v := range a.items() {
		if contains(list.Items, v) {
			list.Items = without(list.Items, v)
			taken.Items = append(taken.Items, v)
		}
	}
	return list, taken, nil
}

// replacing makes the plan that gives the grain another list.
func (a listArgs) replacing(
	ctx context.Context, h *host.Host, make func(*value.Dict) (list, touched *value.List, err error), p module.Plan, changes *value.Dict,
) (module.Plan, error) {
	decide := func(grains *value.Dict) (*change, error) {
		list, touched, err := make(grains)
		if err != nil || len(touched.Items) == 0 {
			return nil, err
		}
		return put(grains, a.path(), list, colon)
	}
	c, err := decide(now(ctx, h))
	if err != nil || c == nil {
		return module.Plan{}, err
	}
	return steps(h, p, c, decide, changes)
}

func planListAbsent(ctx context.Context, h *host.Host, a listArgs) (module.Plan, error) {
	name := a.path()
	v, _ := lookup(now(ctx, h), name, colon)
	if !value.Truth(v) {
		return module.Plan{Same: fmt.Sprintf("Grain %s does not exist", name)}, nil
	}
	_, deleted, err := a.taking(now(ctx, h))
	if err != nil {
		return module.Plan{}, err
	}
	var same, would, did []string
	for _, v := range a.items() {
		if !contains(deleted.Items, v) {
			same = append(same, fmt.Sprintf("Value %s is absent from grain %s", text(v), name))
			continue
		}
		would = append(would, fmt.Sprintf("Value %s in grain %s is set to be deleted", text(v), name))
		did = append(did, fmt.Sprintf("Value %s was deleted from grain %s", text(v), name))
	}
	if len(deleted.Items) == 0 {
		return module.Plan{Same: strings.Join(same, "\n")}, nil
	}
	return a.replacing(ctx, h, a.taking, module.Plan{
		Would: strings.Join(append(would, same...), "\n"), Did: strings.Join(append(did, same...), "\n"),
	}, value.NewDict("deleted", deleted))
}
