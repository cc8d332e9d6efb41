package run

import (
	"slices"

	"brine/states/plan"
	"brine/states/value"
)

// listen lets each state that listens act, once, when what it listens to changed something.
func (r *runner) listen() {
	if !r.goesOn() {
		return
	}
	for _, n := range r.nodes {
		changed, unsure := r.heard(n)
		if len(changed) == 0 && unsure == nil || r.ctx.Err() != nil {
			continue
		}
		out := &outcome{started: r.options.Now(), changes: &value.Dict{}, number: r.results.Len()}
		if len(changed) == 0 {
			out.comment, out.depends = "depends on changes of "+unsure.ID, true
		} else {
			r.react(n, out, changed)
		}
		out.took = r.options.Now().Sub(out.started)
		chunk := *n.Chunk
		chunk.ID, chunk.Func = "listener_"+n.ID, "mod_watch"
		r.results.Put(chunk.Tag(), out.report(&plan.Node{Chunk: &chunk}))
		r.listenerFailed = r.listenerFailed || out.failed()
	}
}

// heard names the states that n listens to and that changed, or gives one that may have.
func (r *runner) heard(n *plan.Node) (changed []string, unsure *plan.Node) {
	for _, on := range n.Listens {
		name := on.Module + ": " + on.ID
		switch out := r.outcomes[on]; {
		case out == nil:
		case out.changes.Len() > 0:
			if !slices.Contains(changed, name) {
				changed = append(changed, name)
			}
		case out.depends:
			unsure = on
		}
	}
	return changed, unsure
}

func (r *runner) react(n *plan.Node, out *outcome, changed []string) {
	why, err := r.held(n)
	switch {
	case err != nil:
		out.skip(false, err.Error())
	case why != "":
		out.result, out.comment, out.held = new(true), why, true
	default:
		out.take(n.State.RunWatch(r.ctx, r.host, changed, r.options.Test))
	}
}
