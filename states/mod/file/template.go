package file

import (
	"context"
	"errors"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

var templateFuncs = []module.Func{{
	Name:    "apply_template_on_contents",
	Doc:     "Render text as a template, and return what it makes.",
	Example: `'This is a {{ what }} string.' jinja '{what: cool}' '{}' base`,
	Do:      module.Call(applyTemplate),
}}

type applyTemplateArgs struct {
	Contents string      `arg:"contents,required" doc:"the text"`
	Template string      `arg:"template,required" doc:"what renders it: jinja"`
	Context  *value.Dict `arg:"context" doc:"variables of the template"`
	Defaults *value.Dict `arg:"defaults" doc:"variables that context need not have"`
	Saltenv  string      `arg:"saltenv" doc:"the environment of templates that it imports; the job's when absent"`
}

func applyTemplate(ctx context.Context, h *host.Host, a applyTemplateArgs) (string, error) {
	if h.Render == nil {
		return "", errors.New("cannot render: this host has no engine for templates")
	}
	variables := &value.Dict{}
	for _, d := range []*value.Dict{a.Defaults, a.Context} {
		for k, v := range d.All() {
			_ = variables.Set(k, v) // it was a key already
		}
	}
	out, err := h.Render.Render(ctx, host.Template{
		Engine: a.Template, Name: "contents", Text: []byte(a.Contents), Saltenv: a.Saltenv, Context: variables,
	})
	return string(out), err
}
