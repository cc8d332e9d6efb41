package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"brine/master/job"
	"brine/master/orchestrate"
	"brine/master/runner"
	"brine/proto"
	"brine/proto/manifest"
	"brine/states/module"
	"brine/states/value"
)

// call calls a function that works on masters, if its caller may, and tells of it by events under its id.
func (m *Master) call(ctx context.Context, c runner.Call) (runner.Answer, error) {
	if err := m.mayCall(c.Operator, c.Kind, c.Function); err != nil {
		return runner.Answer{}, err
	}
	if err := m.runners.Check(c); err != nil {
		return runner.Answer{}, refuse(proto.ApiError_INVALID, "cannot call %s.%s: %v", c.Kind, c.Function, err)
	}
	if m.runners.Own(c.Kind, c.Function) {
		return m.runners.Call(ctx, c)
	}
	if a, told, err := m.earlier(ctx, c); told || err != nil {
		return a, err
	}
	begun, err := m.tellCall(ctx, c, "new", map[string]any{})
	if err != nil {
		return runner.Answer{}, err
	}
	c.Record = begun
	return m.callAndTell(ctx, c)
}

// callAndTell calls a function and tells how it ended.
func (m *Master) callAndTell(ctx context.Context, c runner.Call) (runner.Answer, error) {
	a, err := m.runners.Call(ctx, c)
	if err != nil && ctx.Err() != nil && m.takenUp(c) {
		return a, err // by another master
	}
	told := map[string]any{"success": err == nil && a.Retcode == 0, "retcode": a.Retcode, "return": nil}
	switch data, bad := value.MarshalJSON(a.Value); {
	case err != nil && ctx.Err() != nil:
		told["interrupted"], told["return"] = true, "interrupted: who asked for it went away, or the master stopped: "+err.Error()
	case err != nil:
		told["return"] = err.Error()
	case m.runners.Secret(c.Kind, c.Function) || bad != nil || len(data) > maxEvent:
		told["left_out"] = len(data)
	default:
		told["return"] = json.RawMessage(data)
	}
	if _, bad := m.tellCall(context.WithoutCancel(ctx), c, "ret", told); bad != nil {
		m.log.Error("end of a call not stored", "function", c.Function, "err", bad)
	}
	return a, err
}

// mayCall refuses a function to who has none of its rights; nil may all.
func (m *Master) mayCall(op *proto.OperatorRecord, kind, function string) error {
	rights, err := m.runners.Rights(kind, function)
	if err != nil {
		return refuse(proto.ApiError_INVALID, "%v", err)
	}
	if op == nil {
		return nil
	}
	for _, right := range rights {
		if m.keys.Allowed(op, right, nil) == nil {
			return nil
		}
	}
	return refuse(proto.ApiError_NOT_PERMITTED, "%v", m.keys.Allowed(op, rights[0], nil))
}

// familyOf is what the tags of calls of a kind begin with.
func familyOf(kind string) string {
	if kind == runner.Wheel {
		return "salt/wheel/"
	}
	return "salt/run/"
}

// tellCall stores an event of a call, with Salt's tag and data.
func (m *Master) tellCall(ctx context.Context, c runner.Call, what string, more map[string]any) (id string, err error) {
	more["fun"], more["jid"], more["user"] = c.Kind+"."+c.Function, c.JID, strings.TrimPrefix(c.Actor, "operator ")
	more["fun_args"] = argumentsOf(c.Input)
	data, err := json.Marshal(more)
	if err != nil {
		return "", err
	}
	return records{m}.Keep(ctx, &proto.Event{Tag: familyOf(c.Kind) + c.JID + "/" + what, Data: data, Cause: c.Record, Depth: c.Depth, Actor: c.Actor})
}

// argumentsOf are the arguments of a call as Salt shows them: named ones together at the end.
func argumentsOf(in module.Input) json.RawMessage {
	list, named := value.NewList(), &value.Dict{}
	for _, a := range in.Args {
		switch {
		case a.Name == "":
			list.Items = append(list.Items, a.Value.Data)
		case a.Name == "pillar":
			named.Put(a.Name, "********")
		default:
			named.Put(a.Name, a.Value.Data)
		}
	}
	if named.Len() > 0 {
		named.Put("__kwarg__", true)
		list.Items = append(list.Items, named)
	}
	data, err := value.MarshalJSON(list)
	if err != nil {
		return json.RawMessage("[]")
	}
	return data
}

// calls are the functions of masters, as steps of orchestrations call them.
type calls struct{ m *Master }

func (c calls) Reads(kind, function string) bool   { return c.m.runners.Reads(kind, function) }
func (c calls) Derived(kind, function string) bool { return c.m.runners.Derived(kind, function) }

// Check finds what is wrong with a call.
func (c calls) Check(o orchestrate.Call) error {
	return c.m.runners.Check(runner.Call{Kind: o.Kind, Function: o.Function, Input: inputOf(o)})
}

// inputOf are the arguments of a call of a step.
func inputOf(o orchestrate.Call) (in module.Input) {
	for _, v := range o.Args {
		in.Args = append(in.Args, module.Arg{Value: module.Data(v)})
	}
	for k, v := range o.Named.All() {
		in.Args = append(in.Args, module.Arg{Name: fmt.Sprint(k), Value: module.Data(v)})
	}
	return in
}

// Call calls one.
func (c calls) Call(ctx context.Context, o orchestrate.Call) (orchestrate.Answer, error) {
	at := o.At
	if at.IsZero() {
		at = time.Now()
	}
	id, requestID := orchestrate.Derive(o.Cause, o.Key, at)
	if o.Cause == "" { // of a template
		id = c.m.jids.Next(time.Now())
	}
	a, err := c.m.call(ctx, runner.Call{Kind: o.Kind, Function: o.Function, Input: inputOf(o), JID: id, RequestID: requestID, Caller: runner.Caller{
		Operator: o.By.Operator, Actor: o.By.Actor, Record: o.By.Record, Depth: o.By.Depth, Key: o.Key, At: at,
	}})
	return orchestrate.Answer{Value: a.Value, Success: err == nil && a.Retcode == 0, Retcode: a.Retcode, JID: id}, err
}

// site is the master as its functions see it.
type site struct{ *Master }

var _ runner.Site = site{}

// Jobs lists jobs.
func (s site) Jobs(ctx context.Context, q *proto.JobListRequest) (*proto.JobListReply, error) {
	return s.listJobs(ctx, q)
}

// Job tells what is known of a job.
func (s site) Job(ctx context.Context, id string) (*proto.JobInfo, []runner.Result, error) {
	info, all, err := s.results(ctx, id, true)
	var refused *job.Error
	if errors.As(err, &refused) && refused.Code == proto.ApiError_NOT_FOUND {
		c, no := s.calling(ctx, id)
		if no != nil || c == nil {
			return nil, nil, errors.Join(err, no)
		}
		return c.info(), []runner.Result{c.result()}, nil
	}
	return info, all, err
}

// result is what is known of a call, under the name of the master that was asked.
func (c *calling) result() runner.Result {
	r := runner.Result{Minion: c.begun.Origin + orchestrate.Suffix, Status: c.status(), Retcode: c.Retcode}
	if c.ended != nil {
		v, err := value.FromJSON(c.ended.Data)
		if r.Value = v; err != nil {
			r.Value = string(c.ended.Data)
		}
	}
	return r
}

// results follows a job, or looks at it once.
func (s site) results(ctx context.Context, id string, once bool) (info *proto.JobInfo, all []runner.Result, err error) {
	last := map[string]runner.Result{}
	err = s.jobs.Watch(ctx, id, once, func(f *proto.WatchFrame, _ bool) error {
		if f.Job != nil {
			info = f.Job
		}
		for _, u := range f.Minions {
			last[u.Minion] = runner.Result{Minion: u.Minion, Status: u.Status, Reason: u.Reason, Retcode: int(u.Retcode)}
		}
		return nil
	})
	if err != nil && (ctx.Err() == nil || info == nil) {
		return info, nil, err
	}
	for _, minion := range slices.Sorted(maps.Keys(last)) {
		r := last[minion]
		if r.Returned() {
			ret, err := s.store.Return(context.WithoutCancel(ctx), id, minion)
			if err != nil {
				return info, nil, err
			}
			if r.Value, err = value.FromJSON(ret.Value); err != nil {
				r.Value = string(ret.Value)
			}
		}
		all = append(all, r)
	}
	return info, all, nil
}

// Run makes a job that follows from the caller's call, and waits for it.
func (s site) Run(ctx context.Context, c runner.Caller, j runner.Job) (string, []runner.Result, error) {
	info, err := s.jobs.Derive(ctx, job.Derived{
		Cause: c.Record, Key: "call " + c.Key, At: c.At, Depth: c.Depth, Actor: c.Actor, Operator: c.Operator,
		Target: j.Target, Function: j.Function, Args: j.Args,
	})
	if err != nil {
		return "", nil, err
	}
	if j.Timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, j.Timeout)
		defer stop()
	}
	_, all, err := s.results(ctx, info.Jid, false)
	return info.Jid, all, err
}

// Minions tells which are there.
func (s site) Minions(ctx context.Context) []runner.Minion {
	address := map[string]string{}
	for _, list := range s.connectionsEverywhere(ctx) {
		for _, info := range list.Minions {
			if info.Master != "" {
				address[info.Id] = info.Address
			}
		}
	}
	var all []runner.Minion
	for _, id := range slices.Sorted(slices.Values(s.keys.Accepted())) {
		all = append(all, runner.Minion{ID: id, Online: s.broker.Online(id), Address: address[id]})
	}
	return all
}

// Meant are the minions of a target.
func (s site) Meant(ctx context.Context, c runner.Caller, expression, kind string) ([]string, error) {
	syntax := proto.Target_Syntax(proto.Target_Syntax_value[strings.ToUpper(kind)])
	return s.meant(ctx, c.Operator, &proto.Target{Syntax: syntax, Expression: expression})
}

// Grains are those that a minion told last.
func (s site) Grains(ctx context.Context, minion string) (*value.Dict, error) {
	info := &proto.MinionInfo{Id: minion}
	if err := s.addGrains(ctx, info); err != nil || info.Grains == nil {
		return nil, err
	}
	v, err := value.FromJSON(info.Grains.Data)
	d, _ := v.(*value.Dict)
	return d, err
}

// Pillar is that of a minion or of this master.
func (s site) Pillar(ctx context.Context, c runner.Caller, minion, environment string) (*value.Dict, error) {
	name, grains, err := s.pillarOwner(ctx, c, minion)
	if err != nil {
		return nil, err
	}
	d, _, err := s.pillarNamed(ctx, name, environment, grains)
	return d, err
}

// PillarTop are the SLS of the pillar of a minion or of this master.
func (s site) PillarTop(ctx context.Context, c runner.Caller, minion, environment string) (*value.Dict, error) {
	name, grains, err := s.pillarOwner(ctx, c, minion)
	if err != nil {
		return nil, err
	}
	facts, err := value.MarshalJSON(grains)
	if err != nil {
		return nil, err
	}
	given, err := s.pillars.Top(ctx, name, environment, facts, time.Now())
	all := &value.Dict{}
	for _, env := range slices.Sorted(maps.Keys(given)) {
		list := value.NewList()
		for _, name := range given[env] {
			list.Items = append(list.Items, name)
		}
		all.Put(env, list)
	}
	return all, err
}

// pillarOwner is whose pillar is made, "" being this master, of which grains; the caller must be allowed to read it.
func (s site) pillarOwner(ctx context.Context, c runner.Caller, minion string) (name string, grains *value.Dict, err error) {
	name = minion
	if minion == "" {
		name = s.id.Name + orchestrate.Suffix
	} else if _, ok := s.keys.ByID(minion); !ok {
		return "", nil, fmt.Errorf("no accepted minion is called %q", minion)
	}
	if c.Operator != nil {
		if err := s.keys.Allowed(c.Operator, "pillar.items", []string{name}); err != nil {
			return "", nil, refuse(proto.ApiError_NOT_PERMITTED, "%v", err)
		}
	}
	if grains = value.NewDict("id", name); minion == "" {
		return name, grains, nil
	}
	told, err := s.Grains(ctx, minion)
	if told != nil {
		grains = told
	}
	return name, grains, err
}

// Mine is what minions told.
func (s site) Mine(ctx context.Context, c runner.Caller, expression, kind string, names []string) (map[string]*value.Dict, error) {
	ids, err := s.Meant(ctx, c, expression, kind)
	if err != nil {
		return nil, err
	}
	items, err := s.mines.All(ctx, s.mineSite(), ids, names)
	all := map[string]*value.Dict{}
	for _, item := range items {
		v, err := value.FromJSON(item.Data)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s of minion %q: %w", item.Function, item.Minion, err)
		}
		if all[item.Function] == nil {
			all[item.Function] = &value.Dict{}
		}
		all[item.Function].Put(item.Minion, v)
	}
	return all, err
}

// Environments are those of the files.
func (s site) Environments() []string { return s.files.Environments() }

// Files are those of an environment.
func (s site) Files(ctx context.Context, environment string) (*proto.Manifest, error) {
	tree, err := s.files.Tree(ctx, environment)
	if err != nil {
		return nil, err
	}
	data, err := s.blob(tree)
	if err != nil {
		return nil, err
	}
	return manifest.Parse(tree, data)
}

// Content is that of a file.
func (s site) Content(ctx context.Context, environment, path string) ([]byte, error) {
	tree, err := s.files.Tree(ctx, environment)
	if err != nil {
		return nil, err
	}
	src, err := s.treeSource(tree)
	if err != nil {
		return nil, err
	}
	return src.Open(ctx, path)
}

// Refresh fetches repositories.
func (s site) Refresh(ctx context.Context) (problems []string) {
	reply := s.refreshAll(ctx, false)
	for _, r := range reply.Remotes {
		for _, p := range r.Problems {
			problems = append(problems, fmt.Sprintf("master %s: %s: %s", r.Master, r.Remote, p))
		}
	}
	for _, name := range reply.Unheard {
		problems = append(problems, fmt.Sprintf("master %s did not answer", name))
	}
	return problems
}

// Keys lists keys.
func (s site) Keys(patterns []string) ([]*proto.KeyInfo, error) { return s.keys.List(patterns) }

// Decide decides about keys, for who may.
func (s site) Decide(ctx context.Context, c runner.Caller, r *proto.KeyDecideRequest) (*proto.KeyDecideReply, error) {
	verb := map[proto.KeyState]string{proto.KeyState_KEY_ACCEPTED: "accept", proto.KeyState_KEY_REJECTED: "reject", proto.KeyState_KEY_DELETED: "delete"}[r.State]
	if err := s.mayCall(c.Operator, runner.Wheel, "key."+verb); err != nil {
		return nil, err
	}
	reply, err := s.keys.Decide(ctx, c.Actor, r)
	if err != nil {
		return nil, keyRefusal(err)
	}
	return reply, nil
}

// SiteFingerprint is that of the site's key.
func (s site) SiteFingerprint() string { return s.id.Site().String() }

// Send stores an event.
func (s site) Send(ctx context.Context, c runner.Caller, tag string, data *value.Dict) error {
	body, err := value.MarshalJSON(data)
	if err != nil {
		return err
	}
	if err := checkTag(tag, body); err != nil {
		return err
	}
	_, err = records{s.Master}.Keep(ctx, &proto.Event{Tag: tag, Data: body, Cause: c.Record, Depth: c.Depth, Actor: c.Actor})
	return err
}

var errEnough = errors.New("enough")

// Await waits for events.
func (s site) Await(ctx context.Context, tag string, count int) (all []*proto.Event, err error) {
	err = records{s.Master}.Watch(ctx, &proto.EventQuery{Tags: []string{tag}}, 0, func(e *proto.Event) error {
		if all = append(all, e); len(all) >= count {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}

// Orchestrate carries an orchestration out.
func (s site) Orchestrate(ctx context.Context, c runner.Call, o runner.Orchestration) (any, int, error) {
	if err := s.orchestrations.Start(ctx, orchestration(c, o)); err != nil {
		return nil, 1, startRefusal(err)
	}
	data, code, err := s.orchestrations.Wait(ctx, c.JID)
	if err != nil {
		return nil, 1, err
	}
	v, err := value.FromJSON(data)
	return v, code, err
}

// ShowOrchestration compiles one.
func (s site) ShowOrchestration(ctx context.Context, c runner.Call, o runner.Orchestration) (any, int, error) {
	return s.orchestrations.Show(ctx, orchestration(c, o))
}

// orchestration is what is asked for.
func orchestration(c runner.Call, o runner.Orchestration) orchestrate.Request {
	return orchestrate.Request{
		JID: c.JID, RequestID: c.RequestID, Function: c.Function, Mods: o.Mods, State: o.State, Args: o.Args, Environment: o.Environment,
		PillarEnv: o.PillarEnv, Exclude: o.Exclude, Pillar: o.Pillar, Test: o.Test, By: causeOf(c.Operator, c.Actor, c.Record, c.Depth),
	}
}

// startRefusal says what an operator can do about an orchestration that was not begun.
func startRefusal(err error) error {
	switch {
	case errors.Is(err, orchestrate.ErrTaken):
		return refuse(proto.ApiError_JID_TAKEN, "%v", err)
	case errors.Is(err, orchestrate.ErrNotFound):
		return refuse(proto.ApiError_NOT_FOUND, "%v", err)
	}
	var r *orchestrate.Refusal
	if errors.As(err, &r) {
		return refuse(proto.ApiError_INVALID, "%v", err)
	}
	return err
}

// Cancel ends an orchestration.
func (s site) Cancel(ctx context.Context, c runner.Caller, jid string) error {
	return startRefusal(s.orchestrations.Cancel(ctx, jid, c.Actor))
}

// Pause keeps an orchestration from beginning a state.
func (s site) Pause(ctx context.Context, c runner.Caller, jid, state string, limit time.Duration) error {
	return startRefusal(s.orchestrations.Pause(ctx, jid, state, limit, c.Actor))
}

// Resume takes that back.
func (s site) Resume(ctx context.Context, c runner.Caller, jid, state string) error {
	return startRefusal(s.orchestrations.Resume(ctx, jid, state, c.Actor))
}

// Name is that of this master.
func (s site) Name() string { return s.id.Name }

// Masters are those that live.
func (s site) Masters() map[string]string {
	all := map[string]string{}
	for _, name := range s.peers.Live() {
		all[name] = s.peers.Beat(name).GetVersion()
	}
	return all
}
