package mine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto/target"
	"brine/states/host"
	"brine/states/value"
)

// A definition says what is told under a name.
type definition struct {
	name     string
	function string // "" is that of the name
	args     []any
	named    *value.Dict
	allow    any
	how      string
	given    any // the definition itself
}

// definitions are those given, or those of the configuration and pillar.
func definitions(ctx context.Context, h *host.Host, given any) ([]definition, error) {
	if !value.Truth(given) {
		if h.Modules == nil {
			return nil, errors.New("cannot read mine_functions: nothing can be called by name here")
		}
		var err error
		if given, _, err = h.Modules.Call(ctx, h, "config.merge", []any{"mine_functions", &value.Dict{}}, nil); err != nil {
			return nil, err
		}
	}
	var all []definition
	var errs []error
	add := func(name, given any) {
		d, err := define(fmt.Sprint(name), given)
		all, errs = append(all, d), append(errs, err)
	}
	switch g := given.(type) {
	case *value.List:
		for _, name := range g.Items {
			add(name, value.NewList())
		}
	case *value.Dict:
		for name, def := range g.All() {
			add(name, def)
		}
	default:
		return nil, fmt.Errorf("cannot read mine_functions: want a map of functions and what they are called with, got %s", value.Kind(given))
	}
	return all, errors.Join(errs...)
}

// define reads one definition: a list of arguments, those by name as maps in it, or a map of all by name.
func define(name string, given any) (definition, error) {
	d := definition{name: name, named: &value.Dict{}, given: given}
	switch g := given.(type) {
	case nil:
	case *value.List:
		for _, item := range g.Items {
			if named, ok := item.(*value.Dict); ok {
				d.byName(named)
			} else {
				d.args = append(d.args, item)
			}
		}
	case *value.Dict:
		d.byName(g)
	default:
		return d, fmt.Errorf("cannot read mine_functions: %s: want a list or a map of arguments, got %s", name, value.Kind(given))
	}
	return d, nil
}

// byName takes arguments by name, and what is about the mine itself.
func (d *definition) byName(named *value.Dict) {
	for k, v := range named.All() {
		switch k {
		case "mine_function":
			d.function = fmt.Sprint(v)
		case "allow_tgt":
			d.allow = v
		case "allow_tgt_type":
			d.how = fmt.Sprint(v)
		default:
			_ = d.named.Set(k, v) // it was a key already
		}
	}
}

func (d *definition) called() string { return cmp.Or(d.function, d.name) }

// call calls the function.
func (d *definition) call(ctx context.Context, h *host.Host) (e host.MineEntry, err error) {
	if e.Allow, e.AllowHow, err = d.allowed(); err != nil {
		return e, err
	}
	if h.Modules == nil {
		return e, errors.New("nothing can be called by name here")
	}
	v, _, err := h.Modules.Call(ctx, h, d.called(), d.args, d.named)
	if err != nil {
		return e, err
	}
	e.Data, err = value.MarshalJSON(v)
	return e, err
}

// allowed is the target that may get it.
func (d *definition) allowed() (tgt, how string, err error) {
	if !value.Truth(d.allow) {
		return "", "", nil
	}
	if how = cmp.Or(d.how, "glob"); !slices.Contains(target.Kinds(), how) {
		return "", "", fmt.Errorf("allow_tgt_type = %q: want one of %s", how, strings.Join(target.Kinds(), ", "))
	}
	l, ok := d.allow.(*value.List)
	if !ok {
		return fmt.Sprint(d.allow), how, nil
	}
	words := make([]string, len(l.Items))
	for i, item := range l.Items {
		words[i] = fmt.Sprint(item)
	}
	if how == "list" {
		return strings.Join(words, ","), how, nil
	}
	return strings.Join(words, " "), how, nil
}

// shown is the definition in Salt's words: without what is about the mine itself.
func (d *definition) shown() any {
	args := value.NewList(d.args...)
	switch {
	case d.function != "":
		for k, v := range d.named.All() {
			one := &value.Dict{}
			_ = one.Set(k, v) // it was a key already
			args.Items = append(args.Items, one)
		}
		return value.NewDict(d.function, args)
	case d.named.Len() == 0:
		return args
	}
	if _, ok := d.given.(*value.Dict); ok {
		return d.named
	}
	return d.given
}
