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
	"brine/states/plan"
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

	watch Watcher

	mu sync.Mutex
	// The fields below are guarded by mu.
	texts map[place]string
	idle  []*copied
}

// A Watcher is told what templates of SLS do. Its functions may be nil.
type Watcher struct {
	// Called is told of each function before it is called, and where the call stands.
	Called func(at plan.Place, function string)
	// Rendered is told the text that a file of a tree rendered to, and from which line of the file each of its lines comes.
	Rendered func(file string, text []byte, from func(line int) int)
}

// copied is a host with grains and pillar of its own, which one template uses at a time.
type copied struct {
	host.Host
	grains, pillar *value.Dict // that they were copied of
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

// Watched has what templates do told. It is called before any is rendered.
func (t *Templates) Watched(w Watcher) { t.watch = w }

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

// Render evaluates a template of a file or an argument. The template sees copies of grains and pillar, since states may
// run at the same time; what it changes there later templates may see, as in Salt.
func (t *Templates) Render(ctx context.Context, in host.Template) ([]byte, error) {
	if in.Engine != "jinja" {
		return nil, fmt.Errorf("cannot render %s: %w", in.Name, noEngine(in.Engine))
	}
	if !marked(in.Text) {
		return unmarked(in.Text), nil
	}
	own, err := t.borrow()
	if err != nil {
		return nil, fmt.Errorf("cannot render %s: %v", in.Name, err)
	}
	defer t.giveBack(own)
	s := t.session(&own.Host, in.Saltenv)
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

// borrow returns a copy that no other template uses.
func (t *Templates) borrow() (*copied, error) {
	t.mu.Lock()
	for len(t.idle) > 0 {
		c := t.idle[len(t.idle)-1]
		t.idle = t.idle[:len(t.idle)-1]
		if c.grains == t.host.Grains && c.pillar == t.host.Pillar { // they were not collected anew
			t.mu.Unlock()
			return c, nil
		}
	}
	t.mu.Unlock()
	c := &copied{Host: *t.host, grains: t.host.Grains, pillar: t.host.Pillar}
	for _, d := range []**value.Dict{&c.Grains, &c.Pillar} {
		if *d == nil {
			continue
		}
		own, err := value.Clone(*d)
		if err != nil {
			return nil, err
		}
		*d = own.(*value.Dict)
	}
	return c, nil
}

func (t *Templates) giveBack(c *copied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = append(t.idle, c)
}

func noEngine(name string) error {
	if _, ok := refused[name]; ok {
		return fmt.Errorf("the engine %q is not supported: write it in jinja", name)
	}
	return fmt.Errorf("unknown engine %q: there is jinja", name)
}
