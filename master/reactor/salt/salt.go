// Package salt reads reaction SLS of Salt's reactor: what is to be done about an event.
package salt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/proto"
	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/value"
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

// String is a reaction for people.
func (r Reaction) String() string {
	text := r.ID + ": " + r.Kind + "." + r.Function
	if r.Target != nil {
		text += fmt.Sprintf(" on %s (%s)", r.Target.Expression, strings.ToLower(r.Target.Syntax.String()))
	}
	for _, v := range r.Args {
		text += " " + asJSON(v)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Kwargs)) {
		text += " " + k + "=" + asJSON(r.Kwargs[k])
	}
	return text
}

func asJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// Options are what Render needs.
type Options struct {
	// Open reads a file of the tree by its path; errors.Is(err, fs.ErrNotExist) when there is none.
	Open render.Open
	ID   string // of the master, which templates see as a minion's id
	// Sender is the minion that the event is of; "": it is of none. Templates see it as data['id'], whatever the event says there.
	Sender string
}

// Render renders reaction SLS for an event: paths on the master, which may be globs, and salt:// URLs, which may say ?saltenv=. Of
// two reactions with one ID the last counts, as in Salt. The error lists every mistake with file and line: what is returned beside it, of the files that
// have none, is to be done all the same, as in Salt.
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
			if errs = append(errs, err); err != nil {
				continue
			}
			for _, r := range more {
				found = append(slices.DeleteFunc(found, func(x Reaction) bool { return x.ID == r.ID }), r)
			}
		}
	}
	return found, errors.Join(errs...)
}

type source struct {
	name, env, path string // path is that in the tree; "" for none
	text            []byte
}

func (o Options) read(ctx context.Context, ref string) ([]source, error) {
	if path, ok := strings.CutPrefix(ref, "salt://"); ok {
		path, env, _ := strings.Cut(path, "?saltenv=")
		env = cmp.Or(env, "base")
		text, err := o.Open(ctx, env, path)
		if err != nil {
			return nil, fmt.Errorf("cannot read reaction %s: %w", ref, err)
		}
		return []source{{ref, env, path, text}}, nil
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
		all = append(all, source{name: name, env: "base", text: text})
	}
	return all, nil
}

// reactions renders one file.
func (o Options) reactions(ctx context.Context, f source, e *proto.Event) ([]Reaction, error) {
	data, err := value.FromJSON(e.Data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the data of event %s: %w", e.Tag, err)
	}
	if d, ok := data.(*value.Dict); ok {
		d.Put("_stamp", time.UnixMicro(e.At).UTC().Format("2006-01-02T15:04:05.000000")) // as Salt's events have it
		if o.Sender != "" {
			d.Put("id", o.Sender)
		}
	}
	n, errs := render.Render(ctx, render.File{
		Name: f.name, Path: f.path, Text: f.text, Env: f.env, Templates: render.New(o.host(), f.env, o.Open),
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
