package orchestrate

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"brine/proto"
)

const (
	aliveEach  = 500 * time.Millisecond
	pieceBytes = 128 << 10
)

// Watch tells how an orchestration goes until it has ended, or once. The error wraps ErrNotFound when there is none.
func (o *Orchestrator) Watch(ctx context.Context, jid string, once bool, send func(f *proto.RunnerFrame, more bool) error) error {
	r, err := o.find(ctx, jid)
	if err != nil {
		return err
	}
	tick := time.NewTicker(aliveEach)
	defer tick.Stop()
	for {
		o.mu.Lock()
		frame, changed, end := r.frame(), r.changed, r.end
		o.mu.Unlock()
		if end != nil {
			return sendEnd(frame, end, send)
		}
		if err := send(frame, !once); err != nil || once {
			return err
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// By is who had an orchestration made. The error wraps ErrNotFound when there is none.
func (o *Orchestrator) By(ctx context.Context, jid string) (string, error) {
	r, err := o.find(ctx, jid)
	if err != nil {
		return "", err
	}
	return r.event.Actor, nil
}

// Goes tells whether an orchestration has not ended and is still gone on with. The error wraps ErrNotFound when there is none.
func (o *Orchestrator) Goes(ctx context.Context, jid string) (bool, error) {
	r, err := o.find(ctx, jid)
	if err != nil {
		return false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return r.end == nil && time.Since(time.UnixMicro(r.event.At)) < openFor, nil
}

// Wait waits for the end of an orchestration. The value is what Salt's returns.
func (o *Orchestrator) Wait(ctx context.Context, jid string) (ret []byte, retcode int, err error) {
	err = o.Watch(ctx, jid, false, func(f *proto.RunnerFrame, _ bool) error {
		ret, retcode = append(ret, f.Value...), int(f.Retcode)
		return nil
	})
	return ret, retcode, err
}

// frame is how far a run is. The caller holds mu.
func (r *course) frame() *proto.RunnerFrame {
	f := &proto.RunnerFrame{Jid: r.order.JID, Function: r.order.Fun, Alive: true, Master: r.driver.Master, Total: uint32(r.total), Outputter: "highstate"}
	steps := map[string]bool{}
	for key, b := range r.begun {
		if b.Attempt < 0 {
			continue
		}
		if r.ended[key] == nil {
			f.Running = append(f.Running, b.ID)
		} else {
			steps[b.Step] = true
		}
	}
	f.Running = append(f.Running, r.pausedNow(len(f.Running) > 0)...)
	f.Done = uint32(len(steps))
	slices.Sort(f.Running)
	return f
}

// sendEnd sends what an orchestration returned, in pieces where it is large.
func sendEnd(f *proto.RunnerFrame, end *proto.Event, send func(f *proto.RunnerFrame, more bool) error) error {
	ret := &returned{}
	if err := json.Unmarshal(end.Data, ret); err != nil {
		return err
	}
	for rest := []byte(ret.Return); ; {
		piece := rest[:min(len(rest), pieceBytes)]
		rest = rest[len(piece):]
		more := len(rest) > 0
		frame := &proto.RunnerFrame{Jid: f.Jid, Function: f.Function, Master: f.Master, Total: f.Total, Done: f.Done, Outputter: f.Outputter,
			Ended: !more, Retcode: int32(ret.Retcode), Value: piece, MoreValue: more}
		if err := send(frame, more); err != nil || !more {
			return err
		}
	}
}
