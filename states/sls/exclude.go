package sls

import (
	"slices"

	"brine/states/plan"
	"brine/states/yaml"
)

// An Exclusion is what is left out of a run: one ID, or every SLS that a glob matches.
type Exclusion struct{ ID, SLS string }

// exclusion reads the exclude declaration of a file.
func (l *loader) exclusion(f *file, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		l.fail(f.at(list), "the exclude declaration is not formed as a list: write each SLS in a line after \"- \"")
		return
	}
	for _, item := range list.Items {
		key, val := "sls", item
		if item.Kind == yaml.MappingNode && len(item.Pairs) == 1 {
			key, val = item.Pairs[0].Key.Text, item.Pairs[0].Value
		}
		switch {
		case val.Kind != yaml.ScalarNode || val.Value == nil || key != "sls" && key != "id":
			l.fail(f.at(item), "cannot exclude that: want an SLS (\"- web\", \"- sls: web\") or an ID (\"- id: nginx\")")
		case key == "id":
			f.excludes = append(f.excludes, Exclusion{ID: val.Text})
		default:
			f.excludes = append(f.excludes, Exclusion{SLS: val.Text})
		}
	}
}

func (l *loader) exclusions() []Exclusion {
	all := slices.Clone(l.opts.Exclude)
	for _, f := range l.order {
		all = append(all, f.excludes...)
	}
	return all
}

// exclude takes out declarations after all else was done with them, as Salt does.
func (c *compiler) exclude(all []Exclusion) {
	if len(all) == 0 {
		return
	}
	ids := map[string]bool{}
	var globs []func(string) bool
	for _, e := range all {
		if e.ID != "" {
			ids[e.ID] = true
		} else {
			globs = append(globs, plan.Glob(e.SLS))
		}
	}
	out := map[*file]bool{}
	for _, f := range c.files {
		out[f] = slices.ContainsFunc(globs, func(matches func(string) bool) bool { return matches(f.Name) })
	}
	c.decls = slices.DeleteFunc(c.decls, func(d *decl) bool { return ids[d.id] || out[d.file] })
}
