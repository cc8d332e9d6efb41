package orchestrate

import (
	"context"

	"brine/proto"
	"brine/states/run"
	"brine/states/value"
)

// Show compiles what a request names, and returns its states by ID as Salt shows them. Nothing is done.
func (o *Orchestrator) Show(ctx context.Context, r Request) (any, int, error) {
	r.Test = true
	pillar := r.Pillar
	r.Pillar = nil
	ord, err := o.order(ctx, r)
	if err != nil {
		return nil, 1, err
	}
	x := &execution{Orchestrator: o, given: pillar, show: true, course: &course{order: ord, event: &proto.Event{Actor: r.By.Actor, Depth: r.By.Depth}}}
	if err := x.prepare(ctx); err != nil {
		return nil, 1, err
	}
	program, mistakes := x.compile(ctx)
	if len(mistakes) > 0 {
		return value.NewDict(x.name(), x.mask.Value(mistakes.list())), run.RetcodeNotCompiled, nil
	}
	return value.NewDict(x.name(), x.mask.Value(program.High)), 0, nil
}
