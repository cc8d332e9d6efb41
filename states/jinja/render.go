package jinja

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"brine/states/jinja/python"
	"brine/states/value"
)

// Env is what a template may reach. Every field may be left out.
type Env struct {
	// Globals are seen by every template, also one that is imported without context.
	Globals map[string]any

	// Load returns the text of the template at a path from the root of the tree. An error that
	// is fs.ErrNotExist means that there is none; if it has a method Meant() string, that names the path of the
	// one that may have been meant, or is "".
	Load func(ctx context.Context, path string) (string, error)

	// Call runs the function salt['name'](*args, **kwargs). Arguments are values of package value;
	// one that is not defined comes as *python.Undefined. Has tells whether there is such a function;
	// without it every name is taken for one.
	Call func(ctx context.Context, name string, args []any, kwargs *value.Dict) (any, error)
	Has  func(name string) bool

	// Called is told of each function before Call runs it, and where the call stands.
	Called func(at Place, name string)

	// HTTP fetches for the filter http_query.
	HTTP func(ctx context.Context, url string, options *value.Dict) (any, error)

	// Root is the file system that filters like file_hashsum look into.
	Root fs.FS

	// Profile is told how long a {% profile as label %} took, and each import of data; what is "profile block" or the
	// name of the tag, such as "import_yaml".
	Profile func(what, label string, took time.Duration)

	Now    func() time.Time // time.Now when nil, in its own time zone
	Limits Limits

	// Trace is told, before each piece of the template's output, how many bytes there are and which line of the
	// template the piece comes from. Literal text goes on over lines as the template does; anything else, such as
	// what a macro or an included template writes, stands at that one line.
	Trace func(written, line int, literal bool)
}

// Limits end a template that does not end by itself. A zero is the default.
type Limits struct {
	Output int // bytes written; 64 MiB
	Steps  int // turns of loops and calls of macros; 10 million
	Depth  int // macros, includes and imports inside one another; 200
}

func (l Limits) withDefaults() Limits {
	if l.Output == 0 {
		l.Output = 64 << 20
	}
	if l.Steps == 0 {
		l.Steps = 10_000_000
	}
	if l.Depth == 0 {
		l.Depth = 200
	}
	return l
}

// Render returns what the template writes. Vars are its variables: values of package value or
// package python. Like Salt it ends the text with a line end if the template does. The error is an *Error.
// Vars may be changed by the template through the lists and dicts in it, as in Salt.
func (t *Template) Render(ctx context.Context, env Env, vars map[string]any) (string, error) {
	r := &run{ctx: ctx, env: env, limits: env.Limits.withDefaults(), vars: vars,
		engine: t.engine, settings: t.settings, loaded: map[string]*loaded{}, started: time.Now()}
	c := &scope{vars: map[string]any{}, base: &layer{names: vars}}
	var out strings.Builder
	r.root, r.main = t, &out
	if err := r.template(t, c, &out); err != nil {
		return "", err
	}
	if t.tree.EndsLine {
		out.WriteByte('\n')
	}
	return out.String(), nil
}

// A run is one call of Render.
type run struct {
	ctx      context.Context
	env      Env
	limits   Limits
	vars     map[string]any
	engine   *Engine
	settings Settings
	started  time.Time
	root     *Template        // that Render was called on
	main     *strings.Builder // what it writes

	loaded  map[string]*loaded // the templates used so far, by path
	absent  error              // of the one that Load did not find last
	tpl     map[string]any     // tpldir, tplfile and tpldot of the one read last, as Salt has it
	depth   int
	steps   int
	written int
	memory  memory
}

// step counts a turn of a loop or a call.
func (r *run) step() error {
	r.steps++
	if r.steps > r.limits.Steps {
		return &limitError{fmt.Sprintf("more than %d turns of loops and calls", r.limits.Steps)}
	}
	if r.steps&0xff == 0 {
		return r.ctx.Err()
	}
	return nil
}

// deeper enters a macro or template; leave must follow.
func (r *run) deeper() error {
	r.depth++
	if r.depth > r.limits.Depth {
		return &limitError{fmt.Sprintf("macros and imports nested deeper than %d: does one use itself without end?", r.limits.Depth)}
	}
	return r.ctx.Err()
}

func (r *run) leave() { r.depth-- }

func (r *run) write(out *strings.Builder, s string) error {
	r.written += len(s)
	if r.written > r.limits.Output {
		return &limitError{fmt.Sprintf("more than %d bytes of output", r.limits.Output)}
	}
	out.WriteString(s)
	return nil
}

// global finds what every template sees.
func (r *run) global(name string) (any, bool) {
	if v, ok := r.tpl[name]; ok {
		return v, true
	}
	if v, ok := r.vars[name]; ok {
		return v, true
	}
	if v, ok := r.env.Globals[name]; ok {
		return v, true
	}
	if name == "salt" && r.env.Call != nil {
		return &functions{run: r}, true
	}
	return nil, false
}

// The methods below are what the library asks for.

// Context bounds what filters do.
func (r *run) Context() context.Context { return r.ctx }

// Lenient reports whether undefined values print as nothing.
func (r *run) Lenient() bool { return r.settings.AllowUndefined }

// Root is the file system of filters.
func (r *run) Root() fs.FS { return r.env.Root }

// Now is the time, in the zone of the host.
func (r *run) Now() time.Time {
	if r.env.Now != nil {
		return r.env.Now()
	}
	return time.Now()
}

// HTTP fetches a page.
func (r *run) HTTP(url string, options *value.Dict) (any, error) {
	if r.env.HTTP == nil {
		return nil, python.Errorf("RuntimeError", "cannot fetch %s: templates may not fetch anything here", url)
	}
	return r.env.HTTP(r.ctx, url, options)
}

// Salt calls a function by its name.
func (r *run) Salt(name string, a python.Args) (any, error) {
	return (&function{r, name}).Call(a)
}
