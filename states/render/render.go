// Package render turns a file of a state tree into data by the pipe of renderers that its
// first line names ("#!jinja|yaml"), or by the default one.
package render

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/plan"
	"brine/states/value"
	"brine/states/yaml"
)

// Default is the pipe of files that name none.
const Default = "jinja|yaml"

// An Error is one mistake in a file, with its place.
type Error = plan.Error

// A File is what is rendered.
type File struct {
	Name string // for messages
	Text []byte
	Pipe string // for a file that names none; "" is Default

	// What follows is for templates.
	SLS       string // name of the SLS that it is; "" for none
	Path      string // from the root of its tree; "" for text that is in none
	Env       string // of its tree; "" is that of Templates
	Templates *Templates
	Vars      *value.Dict // variables beside those that every template has; nil for none
	TextToo   bool        // a pipe may end with a renderer of text, which then is the data
	Secret    bool        // mistakes show nothing of what the file holds, nor what a template made of it

	// Cache keeps data. What Render then returns others have too: nobody may change it.
	Cache *Cache
	// After are renderers of data that may follow the one that makes it, such as Salt's gpg. They return what takes its place.
	After map[string]func(context.Context, *yaml.Node) (*yaml.Node, []*Error)
}

// A text renderer makes text of text, and may know where each line comes from; a data renderer makes data of text. A
// pipe is any number of the first and one of the second. A file's mistakes come all at once.
type (
	textRenderer func(ctx context.Context, f *File, text []byte) ([]byte, *origin, []*Error)
	dataRenderer func(name string, text []byte) (*yaml.Node, []*Error)
)

var textRenderers = map[string]textRenderer{
	"jinja": evaluate,
}

var dataRenderers = map[string]dataRenderer{
	"json": readJSON,
	"text": readText,
	"toml": readTOML,
	"yaml": readYAML,
}

const (
	isPython = "it runs Python inside the minion: write the file as jinja|yaml, or the logic as a module of the tree"
	isOther  = "write the file as jinja|yaml"
	isSecret = "nothing is decrypted here: keep the secret in the pillar, encrypted with age, or fetch it in a template"
	isGPG    = "it stands last, after the renderer that makes data (#!jinja|yaml|gpg), and only in pillar"
)

// refused says what to do about Salt's renderers that are not supported.
var refused = map[string]string{
	"aws_kms":   isSecret,
	"cheetah":   isOther,
	"dson":      isOther,
	"genshi":    isOther,
	"gpg":       isGPG,
	"hjson":     "write the file as json or yaml",
	"json5":     "write the file as json or yaml",
	"mako":      isOther,
	"msgpack":   "write the file as json or yaml",
	"nacl":      isSecret,
	"pass":      isSecret,
	"py":        isPython,
	"pydsl":     isPython,
	"pyobjects": isPython,
	"stateconf": "write the file as jinja|yaml with full names of IDs, and require where the order counts",
	"wempy":     isOther,
	"yamlex":    "write the file as jinja|yaml, and merge data by slsutil.merge",
}

// Render reads a file. Places in the data and in mistakes are those of the file, also where a template made the text.
// The errors are all its mistakes. Where these are keys that stand twice alone the data comes too, so that its mistakes
// can be told as well.
func Render(ctx context.Context, f File) (*yaml.Node, []*Error) {
	pipe, text := f.Pipe, f.Text
	if pipe == "" {
		pipe = Default
	}
	if line, ok := shebang(text); ok {
		pipe = line
		// The line stays, empty, so that the lines of later mistakes are those of the file.
		text = text[min(len("#!")+len(line), len(text)):]
	}
	if f.TextToo && textRenderers[lastOf(pipe)] != nil {
		pipe += "|text"
	}
	pipe, after := f.after(pipe)
	stages, last, err := parsePipe(pipe)
	if err != nil {
		return nil, []*Error{plan.Errorf(plan.Place{File: f.Name, Line: 1}, "cannot render: %v", err)}
	}
	var origins []*origin
	for _, stage := range stages {
		out, o, errs := stage(ctx, &f, text)
		if len(errs) > 0 {
			return nil, errs
		}
		if text = out; o != nil {
			origins = append(origins, o)
		}
	}
	n, errs := f.Cache.data(&f, pipe, text, func() (*yaml.Node, []*Error) {
		n, errs := last(f.Name, text)
		for _, o := range slices.Backward(origins) {
			o.blame(errs, f.Secret)
			o.rewrite(n)
		}
		return n, errs
	})
	f.withhold(errs)
	for _, do := range after {
		if len(errs) == 0 {
			n, errs = do(ctx, n)
		}
	}
	return n, errs
}

// afterwards is a renderer that follows the one which makes data.
type afterwards = func(context.Context, *yaml.Node) (*yaml.Node, []*Error)

// after cuts off what follows the renderer that makes the data.
func (f *File) after(pipe string) (string, []afterwards) {
	var found []afterwards
	for {
		do := f.After[lastOf(pipe)]
		if do == nil || !strings.Contains(pipe, "|") {
			break
		}
		found = append(found, do)
		pipe = pipe[:strings.LastIndexByte(pipe, '|')]
	}
	slices.Reverse(found)
	return pipe, found
}

// shebang returns what stands after "#!" in the first line; a path there ("#!/bin/sh") is none of ours.
func shebang(text []byte) (string, bool) {
	line, _, _ := strings.Cut(string(text[:min(len(text), 200)]), "\n")
	if !strings.HasPrefix(line, "#!") || strings.HasPrefix(line, "#!/") {
		return "", false
	}
	return line[len("#!"):], true
}

// lastOf returns the name of a pipe's last renderer, or "".
func lastOf(pipe string) string {
	words := strings.Fields(pipe[strings.LastIndexByte(pipe, '|')+1:])
	return append(words, "")[0]
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
	return fmt.Errorf("unknown renderer %q%s: there are %s", name, spell.DidYouMean(name, names), strings.Join(names, ", "))
}

func readYAML(name string, text []byte) (*yaml.Node, []*Error) {
	n, err := yaml.Parse(name, text)
	var all yaml.Errors
	if errors.As(err, &all) {
		errs := make([]*Error, len(all))
		for i, e := range all {
			errs[i] = plan.Errorf(plan.Place{File: e.Name, Line: e.Line, Column: e.Column}, "cannot read YAML: %s", e.Text)
		}
		return n, errs
	}
	return n, nil
}

// readText takes the text as it is.
func readText(_ string, text []byte) (*yaml.Node, []*Error) {
	s := strings.TrimPrefix(string(text), "\n")
	return &yaml.Node{Kind: yaml.ScalarNode, Line: 1, Column: 1, Value: s, Text: s}, nil
}
