package sls

import (
	"maps"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/plan"
	"brine/states/yaml"
)

// requisiteList reads the value of require and its like.
func (c *compiler) requisiteList(d *decl, a argument) []plan.Requisite {
	items := a.value.Items
	_, in := strings.CutSuffix(a.name, "_in")
	switch {
	case a.value.Kind == yaml.SequenceNode:
	case in && a.value.Kind == yaml.MappingNode && len(a.value.Pairs) == 1:
		items = []*yaml.Node{a.value} // as in Salt: "require_in: {pkg: nginx}"
	default:
		c.fail(d.place(a), "the %s statement in state %q needs to be formed as a list: write each requisite in a line after \"- \"",
			a.name, d.id)
		return nil
	}
	var reqs []plan.Requisite
	for _, item := range items {
		if r, ok := c.requisite(d, a, item); ok {
			reqs = append(reqs, r)
		}
	}
	return reqs
}

// requisite reads one item: "- pkg: nginx" or the bare "- nginx".
func (c *compiler) requisite(d *decl, a argument, item *yaml.Node) (plan.Requisite, bool) {
	r := plan.Requisite{Place: a.file.at(item)}
	r.Kind, _ = plan.ParseKind(strings.TrimSuffix(a.name, "_in"))
	target := item
	if item.Kind == yaml.MappingNode {
		if len(item.Pairs) != 1 {
			c.fail(r.Place, "state %q: a requisite in %s needs to be formed as a single key dictionary, such as \"- pkg: nginx\"",
				d.id, a.name)
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
			d.id, r.Module, a.name, target.TypeName())
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
			if _, ok := plan.ParseKind(name); !in || !ok {
				continue
			}
			for _, r := range c.requisiteList(d, a) {
				c.requisiteIn(d, a.name, r)
			}
		}
	}
}

func (c *compiler) requisiteIn(d *decl, statement string, r plan.Requisite) {
	targets := c.targets(r)
	switch {
	case len(targets) > 0:
	case r.Module == "sls":
		// As in Salt, where nothing tells of it: there is no state that could wait.
		d.warnings = append(d.warnings, statement+" sls: "+r.Target+" is ignored: this run has no state of that SLS, at "+r.Place.String())
	case r.Module == "":
		// As in Salt, where nothing tells of it.
		text := statement + " " + r.Target + " is ignored: no state of this run has that ID"
		if strings.ContainsAny(r.Target, "*?[") {
			text += ", and no pattern is read here"
		}
		d.warnings = append(d.warnings, text+", at "+r.Place.String())
	default:
		c.lack(r, "state %q: cannot extend %q by %s: no state of this run has that ID%s",
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
	if r.Module == "sls" {
		return c.byTarget.sls[r.Target]
	}
	for _, decls := range [][]*decl{c.byTarget.id[r.Target], c.byTarget.name[r.Target]} {
		if r.Module != "" && r.Module != "id" {
			decls = ofModule(decls, r.Module)
		}
		if len(decls) > 0 {
			return decls
		}
	}
	return nil
}

func ofModule(decls []*decl, mod string) []*decl {
	var found []*decl
	for _, d := range decls {
		if d.module == mod {
			found = append(found, d)
		}
	}
	return found
}

// suggest names the target most likely meant by one that isn't there.
func (c *compiler) suggest(r plan.Requisite) string { return c.near(r.Target, true) }

// mostSuggestions bounds the searches for what was meant: one file that is missing can be missed by every state.
const mostSuggestions = 100

// near names the ID most like one that isn't there, or with all also the name argument or SLS.
func (c *compiler) near(target string, also bool) string {
	if c.suggested++; c.suggested > mostSuggestions {
		return ""
	}
	var all []string
	for i, names := range []map[string][]*decl{c.byTarget.id, c.byTarget.name, c.byTarget.sls} {
		if i == 0 || also {
			all = slices.AppendSeq(all, maps.Keys(names))
		}
	}
	slices.Sort(all)
	return spell.DidYouMean(target, all)
}
