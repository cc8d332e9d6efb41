// Package run carries out a plan state by state and returns what happened in Salt's form.
package run

import (
	"context"
	"slices"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// Retcodes of a state run, as in Salt.
const (
	RetcodeOK          = 0
	RetcodeNotCompiled = 1 // for callers of sls.Compile: nothing ran
	RetcodeFailed      = 2
)

// Foretold is the attempt in which a state only tells what it would change, because a prereq asks.
const Foretold = -1

// Options say how a plan is carried out. The zero value makes the changes.
type Options struct {
	Test     bool                                  // only find out what would change
	Progress func(done, total int, current string) // called before each state and at the end
	Now      func() time.Time                      // nil is time.Now

	// In is the host as states see it whose SLS is of an environment; nil: all see the one of Run.
	In func(env string) *host.Host
	// Stop tells whether the run is to end before a state; nil never does.
	Stop func(n *plan.Node) bool
	// Wait waits between the attempts of a state with retry; nil waits until d has passed or ctx ends.
	Wait func(ctx context.Context, d time.Duration)
	// Fire sends the event of a state with fire_event: how it ended, under the end of a tag.
	Fire func(ctx context.Context, n *plan.Node, result *value.Dict) error
	// Do runs a state once, by run or otherwise; attempt counts from 0, or is Foretold. Nil runs it. States that run in parallel call it at
	// the same time.
	Do func(ctx context.Context, n *plan.Node, attempt int, run func(context.Context) module.Result) module.Result
	// Ended is told how each state ended, of so many in all; nil is told nothing.
	Ended func(ctx context.Context, result *value.Dict, total int)
	// Reload looks again at what a state may have changed: "grains" or "pillar". No state runs meanwhile.
	Reload func(ctx context.Context, what string) error
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
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Do == nil {
		o.Do = func(ctx context.Context, _ *plan.Node, _ int, run func(context.Context) module.Result) module.Result {
			return run(ctx)
		}
	}
	if o.Stop == nil {
		o.Stop = func(*plan.Node) bool { return false }
	}
	r := &runner{
		worker: worker{ctx, h, o, p.Nodes, bounds(p.Nodes), &host.Memo{}}, results: &value.Dict{},
		outcomes: make(map[*plan.Node]*outcome, len(p.Nodes)), things: map[string]*plan.Node{},
	}
	defer h.Memo.Running()()
	r.all()
	o.Progress(len(r.outcomes), len(p.Nodes), "")
	return r.results, r.retcode()
}

func bounds(nodes []*plan.Node) []*module.Bound {
	all := make([]*module.Bound, len(nodes))
	for i, n := range nodes {
		all[i] = n.State
	}
	return all
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// A runner is one run. All its fields are used by one goroutine; what runs beside it is workers.
type runner struct {
	worker
	results  *value.Dict
	outcomes map[*plan.Node]*outcome // of the states that ended
	pending  []*plan.Node            // in test mode the states that would change
	things   map[string]*plan.Node   // the first of them of each thing; see thingOf
	last     *outcome
	halted   bool // a state with failhard failed, or the run was asked to end
	leftOut  bool // a state did not run because the run ended early

	listenerFailed bool

	sums      map[**plan.Node]*sum          // of needs of many that all ended
	predicted map[*plan.Node]*outcome       // what test mode says of states that a prereq names
	together  map[*plan.Node]*module.Result // how states ended that were done in one with another

	flying  int // states that run in goroutines of their own
	landed  chan landing
	waiting []*plan.Node // parallel states that wait for those
}

func (r *runner) all() {
	left := len(r.nodes)
	for i, n := range r.nodes {
		if !r.goesOn() || r.stopsAt(n) {
			left = i
			break
		}
		r.step(i, n)
	}
	rest := r.finish()
	if left < len(r.nodes) {
		rest = append(rest, r.nodes[left:]...)
	}
	r.leaveOut(r.tellOfJoint(rest))
	r.listen()
}

// stopsAt tells whether the run was asked to end before a state.
func (r *runner) stopsAt(n *plan.Node) bool {
	r.halted = r.outcomes[n] == nil && r.options.Stop(n)
	return r.halted
}

func (r *runner) goesOn() bool { return !r.halted && r.ctx.Err() == nil }

// step runs the state at a place of the plan, or leaves it to run beside others when it waits for one of these.
func (r *runner) step(i int, n *plan.Node) {
	if r.outcomes[n] != nil {
		return // it ended when a prereq asked for it
	}
	if n.Parallel && !r.options.Test && r.waits(n) {
		r.waiting = append(r.waiting, n)
		return
	}
	for r.flying > 0 && r.waits(n) {
		r.land()
	}
	if r.goesOn() {
		r.begin(i, n)
	} else {
		r.waiting = append(r.waiting, n)
	}
}

// begin decides by its requisites whether a state runs, and runs it.
func (r *runner) begin(i int, n *plan.Node) {
	status, failed := r.requisites(n)
	if status == met || status == watchedChanged {
		if s, f := r.prereq(n); s != met {
			status, failed = s, f
		}
	}
	out := r.open(n)
	switch status {
	case requisiteFailed:
		out.skip(false, "One or more requisite failed: "+names(failed))
	case onFailNotMet:
		out.skip(true, "State was not run because onfail req did not change")
	case onChangesNotMet:
		out.skip(true, "State was not run because none of the onchanges reqs changed")
	case prereqNotMet:
		out.skip(true, "No changes detected")
	case unsure:
		out.result = new(true) // depends tells on whose changes
		r.depends(n, out)
	default:
		watched := r.watched(n, status)
		if n.Parallel && !r.options.Test {
			r.launch(n, out, watched)
			return
		}
		r.gather(i, n)
		r.perform(n, out, watched, r.together[n])
		if r.options.Test {
			r.depends(n, out)
		}
	}
	r.close(n, out)
}

// open begins the outcome of a state: its place among the results is that of its beginning.
func (r *runner) open(n *plan.Node) *outcome {
	r.options.Progress(len(r.outcomes), len(r.nodes), n.Module+"."+n.Func+": "+n.ID)
	out := &outcome{started: r.options.Now(), changes: &value.Dict{}, warnings: slices.Clip(n.Warnings), number: r.results.Len()}
	r.results.Put(n.Tag(), nil)
	return out
}

// close ends a state.
func (r *runner) close(n *plan.Node, out *outcome) {
	out.took = r.options.Now().Sub(out.started)
	r.outcomes[n] = out
	r.reload(n, out)
	out.dict = out.report(n)
	if n.FireEvent != "" && r.options.Fire != nil {
		if err := r.options.Fire(r.ctx, n, out.dict); err != nil {
			out.warnings = append(out.warnings, err.Error())
			out.dict = out.report(n)
		}
	}
	r.results.Put(n.Tag(), out.dict)
	if r.options.Ended != nil {
		r.options.Ended(r.ctx, out.dict, len(r.nodes))
	}
	r.last = out
	if out.failed() && n.Failhard && !r.options.Test {
		r.halted = true
	}
}

func (r *runner) reload(n *plan.Node, out *outcome) {
	if r.options.Test || r.options.Reload == nil || out.notRun || len(n.Reload) == 0 {
		return
	}
	for r.flying > 0 {
		r.land()
	}
	for _, what := range n.Reload {
		if err := r.options.Reload(r.ctx, what); err != nil {
			out.warnings = append(out.warnings, err.Error())
		}
	}
}

// leaveOut notes the states that are not run in the result of the last that was.
func (r *runner) leaveOut(nodes []*plan.Node) {
	if len(nodes) == 0 {
		return
	}
	r.leftOut = true
	if r.last == nil {
		return
	}
	tags := &value.List{}
	for _, n := range nodes {
		if r.outcomes[n] == nil {
			tags.Items = append(tags.Items, n.Tag())
		}
	}
	r.last.dict.Put("__not_run__", tags)
}

// retcode is what the run ended with: a failure that another state was there for is none.
func (r *runner) retcode() int {
	if r.leftOut {
		return RetcodeFailed
	}
	handled := map[*plan.Node]bool{}
	for _, n := range r.nodes {
		if out := r.outcomes[n]; n.HandlesFailure && out != nil && !out.notRun && !out.failed() {
			for _, need := range n.Needs {
				for _, on := range need.On {
					handled[on] = handled[on] || forFailure(need.Kind)
				}
			}
		}
	}
	for n, out := range r.outcomes {
		if out.failed() && !handled[n] {
			return RetcodeFailed
		}
	}
	if r.listenerFailed {
		return RetcodeFailed
	}
	return RetcodeOK
}
