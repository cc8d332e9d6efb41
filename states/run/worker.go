package run

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// A worker runs single states. It may be used from many goroutines.
type worker struct {
	ctx     context.Context
	host    *host.Host
	options Options
	nodes   []*plan.Node
	states  []*module.Bound // of the nodes
	kept    *host.Memo      // what states leave for those after them
}

// around tells a state what else is in the run.
func (w *worker) around(n *plan.Node) context.Context {
	return module.WithAround(w.ctx, module.Around{
		All: w.states, Needs: needs(n), NeededBy: w.neededBy(n), Kept: w.kept,
		Guarded: len(n.OnlyIf)+len(n.Unless)+len(n.Creates) > 0,
	})
}

// hostOf is the host as a state sees it.
func (w *worker) hostOf(n *plan.Node) *host.Host {
	if w.options.In == nil {
		return w.host
	}
	return w.options.In(n.Env)
}

// neededBy are the states that require or watch n.
func (w *worker) neededBy(n *plan.Node) iter.Seq[*module.Bound] {
	return func(yield func(*module.Bound) bool) {
		for _, other := range w.nodes {
			for need := range needs(other) {
				if need == n.State {
					if !yield(other.State) {
						return
					}
					break
				}
			}
		}
	}
}

// needs are the states that n requires or watches.
func needs(n *plan.Node) iter.Seq[*module.Bound] {
	return func(yield func(*module.Bound) bool) {
		for _, need := range n.Needs {
			if forFailure(need.Kind) || need.Kind == plan.Prerequired || need.Kind == plan.Before {
				continue
			}
			for _, on := range need.On {
				if !yield(on.State) {
					return
				}
			}
		}
	}
}

// perform runs a state as often as its retry says. Watched names the states it watches that changed; ready is how
// it ended already, done in one with another.
func (w *worker) perform(n *plan.Node, out *outcome, watched []string, ready *module.Result) {
	w.attempt(n, 0, out, watched, ready)
	retry := n.Retry
	if retry == nil {
		return
	}
	if w.options.Test {
		if out.result == nil {
			out.comment += fmt.Sprintf("\nThe state would be retried every %s (with a splay of up to %s) a maximum of %d times"+
				" or until a result of %s is returned", retry.Interval, retry.Splay, retry.Attempts, python(retry.Until))
		}
		return
	}
	comments := ""
	for i := 1; i < retry.Attempts && out.is(!retry.Until) && w.ctx.Err() == nil; i++ {
		comments += fmt.Sprintf("Attempt %d: Returned a result of \"%s\", with the following comment: %q\n",
			i, python(!retry.Until), out.comment)
		w.options.Wait(w.ctx, retry.Interval+splay(retry.Splay))
		before := out.changes
		w.attempt(n, i, out, watched, nil)
		out.changes = together(before, out.changes)
	}
	out.comment = comments + out.comment
}

func splay(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// python writes a boolean as Salt's comments do.
func python(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// together is what two runs of one state changed.
func together(before, after *value.Dict) *value.Dict {
	if before.Len() == 0 {
		return after
	}
	all := &value.Dict{}
	for _, d := range []*value.Dict{before, after} {
		for k, v := range d.All() {
			_ = all.Set(k, v) // it was a key already
		}
	}
	return all
}

// attempt runs a state once: its checks, the state, what it does because of what it watches, check_cmd.
func (w *worker) attempt(n *plan.Node, nth int, out *outcome, watched []string, ready *module.Result) {
	why, err := w.held(n)
	if err != nil {
		out.skip(false, err.Error())
		return
	}
	if why != "" {
		out.result, out.comment, out.held = new(true), why, true
		return
	}
	if ready == nil {
		r := w.options.Do(w.around(n), n, nth, func(ctx context.Context) module.Result { return n.State.Run(ctx, w.hostOf(n), w.options.Test) })
		ready = &r
	}
	out.take(*ready)
	if watched != nil && out.changes.Len() == 0 {
		out.take(n.State.RunWatch(w.around(n), w.hostOf(n), watched, w.options.Test))
	}
	w.checkCmd(n, out)
}

// checkCmd asks afterwards whether the state succeeded: whatever it said itself, the answer counts.
func (w *worker) checkCmd(n *plan.Node, out *outcome) {
	if len(n.CheckCmd) == 0 || w.options.Test || w.ctx.Err() != nil {
		return
	}
	out.result = new(true)
	verdict := "check_cmd determined the state succeeded"
	for _, c := range n.CheckCmd {
		ok, err := w.holds(c)
		if err != nil || !ok {
			out.result = new(false)
			verdict = "check_cmd determined the state failed"
		}
		if err != nil {
			verdict = fmt.Sprintf("cannot ask check_cmd %q: %v", c.Text, err)
		}
		if err != nil || !ok {
			break
		}
	}
	if out.comment != "" {
		verdict = out.comment + "\n" + verdict
	}
	out.comment = verdict
}
