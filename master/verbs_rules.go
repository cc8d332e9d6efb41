package master

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/reactor"
	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/master/store"
	"brine/proto"
	"brine/proto/spell"
)

func (m *Master) rulesList(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RulesListRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	s, err := m.reactor.Fresh(ctx)
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	set := m.reactor.Set()
	if req.Name != "" && set.Rule(req.Name) == nil {
		return nil, noRule(set, req.Name)
	}
	reply := &proto.RulesListReply{Source: s.Source, Problem: s.Problem, Paused: s.Paused}
	for _, st := range s.Status {
		r := set.Rule(st.Rule)
		if r == nil || req.Name != "" && r.Name != req.Name {
			continue
		}
		info := &proto.RuleInfo{Name: r.Name, About: r.About, Mode: string(r.Mode), File: r.File, Line: uint32(r.Line), Tags: r.Match.TagTexts(),
			Does: r.Action.String(), Text: r.Text, Steps: map[string]uint32{}, Paused: st.Paused, Open: uint32(st.Open), Waiting: st.Waiting,
			Pending: uint32(st.Pending)}
		if !st.Last.IsZero() {
			info.Last = st.Last.UnixMicro()
		}
		for step, n := range st.Steps {
			info.Steps[step] = uint32(n)
		}
		reply.Rules = append(reply.Rules, info)
	}
	return reply, nil
}

func noRule(set *rule.Set, name string) error {
	var names []string
	for _, r := range set.Rules {
		names = append(names, r.Name)
	}
	return refuse(proto.ApiError_NOT_FOUND, "there is no rule %q%s: brine rules ls shows them", name, spell.DidYouMean(name, names))
}

// rulesPause keeps a rule, or all, from acting.
func (m *Master) rulesPause(ctx context.Context, c *call) (pb.Message, error) {
	return m.rulesSwitch(ctx, c, decide.Paused)
}

// rulesResume lets them act again.
func (m *Master) rulesResume(ctx context.Context, c *call) (pb.Message, error) {
	return m.rulesSwitch(ctx, c, decide.Resumed)
}

func (m *Master) rulesSwitch(ctx context.Context, c *call, step string) (pb.Message, error) {
	req := &proto.RulesChangeRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	set := m.reactor.Set()
	switch {
	case req.All == (req.Name != ""):
		return nil, refuse(proto.ApiError_INVALID, "which rule? Name it, or say --all")
	case req.Name != "" && set.Rule(req.Name) == nil:
		return nil, noRule(set, req.Name)
	}
	late, err := m.ruleStep(ctx, c, decide.Step{Rule: req.Name, Step: step, Until: req.Until, Reason: req.Reason})
	if err != nil {
		return nil, err
	}
	m.audit(c, "rules."+map[string]string{decide.Paused: "pause", decide.Resumed: "resume"}[step], cmp.Or(req.Name, "all"))
	return &proto.RulesChangeReply{Done: []string{cmp.Or(req.Name, "all")}, Unconfirmed: late}, nil
}

// rulesApprove lets what waits be done, or has it forgotten.
func (m *Master) rulesApprove(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RulesChangeRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	now, err := m.reactor.Fresh(ctx)
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	runs, err := m.reactor.Runs(ctx, req.Name)
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	if err := approvable(req, runs, now.Status); err != nil {
		return nil, err
	}
	step := decide.Approved
	if req.Deny {
		step = decide.Denied
	}
	reply := &proto.RulesChangeReply{}
	for _, run := range runs {
		run.Step, run.Reason = step, req.Reason
		late, err := m.ruleStep(ctx, c, run)
		if err != nil {
			return nil, err
		}
		m.audit(c, "rules.approve", fmt.Sprintf("%s %s: %s", run.Rule, run.Run, step))
		reply.Done, reply.Unconfirmed = append(reply.Done, run.Run), late
	}
	return reply, nil
}

// approvable refuses what can't be approved or denied.
func approvable(req *proto.RulesChangeRequest, runs []decide.Step, all []decide.Status) error {
	if len(runs) == 0 {
		return refuse(proto.ApiError_NOT_FOUND, "nothing that waits to be approved is called %q: brine rules ls shows what does", req.Name)
	}
	paused := map[string]string{}
	for _, s := range all {
		paused[s.Rule] = s.Paused
	}
	for _, run := range runs {
		if run.Step != decide.Waiting {
			return refuse(proto.ApiError_CONFLICT, "%s of rule %s does not wait any more: it was approved, and is under way", run.Run, run.Rule)
		}
		if why := paused[run.Rule]; why != "" && !req.Deny {
			return refuse(proto.ApiError_CONFLICT, "%s: nothing acts until brine rules resume", why)
		}
	}
	return nil
}

// ruleStep stores a step of an operator's on all masters.
func (m *Master) ruleStep(ctx context.Context, c *call, s decide.Step) (unconfirmed []string, err error) {
	now := m.store.Stamp()
	rec, err := store.NewRecord(now, m.id.Name, &proto.Event{Tag: s.Tag(), Origin: m.id.Name, Data: s.Data(), At: now,
		Cause: s.Cause, Depth: s.Depth, Actor: "operator " + c.operator.Name})
	if err == nil {
		err = m.store.Append(ctx, rec)
	}
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot store it: %v", err)
	}
	_, late := m.peers.Commit(ctx, []*proto.Record{rec}, "")
	return append(late, m.peers.Away()...), nil
}

// tried are the rules that a request is about.
func (m *Master) tried(req *proto.RulesTryRequest) (*rule.Set, error) {
	set := m.reactor.Set()
	if len(req.Files) > 0 {
		var files []rule.File
		for _, f := range req.Files {
			files = append(files, rule.File{Name: f.Name, Text: f.Text})
		}
		var problems []rule.Problem
		set, problems = rule.Parse("files", files)
		if wrong := rule.Mistakes(problems); len(wrong) > 0 {
			return nil, refuse(proto.ApiError_BAD_DATA, "%s", wrong[0])
		}
	}
	if req.Name != "" {
		r := set.Rule(req.Name)
		if r == nil {
			return nil, noRule(set, req.Name)
		}
		set = rule.NewSet(set.Source, []*rule.Rule{r}, set.Windows)
	}
	return set, nil
}

// rulesTest tells what rules would make of an event, with what is known of its origin.
func (m *Master) rulesTest(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RulesTryRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	set, err := m.tried(req)
	if err != nil {
		return nil, err
	}
	if !json.Valid(req.Event.GetEvent().GetData()) {
		return nil, refuse(proto.ApiError_INVALID, "the event's data are no JSON")
	}
	paused := map[string]string{}
	for _, s := range m.reactor.State().Status {
		paused[s.Rule] = s.Paused
	}
	frame := &proto.RulesTryFrame{}
	e := req.Event.Event
	for _, l := range set.Explain(m.ruleEvent(ctx, req.Event.Id, e), rule.Asking{Name: req.Name, Now: time.Now(),
		Paused:    func(name string) string { return paused[name] },
		Reactions: func(files []string) ([]string, error) { return m.reactionsFor(ctx, files, e) }}) {
		frame.Lines = append(frame.Lines, &proto.RuleLine{Rule: l.Rule, Step: l.Step, Text: l.Text})
	}
	return frame, nil
}

// reactionsFor tells what reaction SLS say about an event.
func (m *Master) reactionsFor(ctx context.Context, files []string, e *proto.Event) (does []string, err error) {
	all, err := m.renderReaction(ctx, files, e)
	for _, r := range all {
		does = append(does, r.String())
	}
	return does, err
}

func (m *Master) ruleEvent(ctx context.Context, id string, e *proto.Event) *rule.Event {
	return &rule.Event{ID: id, Event: e,
		Grains: func() (map[string]any, error) { return m.grainsOf(ctx, e.Origin) },
		Pillar: func() (map[string]any, error) { return m.pillarOf(ctx, e.Origin) },
	}
}

const (
	replayAtOnce = 1024
	replayLines  = 200 // in one frame
)

// rulesReplay tells what rules would have made of what has happened.
func (m *Master) rulesReplay(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RulesTryRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	set, err := m.tried(req)
	if err != nil {
		return nil, err
	}
	at, err := (reactorLog{m}).Place(ctx, time.UnixMicro(req.Since))
	if err != nil {
		return nil, unlisted(err)
	}
	until := cmp.Or(req.Until, time.Now().UnixMicro())
	p := reactor.NewReplay(set, reactor.Options{Log: reactorLog{m}, Fleet: func() int { return len(m.keys.Accepted()) }, PerMinute: m.o.Config.Rules.PerMinute})
	end, told := m.store.Last(), &replayed{c: c, at: time.Now()}
	for at < end {
		all, upTo, err := m.events.After(ctx, at, replayAtOnce, set.MayMatch(reactor.ReturnPrefix))
		if err != nil {
			return nil, unlisted(err)
		}
		for _, e := range all {
			if e.Event.At < req.Since || e.Event.At > until {
				continue
			}
			if ctx.Err() != nil { // rules that are costly to work out take their time over a thousand events
				return nil, ctx.Err()
			}
			if err := told.add(p.Next(m.ruleEvent(ctx, e.ID, e.Event))); err != nil {
				return nil, err
			}
		}
		if at = upTo; ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if err := told.add(p.Until(time.UnixMicro(until))); err != nil {
		return nil, err
	}
	told.frame.Events = p.Events
	return &told.frame, nil
}

// replayed is what a replay tells an operator.
type replayed struct {
	c     *call
	frame proto.RulesTryFrame
	at    time.Time // of the last frame
}

const replayAlive = 500 * time.Millisecond

func (r *replayed) add(steps []decide.Step) error {
	for _, s := range steps {
		text := s.Reason
		if s.Do != "" {
			text = s.Do
			if s.Reason != "" {
				text += " (" + s.Reason + ")"
			}
		}
		if s.Times > 1 {
			text += fmt.Sprintf(" [%d events]", s.Times)
		}
		r.frame.Lines = append(r.frame.Lines, &proto.RuleLine{Rule: s.Rule, Step: s.Step, Text: text, At: s.At.UnixMicro(), Event: s.Event, Key: s.Key})
	}
	if len(r.frame.Lines) < replayLines && time.Since(r.at) < replayAlive {
		return nil
	}
	frame := &proto.RulesTryFrame{Lines: r.frame.Lines, Alive: true}
	r.frame.Lines, r.at = nil, time.Now()
	return r.c.next(frame, true)
}
