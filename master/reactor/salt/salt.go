// Package salt reads reaction SLS of Salt's reactor: what is to be done about an event.
package salt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brine/proto"
	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/value"
	"brine/states/yaml"
)

// A Reaction is one thing to do.
type Reaction struct {
	ID       string
	Kind     string // local, runner, wheel or caller
	Function string
	Target   *proto.Target // of local
	Args     []any
	Kwargs   map[string]any
}

// Options are what Render needs.
type Options struct {
	// Open reads a file of the tree by its path; errors.Is(err, fs.ErrNotExist) when there is none.
	Open render.Open
	ID   string // of the master, which templates see as a minion's id
}

// aliases are what kinds were called once.
var aliases = map[string]string{"cmd": "local"}

var kinds = []string{"caller", "local", "runner", "wheel"}

// Render renders reaction SLS for an event: paths on the master, which may be globs, and salt:// URLs. Of two reactions with one
// ID the last counts, as in Salt. The error lists every mistake with file and line; then nothing is to be done.
func Render(ctx context.Context, o Options, refs []string, e *proto.Event) ([]Reaction, error) {
	var found []Reaction
	var errs []error
	for _, ref := range refs {
		files, err := o.read(ctx, ref)
		if err != nil {
			errs = append(errs, err)
		}
		for _, f := range files {
			more, err := o.reactions(ctx, f, e)
			errs = append(errs, err)
			for _, r := range more {
				found = append(slices.DeleteFunc(found, func(x Reaction) bool { return x.ID == r.ID }), r)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return found, nil
}

type source struct {
	name, path string // path is that in the tree; "" for none
	text       []byte
}

func (o Options) read(ctx context.Context, ref string) ([]source, error) {
	if path, ok := strings.CutPrefix(ref, "salt://"); ok {
		text, err := o.Open(ctx, "base", path)
		if err != nil {
			return nil, fmt.Errorf("cannot read reaction %s: %w", ref, err)
		}
		return []source{{ref, path, text}}, nil
	}
	names, err := filepath.Glob(ref)
	if err == nil && len(names) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read reaction %s: %w", ref, err)
	}
	var all []source
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read reaction %s: %w", name, err)
		}
		all = append(all, source{name: name, text: text})
	}
	return all, nil
}

// reactions renders one file.
func (o Options) reactions(ctx context.Context, f source, e *proto.Event) ([]Reaction, error) {
	data, err := value.FromJSON(e.Data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the data of event %s: %w", e.Tag, err)
	}
	n, errs := render.Render(ctx, render.File{
		Name: f.name, Path: f.path, Text: f.text, Env: "base", Templates: render.New(o.host(), "base", o.Open),
		Vars: value.NewDict("tag", e.Tag, "data", data),
	})
	if len(errs) > 0 {
		return nil, joined(errs)
	}
	return read(f.name, n)
}

func joined(errs []*plan.Error) error {
	var all []error
	for _, err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// host is what templates see: functions of data alone, and nothing of this machine.
func (o Options) host() *host.Host {
	config := value.NewDict("id", o.ID, "__role", "master")
	return &host.Host{Grains: value.NewDict("id", o.ID), Config: config, Exec: noCommands, Memo: &host.Memo{}, Modules: pure{all.Index()}}
}

func noCommands(context.Context, host.Command) (host.Output, error) {
	return host.Output{}, errors.New("cannot run a command: reactions are rendered on a master, where templates run none")
}

// pure are the functions that look at no machine.
type pure struct{ *module.Index }

// Call calls one of them.
func (p pure) Call(ctx context.Context, h *host.Host, name string, args []any, named *value.Dict) (any, int, error) {
	if _, err := p.Func(name); err == nil && !all.Pure(name) {
		return nil, 0, fmt.Errorf("cannot call %s: reactions are rendered on a master, where only functions of data can be called", name)
	}
	return p.Index.Call(ctx, h, name, args, named)
}

// read makes reactions of what was rendered.
func read(file string, n *yaml.Node) ([]Reaction, error) {
	if n.IsNull() {
		return nil, nil // the template found nothing to do
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: cannot read the reaction: want a dictionary, got a %s", file, n.Line, n.TypeName())
	}
	var found []Reaction
	var errs []error
	for _, p := range n.Pairs {
		if p.Value.Kind != yaml.MappingNode {
			errs = append(errs, fmt.Errorf("%s:%d: cannot read the reaction %q: want a function, such as local.state.apply", file, p.Key.Line, p.Key.Text))
			continue
		}
		for _, fun := range p.Value.Pairs {
			r, err := one(p.Key.Text, fun)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: cannot read the reaction %q: %w", file, fun.Key.Line, p.Key.Text, err))
				continue
			}
			if len(p.Value.Pairs) > 1 {
				r.ID += "/" + fun.Key.Text
			}
			found = append(found, r)
		}
	}
	return found, errors.Join(errs...)
}

// one reads one function of a reaction.
func one(id string, p yaml.Pair) (Reaction, error) {
	r := Reaction{ID: id, Kwargs: map[string]any{}}
	kind, fun, _ := strings.Cut(p.Key.Text, ".")
	if alias := aliases[kind]; alias != "" {
		kind = alias
	}
	if r.Kind = kind; !slices.Contains(kinds, kind) {
		return r, fmt.Errorf("unknown type %q%s: there are %s, and cmd for local", kind, module.DidYouMean(kind, kinds), strings.Join(kinds, ", "))
	}
	opts, err := options(p.Value, &fun)
	if err != nil {
		return r, err
	}
	if r.Function = fun; fun == "" {
		return r, fmt.Errorf("no function is named: want such as %s.test.ping", kind)
	}
	if err := r.arguments(opts); err != nil {
		return r, err
	}
	if kind == "local" {
		return r, r.target(opts)
	}
	return r, nil
}

// options joins the list under a function; a text in it is the function's name.
func options(n *yaml.Node, fun *string) (map[string]any, error) {
	opts := map[string]any{}
	add := func(v any) error {
		d, ok := v.(*value.Dict)
		if !ok {
			return fmt.Errorf("want a list of KEY: VALUE, got %v", v)
		}
		for k, v := range d.All() {
			opts[fmt.Sprint(k)] = v
		}
		return nil
	}
	switch v := n.Data().(type) {
	case nil:
	case *value.List:
		for _, item := range v.Items {
			if text, ok := item.(string); ok && *fun == "" {
				*fun = text
				continue
			}
			if err := add(item); err != nil {
				return nil, err
			}
		}
	default:
		return opts, add(v)
	}
	return opts, nil
}

// internal are keys that belong to nobody's arguments.
var internal = []string{"order", "name", "__id__", "__sls__", "fun", "state", "tgt", "tgt_type", "expr_form", "ret", "timeout", "arg", "kwarg", "args"}

// arguments reads args, or arg and kwarg; of runners and wheels also what else there is.
func (r *Reaction) arguments(opts map[string]any) error {
	if raw, ok := opts["args"]; ok {
		return r.add(raw)
	}
	switch v := plainOf(opts["arg"]).(type) {
	case nil:
	case []any:
		r.Args = v
	default:
		r.Args = []any{v}
	}
	if raw, ok := opts["kwarg"]; ok {
		if err := r.add(raw); err != nil {
			return err
		}
	}
	if r.Kind != "local" {
		for k, v := range opts {
			if !slices.Contains(internal, k) {
				r.Kwargs[k] = plainOf(v)
			}
		}
	}
	return nil
}

// add reads named arguments: a dictionary, or a list of such; what else stands in a list goes by its place.
func (r *Reaction) add(raw any) error {
	switch v := raw.(type) {
	case nil:
	case *value.Dict:
		for k, v := range v.All() {
			r.Kwargs[fmt.Sprint(k)] = plainOf(v)
		}
	case *value.List:
		for _, item := range v.Items {
			if d, ok := item.(*value.Dict); ok {
				if err := r.add(d); err != nil {
					return err
				}
				continue
			}
			r.Args = append(r.Args, plainOf(item))
		}
	default:
		return fmt.Errorf("args: want named arguments, or a list, got %v", v)
	}
	return nil
}

// plainOf makes maps and slices of a value.
func plainOf(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for k, item := range v.All() {
			m[fmt.Sprint(k)] = plainOf(item)
		}
		return m
	case *value.List:
		all := make([]any, len(v.Items))
		for i, item := range v.Items {
			all[i] = plainOf(item)
		}
		return all
	}
	return v
}

var syntaxes = map[string]proto.Target_Syntax{
	"": proto.Target_GLOB, "glob": proto.Target_GLOB, "list": proto.Target_LIST, "pcre": proto.Target_PCRE, "grain": proto.Target_GRAIN,
	"grain_pcre": proto.Target_GRAIN_PCRE, "pillar": proto.Target_PILLAR, "compound": proto.Target_COMPOUND,
}

// target reads whom a reaction is for.
func (r *Reaction) target(opts map[string]any) error {
	kind, _ := opts["tgt_type"].(string)
	if old, ok := opts["expr_form"].(string); ok && kind == "" {
		kind = old
	}
	syntax, ok := syntaxes[kind]
	if !ok {
		if syntax, ok = otherSyntaxes()[kind]; !ok {
			return fmt.Errorf("unknown tgt_type %q", kind)
		}
	}
	switch v := plainOf(opts["tgt"]).(type) {
	case nil:
		return errors.New("tgt is missing: whom is it for?")
	case []any:
		var ids []string
		for _, item := range v {
			ids = append(ids, fmt.Sprint(item))
		}
		r.Target = &proto.Target{Syntax: syntax, Expression: strings.Join(ids, ",")}
		if kind == "" {
			r.Target.Syntax = proto.Target_LIST
		}
	default:
		r.Target = &proto.Target{Syntax: syntax, Expression: fmt.Sprint(v)}
	}
	return nil
}

// otherSyntaxes are those by the names that the bus has for them.
func otherSyntaxes() map[string]proto.Target_Syntax {
	names := map[string]proto.Target_Syntax{}
	for n, name := range proto.Target_Syntax_name {
		if n > 0 {
			names[strings.ToLower(name)] = proto.Target_Syntax(n)
		}
	}
	return names
}
