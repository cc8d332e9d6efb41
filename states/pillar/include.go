package pillar

import (
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/plan"
	"brine/states/sls"
	"brine/states/value"
	"brine/states/yaml"
)

// An include is one item of an include list.
type include struct {
	name     string // of an SLS, or a glob
	key      string // that what it brings is put under, with colons for keys in one another
	defaults *value.Dict
	at       plan.Place
}

// under puts what an include brings under its key.
func (i include) under(d *value.Dict) *value.Dict {
	if d.Len() == 0 {
		return nil
	}
	for _, k := range slices.Backward(strings.Split(i.key, ":")) {
		if k != "" {
			d = value.NewDict(k, d)
		}
	}
	return d
}

// includes reads the include list of an SLS, which was read with defaults itself.
func (e *environment) includes(name string, f *file, defaults *value.Dict) []include {
	if f.includes == nil {
		return nil
	}
	if f.includes.Kind != yaml.SequenceNode {
		e.fail(plan.Place{File: f.path, Line: f.includes.Line},
			"the include declaration is not formed as a list: write each SLS in a line after \"- \"")
		return nil
	}
	var all []include
	for _, item := range f.includes.Items {
		i := include{defaults: defaults, at: plan.Place{File: f.path, Line: item.Line}}
		if item.Kind == yaml.MappingNode && len(item.Pairs) == 1 {
			e.options(&i, item.Pairs[0])
			item = item.Pairs[0].Key
		}
		text, ok := item.Str()
		if !ok || text == "" {
			e.fail(i.at, "cannot include a %s: want the name of an SLS", item.TypeName())
			continue
		}
		if i.name, ok = sls.Relative(name, f.inTree, strings.ReplaceAll(text, "/", ".")); !ok {
			e.fail(i.at, "the relative include %q goes beyond the top level of the tree", text)
			continue
		}
		all = append(all, i)
	}
	return all
}

// options reads what stands beneath the name of an included SLS. As in Salt such a one does not have the defaults of
// the SLS that includes it.
func (e *environment) options(i *include, p yaml.Pair) {
	i.defaults = nil
	if p.Value.Kind != yaml.MappingNode && !p.Value.IsNull() {
		e.fail(i.at, "include of %q: want the options key and defaults, got a %s", p.Key.Text, p.Value.TypeName())
	}
	for _, option := range p.Value.Pairs {
		at := plan.Place{File: i.at.File, Line: option.Key.Line}
		switch name := option.Key.Text; {
		case name == "key":
			i.key = option.Value.Text
		case name == "defaults" && option.Value.Kind == yaml.MappingNode:
			i.defaults = option.Value.Data().(*value.Dict)
		case name == "defaults" && !option.Value.IsNull():
			e.fail(at, "include of %q: defaults: want a dict of variables, got a %s", p.Key.Text, option.Value.TypeName())
		case name != "defaults":
			e.fail(at, "include of %q: unknown option %q%s", p.Key.Text, name, spell.DidYouMean(name, []string{"defaults", "key"}))
		}
	}
}
