package minion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/minion/agentmod"
	"brine/minion/grains"
	"brine/minion/schedule"
	"brine/proto/subject"
	"brine/states/all"
	"brine/states/custom"
	"brine/states/host"
	"brine/states/mod/match"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/value"
)

// CallOptions say what to run without a master.
type CallOptions struct {
	Root        string
	ID          string   // of the minion; "" is the configured one, or else that of the first start, or the host's name
	FileRoots   []string // directories of state files: DIR, or ENV=DIR for another environment than the run's
	PillarRoots []string // directories of pillar files, likewise; the first that has a file wins
	Merging     pillar.Merging
	GPGHome     string // keys for values of pillar that are encrypted by gpg; "" for none
	Environment string // of the run; "" is base
	Function    string
	Words       []string // arguments as typed: VALUE or NAME=VALUE
}

// Called is how a function ended.
type Called struct {
	ID          string
	Value       []byte // JSON
	Retcode     int
	Took        time.Duration
	States      bool // the value is the results of states
	NotCompiled bool // the states or the pillar had mistakes; the value lists them
	Pending     bool // states ran in test mode, and something would change
}

// A BadConfig is an error of the minion's configuration.
type BadConfig struct{ error }

// Unwrap returns what is wrong.
func (e *BadConfig) Unwrap() error { return e.error }

// Call runs a function on this host. The error says that it could not be called: it is not known, its
// arguments don't fit, a directory is not there, or the configuration is wrong, which is a *BadConfig.
func Call(ctx context.Context, o CallOptions) (*Called, error) {
	c, err := newCaller(ctx, o)
	if err != nil {
		return nil, err
	}
	defer c.close()
	f, err := c.index.Func(o.Function)
	if err != nil {
		return nil, err
	}
	in := module.Words(o.Words...)
	if err := f.Check(in); err != nil {
		return nil, fmt.Errorf("cannot call %s: %w", o.Function, err)
	}
	began := time.Now()
	if c.pillar != nil || !needsNoGrains(o.Function) {
		c.host.Grains = c.facts.Copy(ctx)
	}
	if errs := c.readPillar(ctx); len(errs) > 0 {
		r := module.Returned{Value: pillarMistakes(errs), Retcode: retcodePillar}
		out := c.called(began, r, nil)
		out.NotCompiled = true
		return out, nil
	}
	defer web.CloseIdleConnections()
	r, err := f.Call(ctx, c.host, in)
	r, err = onDisk(c.host.Disk, f.StateRun, r, err)
	out := c.called(began, r, err)
	if d, ok := r.Value.(*value.Dict); ok && f.StateRun {
		out.States, out.Pending = true, pending(d)
	}
	_, isList := r.Value.(*value.List)
	out.NotCompiled = isList && r.Retcode != 0 && strings.HasPrefix(o.Function, "state.")
	return out, nil
}

// retcodePillar is Salt's of pillar that could not be made.
const retcodePillar = 5

// A caller is a host that is called without a master.
type caller struct {
	id      string
	local   *host.Local
	machine *grains.Machine
	facts   *grains.Source
	host    *host.Host
	index   *module.Index
	forget  func() // removes what the call kept of executables
	pillar  *roots // nil for no pillar

	schedule *schedule.Set // which does not run

	pillarenv string // the one environment of pillar that counts; "" for all
	merging   pillar.Merging
	secrets   *pillar.Secrets
	hidden    pillar.Mask // in results of states
}

// typedPillarenv is the environment of pillar that a function's arguments ask for.
func typedPillarenv(words []string) string {
	for _, w := range words {
		if env, ok := strings.CutPrefix(w, "pillarenv="); ok {
			return env
		}
	}
	return ""
}

// pillarDirs has the directories of __env__, as in Salt's pillar_roots, be those of an environment that has no others.
func pillarDirs(env string, typed []string) []string {
	has := slices.ContainsFunc(typed, func(dir string) bool { return strings.HasPrefix(dir, env+"=") })
	var dirs []string
	for _, dir := range typed {
		path, every := strings.CutPrefix(dir, "__env__=")
		switch {
		case !every:
			dirs = append(dirs, dir)
		case !has:
			dirs = append(dirs, env+"="+strings.ReplaceAll(path, "__env__", env))
		}
	}
	return dirs
}

func (c *caller) close() {
	c.machine.Close()
	c.local.Close()
	c.forget()
}

func newCaller(ctx context.Context, o CallOptions) (*caller, error) {
	config, err := LoadConfig(o.Root, os.Environ())
	if err != nil {
		return nil, &BadConfig{err}
	}
	id := cmp.Or(o.ID, config.ID)
	if id == "" {
		if id, err = knownID(Layout{o.Root}); err != nil {
			return nil, &BadConfig{err}
		}
	}
	if err := subject.CheckID(id); err != nil {
		return nil, err
	}
	env := cmp.Or(o.Environment, "base")
	tree, err := newRoots(env, o.FileRoots)
	if err != nil {
		return nil, err
	}
	c := &caller{id: id, local: &host.Local{Root: Layout{o.Root}.hostRoot()}, pillarenv: typedPillarenv(o.Words), merging: o.Merging}
	if len(o.PillarRoots) > 0 {
		if c.pillar, err = newRoots(env, pillarDirs(cmp.Or(c.pillarenv, "base"), o.PillarRoots)); err != nil {
			return nil, err
		}
	}
	if err := o.Merging.Check(); err != nil {
		return nil, err
	}
	c.secrets = pillar.NewGPG(pillar.SecretOptions{
		GPGHome: o.GPGHome, Exec: c.local.Run, Setting: func(string) string { return "--gpg-home" },
	})
	if err := c.secrets.Check(); err != nil {
		return nil, err
	}
	store, forget, err := customStore(Layout{o.Root}, c.local.Run)
	if err != nil {
		return nil, err
	}
	builtin := all.Index()
	late, err := store.Late(ctx, tree, builtin, func(error) {}) // told when one of them is used, and by lint and sync
	if err != nil {
		forget()
		return nil, err
	}
	c.index, c.forget = builtin.With(late...), forget
	c.machine = machineOf(Layout{o.Root}, c.local, nil)
	synced := func() []custom.Program { return store.TreeGrains(ctx, tree) }
	if c.facts, err = grainsOf(Layout{o.Root}, config, id, c.machine, c.local, synced, hclog.NewNullLogger()); err != nil {
		c.close()
		return nil, &BadConfig{err}
	}
	c.host = &host.Host{
		Root: c.local.Root, Facts: c.facts, Pillar: &value.Dict{}, Exec: c.local.Run, Files: tree, Modules: c.index,
		Config: config.settings(id), Custom: syncer{store, tree, builtin},
		HTTP: web, Disk: &host.Disk{}, Memo: &host.Memo{},
	}
	c.schedule = schedule.New(scheduleOptions(Layout{o.Root}, config, false))
	c.host.Schedule = c.schedule
	if c.pillarenv != "" {
		c.host.Config.Put("pillarenv", c.pillarenv)
	}
	c.host.Render = render.New(c.host, env, nil)
	agent := &agentmod.Agent{
		Host: c.host, Index: c.index, Source: tree.own(), Environment: env, Trees: tree,
		Lenient: config.States.Lenient, Strategy: config.States.TopMerging, Grains: c.facts.Renew, Pillar: c.reloadPillar,
	}
	if !config.States.ShowSecrets {
		agent.Secrets = &c.hidden
	}
	c.host.Agent = agent
	return c, nil
}

func (c *caller) called(began time.Time, r module.Returned, err error) *Called {
	out := result(r, err)
	return &Called{ID: c.id, Value: out.Value, Retcode: out.Retcode, Took: time.Since(began)}
}

// readPillar makes the host's pillar of the directories given.
func (c *caller) readPillar(ctx context.Context) []*plan.Error {
	if c.pillar == nil {
		return nil
	}
	d, errs := c.makePillar(ctx)
	if len(errs) == 0 {
		c.host.Pillar = d
		jobs, _ := d.Get(scheduled)
		c.schedule.SetPillar(jobs, nil)
	}
	return errs
}

func (c *caller) makePillar(ctx context.Context) (*value.Dict, []*plan.Error) {
	opened := map[string]bool{}
	d, errs := pillar.Compile(ctx, c.pillar, pillar.Options{
		Env: c.pillarenv, Own: c.pillar.env, Match: match.Targets(ctx, c.host), Host: c.host, Merging: c.merging, Decrypt: c.secrets.Decrypt, Opened: opened,
	})
	c.hidden.Add(d, pillar.Opened(d, opened)...)
	return d, errs
}

func (c *caller) reloadPillar(ctx context.Context) (*value.Dict, error) {
	if c.pillar == nil {
		return c.host.Pillar, nil
	}
	d, errs := c.makePillar(ctx)
	var all []error
	for _, e := range errs {
		all = append(all, e)
	}
	return d, errors.Join(all...)
}

func pillarMistakes(errs []*plan.Error) *value.List {
	list := value.NewList("Pillar failed to render with the following messages:")
	for _, e := range errs {
		list.Items = append(list.Items, e.Error())
	}
	return list
}

// pending says whether a result of states is one of test mode that would change something.
func pending(results *value.Dict) bool {
	for _, r := range results.All() {
		if d, ok := r.(*value.Dict); ok {
			if result, has := d.Get("result"); has && result == nil {
				return true
			}
		}
	}
	return false
}
