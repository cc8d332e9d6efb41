// Package module defines what a module is: a named set of execution functions and states
// with typed arguments, documented by the value that registers them.
//
// An execution function does one thing now and returns a value. A state looks at the host
// and returns a Plan; only the steps of a Plan change anything, and only Run does the steps.
// So test mode can't lie: it is the same look without the steps.
package module

import (
	"context"
	"fmt"
	"runtime"

	"brine/states/host"
	"brine/states/value"
)

// A Module is one domain of a host, such as files or services.
type Module struct {
	Name   string
	Doc    string
	Funcs  []Func
	States []State
}

// A Func is an execution function.
type Func struct {
	Name     string
	Doc      string
	Example  string // arguments as typed on the command line
	Do       Code   // made by Call
	StateRun bool   // applies states: only one such function runs on a host at a time

	module string
}

// Code is a Go function that can be called with an Input.
type Code struct{ function }

// Call makes Code of a Go function, func(context.Context, *host.Host, A) (R, error). A is a struct whose fields are the
// arguments; see Param. R is a value, what value.Of takes, or Returned. It panics when f is something else. A is read when
// the function is first used: that panics when it can't be, a mistake in the module that its test finds.
func Call(f any) Code {
	return Code{functionOf(f, codeShape)}
}

// Returned is what an execution function returns that has more to say than its value.
type Returned struct {
	Value   any
	Retcode int // 0 for success; what an operator sees as failed otherwise
}

// FullName is the name it is called by, such as "cmd.run".
func (f *Func) FullName() string { return f.module + "." + f.Name }

// Params describes the arguments in positional order.
func (f *Func) Params() []Param { return f.Do.params() }

// Check finds every mistake in the arguments without calling the function. The error is an ArgErrors.
func (f *Func) Check(in Input) error {
	_, errs := f.Do.bind(in)
	return errs.orNil()
}

// Call decodes the arguments and calls the function. The value returned is one of package value's. Arguments
// that don't fit are an error that wraps ArgErrors and lists them all.
func (f *Func) Call(ctx context.Context, h *host.Host, in Input) (Returned, error) {
	args, errs := f.Do.bind(in)
	if len(errs) > 0 {
		return Returned{}, fmt.Errorf("cannot call %s: %w", f.FullName(), errs)
	}
	var r any
	err := guard(f.FullName(), func() (err error) {
		r, err = f.Do.call(ctx, h, args)
		return err
	})
	if err != nil {
		return Returned{}, err
	}
	out, ok := r.(Returned)
	if !ok {
		out.Value = r
	}
	if out.Value, err = value.Of(out.Value); err != nil {
		return Returned{}, fmt.Errorf("cannot return the value of %s: %w", f.FullName(), err)
	}
	return out, nil
}

// A State brings one thing of the host into a wanted state.
type State struct {
	Name    string
	Doc     string
	Example string  // a piece of an SLS file
	Plan    Planner // made by Look
	Watch   Watcher // made by React: what happens too when a watched state changed; zero for nothing

	// Aggregate says that its plans are a Joint step, or nothing: states of this function that stand together
	// are done in one transaction.
	Aggregate bool

	// Exact says that an argument of another state of the module is a mistake here too: what it would have spared goes.
	Exact bool

	module string
}

// A Planner is a Go function that looks at the host and plans.
type Planner struct{ function }

// Look makes a Planner of a Go function that looks at the host and never changes it, func(context.Context, *host.Host, A)
// (Plan, error). A is as for Call, and what else it panics at.
func Look(f any) Planner {
	return Planner{functionOf(f, plannerShape)}
}

// A Watcher is a Go function that looks at the host and plans what to do because watched states changed.
type Watcher struct{ function }

// React makes a Watcher of a Go function, func(context.Context, *host.Host, A, []string) (Plan, error). A is the same as
// that of the state's Plan. The function gets the states that changed, such as "pkg: nginx". It panics as Look does.
func React(f any) Watcher {
	return Watcher{functionOf(f, watcherShape)}
}

// FullName is the name it is declared by, such as "file.managed".
func (s *State) FullName() string { return s.module + "." + s.Name }

// Params describes the arguments.
func (s *State) Params() []Param { return s.Plan.params() }

// Watches says whether the state does something of its own when a state that it watches changed.
func (s *State) Watches() bool { return s.Watch.binder != nil }

// Bind decodes the arguments. It doesn't touch the host, so that a whole state run is checked before anything
// changes. The error is an ArgErrors with every mistake.
func (s *State) Bind(in Input) (*Bound, error) {
	args, errs := s.Plan.bind(in)
	if len(errs) > 0 {
		return nil, errs
	}
	return &Bound{state: s, args: args}, nil
}

// guard turns a panic of a module into an error: a mistake in one module must not end the minion.
func guard(name string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot go on with %s: panic: %v, at %s (please report this)", name, p, panicPlace())
		}
	}()
	return f()
}

// panicPlace names the function and line that panicked: the first below the runtime.
func panicPlace() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if len(f.Function) < 8 || f.Function[:8] != "runtime." || !more {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
	}
}
