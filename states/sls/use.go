package sls

import (
	"slices"
	"strings"

	"brine/states/plan"
	"brine/states/yaml"
)

// use copies arguments: "use: - file: x" from the state x to this one, use_in the other way round. What is copied is
// what was written, never what came by another use.
func (c *compiler) use() {
	type copying struct{ from, to *decl }
	var all []copying
	for _, d := range c.decls {
		for _, a := range d.args {
			if a.name != "use" && a.name != "use_in" {
				continue
			}
			if a.name == "use" && a.value.Kind != yaml.SequenceNode {
				// As in Salt, where nothing tells of it.
				d.warnings = append(d.warnings, "use is ignored: it needs to be formed as a list, at "+d.place(a).String())
				continue
			}
			for _, other := range c.usedBy(d, a) {
				if a.name == "use" {
					all = append(all, copying{other, d})
				} else {
					all = append(all, copying{d, other})
				}
			}
		}
	}
	written := map[*decl][]argument{}
	for _, x := range all {
		written[x.from] = slices.Clone(x.from.args)
	}
	for _, x := range all {
		x.to.copyFrom(written[x.from])
	}
}

func (c *compiler) usedBy(d *decl, a argument) []*decl {
	var found []*decl
	for _, r := range c.requisiteList(d, a) {
		targets := c.targets(r)
		if len(targets) == 0 {
			c.lack(r, "state %q: %s: no state of this run has the ID %q%s",
				d.id, a.name, r.Target, c.suggest(r))
		}
		if len(targets) > 0 && targets[0] != d {
			found = append(found, targets[0])
		}
	}
	return found
}

// copyFrom takes over the arguments that d has none of itself, but no name and no requisite.
func (d *decl) copyFrom(args []argument) {
	for _, a := range args {
		base := strings.TrimSuffix(a.name, "_in")
		_, isRequisite := plan.ParseKind(base)
		has := slices.ContainsFunc(d.args, func(own argument) bool { return own.name == a.name })
		if has || isRequisite || base == "use" || a.name == "name" || a.name == "names" || a.name == "onfail_stop" {
			continue
		}
		d.args = append(d.args, a)
	}
}
