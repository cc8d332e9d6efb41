package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"brine/proto"
	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

// mistakes are what is wrong with the files of an orchestration.
type mistakes []*plan.Error

func (m mistakes) list() *value.List {
	list := value.NewList()
	for _, e := range m {
		list.Items = append(list.Items, e.Error())
	}
	return list
}

// errWrong is the error of what trying again does not mend.
type errWrong struct{ error }

// errLost is that of an orchestration which nobody can go on with.
type errLost struct{ error }

// unprepared tells why an orchestration could not be prepared: by its return where that stays, else by the error.
func (x *execution) unprepared(err error) (*returned, error) {
	var wrong errWrong
	var lost errLost
	switch {
	case errors.As(err, &lost):
		return x.ended(value.NewDict("salt_|-orchestration_|-orchestration_|-run", value.NewDict("name", "orchestration", "changes", &value.Dict{}, "result", false,
			"comment", lost.Error(), "__run_num__", int64(0), "__id__", "orchestration")), run.RetcodeFailed)
	case errors.As(err, &wrong):
		return x.ended(value.NewList(x.mask.Text(wrong.Error())), run.RetcodeNotCompiled)
	}
	return nil, err
}

// Index are the states and functions of minions, and those of orchestrations. That most states are none for a master is told
// by compile, with a better word than that there is none.
var Index = sync.OnceValue(func() *module.Index { return module.NewIndex(append(all.Modules(), Module)...) })

// elsewhere are the states of other modules that an orchestration may have: they touch nothing of the master's machine.
var elsewhere = []string{"event.send", "event.wait", "test.*", "http.query", "http.wait_for_successful_query"}

func mayBeHere(module, function string) bool {
	return module == Module.Name || slices.Contains(elsewhere, module+"."+function) || slices.Contains(elsewhere, module+".*")
}

// prepare finds the files and the pillar, and makes what templates see.
func (x *execution) prepare(ctx context.Context) (err error) {
	ord := x.course.order
	if x.source, err = x.o.Files.Tree(ctx, ord.Tree, ord.Master); err != nil {
		return fmt.Errorf("cannot have the files of the orchestration: %w", err)
	}
	grains := grainsOf(x.name(), ord.Master)
	data, opened, err := x.o.Pillar(ctx, x.name(), ord.PillarEnv, grains)
	if err != nil {
		return errWrong{fmt.Errorf("cannot make the pillar of %q: %w", x.name(), err)}
	}
	over, err := x.override(ctx)
	if err != nil {
		return err
	}
	x.mask.Add(data, opened...)
	x.mask.Add(over)
	config := value.NewDict("id", x.name(), "__role", "master", "saltenv", ord.Env, "pillarenv", nil, "test", ord.Test)
	for k, v := range x.o.Config.All() {
		_ = config.Set(k, v) // it was a key already
	}
	h := &host.Host{
		Grains: grains, Config: config, Pillar: pillar.Merge(data, over), Exec: noCommands, Memo: &host.Memo{}, Event: x.send,
		Mine: x.o.Mine(x.name()), Files: served{x.source},
	}
	h.Modules = functions{Index(), x}
	h.Render = render.New(h, ord.Env, func(ctx context.Context, _, path string) ([]byte, error) { return x.source.Open(ctx, path) })
	x.host = h
	return nil
}

// override is the pillar that was given for this orchestration.
func (x *execution) override(ctx context.Context) (*value.Dict, error) {
	if !x.course.order.Pillar {
		return x.given, nil
	}
	id := x.course.order.JID
	data := x.Give(id)
	if data == nil {
		if data = x.o.Masters.Shared(ctx, id); data == nil {
			return nil, errLost{errors.New("interrupted: the pillar that was given for this orchestration is on no disk, " +
				"and no master that lives has it: steps that have not begun are not done")}
		}
		x.Take(id, data)
	}
	v, err := value.FromJSON(data)
	d, ok := v.(*value.Dict)
	if err != nil || !ok {
		return nil, errWrong{errors.New("cannot read the pillar that was given for this orchestration")}
	}
	return d, nil
}

// grainsOf are the facts of a master that templates see: whichever drives, they are of the one that took the orchestration.
func grainsOf(name, master string) *value.Dict {
	return value.NewDict("id", name, "master", master, "kernel", "Linux", "cpuarch", runtime.GOARCH, "saltversion", proto.Version)
}

func noCommands(context.Context, host.Command) (host.Output, error) {
	return host.Output{}, errors.New("cannot run a command: an orchestration runs on a master, where nothing of the machine is touched; " +
		"salt.function has a minion run it")
}

func (x *execution) compile(ctx context.Context) (*sls.Program, mistakes) {
	ord := x.course.order
	var refused mistakes
	o := sls.Options{Env: ord.Env, Index: Index(), Host: x.host, Show: x.show, Chunk: func(c *plan.Chunk) {
		if _, err := Index().State(c.Module + "." + c.Func); err == nil && !mayBeHere(c.Module, c.Func) {
			refused = append(refused, plan.Errorf(c.Place, "state %q: %s.%s would touch the machine of a master: have minions do it, by salt.state or salt.function",
				c.ID, c.Module, c.Func))
		}
		if err := x.checkCalls(c); err != nil {
			refused = append(refused, plan.Errorf(c.Place, "state %q: salt.%s: %v", c.ID, c.Func, err))
		}
	}}
	for _, e := range ord.Exclude {
		if id, ok := strings.CutPrefix(e, "id:"); ok {
			o.Exclude = append(o.Exclude, sls.Exclusion{ID: strings.TrimSpace(id)})
		} else {
			o.Exclude = append(o.Exclude, sls.Exclusion{SLS: strings.TrimSpace(strings.TrimPrefix(e, "sls:"))})
		}
	}
	in, err := ord.input()
	if err != nil {
		return nil, mistakes{plan.Errorf(plan.Place{}, "%v", err)}
	}
	p, errs := sls.Build(ctx, x.source, in, o)
	return p, mistakes(errs).with(refused)
}

// checkCalls finds what is wrong with the functions of masters that a state calls.
func (x *execution) checkCalls(c *plan.Chunk) error {
	if c.Module != Module.Name || c.State == nil {
		return nil
	}
	switch a := c.State.Args().(type) {
	case *callArgs:
		call, err := a.call(c.Func)
		if err == nil {
			err = x.o.Calls.Check(call)
		}
		return err
	case *parallelArgs:
		all, err := a.calls()
		errs := []error{err}
		for _, call := range all {
			if err := x.o.Calls.Check(call.Call); err != nil {
				errs = append(errs, fmt.Errorf("runners: %s: %w", call.id, err))
			}
		}
		return errors.Join(errs...)
	}
	return nil
}

// with adds mistakes, each behind those of its file that stand before it.
func (m mistakes) with(more mistakes) mistakes {
	for _, e := range more {
		i := slices.IndexFunc(m, func(o *plan.Error) bool { return o.Place.File == e.Place.File && o.Place.Line > e.Place.Line })
		if i < 0 {
			i = len(m)
		}
		m = slices.Insert(m, i, e)
	}
	return m
}

// input is what is compiled.
func (ord *order) input() (in sls.Input, err error) {
	for _, name := range ord.Mods {
		in.Mods = append(in.Mods, sls.Mod{Name: name})
	}
	if ord.State == "" {
		return in, nil
	}
	v, err := value.FromJSON(ord.Args)
	if err != nil {
		return in, err
	}
	in.Single = &sls.Single{State: ord.State}
	d, _ := v.(*value.Dict)
	for k, v := range d.All() {
		in.Single.Args = append(in.Single.Args, module.Arg{Name: fmt.Sprint(k), Value: module.Data(v)})
	}
	return in, nil
}

// reload makes the pillar anew for states with reload_pillar.
func (x *execution) reload(ctx context.Context, what string) error {
	if what != "pillar" {
		return nil
	}
	data, opened, err := x.o.Pillar(ctx, x.name(), x.course.order.PillarEnv, x.host.Grains)
	if err != nil {
		return err
	}
	over, err := x.override(ctx)
	if err == nil {
		x.mask.Add(data, opened...)
		x.host.Pillar = pillar.Merge(data, over)
	}
	return err
}

// functions are what templates may call: those that look at no machine, the mine, and functions of masters that change nothing.
type functions struct {
	*module.Index
	x *execution
}

var _ host.Modules = functions{}

// Call calls a function for a template, or for onlyif and unless.
func (f functions) Call(ctx context.Context, h *host.Host, name string, args []any, named *value.Dict) (any, int, error) {
	if name == "saltutil.runner" || name == "saltutil.wheel" {
		return f.runner(ctx, strings.TrimPrefix(name, "saltutil."), args, named)
	}
	if _, err := f.Func(name); err != nil {
		return nil, 0, err
	}
	if name != "mine.get" && !all.Pure(name) {
		return nil, 0, fmt.Errorf("cannot call %s: an orchestration runs on a master, and %s would look at that machine; "+
			"only functions of data can be called, the mine, and functions of masters by saltutil.runner", name, name)
	}
	return f.Index.Call(ctx, h, name, args, named)
}

// runner calls a function of masters, with arguments as Salt's saltutil.runner has them.
func (f functions) runner(ctx context.Context, kind string, args []any, named *value.Dict) (any, int, error) {
	c := Call{Kind: kind, By: f.x.by(), Named: &value.Dict{}}
	if len(args) > 0 {
		c.Function, _ = args[0].(string)
		c.Args = args[1:]
	}
	for k, v := range named.All() {
		switch k {
		case "name", "_fun":
			c.Function, _ = v.(string)
		case "arg":
			c.Args = append(c.Args, itemsOf(v)...)
		case "kwarg":
			d, _ := v.(*value.Dict)
			for k, v := range d.All() {
				_ = c.Named.Set(k, v) // it was a key already
			}
		default:
			_ = c.Named.Set(k, v) // it was a key already
		}
	}
	if err := f.x.o.Calls.Check(c); err != nil {
		return nil, 0, fmt.Errorf("cannot call %s.%s: %w", kind, c.Function, err)
	}
	if !f.x.o.Calls.Reads(kind, c.Function) {
		return nil, 0, fmt.Errorf("cannot call %s.%s from a template: it is rendered again when another master takes over; make it a step, with salt.%s", kind, c.Function, kind)
	}
	a, err := f.x.o.Calls.Call(ctx, c)
	if err == nil && !a.Success {
		err = fmt.Errorf("%s.%s failed: %s", kind, c.Function, a.Failure())
	}
	return a.Value, a.Retcode, err
}

func itemsOf(v any) []any {
	if l, ok := v.(*value.List); ok {
		return l.Items
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	data, err := value.MarshalJSON(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
