package custom

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// module makes a module of what the executable describes.
func (p *program) module(ctx context.Context) (module.Module, error) {
	d, err := p.describe(ctx)
	if err != nil {
		return module.Module{}, err
	}
	m := module.Module{Name: p.Name, Doc: d.doc}
	for _, f := range d.funcs {
		if p.Kind == States {
			m.States = append(m.States, p.state(f))
		} else {
			m.Funcs = append(m.Funcs, module.Func{Name: f.name, Doc: f.doc, Example: f.example, Do: p.function(f)})
		}
	}
	return m, nil
}

func (p *program) function(f described) module.Code {
	return module.CallTold(f.params, func(ctx context.Context, h *host.Host, args *value.Dict) (any, error) {
		v, err := p.question(ctx, h, f, "call", args, nil, false)
		return v, err
	})
}

func (p *program) state(f described) module.State {
	s := module.State{Name: f.name, Doc: f.doc, Example: f.example,
		Plan: module.LookTold(f.params, func(ctx context.Context, h *host.Host, args *value.Dict) (module.Plan, error) {
			return p.plan(ctx, h, f, args, &value.Dict{})
		})}
	if f.watch {
		s.Watch = module.ReactTold(f.params, func(ctx context.Context, h *host.Host, args *value.Dict, changed []string) (module.Plan, error) {
			list := value.NewList()
			for _, c := range changed {
				list.Items = append(list.Items, c)
			}
			return p.plan(ctx, h, f, args, value.NewDict("changed", list))
		})
	}
	return s
}

// question asks the executable for a function or state. More is what it is told besides its arguments.
func (p *program) question(ctx context.Context, h *host.Host, f described, verb string, args, more *value.Dict, look bool) (any, error) {
	in := value.NewDict("args", args, "id", idOf(h), "saltenv", config(h, "saltenv", "base"), "test", config(h, "test", false),
		"root", h.Root, "grains", nonNil(h.Grains))
	if f.pillar {
		in.Put("pillar", nonNil(h.Pillar))
	}
	for k, v := range more.All() {
		in.Put(fmt.Sprint(k), v)
	}
	v, stderr, err := p.ask(ctx, question{words: []string{verb, f.name}, stdin: in, env: environment(in, args), limit: f.limit, output: callOutput, look: look})
	if stderr != "" && h.Log != nil {
		h.Log("info", fmt.Sprintf("%s %s: %s", p.URL(), f.name, stderr))
	}
	return v, err
}

// environment is for shells what they could not easily read of JSON: arguments, a scalar as its text and all else as JSON,
// and what the host is. What is too large, or holds a zero byte, is not in it.
func environment(in, args *value.Dict) []string {
	var env []string
	put := func(name string, v any) {
		text, isText := v.(string)
		if !isText {
			data, err := value.MarshalJSON(v)
			if err != nil {
				return
			}
			text = string(data)
		}
		if v != nil && len(text) < 64<<10 && !strings.Contains(text, "\x00") {
			env = append(env, name+"="+text)
		}
	}
	for k, v := range args.All() {
		put(fmt.Sprintf("BRINE_ARG_%s", k), v)
	}
	for _, k := range []string{"id", "saltenv", "test", "root"} {
		v, _ := in.Get(k)
		put("BRINE_"+strings.ToUpper(k), v)
	}
	return env
}

func nonNil(d *value.Dict) *value.Dict {
	if d == nil {
		return &value.Dict{}
	}
	return d
}

func idOf(h *host.Host) any {
	if id, ok := h.Grains.Get("id"); ok {
		return id
	}
	return config(h, "id", "")
}

func config(h *host.Host, key string, instead any) any {
	if v, ok := h.Config.Get(key); ok {
		return v
	}
	return instead
}

// plan asks for what a state would change. It is applied by the same executable, which gets its plan back.
func (p *program) plan(ctx context.Context, h *host.Host, f described, args, more *value.Dict) (module.Plan, error) {
	v, err := p.question(ctx, h, f, "plan", args, more, true)
	if err != nil {
		return module.Plan{}, err
	}
	r := &reader{}
	own := r.object("", v, "same", "changes", "comment", "unknown", "warnings")
	plan := module.Plan{Same: r.text("same", own["same"]), Would: r.text("comment", own["comment"])}
	why := r.text("unknown", own["unknown"])
	changes := r.changes(own["changes"])
	plan.Warnings = r.texts("warnings", own["warnings"])
	switch {
	case len(r.errs) > 0:
	case own["same"] == nil && own["changes"] == nil && own["unknown"] == nil:
		r.fail("", `want one of "same" (a comment), "changes" (an object) and "unknown" (why)`)
	case changes.Len() > 0 && (own["same"] != nil || why != ""), own["same"] != nil && why != "":
		r.fail("", `"same", "changes" and "unknown" exclude one another`)
	}
	if err := p.wrong("plan "+f.name, r); err != nil {
		return module.Plan{}, err
	}
	switch {
	case own["unknown"] != nil:
		return module.Plan{Warnings: plan.Warnings}, module.Unknown("%s", why)
	case changes.Len() == 0:
		if plan.Same == "" {
			plan.Same = plan.Would
		}
		return plan, nil
	}
	plan.Steps = []module.Step{{Changes: changes, Do: func(ctx context.Context) (module.Done, error) {
		told := value.NewDict("plan", v)
		for k, v := range more.All() {
			told.Put(fmt.Sprint(k), v)
		}
		return p.apply(ctx, h, f, args, told)
	}}}
	return plan, nil
}

// apply has a state's changes made.
func (p *program) apply(ctx context.Context, h *host.Host, f described, args, more *value.Dict) (module.Done, error) {
	v, err := p.question(ctx, h, f, "apply", args, more, false)
	if err != nil {
		return module.Done{}, err
	}
	r := &reader{}
	own := r.object("", v, "result", "changes", "comment")
	done := module.Done{Comment: r.text("comment", own["comment"])}
	if own["changes"] != nil {
		done.Changes = r.changes(own["changes"])
	}
	ok := true
	if result, given := own["result"]; given {
		if ok = r.flag("result", result); result == nil {
			r.fail("result", "want true or false: nothing is for test mode, in which it is not asked")
		}
	}
	if err := p.wrong("apply "+f.name, r); err != nil {
		return module.Done{}, err
	}
	if !ok {
		if done.Comment == "" {
			done.Comment = fmt.Sprintf("%s apply %s says that it failed, and not why", p.URL(), f.name)
		}
		return module.Done{Changes: done.Changes}, errors.New(done.Comment)
	}
	return done, nil
}

// wrong is the error of an answer with mistakes.
func (p *program) wrong(verb string, r *reader) error {
	if len(r.errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s %s printed a wrong answer: %w (%s)", p.URL(), verb, errors.Join(r.errs...), Guide)
}

func (r *reader) changes(v any) *value.Dict {
	d, ok := v.(*value.Dict)
	if v != nil && !ok {
		r.fail("changes", "want an object, got %s", value.Kind(v))
	}
	return nonNil(d)
}

func (r *reader) texts(at string, v any) []string {
	if v == nil {
		return nil
	}
	list, ok := v.(*value.List)
	if !ok {
		r.fail(at, "want a list of texts, got %s", value.Kind(v))
		return nil
	}
	var out []string
	for _, item := range list.Items {
		out = append(out, strings.TrimSpace(r.text(at, item)))
	}
	return out
}
