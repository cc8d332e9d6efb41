package module

import (
	"context"
	"iter"

	"brine/states/host"
)

// Around is what else is in the state run that a state is part of.
type Around struct {
	All   []*Bound         // every state of the run, in its order
	Needs iter.Seq[*Bound] // those that the state requires or watches, never nil

	NeededBy iter.Seq[*Bound] // those that require or watch the state, never nil
	Kept     *host.Memo       // what states of the run leave for those after them; nil outside of a state run

	// Guarded says that onlyif, unless or creates decide whether the state runs: once they keep it from running, it
	// does not look at what it made before.
	Guarded bool
}

type aroundKey struct{}

// WithAround tells a state what is around it.
func WithAround(ctx context.Context, a Around) context.Context {
	return context.WithValue(ctx, aroundKey{}, a)
}

// AroundOf returns what is around a state; nothing outside of a state run.
func AroundOf(ctx context.Context) Around {
	a, ok := ctx.Value(aroundKey{}).(Around)
	if !ok {
		none := func(func(*Bound) bool) {}
		a.Needs, a.NeededBy = none, none
	}
	return a
}

// Args returns the state's arguments: a pointer to the struct that its Plan was made with. They must not be changed.
func (b *Bound) Args() any { return b.args }
