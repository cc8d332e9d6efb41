package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// A Plan is what a state would do. Without steps the host is as wanted.
type Plan struct {
	Steps []Step

	// What the result says: when nothing had to change, when something would in test mode, and when
	// it did. Empty ones are made from the names of the changes.
	Same, Would, Did string

	// Foretell tells in test mode what the steps would do, where only the thing itself can be asked. It changes
	// nothing. What it returns beside an error counts too. Nil: what the steps foretell.
	Foretell func(context.Context) (Done, error)

	// Writes are paths of the host that the steps write to. Where such a file system is mounted read-only they would fail,
	// and the state does before any of them, in test mode too.
	Writes []string

	Warnings []string
}

// A Step is one change of the host.
type Step struct {
	// Changes is what the step will change, as far as it is known before: all that test mode shows.
	Changes *value.Dict
	// Do changes the host.
	Do func(context.Context) (Done, error)

	joint *joint // of a step made by Joint
}

// Done is what a step did. It counts also when Do returns an error beside it.
type Done struct {
	Changes *value.Dict // nil: what the step foretold, or nothing when it failed; empty: nothing
	Comment string      // takes the place of Plan.Did
	Unsure  bool        // of Foretell: more may change than Changes says, also where that is nothing
}

// Change is a step that is known before it is done, shown as what: new.
func Change(what string, new any, do func(context.Context) error) Step {
	return Step{
		Changes: value.NewDict(what, new),
		Do:      func(ctx context.Context) (Done, error) { return Done{}, do(ctx) },
	}
}

// Replace is a step that is known before it is done, shown as what: {old, new}.
func Replace(what string, old, new any, do func(context.Context) error) Step {
	return Change(what, value.NewDict("old", old, "new", new), do)
}

// Unknown is the error of a state that can't tell what it would do because of something that isn't there
// yet, such as the owner of a file. In a test run that would make it first, this is no failure.
func Unknown(format string, args ...any) error {
	return &unknownError{fmt.Errorf(format, args...)}
}

// Certain is the error of a state that fails whatever other states of the run change before it, such as of a file that
// masters don't have. Test mode says so also where a requisite would change something.
func Certain(format string, args ...any) error {
	return &certainError{fmt.Errorf(format, args...)}
}

type certainError struct{ err error }

func (e *certainError) Error() string { return e.err.Error() }
func (e *certainError) Unwrap() error { return e.err }

// Unmade makes the error of an account that isn't there one of Unknown: another state may make it first. Others stay.
func Unmade(err error) error {
	if errors.Is(err, host.ErrNoAccount) {
		return Unknown("%w", err)
	}
	return err
}

type unknownError struct{ err error }

func (e *unknownError) Error() string { return e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// A Result is how a state ended.
type Result struct {
	Result   *bool       // nil in test mode: would change
	Changes  *value.Dict // never nil
	Comment  string
	Warnings []string

	// Certain says that the state failed and would whatever changes before it; see the func Certain.
	Certain bool
	// Unknown says that the state failed because it couldn't tell what it would do; see the func Unknown.
	Unknown bool
}

// Bound is a state with its arguments, ready to run any number of times.
type Bound struct {
	state *State
	args  any
}

// State returns the state.
func (b *Bound) State() *State { return b.state }

// Run brings the host into the wanted state. In test mode it only says what it would do.
func (b *Bound) Run(ctx context.Context, h *host.Host, test bool) Result {
	return b.run(ctx, h, test, func() (Plan, error) { return b.state.Plan.plan(ctx, h, b.args) })
}

// look plans without doing anything.
func (b *Bound) look(ctx context.Context, h *host.Host) (plan Plan, err error) {
	err = guard(b.state.FullName(), func() (err error) {
		plan, err = b.state.Plan.plan(ctx, h, b.args)
		return err
	})
	return plan, err
}

// RunWatch is what the state does when states that it watches changed, after Run changed nothing: Salt's
// mod_watch. Changed names them, such as "pkg: nginx". A state that doesn't watch does nothing.
func (b *Bound) RunWatch(ctx context.Context, h *host.Host, changed []string, test bool) Result {
	if !b.state.Watches() {
		return succeed(Plan{}, nil, "")
	}
	return b.run(ctx, h, test, func() (Plan, error) { return b.state.Watch.plan(ctx, h, b.args, changed) })
}

func (b *Bound) run(ctx context.Context, h *host.Host, test bool, look func() (Plan, error)) Result {
	var plan Plan
	err := guard(b.state.FullName(), func() (err error) {
		if plan, err = look(); err == nil {
			err = plan.writable(h)
		}
		return err
	})
	if err != nil {
		return refuse(plan, err)
	}
	switch {
	case test && plan.Foretell != nil:
		return b.foretell(ctx, plan)
	case test:
		return preview(plan)
	}
	return b.do(ctx, h, plan)
}

// writable finds what the steps can't write to. A state before this one may mount it in another way.
func (p *Plan) writable(h *host.Host) error {
	for _, name := range p.Writes {
		if len(p.Steps) > 0 && h.ReadOnly(name) {
			return Unknown("cannot write %s: its file system is mounted read-only", name)
		}
	}
	return nil
}

func (b *Bound) foretell(ctx context.Context, plan Plan) Result {
	var done Done
	err := guard(b.state.FullName(), func() (err error) {
		done, err = plan.Foretell(ctx)
		return err
	})
	if err != nil {
		r := refuse(plan, err)
		merge(r.Changes, done.Changes)
		return r
	}
	if done.Changes == nil {
		done.Changes = &value.Dict{}
	}
	if done.Changes.Len() == 0 && !done.Unsure {
		plan.Steps = nil
		return succeed(plan, nil, done.Comment)
	}
	return Result{Changes: done.Changes, Comment: cmp.Or(done.Comment, plan.Would), Warnings: plan.Warnings}
}

func (b *Bound) do(ctx context.Context, h *host.Host, plan Plan) Result {
	changes := &value.Dict{}
	var comments []string
	for _, step := range plan.Steps {
		if err := context.Cause(ctx); err != nil {
			return fail(plan, changes, err)
		}
		var done Done
		err := guard(b.state.FullName(), func() (err error) {
			defer h.Memo.Changed()
			done, err = step.Do(ctx)
			return err
		})
		if done.Changes == nil && err == nil {
			done.Changes = step.Changes
		}
		merge(changes, done.Changes)
		if err != nil {
			return fail(plan, changes, err)
		}
		if done.Comment != "" {
			comments = append(comments, done.Comment)
		}
	}
	return succeed(plan, changes, strings.Join(comments, "\n"))
}

func preview(plan Plan) Result {
	if len(plan.Steps) == 0 {
		return succeed(plan, nil, "")
	}
	changes := &value.Dict{}
	for _, step := range plan.Steps {
		merge(changes, step.Changes)
	}
	comment := plan.Would
	if comment == "" {
		comment = "would change: " + names(changes)
	}
	return Result{Changes: changes, Comment: comment, Warnings: plan.Warnings}
}

func succeed(plan Plan, changes *value.Dict, comment string) Result {
	yes := true
	if changes == nil {
		changes = &value.Dict{}
	}
	switch {
	case comment != "":
	case len(plan.Steps) > 0 && plan.Did != "":
		comment = plan.Did
	case changes.Len() > 0:
		comment = "changed: " + names(changes)
	case plan.Same != "":
		comment = plan.Same
	default:
		comment = "already in the wanted state"
	}
	return Result{Result: &yes, Changes: changes, Comment: comment, Warnings: plan.Warnings}
}

func fail(plan Plan, changes *value.Dict, err error) Result {
	no := false
	return Result{Result: &no, Changes: changes, Comment: err.Error(), Warnings: plan.Warnings}
}

// refuse is the result of a state that could not say what it would do.
func refuse(plan Plan, err error) Result {
	r := fail(plan, &value.Dict{}, err)
	r.Unknown, r.Certain = errors.As(err, new(*unknownError)), errors.As(err, new(*certainError))
	return r
}

func merge(into, from *value.Dict) {
	for k, v := range from.All() {
		_ = into.Set(k, v) // it was a key already
	}
}

func names(d *value.Dict) string {
	var names []string
	for k := range d.All() {
		names = append(names, fmt.Sprint(k))
	}
	return strings.Join(names, ", ")
}
