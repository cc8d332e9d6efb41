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
		changed, first, unsure := r.heard(n)
		if first == nil && unsure == nil || r.ctx.Err() != nil {
			continue
		}
		out := &outcome{started: r.options.Now(), changes: &value.Dict{}, number: r.results.Len()}
		if first == nil {
			out.dependOn(unsure)
		} else {
			r.react(n, out, changed)
			if r.options.Test && out.changes.Len() == 0 && r.ctx.Err() == nil {
				out.dependOn(first) // such as a service whose package would be installed
			}
		}
		out.took = r.options.Now().Sub(out.started)
		chunk := *n.Chunk
		chunk.ID, chunk.Func = "listener_"+n.ID, "mod_watch"
		r.results.Put(chunk.Tag(), out.report(&plan.Node{Chunk: &chunk}))
		r.listenerFailed = r.listenerFailed || out.failed()
	}
}

// heard names the states that n listens to and that changed, and gives the first of them, or one that may have changed.
func (r *runner) heard(n *plan.Node) (changed []string, first, unsure *plan.Node) {
	for _, on := range n.Listens {
		name := on.Module + ": " + on.ID
		switch out := r.outcomes[on]; {
		case out == nil:
		case out.changes.Len() > 0:
			if !slices.Contains(changed, name) {
				changed = append(changed, name)
			}
			if first == nil {
				first = on
			}
		case out.depends:
			unsure = on
		}
	}
	return changed, first, unsure
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
