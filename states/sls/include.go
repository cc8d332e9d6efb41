package sls

import (
	"path"
	"slices"
	"strings"

	"brine/states/plan"
	"brine/states/yaml"
)

// anyEnv as the environment of an include stands for the one environment that has the SLS.
const anyEnv = "_xenv"

func (l *loader) include(f *file, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		l.fail(f.at(list), "the include declaration is not formed as a list: write each SLS in a line after \"- \"")
		return
	}
	for _, item := range list.Items {
		m, ok := l.included(f, item)
		if !ok {
			continue
		}
		for _, name := range l.matching(m, f.at(item)) {
			l.includeOne(f, Mod{Env: m.Env, Name: name}, f.at(item))
		}
	}
}

func (l *loader) includeOne(f *file, m Mod, at plan.Place) {
	if l.opts.Include != nil {
		l.opts.Include(f.Mod, Mod{m.Env, m.Name, at})
	}
	_, known := l.loaded[m]
	inc := l.load(m, at)
	if inc == nil || inc == f || slices.Contains(f.includes, inc) {
		return
	}
	f.includes = append(f.includes, inc)
	if !known {
		f.reads = append(f.reads, inc)
	}
}

// included returns what an item of an include list means.
func (l *loader) included(f *file, item *yaml.Node) (Mod, bool) {
	m := Mod{Env: f.Env}
	if item.Kind == yaml.MappingNode && len(item.Pairs) == 1 {
		m.Env, item = item.Pairs[0].Key.Text, item.Pairs[0].Value
	}
	name, ok := item.Str()
	if !ok && item.Kind == yaml.ScalarNode && item.Value != nil {
		name, ok = item.Text, true // 12345.sls is included by a number
	}
	if !ok || name == "" {
		l.fail(f.at(item), "cannot include a %s: want the name of an SLS", item.TypeName())
		return m, false
	}
	name, ok = Relative(f.Name, f.path, name)
	if !ok {
		l.fail(f.at(item), "the relative include %q goes beyond the top level of the tree", item.Text)
		return m, false
	}
	m.Name, ok = l.name(name, f.at(item))
	if !ok || m.Env != anyEnv {
		return m, ok
	}
	return l.anywhere(f, m.Name, f.at(item))
}

// Relative resolves a name with leading dots against the SLS that has it and its path: one dot is its own package, each
// further one a level up. False when that leads out of the tree.
func Relative(within, file, name string) (string, bool) {
	levels := len(name) - len(strings.TrimLeft(name, "."))
	if levels == 0 {
		return name, true
	}
	parts := strings.Split(within, ".")
	if path.Base(file) == "init.sls" && file != "init.sls" {
		parts = append(parts, "init")
	}
	if levels > len(parts) {
		return "", false
	}
	return strings.Join(append(parts[:len(parts)-levels], name[levels:]), "."), true
}

// anywhere finds the one environment that has an SLS, that of the file first.
func (l *loader) anywhere(f *file, name string, at plan.Place) (Mod, bool) {
	envs := []string{f.Env}
	if l.opts.Trees != nil {
		envs = append(envs, l.opts.Trees.Environments()...)
	}
	var found []string
	for _, env := range envs {
		t, err := l.tree(env)
		if err == nil && slices.Contains(t.names(), name) && !slices.Contains(found, env) {
			found = append(found, env)
		}
	}
	switch {
	case len(found) == 0:
		l.fail(at, "cannot include %q: no environment has it", name)
		return Mod{}, false
	case len(found) > 1 && found[0] != f.Env:
		l.fail(at, "cannot include %q: the environments %s have it: name one", name, strings.Join(found, ", "))
		return Mod{}, false
	}
	return Mod{Env: found[0], Name: name}, true
}

// matching returns the SLS that a name with * ? or [ matches, and any other name as it is.
func (l *loader) matching(m Mod, at plan.Place) []string {
	if !strings.ContainsAny(m.Name, "*?[") {
		return []string{m.Name}
	}
	t, err := l.tree(m.Env)
	if err != nil {
		l.fail(at, "cannot read SLS %q: %v", m.Name, err)
		return nil
	}
	glob := plan.Glob(m.Name)
	var found []string
	for _, n := range t.names() {
		if glob(n) {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		l.fail(at, "cannot find SLS %q: none matches in environment %q", m.Name, m.Env)
	}
	return found
}
