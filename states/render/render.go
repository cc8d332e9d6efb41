// Package render turns a file of a state tree into data by the pipe of renderers that its
// first line names ("#!jinja|yaml"), or by the default one.
package render

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/yaml"
)

// Default is the pipe of files that name none.
const Default = "jinja|yaml"

// An Error is one mistake in a file, with its place.
type Error = plan.Error

// A File is what is rendered.
type File struct {
	Name string // from the root of the tree, for messages
	Text []byte
	Pipe string // for a file that names none; "" is Default
}

// A text renderer makes text of text, a data renderer makes data of text. A pipe is any
// number of the first and one of the second. A file's mistakes come all at once.
type (
	textRenderer func(name string, text []byte) ([]byte, []*Error)
	dataRenderer func(name string, text []byte) (*yaml.Node, []*Error)
)

var textRenderers = map[string]textRenderer{
	"jinja": jinja,
}

var dataRenderers = map[string]dataRenderer{
	"json": readJSON,
	"yaml": readYAML,
}

// refused says what to do about Salt's renderers that run Python.
var refused = map[string]string{
	"cheetah":   "write the file as jinja|yaml",
	"dson":      "write the file as jinja|yaml",
	"genshi":    "write the file as jinja|yaml",
	"mako":      "write the file as jinja|yaml",
	"py":        "it runs Python inside the minion: write the file as jinja|yaml, or the logic as a module of the tree",
	"pydsl":     "it runs Python inside the minion: write the file as jinja|yaml, or the logic as a module of the tree",
	"pyobjects": "it runs Python inside the minion: write the file as jinja|yaml, or the logic as a module of the tree",
}

// Render reads a file. The errors are all its mistakes.
func Render(f File) (*yaml.Node, []*Error) {
	pipe, text := f.Pipe, f.Text
	if pipe == "" {
		pipe = Default
	}
	if line, ok := shebang(text); ok {
		pipe = line
		// The line stays, empty, so that the lines of later mistakes are those of the file.
		text = text[min(len("#!")+len(line), len(text)):]
	}
	stages, last, err := parsePipe(pipe)
	if err != nil {
		return nil, []*Error{plan.Errorf(plan.Place{File: f.Name, Line: 1}, "cannot render: %v", err)}
	}
	for _, stage := range stages {
		out, errs := stage(f.Name, text)
		if len(errs) > 0 {
			return nil, errs
		}
		text = out
	}
	return last(f.Name, text)
}

// shebang returns what stands after "#!" in the first line; a path there ("#!/bin/sh") is none of ours.
func shebang(text []byte) (string, bool) {
	line, _, _ := strings.Cut(string(text[:min(len(text), 200)]), "\n")
	if !strings.HasPrefix(line, "#!") || strings.HasPrefix(line, "#!/") {
		return "", false
	}
	return line[len("#!"):], true
}

// parsePipe reads "jinja|yaml". Words after a renderer's name are its arguments, which none of ours has.
func parsePipe(pipe string) ([]textRenderer, dataRenderer, error) {
	var stages []textRenderer
	parts := strings.Split(pipe, "|")
	for i, part := range parts {
		words := strings.Fields(part)
		if len(words) == 0 {
			return nil, nil, fmt.Errorf("a renderer is missing in %q", strings.TrimSpace(pipe))
		}
		name, last := words[0], i == len(parts)-1
		if r, ok := dataRenderers[name]; ok && last {
			return stages, r, nil
		}
		r, ok := textRenderers[name]
		if !ok || last {
			return nil, nil, noRenderer(name, last)
		}
		stages = append(stages, r)
	}
	return nil, nil, errors.New("no renderer is named")
}

func noRenderer(name string, last bool) error {
	switch {
	case refused[name] != "":
		return fmt.Errorf("the renderer %q is not supported: %s", name, refused[name])
	case textRenderers[name] != nil:
		return fmt.Errorf("the renderer %q makes text: one that makes data must follow, such as %q", name, name+"|yaml")
	case dataRenderers[name] != nil:
		return fmt.Errorf("the renderer %q makes data: it must be the last", name)
	}
	var names []string
	for n := range dataRenderers {
		names = append(names, n)
	}
	if !last {
		names = names[:0]
	}
	for n := range textRenderers {
		names = append(names, n)
	}
	slices.Sort(names)
	return fmt.Errorf("unknown renderer %q%s: there are %s", name, module.DidYouMean(name, names), strings.Join(names, ", "))
}

func readYAML(name string, text []byte) (*yaml.Node, []*Error) {
	n, err := yaml.Parse(name, text)
	var all yaml.Errors
	if errors.As(err, &all) {
		errs := make([]*Error, len(all))
		for i, e := range all {
			errs[i] = plan.Errorf(plan.Place{File: e.Name, Line: e.Line}, "cannot read YAML: %s", e.Text)
		}
		return nil, errs
	}
	return n, nil
}
