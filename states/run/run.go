// Package run carries out a plan state by state and returns what happened in Salt's form.
package run

import (
	"context"
	"time"

	"brine/states/host"
	"brine/states/plan"
	"brine/states/value"
)

// Retcodes of a state run, as in Salt.
const (
	RetcodeOK          = 0
	RetcodeNotCompiled = 1 // for callers of sls.Compile: nothing ran
	RetcodeFailed      = 2
)

// Options say how a plan is carried out. The zero value makes the changes.
type Options struct {
	Test     bool                                  // only find out what would change
	Progress func(done, total int, current string) // called before each state and at the end
	Now      func() time.Time                      // nil is time.Now
}

// Run carries out the states of a plan in their order. The results map "module_|-id_|-name_|-function" to
// a dict with name, changes, result, comment, __sls__, __run_num__, start_time, duration and __id__. When ctx
// ends, the state that runs is cut off, the rest is not run, and the retcode is not 0.
func Run(ctx context.Context, p *plan.Plan, h *host.Host, o Options) (results *value.Dict, retcode int) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(int, int, string) {}
	}
	r := &runner{ctx: ctx, host: h, options: o, outcomes: make(map[*plan.Node]*outcome, len(p.Nodes))}
	results = &value.Dict{}
	for i, n := range p.Nodes {
		if ctx.Err() != nil {
			r.leaveOut(p.Nodes[i:])
			retcode = RetcodeFailed
			break
		}
		o.Progress(i, len(p.Nodes), n.Module+"."+n.Func+": "+n.ID)
		out := r.state(n)
		r.outcomes[n] = out
		out.dict = out.report(n, i)
		r.last = out
		results.Put(n.Tag(), out.dict)
		if out.failed() {
			retcode = RetcodeFailed
			if n.Failhard && !o.Test {
				r.leaveOut(p.Nodes[i+1:])
				break
			}
		}
	}
	o.Progress(results.Len(), len(p.Nodes), "")
	return results, retcode
}

// leaveOut notes the states that are not run in the result of the last that was.
func (r *runner) leaveOut(nodes []*plan.Node) {
	if r.last == nil || len(nodes) == 0 {
		return
	}
	tags := &value.List{}
	for _, n := range nodes {
		tags.Items = append(tags.Items, n.Tag())
	}
	r.last.dict.Put("__not_run__", tags)
}

type runner struct {
	ctx      context.Context
	host     *host.Host
	options  Options
	outcomes map[*plan.Node]*outcome
	pending  *plan.Node // in test mode the first state that would change
	last     *outcome
}

// state decides by its requisites and checks whether a state runs, and runs it.
func (r *runner) state(n *plan.Node) *outcome {
	out := &outcome{started: r.options.Now(), changes: &value.Dict{}, warnings: n.Warnings}
	defer func() { out.took = r.options.Now().Sub(out.started) }()
	status, failed := r.requisites(n)
	switch status {
	case requisiteFailed:
		out.skip(false, "One or more requisite failed: "+names(failed))
		return out
	case onFailNotMet:
		out.skip(true, "State was not run because onfail req did not change")
		return out
	case onChangesNotMet:
		out.skip(true, "State was not run because none of the onchanges reqs changed")
		return out
	case onChangesUnsure:
		out.result = new(true) // depends tells on whose changes
	default:
		r.run(n, status, out)
	}
	if r.options.Test {
		r.depends(n, out)
	}
	return out
}

func (r *runner) run(n *plan.Node, status status, out *outcome) {
	why, err := r.held(n)
	if err != nil {
		out.skip(false, err.Error())
		return
	}
	if why != "" {
		out.result, out.comment, out.held = new(true), why, true
		return
	}
	out.take(n.State.Run(r.ctx, r.host, r.options.Test))
	if status == watchedChanged && out.changes.Len() == 0 {
		out.take(n.State.RunWatch(r.ctx, r.host, r.watched(n), r.options.Test))
	}
}

// watched names the states that n watches and that changed, such as "pkg: nginx".
func (r *runner) watched(n *plan.Node) []string {
	var changed []string
	for _, need := range n.Needs {
		on := r.outcomes[need.On]
		if (need.Kind == plan.Watch || need.Kind == plan.WatchAny) && on.changes.Len() > 0 {
			changed = append(changed, need.On.Module+": "+need.On.ID)
		}
	}
	return changed
}

// depends keeps test mode honest: a state that finds nothing to do, or fails, while
// one that it needs would change first, may find something to do then, or no reason to fail.
func (r *runner) depends(n *plan.Node, out *outcome) {
	if out.changes.Len() > 0 && !out.unknown {
		if r.pending == nil {
			r.pending = n
		}
		return
	}
	first := r.changing(n)
	if first == nil && out.unknown {
		first = r.pending
	}
	if first == nil || out.failed() && r.ctx.Err() != nil {
		return
	}
	comment := "depends on changes of " + first.ID
	if out.failed() {
		comment += ": " + out.comment
	}
	out.result, out.comment, out.depends = nil, comment, true
}

// changing returns the first state that n needs and that would change, or depends on one itself.
func (r *runner) changing(n *plan.Node) *plan.Node {
	for _, need := range n.Needs {
		if on := r.outcomes[need.On]; on != nil && (on.changes.Len() > 0 || on.depends) {
			return need.On
		}
	}
	return nil
}
