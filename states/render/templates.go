package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"

	"brine/states/host"
	"brine/states/jinja"
	"brine/states/value"
)

// parsed keeps the templates that were parsed last, by their content, for all runs of the process.
var parsed jinja.Engine

// An Open returns the content of a file of an environment, by its path from the root of the tree;
// errors.Is(err, fs.ErrNotExist) when there is none.
type Open func(ctx context.Context, env, path string) ([]byte, error)

// Templates are the templates of one run, with all that they see: the host's grains, pillar and functions, and
// the files that they may import, each of which is read once. It is safe for concurrent use by Render; what is
// rendered for SLS may change the host's grains and pillar and is not.
type Templates struct {
	host *host.Host
	env  string
	open Open

	mu    sync.Mutex
	texts map[place]string // guarded by mu
}

type place struct{ env, path string }

var _ host.Renderer = (*Templates)(nil)

// New makes the templates of a run in an environment. Without a function to open files they are those of the host,
// which are of that environment.
// A nil host is one of which nothing is known.
func New(h *host.Host, env string, open Open) *Templates {
	if h == nil {
		h = &host.Host{}
	}
	t := &Templates{host: h, env: env, open: open, texts: map[place]string{}}
	if open == nil {
		t.open = t.fetch
	}
	return t
}

// Of makes templates for a function that a host was given to, of the environment and the files of its run.
func Of(h *host.Host) *Templates {
	if h == nil {
		return New(nil, "base", nil)
	}
	if t, ok := h.Render.(*Templates); ok {
		return New(h, t.env, t.open)
	}
	return New(h, "base", nil)
}

// fetch reads a file that masters serve.
func (t *Templates) fetch(ctx context.Context, env, path string) ([]byte, error) {
	if t.host.Files == nil {
		return nil, fs.ErrNotExist
	}
	at := "salt://" + path
	if env != t.env {
		at += "?saltenv=" + url.QueryEscape(env)
	}
	local, err := t.host.Files.Fetch(ctx, at)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(local)
}

// load reads a template that another one imports. As in Salt its name may end with ?saltenv=ENV.
func (t *Templates) load(ctx context.Context, env, name string) (string, error) {
	path, query, _ := strings.Cut(name, "?")
	if query != "" {
		options, err := url.ParseQuery(query)
		if err != nil {
			return "", fmt.Errorf("cannot read %q: %v", name, err)
		}
		if other := options.Get("saltenv"); other != "" {
			env = other
		}
	}
	at := place{env, path}
	t.mu.Lock()
	text, ok := t.texts[at]
	t.mu.Unlock()
	if ok {
		return text, nil
	}
	if !fs.ValidPath(path) {
		return "", fs.ErrNotExist
	}
	data, err := t.open(ctx, env, path)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.texts[at] = string(data)
	return string(data), nil
}

// Render evaluates a template of a file or an argument. The template gets a copy of grains and pillar: states may run
// at the same time.
func (t *Templates) Render(ctx context.Context, in host.Template) ([]byte, error) {
	if in.Engine != "jinja" {
		return nil, fmt.Errorf("cannot render %s: %w", in.Name, noEngine(in.Engine))
	}
	own, err := isolated(t.host)
	if err != nil {
		return nil, fmt.Errorf("cannot render %s: %v", in.Name, err)
	}
	s := t.session(own, in.Saltenv)
	vars := s.vars()
	if path, ok := strings.CutPrefix(in.Name, "salt://"); ok {
		path, _, _ = strings.Cut(path, "?")
		vars["source"] = in.Name
		addPlace(vars, path)
	}
	for k, v := range in.Context.All() {
		if name, ok := k.(string); ok {
			vars[name] = v
		}
	}
	text, err := s.render(ctx, in.Name, string(in.Text), vars, nil)
	var je *jinja.Error
	if errors.As(err, &je) {
		err = fmt.Errorf("cannot render %s:%d: %s", je.Template, je.Line, explained(je))
	}
	return []byte(text), err
}

// isolated is a host whose grains and pillar are its own.
func isolated(h *host.Host) (*host.Host, error) {
	own := *h
	for _, d := range []**value.Dict{&own.Grains, &own.Pillar} {
		if *d == nil {
			continue
		}
		c, err := value.Clone(*d)
		if err != nil {
			return nil, err
		}
		*d = c.(*value.Dict)
	}
	return &own, nil
}

func noEngine(name string) error {
	if _, ok := refused[name]; ok {
		return fmt.Errorf("the engine %q is not supported: write it in jinja", name)
	}
	return fmt.Errorf("unknown engine %q: there is jinja", name)
}
