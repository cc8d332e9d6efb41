package orchestrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// A step is one attempt of one state of an orchestration.
type step struct {
	*execution
	key   string
	began time.Time // as the log has it: what follows from it is the same at every master
	cause string    // the record that tells that it began
	jid   string    // of the job that it made
}

type stepKey struct{}

// stepOf is the step that a state is run for; nil outside of an orchestration.
func stepOf(ctx context.Context) (*step, error) {
	s, _ := ctx.Value(stepKey{}).(*step)
	if s == nil {
		return nil, errors.New("cannot run: this state belongs into an orchestration (brine orchestrate)")
	}
	return s, nil
}

// keyOf names an attempt of a state: the same at every master that compiles the same files.
func keyOf(n *plan.Node, attempt int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", n.Tag(), attempt))
	return hex.EncodeToString(sum[:8])
}

// do runs a step, or tells how it ended when an earlier driver has done it.
func (x *execution) do(ctx context.Context, n *plan.Node, attempt int, run func(context.Context) module.Result) module.Result {
	s := &step{execution: x, key: keyOf(n, attempt)}
	x.mu.Lock()
	b, out := x.course.begun[s.key], x.course.ended[s.key]
	x.mu.Unlock()
	switch {
	case out != nil && out.Left == 0:
		return out.result()
	case b != nil && out == nil && !x.again(n):
		return refused("interrupted: the master that drove this step went away while it ran, and it is not known how far it came: it is not done twice")
	case b == nil:
		if err := x.heldBack(ctx, n); err != nil {
			return refused(err.Error())
		}
		var err error
		if b, err = x.begin(ctx, n, attempt, s.key); err != nil {
			return refused(fmt.Sprintf("cannot write down that the step begins, and so it does not: %v", err))
		}
	}
	s.began, s.cause = b.at, b.record
	res := run(context.WithValue(ctx, stepKey{}, s))
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errCancelled) {
		return res // whoever goes on finds out
	}
	if err := x.end(context.WithoutCancel(ctx), n, s, res); err != nil {
		res.Warnings = append(res.Warnings, fmt.Sprintf("cannot write down how the step ended: %v", err))
	}
	return res
}

// again tells whether a step may be run again that was cut short: those of which repeats is true, and several calls, of which each
// that may not be made twice tells what came of it.
func (x *execution) again(n *plan.Node) bool {
	if n.Module == Module.Name {
		if _, several := n.State.Args().(*parallelArgs); several {
			return true
		}
	}
	return x.repeats(n)
}

// repeats tells whether a step may be run again and gives the same: those whose effects follow from the log, and those without any.
func (x *execution) repeats(n *plan.Node) bool {
	switch {
	case n.Module == "test":
		return true
	case n.Module != Module.Name:
		return false
	}
	switch a := n.State.Args().(type) {
	case *callArgs:
		return x.o.Calls.Reads(n.Func, a.Name) || x.o.Calls.Derived(n.Func, a.Name)
	case *parallelArgs:
		return a.repeat(x.o.Calls)
	}
	return true
}

func refused(why string) module.Result {
	return module.Result{Result: new(bool), Changes: &value.Dict{}, Comment: why}
}

// begin writes down that a step begins, before anything of it is done.
func (x *execution) begin(ctx context.Context, n *plan.Node, attempt int, key string) (*begun, error) {
	b := &begun{Step: n.Tag(), ID: n.ID, Fun: n.Module + "." + n.Func, Attempt: attempt}
	masked := *b
	masked.Step, masked.ID = x.mask.Text(b.Step), x.mask.Text(b.ID)
	if _, err := x.keep(ctx, x.course, masked, "step", key, "new"); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.course.begun[key]; known != nil {
		return known, nil
	}
	return nil, errors.New("the log did not tell of it")
}

// maxChanges is how much of what a step changed is kept with it, in bytes: a step with more is asked of its job again.
const maxChanges = 128 << 10

// end writes down how a step ended.
func (x *execution) end(ctx context.Context, n *plan.Node, s *step, res module.Result) error {
	changes, err := value.MarshalJSON(x.mask.Value(res.Changes))
	if err != nil {
		return err
	}
	out := outcome{
		Step: x.mask.Text(n.Tag()), Result: res.Result, Comment: x.mask.Text(res.Comment), Changes: changes, Warnings: res.Warnings, JID: s.jid,
		Unknown: res.Unknown, Certain: res.Certain,
	}
	if len(changes) > maxChanges && x.repeats(n) {
		out.Changes, out.Left = nil, len(changes)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err = x.keep(ctx, x.course, out, "step", s.key, "ret")
	return err
}

// result is what a step ended with.
func (o *outcome) result() module.Result {
	res := module.Result{Result: o.Result, Comment: o.Comment, Changes: &value.Dict{}, Warnings: o.Warnings, Unknown: o.Unknown, Certain: o.Certain}
	if v, err := value.FromJSON(o.Changes); err == nil {
		if d, ok := v.(*value.Dict); ok {
			res.Changes = d
		}
	}
	return res
}
