package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// A rendered file is what the oracle makes of the template of a managed file.
type rendered struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Source string  `json:"source"` // in the tree
	Text   *string `json:"text"`   // nil when it can't be rendered
	Error  string  `json:"error"`
}

// files compares the templates of managed files.
func (u *unit) files(ctx context.Context, c *compiled, a *answer) []string {
	var all []string
	for _, f := range a.Files {
		chunk := c.chunk(f.ID, f.Name)
		if chunk == nil {
			continue // told already
		}
		text, err := u.file(ctx, f.Source, chunk)
		switch {
		case err != nil && f.Text == nil:
		case err != nil:
			all = append(all, fmt.Sprintf("template %s of %q: %v", f.Source, f.ID, err))
		case f.Text == nil:
			all = append(all, fmt.Sprintf("template %s of %q is rendered here alone: %s", f.Source, f.ID, f.Error))
		case text != *f.Text:
			all = append(all, fmt.Sprintf("template %s of %q: %s", f.Source, f.ID, firstDifference(text, *f.Text)))
		}
	}
	return all
}

func (c *compiled) chunk(id, name string) *value.Dict {
	for _, chunk := range c.chunks {
		i, _ := chunk.Get("__id__")
		n, _ := chunk.Get("name")
		mod, _ := chunk.Get("state")
		if i == id && n == name && mod == "file" {
			return chunk
		}
	}
	return nil
}

// file renders a template as the state file.managed does.
func (u *unit) file(ctx context.Context, source string, chunk *value.Dict) (string, error) {
	data, err := os.ReadFile(filepath.Join(u.root, source))
	if err != nil {
		return "", err
	}
	h, err := u.freshHost()
	if err != nil {
		return "", err
	}
	vars := u.variables(chunk, "salt://"+source)
	out, err := h.Render.Render(ctx, host.Template{Engine: "jinja", Name: "salt://" + source, Text: data, Context: vars})
	return string(out), err
}

// variables are those of the template of a file.managed, see templateArgs in states/mod/file.
func (u *unit) variables(chunk *value.Dict, source string) *value.Dict {
	vars := value.NewDict("source", source)
	for _, name := range []string{"name", "user", "group", "mode", "attrs"} {
		v, _ := chunk.Get(name)
		vars.Put(name, v)
	}
	for k, v := range chunk.All() {
		if name, _ := k.(string); name == "tpldir" || u.isOther(name) {
			give(vars, k, v)
		}
	}
	for _, name := range []string{"defaults", "context"} {
		d, _ := chunk.Get(name)
		if d, ok := d.(*value.Dict); ok {
			for k, v := range d.All() {
				give(vars, k, v)
			}
		}
	}
	return vars
}

func give(vars *value.Dict, k, v any) {
	if own, err := value.Ordered(v); err == nil {
		v = own
	}
	_ = vars.Set(k, v) // it was a key already
}

// isOther says whether file.managed has no argument of that name.
func (u *unit) isOther(name string) bool {
	state, err := u.funcs.State("file.managed")
	isParam := func(p module.Param) bool { return p.Name == name || slices.Contains(p.Aliases, name) }
	_, isRequisite := plan.ParseKind(strings.TrimSuffix(name, "_in"))
	return err == nil && !isRequisite && !slices.Contains(ofAll, name) && !slices.ContainsFunc(state.Params(), isParam)
}

// ofAll are names in low data that are no argument of the state.
var ofAll = []string{"__env__", "__id__", "__sls__", "fun", "order", "state", "onlyif", "unless", "retry", "failhard"}
