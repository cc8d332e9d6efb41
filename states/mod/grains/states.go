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
	c, err := nest(now(ctx, h), setArgs{Key: name, Val: a.Value, Force: a.Force, Delimiter: colon})
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
	return steps(h, p, c, c.changes())
}

// steps makes the plan of one change.
func steps(h *host.Host, p module.Plan, c *change, changes *value.Dict) (module.Plan, error) {
	if err := c.check(h); err != nil {
		return module.Plan{}, err
	}
	p.Steps = []module.Step{{
		Changes: changes,
		Do:      func(ctx context.Context) (module.Done, error) { return module.Done{}, c.do(ctx, h) },
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
	c, err := nest(now(ctx, h), setArgs{Key: name, Force: a.Force, Destructive: a.Destructive, Delimiter: colon})
	if err != nil || c == nil {
		return module.Plan{}, err
	}
	if a.Destructive {
		return steps(h, module.Plan{
			Would: fmt.Sprintf("Grain %s is set to be deleted", name),
			Did:   fmt.Sprintf("Grain %s was deleted", name),
		}, c, value.NewDict("deleted", name))
	}
	return steps(h, module.Plan{
		Would: fmt.Sprintf("Value for grain %s is set to be deleted (None)", name),
		Did:   fmt.Sprintf("Value for grain %s was set to None", name),
	}, c, value.NewDict("grain", name, "value", nil))
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
	list, err := listAt(now(ctx, h), name, colon, a.Convert)
	if err != nil {
		return module.Plan{}, err
	}
	if contains(list.Items, a.Value) {
		return module.Plan{Same: fmt.Sprintf("Value %s is already in the list for grain %s", text(a.Value), name)}, nil
	}
	list.Items = append(list.Items, a.Value)
	return replaceList(ctx, h, name, list, module.Plan{
		Would: fmt.Sprintf("Value %s in grain %s is set to be added", text(a.Value), name),
		Did:   fmt.Sprintf("Value %s was added to grain %s", text(a.Value), name),
	}, value.NewDict("added", a.Value))
}

func replaceList(
	ctx context.Context, h *host.Host, name string, list *value.List, p module.Plan, changes *value.Dict,
) (module.Plan, error) {
	c, err := nest(now(ctx, h), setArgs{Key: name, Val: list, Force: true, Delimiter: colon})
	if err != nil || c == nil {
		return module.Plan{}, err
	}
	return steps(h, p, c, changes)
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
	list, err := listAt(now(ctx, h), name, colon, false)
	if v, _ := lookup(now(ctx, h), name, colon); err != nil && !value.Truth(v) {
		list, err = value.NewList(), nil // as in Salt nothing, "" or {} makes room
	}
	if err != nil {
		return module.Plan{}, err
	}
	added := value.NewList()
	for _, v := range a.items() {
		if !contains(list.Items, v) {
			list.Items = append(list.Items, v)
			added.Items = append(added.Items, v)
		}
	}
	if len(added.Items) == 0 {
		return module.Plan{Same: fmt.Sprintf("Value %s is already in grain %s", text(a.Value), name)}, nil
	}
	what := text(added)
	if len(added.Items) == 1 {
		what = text(added.Items[0])
	}
	return replaceList(ctx, h, name, list, module.Plan{
		Would: fmt.Sprintf("Value %s is set to be appended to grain %s", what, name),
		Did:   fmt.Sprintf("Append value %s to grain %s", what, name),
	}, value.NewDict("new", value.NewDict(name, list)))
}

func planListAbsent(ctx context.Context, h *host.Host, a listArgs) (module.Plan, error) {
	name := a.path()
	v, _ := lookup(now(ctx, h), name, colon)
	if !value.Truth(v) {
		return module.Plan{Same: fmt.Sprintf("Grain %s does not exist", name)}, nil
	}
	list, err := listAt(now(ctx, h), name, colon, false)
	if err != nil {
		return module.Plan{}, err
	}
	deleted := value.NewList()
	var same, would, did []string
	for _, v := range a.items() {
		if !contains(list.Items, v) {
			same = append(same, fmt.Sprintf("Value %s is absent from grain %s", text(v), name))
			continue
		}
		list.Items = without(list.Items, v)
		deleted.Items = append(deleted.Items, v)
		would = append(would, fmt.Sprintf("Value %s in grain %s is set to be deleted", text(v), name))
		did = append(did, fmt.Sprintf("Value %s was deleted from grain %s", text(v), name))
	}
	if len(deleted.Items) == 0 {
		return module.Plan{Same: strings.Join(same, "\n")}, nil
	}
	return replaceList(ctx, h, name, list, module.Plan{
		Would: strings.Join(append(would, same...), "\n"), Did: strings.Join(append(did, same...), "\n"),
	}, value.NewDict("deleted", deleted))
}
