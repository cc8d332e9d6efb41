package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/jinja"
	"brine/states/jinja/python"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// A session renders one template.
type session struct {
	*Templates
	host    *host.Host
	env     string
	missing string // the function asked for last that there is none of
}

func (t *Templates) session(h *host.Host, env string) *session {
	return &session{Templates: t, host: h, env: cmp.Or(env, t.env, "base")}
}

// vars are the variables that every template has.
func (s *session) vars() map[string]any {
	grains, pillar := orEmpty(s.host.Grains), orEmpty(s.host.Pillar)
	return map[string]any{
		"grains": grains, "pillar": pillar, "opts": s.opts(grains, pillar),
		"saltenv": s.env, "env": s.env, "proxy": &value.Dict{},
	}
}

func orEmpty(d *value.Dict) *value.Dict {
	if d == nil {
		return &value.Dict{}
	}
	return d
}

// opts is the minion's configuration with what else Salt has there.
func (s *session) opts(grains, pillar *value.Dict) *value.Dict {
	opts := value.NewDict("__role", "minion", "renderer", Default, "test", false, "saltenv", s.env, "pillarenv", nil,
		"file_client", "remote", "hash_type", "sha256", "default_top", "base", "failhard", false)
	for k, v := range s.host.Config.All() {
		_ = opts.Set(k, v) // it was a key already
	}
	opts.Put("grains", grains)
	opts.Put("pillar", pillar)
	return opts
}

// addSLS adds the variables of the template of an SLS, as Salt makes them of its name and its path.
func addSLS(vars map[string]any, sls, file string) {
	dir := strings.TrimPrefix(path.Dir(file), ".")
	vars["sls"] = sls
	vars["slspath"] = dir
	vars["slsdotpath"] = strings.ReplaceAll(dir, "/", ".")
	vars["slscolonpath"] = strings.ReplaceAll(dir, "/", ":")
	vars["sls_path"] = strings.ReplaceAll(dir, "/", "_")
	addPlace(vars, file)
}

// addPlace adds the variables that tell where a template is.
func addPlace(vars map[string]any, file string) {
	dir := path.Dir(file)
	vars["tplpath"] = "salt://" + file
	vars["tplfile"] = file
	vars["tpldir"] = dir
	vars["tpldot"] = strings.ReplaceAll(strings.TrimPrefix(dir, "."), "/", ".")
}

// render evaluates a template. The error is a *jinja.Error.
func (s *session) render(ctx context.Context, name, text string, vars map[string]any, o *origin) (string, error) {
	t, err := parsed.Parse(name, text, settings(s.host.Config, vars["sls"]))
	if err != nil {
		return "", err
	}
	e := jinja.Env{Load: func(ctx context.Context, path string) (string, error) { return s.load(ctx, s.env, path) }}
	if s.host.Exec != nil { // there is a machine
		e.Root = os.DirFS(s.host.Path("/"))
	}
	if s.host.Modules != nil {
		e.Call, e.Has = s.call, s.has
		e.HTTP = func(ctx context.Context, url string, options *value.Dict) (any, error) {
			return s.call(ctx, "http.query", []any{url}, options)
		}
	}
	if o != nil {
		e.Trace = o.note
	}
	if s.host.Log != nil {
		e.Profile = func(what, label string, took time.Duration) {
			s.host.Log("debug", fmt.Sprintf("rendering %s %q of %s took %.6f seconds", what, label, name, took.Seconds()))
		}
	}
	if told := s.watch.Called; told != nil {
		e.Called = func(at jinja.Place, name string) {
			told(plan.Place{File: at.Template, Line: at.Line, Column: at.Column}, name)
		}
	}
	out, err := t.Render(ctx, e, vars)
	var je *jinja.Error
	_, function, _ := strings.Cut(s.missing, ".")
	if errors.As(err, &je) && je.Kind == jinja.Undefined && function != "" &&
		(strings.HasSuffix(je.Text, "has no attribute '"+s.missing+"'") || strings.HasSuffix(je.Text, "has no attribute '"+function+"'")) {
		je.Text += ": " + s.find(s.missing).Error()
	}
	return out, err
}

// settings are how templates are read, by Salt's options: jinja_sls_env for those of an SLS, jinja_env for others, and
// what is said for both.
func settings(config *value.Dict, sls any) jinja.Settings {
	var own *value.Dict
	env := "jinja_env"
	if sls != nil && sls != "" {
		env = "jinja_sls_env"
	}
	if v, ok := config.Get(env); ok {
		own, _ = v.(*value.Dict)
	}
	on := func(d *value.Dict, name string) bool {
		v, _ := d.Get(name)
		return v == true
	}
	return jinja.Settings{
		TrimBlocks:     on(own, "trim_blocks") || on(config, "jinja_trim_blocks"),
		LstripBlocks:   on(own, "lstrip_blocks") || on(config, "jinja_lstrip_blocks"),
		AllowUndefined: on(config, "allow_undefined"),
	}
}

// find says why there is no function of that name; nil when there is one.
func (s *session) find(name string) error {
	if x, ok := s.host.Modules.(interface {
		Func(string) (*module.Func, error)
	}); ok {
		_, err := x.Func(name)
		return err
	}
	if len(s.host.Modules.Functions(name)) == 0 {
		return fmt.Errorf("unknown function %q", name)
	}
	return nil
}

func (s *session) has(name string) bool {
	if s.find(name) == nil {
		return true
	}
	s.missing = name
	return false
}

// nested counts how deep functions and templates call each other.
type nested struct{}

const maxNested = 20

// call calls a function as a template does. Of an argument that is not defined the function is told as such, since
// it may not need it; if it does, that is the mistake to tell.
func (s *session) call(ctx context.Context, name string, args []any, kwargs *value.Dict) (any, error) {
	depth, _ := ctx.Value(nested{}).(int)
	if depth >= maxNested {
		return nil, fmt.Errorf("cannot call %s: templates and functions call each other deeper than %d: does one use itself?", name, maxNested)
	}
	v, _, err := s.host.Modules.Call(context.WithValue(ctx, nested{}, depth+1), s.host, name, args, kwargs)
	if err == nil {
		return v, nil
	}
	for _, a := range args {
		if u, ok := a.(*python.Undefined); ok {
			return nil, u.Err()
		}
	}
	for _, a := range kwargs.All() {
		if u, ok := a.(*python.Undefined); ok {
			return nil, u.Err()
		}
	}
	return nil, err
}
