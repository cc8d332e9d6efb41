package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

var errNoEngine = errors.New(
	"cannot render: this host has no engine for templates (leave out template to take the text as it is)")

// render makes text of a template, when it is one.
func (o *options) render(ctx context.Context, h *host.Host, name, text string, variables *value.Dict) (string, error) {
	switch {
	case o.Template == "":
		return text, nil
	case h.Render == nil:
		return "", errNoEngine
	}
	out, err := h.Render.Render(ctx, host.Template{
		Engine: o.Template, Name: name, Text: []byte(text), Saltenv: o.Saltenv, Context: variables,
	})
	return string(out), err
}

// rendered is a command and how it is run, without templates.
func (o *options) rendered(ctx context.Context, h *host.Host, l line) (*options, line, error) {
	if o.Template == "" {
		return o, l, nil
	}
	out, r := *o, line{}
	var err error
	if r.text, err = o.render(ctx, h, "cmd", l.text, nil); err != nil {
		return nil, l, err
	}
	for _, word := range l.words {
		if word, err = o.render(ctx, h, "cmd", word, nil); err != nil {
			return nil, l, err
		}
		r.words = append(r.words, word)
	}
	dir, err := o.render(ctx, h, "cwd", string(o.Cwd), nil)
	if err != nil {
		return nil, l, err
	}
	if err := out.Cwd.ParseArg(module.Data(dir)); err != nil {
		return nil, l, fmt.Errorf("cannot run a command: cwd: %w", err)
	}
	return &out, r, nil
}

// maxTemplate is how large a script may be that is rendered.
const maxTemplate = 16 << 20

// readTemplate reads the text of a script that is to be rendered.
func readTemplate(in io.Reader, name string) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxTemplate+1))
	if err == nil && len(data) > maxTemplate {
		err = fmt.Errorf("it has more than %d bytes", maxTemplate)
	}
	if err != nil {
		return "", fmt.Errorf("cannot render the script %q: %w", name, err)
	}
	return string(data), nil
}
