package master

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/orchestrate"
	"brine/master/runner"
	"brine/proto"
	"brine/proto/jid"
	"brine/states/module"
	"brine/states/value"
)

// runnerRun calls a function that works on masters, and tells what it returns. An orchestration goes on whoever listens.
func (m *Master) runnerRun(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RunnerRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	call, err := m.runnerCall(c, req)
	if err != nil {
		return nil, err
	}
	if !m.runners.Reads(call.Kind, call.Function) {
		m.auditOf(c, &proto.Audit{Action: call.Kind + "." + call.Function, Detail: string(argumentsOf(call.Input)), Jid: call.JID})
	}
	if m.runners.Own(call.Kind, call.Function) {
		return m.runOrchestration(ctx, c, call, req.Async)
	}
	return nil, m.runNow(ctx, c, call)
}

// runnerCall reads and checks what is asked for.
func (m *Master) runnerCall(c *call, req *proto.RunnerRequest) (runner.Call, error) {
	if _, err := jid.Time(req.Jid); err != nil {
		return runner.Call{}, refuse(proto.ApiError_INVALID, "%v", err)
	}
	if len(req.RequestId) != 16 {
		return runner.Call{}, refuse(proto.ApiError_INVALID, "cannot use a request id of %d bytes, want 16", len(req.RequestId))
	}
	rc := runner.Call{Kind: req.Kind, Function: strings.TrimPrefix(req.Function, req.Kind+"."), JID: req.Jid, RequestID: req.RequestId}
	for _, a := range req.Args {
		v := module.Typed(a.GetText())
		if raw := a.GetJson(); raw != nil {
			data, err := value.FromJSON(raw)
			if err != nil {
				return rc, refuse(proto.ApiError_INVALID, "cannot read argument %q: %v", a.Name, err)
			}
			v = module.Data(data)
		}
		rc.Input.Args = append(rc.Input.Args, module.Arg{Name: a.Name, Value: v})
	}
	at, _ := jid.Time(req.Jid)
	rc.Caller = runner.Caller{Operator: c.operator, Actor: "operator " + c.operator.Name, Key: hex.EncodeToString(req.RequestId), At: at}
	if err := m.mayCall(c.operator, rc.Kind, rc.Function); err != nil {
		return rc, err
	}
	if err := m.runners.Check(rc); err != nil {
		return rc, refuse(proto.ApiError_INVALID, "cannot call %s %s: %v", rc.Kind, rc.Function, err)
	}
	return rc, nil
}

// earlier finds what became of a call that another master, or an earlier process, was asked for: nothing that changes
// something is done twice.
func (m *Master) earlier(ctx context.Context, c runner.Call) (a runner.Answer, told bool, err error) {
	if m.runners.Reads(c.Kind, c.Function) || m.runners.Derived(c.Kind, c.Function) {
		return a, false, nil
	}
	found, err := records{m}.Events(ctx, familyOf(c.Kind)+c.JID+"/*", c.At.Add(-aheadMost), 2)
	if err != nil || len(found) == 0 {
		return a, false, err
	}
	for _, e := range found {
		var ret ofCall
		if !strings.HasSuffix(e.Event.Tag, "/ret") || json.Unmarshal(e.Event.Data, &ret) != nil || ret.Cut {
			continue
		}
		v, err := value.FromJSON(ret.Return)
		if !ret.Success {
			ret.Retcode = max(1, ret.Retcode)
		}
		return runner.Answer{Value: v, Retcode: ret.Retcode}, true, err
	}
	return a, false, refuse(proto.ApiError_INTERNAL, "interrupted: the master that ran %s %s went away while it ran, and how far it came is not known; "+
		"it is not done twice: look, and ask again", c.Kind, c.Function)
}

// aheadMost is how far an operator's clock may be ahead.
const aheadMost = 15 * time.Minute

// alive tells who asks that this master lives, while something takes long.
const aliveEvery = 500 * time.Millisecond

// runNow calls a function and sends what it returns.
func (m *Master) runNow(ctx context.Context, c *call, rc runner.Call) error {
	type ended struct {
		answer runner.Answer
		err    error
	}
	done := make(chan ended, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		a, err := m.call(ctx, rc)
		done <- ended{a, err}
	}()
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := c.next(&proto.RunnerFrame{Jid: rc.JID, Alive: true, Function: rc.Kind + "." + rc.Function}, true); err != nil {
				stop()
				<-done
				return err
			}
		case e := <-done:
			if e.err != nil {
				return e.err
			}
			return sendAnswer(c, rc, e.answer)
		}
	}
}

// answerPiece is how much of a value goes in one frame.
const answerPiece = 128 << 10

func sendAnswer(c *call, rc runner.Call, a runner.Answer) error {
	data, err := value.MarshalJSON(a.Value)
	if err != nil {
		return err
	}
	for {
		piece := data[:min(len(data), answerPiece)]
		data = data[len(piece):]
		more := len(data) > 0
		f := &proto.RunnerFrame{Jid: rc.JID, Ended: !more, Retcode: int32(a.Retcode), Value: piece, MoreValue: more, Function: rc.Kind + "." + rc.Function}
		if err := c.send(f, more); err != nil || !more {
			return err
		}
	}
}

// runOrchestration begins an orchestration, or finds it, and tells how it goes.
func (m *Master) runOrchestration(ctx context.Context, c *call, rc runner.Call, async bool) (pb.Message, error) {
	o, err := m.runners.Orchestration(rc)
	if err != nil {
		return nil, err
	}
	if err := m.orchestrations.Start(ctx, orchestration(rc, o)); err != nil {
		return nil, startRefusal(err)
	}
	return nil, m.orchestrations.Watch(ctx, rc.JID, async, func(f *proto.RunnerFrame, more bool) error { return c.next(f, more) })
}

// runnerWatch follows a call: an orchestration, or another function of masters.
func (m *Master) runnerWatch(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RunnerWatchRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if _, err := jid.Time(req.Jid); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	by, err := m.orchestrations.By(ctx, req.Jid)
	if errors.Is(err, orchestrate.ErrNotFound) {
		return nil, m.watchCall(ctx, c, req)
	}
	if err != nil {
		return nil, err
	}
	if err := c.may("@job.show"); err != nil && by != "operator "+c.operator.Name {
		return nil, err
	}
	return nil, m.orchestrations.Watch(ctx, req.Jid, req.Once, func(f *proto.RunnerFrame, more bool) error { return c.next(f, more) })
}

// watchCall follows a call that is no orchestration.
func (m *Master) watchCall(ctx context.Context, c *call, req *proto.RunnerWatchRequest) error {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		made, err := m.calling(ctx, req.Jid)
		switch {
		case err != nil:
			return err
		case made == nil:
			return refuse(proto.ApiError_NOT_FOUND, "no job and no call of a master is known by the id %s", req.Jid)
		}
		if err := c.may("@job.show"); err != nil && made.begun.Actor != "operator "+c.operator.Name {
			return err
		}
		switch {
		case made.ended != nil:
			return sendAnswer(c, runner.Call{Kind: made.kind, Function: strings.TrimPrefix(made.Function, made.kind+"."), JID: made.id}, made.answer())
		case !made.goes:
			return refuse(proto.ApiError_INTERNAL, "interrupted: the master that ran %s went away while it ran, and how far it came is not known", made.name())
		}
		frame := &proto.RunnerFrame{Jid: made.id, Alive: true, Function: made.name(), Master: made.begun.Origin}
		if err := c.next(frame, !req.Once); err != nil || req.Once {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// orchestrationCancel ends an orchestration, for who had it made and for who may make them.
func (m *Master) orchestrationCancel(ctx context.Context, c *call, jid, by string) (pb.Message, error) {
	actor := "operator " + c.operator.Name
	if by != actor {
		if err := c.may("@state.orchestrate"); err != nil {
			return nil, err
		}
	}
	if err := m.orchestrations.Cancel(ctx, jid, actor); err != nil {
		return nil, startRefusal(err)
	}
	m.audit(c, "job.cancel", jid)
	return &proto.CancelReply{}, nil
}
