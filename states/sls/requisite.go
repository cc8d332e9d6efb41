package sls

import (
	"strings"

	"brine/states/plan"
	"brine/states/yaml"
)

// requisiteList reads the value of require and its like.
func (c *compiler) requisiteList(d *decl, a argument, kind plan.Kind) []plan.Requisite {
	if a.value.Kind != yaml.SequenceNode {
		c.fail(d.place(a.line), "the %s statement in state %q needs to be formed as a list: write each requisite in a line after \"- \"",
			a.name, d.id)
		return nil
	}
	var reqs []plan.Requisite
	for _, item := range a.value.Items {
		if r, ok := c.requisite(d, a.name, item); ok {
			r.Kind = kind
			reqs = append(reqs, r)
		}
	}
	return reqs
}

// requisite reads one item: "- pkg: nginx" or the bare "- nginx".
func (c *compiler) requisite(d *decl, statement string, item *yaml.Node) (plan.Requisite, bool) {
	r := plan.Requisite{Place: d.place(item.Line)}
	target := item
	if item.Kind == yaml.MappingNode {
		if len(item.Pairs) != 1 {
			c.fail(r.Place, "state %q: a requisite in %s needs to be formed as a single key dictionary, such as \"- pkg: nginx\"",
				d.id, statement)
			return r, false
		}
		r.Module, target = item.Pairs[0].Key.Text, item.Pairs[0].Value
		if mod, _, dot := strings.Cut(r.Module, "."); dot {
			c.fail(r.Place, "invalid requisite type %q in state %q: requisite types must not contain dots, did you mean %q?",
				r.Module, d.id, mod)
			return r, false
		}
	}
	if target.Kind != yaml.ScalarNode || target.Value == nil {
		c.fail(r.Place, "state %q: the requisite %q in %s needs the ID or name of a state, got %s",
			d.id, r.Module, statement, target.TypeName())
		return r, false
	}
	r.Target = target.Text
	return r, true
}

// requisitesIn gives "require_in: - pkg: x" of one state to the state x as a require of its own.
func (c *compiler) requisitesIn() {
	for _, d := range c.decls {
		for _, a := range d.args {
			name, in := strings.CutSuffix(a.name, "_in")
			kind, ok := plan.ParseKind(name)
			if !in || !ok {
				continue
			}
			for _, r := range c.requisiteList(d, a, kind) {
				c.requisiteIn(d, a.name, r)
			}
		}
	}
}

func (c *compiler) requisiteIn(d *decl, statement string, r plan.Requisite) {
	targets := c.targets(r)
	if len(targets) == 0 {
		c.fail(r.Place, "state %q: cannot extend %q by %s: no state of this run has that ID%s",
			d.id, r.Target, statement, c.suggest(r))
	}
	for _, t := range targets {
		if t != d {
			back := plan.Requisite{Kind: r.Kind, Module: d.module, Target: d.id, Place: r.Place}
			t.requisites = append(t.requisites, back)
		}
	}
}

// targets finds what a *_in means: the state of this ID and module, the states of an SLS, or else
// the one whose name argument it is. Globs are not read here, as in Salt.
func (c *compiler) targets(r plan.Requisite) []*decl {
	var byID, byName []*decl
	for _, d := range c.byTarget[r.Target] {
		switch {
		case r.Module == "sls":
			if d.file.name == r.Target {
				byID = append(byID, d)
			}
		case r.Module != "" && r.Module != "id" && r.Module != d.module:
		case d.id == r.Target:
			byID = append(byID, d)
		default:
			byName = append(byName, d)
		}
	}
	if len(byID) > 0 {
		return byID
	}
	return byName
}
