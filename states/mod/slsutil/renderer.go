package slsutil

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/render"
	"brine/states/value"
)

type rendererArgs struct {
	Path    string      `arg:"path" doc:"the file, as salt://PATH or a path of this host"`
	Text    string      `arg:"string" doc:"the text to render, in place of a file"`
	Pipe    string      `arg:"default_renderer" default:"jinja|yaml" doc:"the renderers of text that names none"`
	Saltenv string      `arg:"saltenv" doc:"environment of the file; absent: the job's"`
	Vars    *value.Dict `arg:"variables,named" doc:"variables of the template"`
}

// renderer renders a file or text as the files of state trees are.
func renderer(ctx context.Context, h *host.Host, a rendererArgs) (any, error) {
	f := render.File{Name: "string", Text: []byte(a.Text), Pipe: a.Pipe, Env: a.Saltenv, Vars: a.Vars, TextToo: true}
	switch {
	case a.Path != "" && a.Text != "":
		return nil, errors.New("cannot render both path and string: leave one out")
	case a.Path == "" && a.Text == "":
		return nil, errors.New("cannot render: want path or string")
	case a.Path != "":
		if err := read(ctx, h, a.Path, a.Saltenv, &f); err != nil {
			return nil, fmt.Errorf("cannot render %s: %w", a.Path, err)
		}
	}
	f.Templates = render.Of(h)
	n, errs := render.Render(ctx, f)
	if len(errs) > 0 {
		var all []error
		for _, e := range errs {
			all = append(all, e)
		}
		return nil, errors.Join(all...)
	}
	return n.Data(), nil
}

// read reads the file that is rendered.
func read(ctx context.Context, h *host.Host, from, env string, f *render.File) error {
	f.Name = from
	local := h.Path(from)
	if rest, ok := strings.CutPrefix(from, "salt://"); ok {
		if h.Files == nil {
			return errors.New("this host has no files of masters")
		}
		f.Path, _, _ = strings.Cut(rest, "?")
		f.SLS = strings.ReplaceAll(strings.TrimSuffix(f.Path, path.Ext(f.Path)), "/", ".")
		if env != "" && f.Path == rest {
			from += "?saltenv=" + env
		}
		var err error
		if local, err = h.Files.Fetch(ctx, from); err != nil {
			return err
		}
	}
	var err error
	f.Text, err = os.ReadFile(local)
	return err
}
