package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

func (f *Functions) state() module.Module {
	orchestrate := module.Call(f.orchestrate)
	show := module.Call(f.showOrchestration)
	const doc = `
		Carry out an orchestration: SLS files whose states are jobs on minions and functions of masters. It returns what its steps
		ended with, under the name of the master with "_master" behind it, of which it has the pillar.`
	const pauses = `
		Keep an orchestration from going on before it begins a state, until it is resumed. What has begun goes on, and masters
		that take over keep to it.`
	const resumes = "Let an orchestration go on that is paused, before one state or before all."
	return module.Module{Name: "state", Doc: "Orchestrations.", Funcs: []module.Func{
		{Name: "event", Doc: "Wait for events of a tag, and return them by tag.", Example: "'salt/minion/*/start' count=1", Do: module.Call(f.stateEvent)},
		{Name: "orch", Doc: doc, Example: "deploy", Do: orchestrate},
		{Name: "orch_show_sls", Doc: "Return the states of SLS files as an orchestration compiles them.", Example: "deploy", Do: show},
		{Name: "orchestrate", Doc: doc, Example: "deploy pillar='{version: 1.2}'", Do: orchestrate},
		{Name: "orchestrate_show_sls", Doc: "Return the states of SLS files as an orchestration compiles them.", Example: "deploy", Do: show},
		{Name: "orchestrate_single", Doc: "Carry out one step of an orchestration.", Example: "fun=salt.function name=test.ping tgt='*'", Do: module.Call(f.single)},
		{Name: "pause", Doc: pauses, Example: "20260131120000000123 deploy duration=600", Do: module.Call(f.pause)},
		{Name: "resume", Doc: resumes, Example: "20260131120000000123", Do: module.Call(f.resume)},
		{Name: "rm_pause", Doc: resumes, Example: "20260131120000000123", Do: module.Call(f.resume)},
		{Name: "set_pause", Doc: pauses, Example: "20260131120000000123", Do: module.Call(f.pause)},
		{Name: "sls", Doc: doc, Example: "deploy", Do: orchestrate},
		{Name: "soft_kill", Doc: "End an orchestration, and the jobs of its steps that run.", Example: "20260131120000000123", Do: module.Call(f.softKill)},
	}}
}

type orchestrateArgs struct {
	Mods       any         `arg:"mods,required" doc:"SLS files: a list, or a text with commas between"`
	Saltenv    string      `arg:"saltenv" default:"base" doc:"environment of the files"`
	Test       bool        `arg:"test" doc:"only say what would be done; states are tested on their minions"`
	Exclude    any         `arg:"exclude" doc:"SLS files to leave out, with commas between, or a list of \"sls: NAME\" and \"id: ID\""`
	Pillar     *value.Dict `arg:"pillar" doc:"data laid over the master's pillar; on no disk"`
	PillarEnv  string      `arg:"pillarenv" doc:"environment of the pillar"`
	PillarEnc  string      `arg:"pillar_enc" doc:"refused: encrypted blocks stand in the pillar itself"`
	OrchJID    any         `arg:"orchestration_jid" doc:"taken for Salt's sake"`
	Queue      any         `arg:"queue" doc:"taken for Salt's sake"`
	Concurrent any         `arg:"concurrent" doc:"taken for Salt's sake"`
}

// CheckArgs implements module.Checker.
func (a *orchestrateArgs) CheckArgs() error {
	if a.PillarEnc != "" {
		return errors.New("pillar_enc is not supported: blocks that are encrypted for the masters stand in the pillar itself")
	}
	return nil
}

func (a *orchestrateArgs) orchestration() Orchestration {
	o := Orchestration{Environment: a.Saltenv, Test: a.Test, Pillar: a.Pillar, PillarEnv: a.PillarEnv}
	for _, name := range globs(a.Mods) {
		if name != "" {
			o.Mods = append(o.Mods, name)
		}
	}
	switch v := a.Exclude.(type) {
	case *value.List:
		for _, item := range v.Items {
			if d, ok := item.(*value.Dict); ok {
				for k, v := range d.All() {
					o.Exclude = append(o.Exclude, fmt.Sprintf("%v: %v", k, v))
				}
				continue
			}
			o.Exclude = append(o.Exclude, fmt.Sprint(item))
		}
	case string:
		o.Exclude = strings.Split(v, ",")
	}
	return o
}

type onlyKey struct{}

// Orchestration is what a call of a function that tells of itself would carry out. It is not begun.
func (f *Functions) Orchestration(c Call) (o Orchestration, err error) {
	_, err = f.Call(context.WithValue(context.Background(), onlyKey{}, &o), c)
	return o, err
}

// begin carries an orchestration out, unless it is only asked which it is.
func (f *Functions) begin(ctx context.Context, o Orchestration) (any, int, error) {
	if only, ok := ctx.Value(onlyKey{}).(*Orchestration); ok {
		*only = o
		return nil, 0, nil
	}
	return f.site.Orchestrate(ctx, callOf(ctx), o)
}

func (f *Functions) orchestrate(ctx context.Context, _ *host.Host, a orchestrateArgs) (module.Returned, error) {
	v, code, err := f.begin(ctx, a.orchestration())
	return module.Returned{Value: v, Retcode: code}, err
}

func (f *Functions) showOrchestration(ctx context.Context, _ *host.Host, a orchestrateArgs) (module.Returned, error) {
	v, code, err := f.site.ShowOrchestration(ctx, callOf(ctx), a.orchestration())
	return module.Returned{Value: v, Retcode: code}, err
}

type singleArgs struct {
	Fun    string       `arg:"fun,required" doc:"the state, such as salt.function"`
	Name   string       `arg:"name,required" doc:"its name"`
	Test   bool         `arg:"test" doc:"only say what would be done"`
	Queue  any          `arg:"queue" doc:"taken for Salt's sake"`
	Pillar *value.Dict  `arg:"pillar" doc:"data laid over the master's pillar; on no disk"`
	More   []module.Arg `arg:"arguments,named" doc:"arguments of the state"`
}

func (f *Functions) single(ctx context.Context, _ *host.Host, a singleArgs) (module.Returned, error) {
	args := value.NewDict("name", a.Name)
	for _, more := range a.More {
		args.Put(more.Name, more.Value.Data)
	}
	o := Orchestration{State: a.Fun, Args: args, Environment: "base", Test: a.Test, Pillar: a.Pillar}
	v, code, err := f.begin(ctx, o)
	return module.Returned{Value: v, Retcode: code}, err
}

type killArgs struct {
	JID   string `arg:"jid,required" doc:"the orchestration"`
	State any    `arg:"state_id" doc:"refused: it ends at once"`
}

func (f *Functions) softKill(ctx context.Context, _ *host.Host, a killArgs) (bool, error) {
	if a.State != nil {
		return false, errors.New("state_id is not supported: an orchestration ends at once, with the jobs of its steps")
	}
	return true, f.site.Cancel(ctx, callOf(ctx).Caller, a.JID)
}

type resumeArgs struct {
	JID   string `arg:"jid,required" doc:"the orchestration"`
	State string `arg:"state_id" doc:"the ID of the state; before any when absent"`
}

type pauseArgs struct {
	resumeArgs
	Duration time.Duration `arg:"duration" doc:"after which it goes on by itself; 0 is never"`
}

// CheckArgs implements module.Checker.
func (a *pauseArgs) CheckArgs() error {
	if a.Duration < 0 {
		return errors.New("duration: want no less than 0")
	}
	return nil
}

// allStates is Salt's name of any state.
const allStates = "__all__"

func (f *Functions) pause(ctx context.Context, _ *host.Host, a pauseArgs) (bool, error) {
	if a.State == allStates {
		a.State = ""
	}
	return true, f.site.Pause(ctx, callOf(ctx).Caller, a.JID, a.State, a.Duration)
}

func (f *Functions) resume(ctx context.Context, _ *host.Host, a resumeArgs) (bool, error) {
	if a.State == allStates {
		a.State = ""
	}
	return true, f.site.Resume(ctx, callOf(ctx).Caller, a.JID, a.State)
}

type eventArgs struct {
	Tag    string `arg:"tagmatch" default:"*" doc:"the tag: a glob"`
	Count  int64  `arg:"count" default:"1" doc:"how many events"`
	Quiet  bool   `arg:"quiet" doc:"return nothing of them"`
	Pretty bool   `arg:"pretty" doc:"taken for Salt's sake"`
	Node   string `arg:"node" default:"master" doc:"taken for Salt's sake"`
}

// CheckArgs implements module.Checker.
func (a *eventArgs) CheckArgs() error {
	if a.Count < 1 || a.Count > 1000 {
		return errors.New("count: want 1 to 1000; brine event watch shows events without an end")
	}
	return nil
}

func (f *Functions) stateEvent(ctx context.Context, _ *host.Host, a eventArgs) (any, error) {
	all, err := f.site.Await(ctx, a.Tag, int(a.Count))
	if err != nil || a.Quiet {
		return nil, err
	}
	byTag := &value.Dict{}
	for _, e := range all {
		v, err := value.FromJSON(e.Data)
		if err != nil {
			continue
		}
		byTag.Put(e.Tag, v)
	}
	return byTag, nil
}

func (f *Functions) event() module.Module {
	return module.Module{Name: "event", Doc: "Events.", Funcs: []module.Func{
		{Name: "send", Doc: "Tell that something happened.", Example: "site/deploy/done '{version: 1.2}'", Do: module.Call(f.eventSend)},
	}}
}

type sendArgs struct {
	Tag  string `arg:"tag,required" doc:"such as site/deploy/done"`
	Data any    `arg:"data" doc:"an object with more about it"`
}

func (f *Functions) eventSend(ctx context.Context, _ *host.Host, a sendArgs) (bool, error) {
	data, ok := a.Data.(*value.Dict)
	if text, isText := a.Data.(string); isText && json.Valid([]byte(text)) {
		v, err := value.FromJSON([]byte(text))
		if err != nil {
			return false, err
		}
		data, ok = v.(*value.Dict)
	}
	if a.Data == nil {
		data, ok = &value.Dict{}, true
	}
	if !ok {
		return false, errors.New("data: want an object")
	}
	return true, f.site.Send(ctx, callOf(ctx).Caller, a.Tag, data)
}
