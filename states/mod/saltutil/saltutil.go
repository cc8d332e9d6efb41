// Package saltutil looks at the jobs of the minion it runs on, ends them, and keeps what state trees bring along.
package saltutil

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// Module is the saltutil module.
var Module = module.Module{
	Name: "saltutil",
	Doc:  "Look at the jobs of a minion and end them, at its host anew, and keep what state trees bring along.",
	Funcs: []module.Func{
		{
			Name: "cmd", Doc: "Refused: a minion sends no jobs to others.", Example: "'web*' test.ping",
			Do: module.Call(command),
		},
		{
			Name: "find_job", Doc: "Return what is known of a job that runs or waits here; an empty map when it does not.",
			Example: "20260131120000000123", Do: module.Call(findJob),
		},
		{
			Name: "is_running", Doc: "Return the jobs that run or wait here and call a function that the glob matches.",
			Example: "'state.*'", Do: module.Call(isRunning),
		},
		{
			Name: "kill_job", Doc: "End a job at once: its commands get SIGKILL.",
			Example: "20260131120000000123", Do: module.Call(killJob),
		},
		{
			Name: "refresh_grains", Doc: "Look at the host anew, and tell the masters when its grains are others.",
			Example: "refresh_pillar=false", Do: module.Call(refreshGrains),
		},
		{
			Name: "refresh_modules", Doc: "Return true: each job reads the modules that are there.",
			Do: module.Call(refreshModules),
		},
		{
			Name: "refresh_pillar", Doc: "Get the pillar anew. States and what shows pillar do so by themselves.",
			Do: module.Call(refreshPillar),
		},
		{
			Name: "regen_keys", Doc: "Give the minion new keys, which its masters accept in the place of those that it has. Return the fingerprints of both.",
			Do: module.Call(regenKeys),
		},
		{
			Name: "runner", Doc: "Refused: runners work on a master, and a minion asks none to run anything.",
			Example: "manage.up", Do: module.Call(runner),
		},
		{Name: "running", Doc: "Return the jobs that run or wait here.", Do: module.Call(running)},
		{
			Name: "signal_job", Doc: "Send a signal to the commands of a job. TERM and KILL end the job too.",
			Example: "20260131120000000123 USR1", Do: module.Call(signalJob),
		},
		{
			Name: "sync_all", Doc: "Keep the modules, states and grains that the state tree brings along. Return those that are new or changed, by kind.",
			Example: "extmod_blacklist='{grains: [slow]}'", Do: module.Call(syncAll),
		},
		{
			Name: "sync_grains", Doc: "Keep the programs of _grains of the state tree, and look at the host anew. Return those that are new or changed.",
			Do: module.Call(synced("grains")),
		},
		{
			Name: "sync_modules", Doc: "Keep the modules of _modules of the state tree. Return those that are new or changed.",
			Do: module.Call(synced("modules")),
		},
		{
			Name: "sync_states", Doc: "Keep the modules of _states of the state tree. Return those that are new or changed.",
			Do: module.Call(synced("states")),
		},
		{
			Name: "term_job", Doc: "End a job: its commands get SIGTERM, and SIGKILL when that does not end them.",
			Example: "20260131120000000123", Do: module.Call(termJob),
		},
		{
			Name: "wheel", Doc: "Refused: the keys and configuration of a site are its masters' alone.",
			Example: "key.list_all", Do: module.Call(runner),
		},
	},
}

var errNoAgent = errors.New("cannot look at jobs: no minion runs here, this is a call of its own")

type noArgs struct{}

func running(_ context.Context, h *host.Host, _ noArgs) (any, error) {
	return jobs(h, func(host.Job) bool { return true })
}

type globArgs struct {
	Fun string `arg:"fun,required" doc:"a glob over names of functions"`
}

func isRunning(_ context.Context, h *host.Host, a globArgs) (any, error) {
	if _, err := path.Match(a.Fun, ""); err != nil {
		return nil, fmt.Errorf("cannot read the glob %q: %w", a.Fun, err)
	}
	return jobs(h, func(j host.Job) bool {
		ok, _ := path.Match(a.Fun, j.Function)
		return ok
	})
}

func jobs(h *host.Host, want func(host.Job) bool) (*value.List, error) {
	if h.Agent == nil {
		return nil, errNoAgent
	}
	list := value.NewList()
	for _, j := range h.Agent.Running() {
		if want(j) {
			list.Items = append(list.Items, describe(j))
		}
	}
	return list, nil
}

// describe tells of a job in Salt's words.
func describe(j host.Job) *value.Dict {
	state, started := "queued", any(nil)
	if !j.Started.IsZero() {
		state, started = "running", j.Started.UTC().Format(time.RFC3339Nano)
	}
	return value.NewDict("jid", j.JID, "fun", j.Function, "arg", value.NewList(j.Args...),
		"user", j.Operator, "master", j.Master, "state", state, "started", started)
}

type refreshArgs struct {
	RefreshPillar bool `arg:"refresh_pillar" default:"true" doc:"taken for Salt's sake: pillar is rendered anew for each job"`
	CleanPillar   bool `arg:"clean_pillar_cache" doc:"likewise"`
}

type refreshPillarArgs struct {
	Wait       bool `arg:"wait" doc:"taken for Salt's sake: the pillar is there when this returns"`
	Timeout    int  `arg:"timeout" default:"30" doc:"likewise"`
	CleanCache bool `arg:"clean_cache" default:"true" doc:"likewise"`
}

// refreshPillar only says that it is done: a minion gets the pillar before it calls this.
func refreshPillar(_ context.Context, h *host.Host, _ refreshPillarArgs) (bool, error) {
	if h.Pillar == nil {
		return false, errors.New("cannot refresh pillar: no master is there to make it")
	}
	return true, nil
}

func refreshGrains(ctx context.Context, h *host.Host, _ refreshArgs) (bool, error) {
	if h.Facts == nil {
		return false, errors.New("cannot refresh grains: this host has none but those of the job")
	}
	if err := h.Facts.Refresh(ctx); err != nil {
		return false, err
	}
	var errs []error
	for _, w := range h.Facts.Warnings(ctx) {
		errs = append(errs, errors.New(w))
	}
	if err := errors.Join(errs...); err != nil {
		return false, fmt.Errorf("grains are collected, but not all: %w", err)
	}
	return true, nil
}

type jobArgs struct {
	JID string `arg:"jid,required" doc:"the job"`
}

func findJob(_ context.Context, h *host.Host, a jobArgs) (*value.Dict, error) {
	if h.Agent == nil {
		return nil, errNoAgent
	}
	for _, j := range h.Agent.Running() {
		if j.JID == a.JID {
			return describe(j), nil
		}
	}
	return &value.Dict{}, nil
}

func termJob(_ context.Context, h *host.Host, a jobArgs) (string, error) {
	return send(h, a.JID, unix.SIGTERM)
}

func killJob(_ context.Context, h *host.Host, a jobArgs) (string, error) {
	return send(h, a.JID, unix.SIGKILL)
}

type signalArgs struct {
	jobArgs
	Signal signal `arg:"sig,required" doc:"the signal, by name or number"`
}

func signalJob(_ context.Context, h *host.Host, a signalArgs) (string, error) {
	return send(h, a.JID, syscall.Signal(a.Signal))
}

// A signal is one by name, with or without SIG, or by number.
type signal syscall.Signal

func (s *signal) ArgType() string { return "signal" }

func (s *signal) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a signal such as TERM or 15")
	}
	if n, err := strconv.Atoi(text); err == nil && unix.SignalName(unix.Signal(n)) != "" {
		*s = signal(n)
		return nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	n := unix.SignalNum(name)
	if n == 0 {
		return v.Want("a signal such as TERM or 15")
	}
	*s = signal(n)
	return nil
}

func send(h *host.Host, jid string, sig syscall.Signal) (string, error) {
	if h.Agent == nil {
		return "", errNoAgent
	}
	if err := h.Agent.Signal(jid, sig); err != nil {
		return "", err
	}
	return fmt.Sprintf("Signal %d sent to job %s", int(sig), jid), nil
}

type runnerArgs struct {
	Name string      `arg:"name,required,alias=fun" doc:"the function of a master"`
	Args []any       `arg:"args,rest" doc:"what it is called with"`
	More *value.Dict `arg:"kwargs,named" doc:"what it is called with by name"`
}

func runner(_ context.Context, _ *host.Host, a runnerArgs) (any, error) {
	advice := "run it with the command brine, and give what it returns to the states as pillar"
	if a.Name == "mine.get" {
		advice = "call mine.get itself"
	}
	return nil, fmt.Errorf("cannot call %q: it works on a master, and a minion asks none to run anything: %s", a.Name, advice)
}

type commandArgs struct {
	Target string      `arg:"tgt,required" doc:"the minions"`
	Fun    string      `arg:"fun,required" doc:"the function"`
	Args   []any       `arg:"args,rest" doc:"what it is called with"`
	More   *value.Dict `arg:"kwargs,named" doc:"what it is called with by name"`
}

func command(_ context.Context, _ *host.Host, a commandArgs) (any, error) {
	return nil, fmt.Errorf("cannot call %q on %q: a minion sends no jobs to others: run it with the command brine", a.Fun, a.Target)
}
