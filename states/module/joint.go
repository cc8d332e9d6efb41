package module

import (
	"context"
	"errors"

	"brine/states/host"
	"brine/states/value"
)

// A joint is how a step is done together with like steps of other states.
type joint struct {
	key  string
	item any
	do   func(ctx context.Context, items []any) ([]Done, error)
}

// Joint is a step that can be done in one with the like steps of other states of the same function: the packages
// of several pkg.installed in one transaction. Only steps of one key are. Do gets the items of one step or of
// several, and returns what it did of each, in their order. Beside an error it returns a Done with Changes for
// each item that was done all the same; the states of the others are then run one by one, so that one bad item
// is the failure of one state. A state whose plans are one such step sets Aggregate.
func Joint[T any](key string, item T, changes *value.Dict, do func(context.Context, []T) ([]Done, error)) Step {
	all := func(ctx context.Context, items []any) ([]Done, error) {
		typed := make([]T, len(items))
		for i, item := range items {
			typed[i] = item.(T)
		}
		return do(ctx, typed)
	}
	one := func(ctx context.Context) (Done, error) {
		done, err := do(ctx, []T{item})
		if len(done) == 1 {
			return done[0], err
		}
		return Done{}, errors.Join(err, miscounted(len(done), 1))
	}
	return Step{Changes: changes, Do: one, joint: &joint{key, item, all}}
}

func miscounted(got, want int) error {
	if got == want || got == 0 {
		return nil
	}
	return errors.New("a joint step did not say of each item what it did")
}

// Together does in one transaction what can be done so of several states of one function, none of them
// in test mode. A nil result is of a state that must still be run by itself: its step is no joint one, nothing is to
// be done, it can't be told what is, or the transaction failed for it.
func Together(ctx context.Context, h *host.Host, states []*Bound) []*Result {
	results := make([]*Result, len(states))
	var plans []Plan
	var of []int // the state of each plan
	for i, b := range states {
		plan, err := b.look(ctx, h)
		if err != nil || !joins(plan, plans) {
			continue
		}
		plans, of = append(plans, plan), append(of, i)
	}
	if len(plans) < 2 || ctx.Err() != nil {
		return results
	}
	for i, done := range transact(ctx, h, states[0].state.FullName(), plans) {
		if done.Changes != nil {
			r := succeed(plans[i], done.Changes, done.Comment)
			results[of[i]] = &r
		}
	}
	return results
}

// joins says whether a plan can be done in one with the others.
func joins(p Plan, others []Plan) bool {
	if len(p.Steps) != 1 || p.Steps[0].joint == nil {
		return false
	}
	return len(others) == 0 || others[0].Steps[0].joint.key == p.Steps[0].joint.key
}

// transact does the steps of plans at once. A Done without changes is of a plan for which that failed.
func transact(ctx context.Context, h *host.Host, name string, plans []Plan) []Done {
	items := make([]any, len(plans))
	for i, p := range plans {
		items[i] = p.Steps[0].joint.item
	}
	var done []Done
	err := guard(name, func() (err error) {
		defer h.Memo.Changed()
		done, err = plans[0].Steps[0].joint.do(ctx, items)
		return err
	})
	if len(done) != len(plans) {
		return nil // each is run by itself, and says what is wrong
	}
	for i := range done {
		if done[i].Changes == nil && err == nil {
			done[i].Changes = merged(plans[i].Steps[0].Changes)
		}
	}
	return done
}

func merged(d *value.Dict) *value.Dict {
	out := &value.Dict{}
	merge(out, d)
	return out
}
