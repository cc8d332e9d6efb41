package sls

import (
	"slices"
	"strings"

	"brine/states/plan"
	"brine/states/yaml"
)

// extension reads the extend declaration of a file: IDs with what is changed of their states.
func (l *loader) extension(f *file, top *yaml.Node) {
	if top.Kind != yaml.MappingNode {
		l.fail(f.at(top), "the extend declaration is not formed as a dictionary: want IDs with their states, got %s", top.TypeName())
		return
	}
	for _, p := range top.Pairs {
		if id, ok := l.id(f, p.Key); ok {
			f.extends = append(f.extends, l.body(f, id, f.at(p.Key), p.Value, true)...)
		}
	}
}

// extend changes the states that extend declarations name, in the order of files.
func (c *compiler) extend() {
	for _, f := range c.files {
		for _, ext := range f.extends {
			c.extendBy(ext)
		}
	}
}

func (c *compiler) extendBy(ext *decl) {
	targets := c.byTarget.id[ext.id]
	if len(targets) == 0 {
		targets = c.ofOneID(c.byTarget.name[ext.id])
	}
	if len(targets) == 0 {
		c.lack(plan.Requisite{Module: ext.module, Target: ext.id, Place: ext.at}, "cannot extend ID %q: it is not part of this run: "+
			"perhaps an include is missing%s", ext.id, c.near(ext.id, false))
		return
	}
	for _, d := range targets {
		if d.module == ext.module {
			d.merge(ext)
			return
		}
	}
	if ext.fn == "" {
		c.fail(ext.at, "cannot extend %q: it has no state of %q, and no function is declared to add one", ext.id, ext.module)
		return
	}
	ext.id = targets[0].id
	c.add(ext)
}

// ofOneID returns the declarations when they are all of one ID.
func (c *compiler) ofOneID(decls []*decl) []*decl {
	for _, d := range decls {
		if d.id != decls[0].id {
			return nil
		}
	}
	return decls
}

// merge gives a state the function and the arguments of an extension: requisites are added, any other
// argument takes the place of the one of its name.
func (d *decl) merge(ext *decl) {
	if ext.fn != "" {
		d.fn = ext.fn
	}
	for _, a := range ext.args {
		_, isRequisite := plan.ParseKind(strings.TrimSuffix(a.name, "_in"))
		i := slices.IndexFunc(d.args, func(old argument) bool { return old.name == a.name })
		switch {
		case isRequisite || i < 0:
			d.args = append(d.args, a)
		default:
			d.args[i] = a
		}
		if a.name == "name" {
			d.args = slices.DeleteFunc(d.args, func(old argument) bool { return old.name == "names" })
		}
	}
}
