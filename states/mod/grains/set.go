package grains

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// A change is what becomes of one custom grain.
type change struct {
	name   string // without nested names
	val    any
	delete bool
}

// check tells what keeps the change from taking effect, without doing it.
func (c change) check(h *host.Host) error {
	if h.Facts == nil {
		return errNoFacts
	}
	if c.name == "" {
		return errors.New("cannot set a grain without a name")
	}
	if file := h.Facts.Fixed(c.name); file != "" {
		return fmt.Errorf("cannot set grain %q: %s gives it a value, which counts more than custom grains", c.name, file)
	}
	return nil
}

// A decision makes a change of what the grains are; nil when nothing has to change.
type decision func(grains *value.Dict) (*change, error)

// edit makes the change that is decided on, and returns it. The decision is made once more where nobody else edits the
// grains: what others added to a list meanwhile stays in it.
func edit(ctx context.Context, h *host.Host, decide decision) (*change, error) {
	c, err := decide(now(ctx, h))
	if c == nil || err != nil {
		return nil, err
	}
	if err := c.check(h); err != nil {
		return nil, err
	}
	err = h.Facts.Edit(ctx, func(custom, grains *value.Dict) (err error) {
		if c, err = decide(grains); c == nil || err != nil {
			return err
		}
		return c.into(custom, grains)
	})
	return c, err
}

// into lays the change down in the custom grains.
func (c change) into(custom, grains *value.Dict) error {
	if c.delete {
		if _, there := grains.Get(c.name); !custom.Delete(c.name) && there {
			return fmt.Errorf("cannot delete grain %q: it is no custom one", c.name)
		}
		return nil
	}
	v, err := value.Clone(c.val)
	if err == nil {
		custom.Put(c.name, v)
	}
	return err
}

// changes are as Salt tells them.
func (c change) changes() *value.Dict { return value.NewDict(c.name, c.val) }

type setValArgs struct {
	Key           string `arg:"key,required" doc:"the grain"`
	Val           any    `arg:"val,required" doc:"its new value"`
	Destructive   bool   `arg:"destructive" doc:"with nothing as the value delete the grain"`
	RefreshPillar bool   `arg:"refresh_pillar" default:"true" doc:"taken for Salt's sake: pillar is rendered anew for each job"`
}

func setVal(ctx context.Context, h *host.Host, a setValArgs) (*value.Dict, error) {
	c := &change{a.Key, a.Val, a.Val == nil && a.Destructive}
	if _, err := edit(ctx, h, func(*value.Dict) (*change, error) { return c, nil }); err != nil {
		return nil, err
	}
	return c.changes(), nil
}

type setValsArgs struct {
	Grains        *value.Dict `arg:"grains,required" doc:"names with their new values"`
	Destructive   bool        `arg:"destructive" doc:"delete the grains whose value is nothing"`
	RefreshPillar bool        `arg:"refresh_pillar" default:"true" doc:"taken for Salt's sake: pillar is rendered anew for each job"`
}

// setVals sets all or none.
func setVals(ctx context.Context, h *host.Host, a setValsArgs) (*value.Dict, error) {
	var all []change
	var errs []error
	for k, v := range a.Grains.All() {
		c := change{text(k), v, v == nil && a.Destructive}
		all = append(all, c)
		errs = append(errs, c.check(h))
	}
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		return a.Grains, err
	}
	copied, err := value.Clone(a.Grains)
	if err != nil {
		return nil, err
	}
	return a.Grains, h.Facts.Edit(ctx, func(custom, _ *value.Dict) error {
		for _, c := range all {
			if c.delete {
				custom.Delete(c.name)
			}
		}
		for k, v := range copied.(*value.Dict).All() {
			if v != nil || !a.Destructive {
				custom.Put(text(k), v)
			}
		}
		return nil
	})
}

type setArgs struct {
	Key         string `arg:"key,required" doc:"the grain"`
	Val         any    `arg:"val" default:"''" doc:"its new value"`
	Force       bool   `arg:"force" doc:"overwrite a list or a map too"`
	Destructive bool   `arg:"destructive" doc:"with nothing as the value delete it"`
	Delimiter   string `arg:"delimiter" default:"':'" doc:"what stands between the names of nested grains"`
}

// set answers as Salt does: with comment, changes and result.
func set(ctx context.Context, h *host.Host, a setArgs) (module.Returned, error) {
	c, err := edit(ctx, h, a.decide)
	comment, changes := "", &value.Dict{}
	switch {
	case err == nil && c == nil:
		comment = "Grain is already set"
	case err == nil:
		changes = c.changes()
	}
	if err != nil {
		answer := value.NewDict("comment", err.Error(), "changes", &value.Dict{}, "result", false)
		return module.Returned{Value: answer, Retcode: 1}, nil
	}
	return module.Returned{Value: value.NewDict("comment", comment, "changes", changes, "result", true)}, nil
}

func (a setArgs) decide(grains *value.Dict) (*change, error) { return nest(grains, a) }

// nest makes the change of a grain that sets what is inside of it; nil when it is so already.
func nest(grains *value.Dict, a setArgs) (*change, error) {
	old, there := lookup(grains, a.Key, a.Delimiter)
	if there && value.Equal(old, a.Val) && (a.Val != nil || !a.Destructive) {
		return nil, nil
	}
	if there && old != nil && !a.Force {
		switch {
		case complex(old):
			return nil, fmt.Errorf("cannot set %q: it is a list or a map (force=true overwrites it)", a.Key)
		case complex(a.Val):
			return nil, fmt.Errorf("cannot set %q to a list or a map: it has a value (force=true overwrites it)", a.Key)
		}
	}
	key, val := a.Key, a.Val
	for a.Delimiter != "" && strings.Contains(key, a.Delimiter) {
		i := strings.LastIndex(key, a.Delimiter)
		outer, name := key[:i], key[i+len(a.Delimiter):]
		var err error
		if val, err = within(grains, outer, name, val, a); err != nil {
			return nil, err
		}
		key = outer
	}
	return &change{key, val, val == nil && a.Destructive}, nil
}

// within is the value of outer with name in it set to val.
func within(grains *value.Dict, outer, name string, val any, a setArgs) (any, error) {
	old, there := lookup(grains, outer, a.Delimiter)
	if !there {
		old = &value.Dict{}
	}
	old, err := value.Clone(old)
	if err != nil {
		return nil, err
	}
	switch at := old.(type) {
	case *value.Dict:
		if val == nil && a.Destructive {
			at.Delete(name)
		} else {
			at.Put(name, val)
		}
		return at, nil
	case *value.List:
		intoList(at, name, val)
		return at, nil
	}
	if a.Force || value.Equal(old, name) {
		return value.NewDict(name, val), nil
	}
	return nil, fmt.Errorf("cannot set %q inside of %q, whose value is %s (force=true overwrites it)", name, outer, repr(old))
}

// intoList sets a name in the maps of a list that have it, and makes a map of an item that is the name.
func intoList(l *value.List, name string, val any) {
	found := false
	for i, item := range l.Items {
		d, ok := item.(*value.Dict)
		if ok {
			_, ok = d.Get(name)
		}
		switch {
		case ok:
			d.Put(name, val)
			found = true
		case value.Equal(item, name):
			l.Items[i] = value.NewDict(name, val)
			found = true
		}
	}
	if !found {
		l.Items = append(l.Items, value.NewDict(name, val))
	}
}

func complex(v any) bool {
	switch v.(type) {
	case *value.Dict, *value.List, value.Tuple, *value.Set:
		return true
	}
	return false
}

type delKeyArgs struct {
	Key   string `arg:"key,required" doc:"the grain"`
	Force bool   `arg:"force" doc:"delete a list or a map too"`
}

func delKey(ctx context.Context, h *host.Host, a delKeyArgs) (module.Returned, error) {
	return set(ctx, h, setArgs{Key: a.Key, Force: a.Force, Destructive: true, Delimiter: colon})
}

type delValArgs struct {
	Key         string `arg:"key,required" doc:"the grain"`
	Destructive bool   `arg:"destructive" doc:"delete the grain"`
	Force       bool   `arg:"force" doc:"do so with a list or a map too"`
}

func delVal(ctx context.Context, h *host.Host, a delValArgs) (module.Returned, error) {
	return set(ctx, h, setArgs{Key: a.Key, Force: a.Force, Destructive: a.Destructive, Delimiter: colon})
}

type appendArgs struct {
	Key       string `arg:"key,required" doc:"the grain"`
	Val       any    `arg:"val,required" doc:"what is added"`
	Convert   bool   `arg:"convert" doc:"make a list of a grain that is none"`
	Delimiter string `arg:"delimiter" default:"':'" doc:"what stands between the names of nested grains"`
}

func appendTo(ctx context.Context, h *host.Host, a appendArgs) (any, error) {
	c, err := edit(ctx, h, func(grains *value.Dict) (*change, error) {
		list, err := listAt(grains, a.Key, a.Delimiter, a.Convert)
		if err != nil || contains(list.Items, a.Val) {
			return nil, err
		}
		if more, ok := a.Val.(*value.List); ok {
			list.Items = append(list.Items, more.Items...)
		} else {
			list.Items = append(list.Items, a.Val)
		}
		return put(grains, a.Key, list, a.Delimiter)
	})
	if c == nil && err == nil {
		return fmt.Sprintf("The val %s was already in the list %s", text(a.Val), a.Key), nil
	}
	return told(c, err)
}

// told are the changes that a function returns.
func told(c *change, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return c.changes(), nil
}

type removeArgs struct {
	Key       string `arg:"key,required" doc:"the grain"`
	Val       any    `arg:"val,required" doc:"what is taken out"`
	Delimiter string `arg:"delimiter" default:"':'" doc:"what stands between the names of nested grains"`
}

func removeFrom(ctx context.Context, h *host.Host, a removeArgs) (any, error) {
	c, err := edit(ctx, h, func(grains *value.Dict) (*change, error) {
		list, err := listAt(grains, a.Key, a.Delimiter, false)
		if err != nil || !contains(list.Items, a.Val) {
			return nil, err
		}
		list.Items = without(list.Items, a.Val)
		return put(grains, a.Key, list, a.Delimiter)
	})
	if c == nil && err == nil {
		return fmt.Sprintf("The val %s was not in the list %s", text(a.Val), a.Key), nil
	}
	return told(c, err)
}

// without leaves out the first item that equals v.
func without(items []any, v any) []any {
	var out []any
	gone := false
	for _, item := range items {
		if !gone && value.Equal(item, v) {
			gone = true
			continue
		}
		out = append(out, item)
	}
	return out
}

// listAt copies a grain that is a list; one that is not there is empty.
func listAt(grains *value.Dict, key, delimiter string, convert bool) (*value.List, error) {
	v, there := lookup(grains, key, delimiter)
	switch list, ok := v.(*value.List); {
	case ok:
		c, err := value.Clone(list)
		if err != nil {
			return nil, err
		}
		return c.(*value.List), nil
	case !there, v == nil && convert:
		return value.NewList(), nil
	case convert:
		return value.NewList(v), nil
	}
	return nil, fmt.Errorf("the grain %s is no list, but a %s", key, value.Kind(v))
}

// put makes the change that sets a grain, or what is inside of one, whatever it was.
func put(grains *value.Dict, key string, val any, delimiter string) (*change, error) {
	return nest(grains, setArgs{Key: key, Val: val, Force: true, Delimiter: delimiter})
}
