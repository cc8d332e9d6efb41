package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// A Call is a function of masters that a step wants called.
type Call struct {
	Kind     string // runner or wheel
	Function string
	Args     []any
	Named    *value.Dict
	By       Cause

	Cause string // id of a record and a key within it: what the call makes follows from them
	Key   string
	At    time.Time
}

// An Answer is what such a function returned.
type Answer struct {
	Value   any
	Success bool
	Retcode int
	JID     string // of the call, or of the orchestration that it was
}

// Calls are the functions of masters.
type Calls interface {
	// Call calls one. An error says that it could not be called. One that neither reads nor is derived, and was called for the same
	// Cause and Key before, is not called twice: Call gives what came of it, or an error that says that it was cut short.
	Call(ctx context.Context, c Call) (Answer, error)
	// Check finds every mistake in the arguments of a call, or that there is no such function. It looks at no rights.
	Check(c Call) error
	// Reads tells whether one changes nothing, so that it may be called again.
	Reads(kind, function string) bool
	// Derived tells whether what one does follows from Cause and Key, so that a second call finds what the first one made.
	Derived(kind, function string) bool
}

type callArgs struct {
	Name  string       `arg:"name,required" doc:"the function, such as manage.up or key.accept"`
	Arg   any          `arg:"arg,alias=args" doc:"a list of arguments"`
	Kwarg *value.Dict  `arg:"kwarg,alias=kwargs" doc:"named arguments"`
	More  []module.Arg `arg:"arguments,named" doc:"named arguments of the function"`
}

// planCall plans the call of a function of a kind.
func planCall(kind string) func(context.Context, *host.Host, callArgs) (module.Plan, error) {
	title := strings.ToUpper(kind[:1]) + kind[1:]
	return func(_ context.Context, _ *host.Host, a callArgs) (module.Plan, error) {
		return module.Plan{
			Would: fmt.Sprintf("%s function '%s' would be executed.", title, a.Name),
			Steps: []module.Step{{Changes: &value.Dict{}, Do: func(ctx context.Context) (module.Done, error) {
				s, err := stepOf(ctx)
				if err != nil {
					return module.Done{}, err
				}
				c, err := a.call(kind)
				if err != nil {
					return module.Done{}, err
				}
				answer, err := s.call(ctx, c, s.key)
				if err != nil {
					return module.Done{}, fmt.Errorf("%s function '%s' failed: %w", title, a.Name, err)
				}
				s.jid = answer.JID
				verb := "executed"
				if !answer.Success {
					verb = "failed"
				}
				return done(value.NewDict("return", answer.Value), fmt.Sprintf("%s function '%s' %s.", title, a.Name, verb), !answer.Success)
			}}},
		}, nil
	}
}

// call is the call that the arguments describe.
func (a *callArgs) call(kind string) (Call, error) {
	c := Call{Kind: kind, Function: a.Name, Args: itemsOf(a.Arg), Named: &value.Dict{}}
	for k, v := range a.Kwarg.All() {
		if err := c.Named.Set(k, v); err != nil {
			return c, err
		}
	}
	for _, more := range a.More {
		c.Named.Put(more.Name, more.Value.Data)
	}
	return c, nil
}

// call calls a function of masters for a step.
func (s *step) call(ctx context.Context, c Call, key string) (Answer, error) {
	c.By, c.Cause, c.Key, c.At = s.by(), s.course.record, key, s.began
	c.By.Depth++ // what an orchestration makes follows from it
	return s.o.Calls.Call(ctx, c)
}

type parallelArgs struct {
	Name    string `arg:"name,required" doc:"any text"`
	Runners any    `arg:"runners,required" doc:"by any name: the function's name, and kwarg, its named arguments"`
}

// CheckArgs implements module.Checker.
func (a *parallelArgs) CheckArgs() error {
	_, err := a.calls()
	return err
}

// repeat tells whether all may be called again.
func (a *parallelArgs) repeat(with Calls) bool {
	all, err := a.calls()
	return err == nil && !slices.ContainsFunc(all, func(c namedCall) bool {
		return !with.Reads(c.Kind, c.Function) && !with.Derived(c.Kind, c.Function)
	})
}

type namedCall struct {
	id string
	Call
}

// calls reads the functions, in any of the forms that Salt takes: a text, a list of texts or of dicts, a dict of lists.
func (a *parallelArgs) calls() (all []namedCall, err error) {
	entries := &value.Dict{}
	switch v := a.Runners.(type) {
	case string:
		entries.Put(v, nil)
	case *value.Dict:
		entries = v
	case *value.List:
		for _, item := range v.Items {
			switch item := item.(type) {
			case string:
				entries.Put(item, nil)
			case *value.Dict:
				for k, v := range item.All() {
					entries.Put(fmt.Sprint(k), v)
				}
			}
		}
	default:
		return nil, errors.New("runners: want a map of functions by any names")
	}
	var errs []error
	for id, v := range entries.All() {
		c := namedCall{fmt.Sprint(id), Call{Kind: "runner", Function: fmt.Sprint(id), Named: &value.Dict{}}}
		parts := itemsOf(v)
		for _, part := range parts {
			d, ok := part.(*value.Dict)
			if !ok {
				errs = append(errs, fmt.Errorf("runners: %v: want name and kwarg", id))
				continue
			}
			if name, ok := d.Get("name"); ok {
				c.Function = fmt.Sprint(name)
			}
			if kwarg, ok := d.Get("kwarg"); ok {
				if c.Named, ok = kwarg.(*value.Dict); !ok {
					errs = append(errs, fmt.Errorf("runners: %v: kwarg is no map", id))
				}
			}
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		errs = append(errs, errors.New("runners is empty"))
	}
	return all, errors.Join(errs...)
}

func planParallel(_ context.Context, _ *host.Host, a parallelArgs) (module.Plan, error) {
	all, err := a.calls()
	if err != nil {
		return module.Plan{}, err
	}
	return module.Plan{
		Would: fmt.Sprintf("%d runner functions would be executed.", len(all)),
		Steps: []module.Step{{Changes: &value.Dict{}, Do: func(ctx context.Context) (module.Done, error) {
			s, err := stepOf(ctx)
			if err != nil {
				return module.Done{}, err
			}
			return s.parallel(ctx, all)
		}}},
	}, nil
}

// parallel calls functions at the same time.
func (s *step) parallel(ctx context.Context, all []namedCall) (module.Done, error) {
	answers, errs := make([]Answer, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	for i, c := range all {
		wait.Go(func() { answers[i], errs[i] = s.call(ctx, c.Call, s.key+"/"+c.id) })
	}
	wait.Wait()
	ret := &value.Dict{}
	var failed []string
	for i, c := range all {
		switch {
		case errs[i] != nil:
			failed = append(failed, fmt.Sprintf("%s (%v)", c.id, errs[i]))
			ret.Put(c.id, errs[i].Error())
		case !answers[i].Success:
			failed = append(failed, c.id)
			ret.Put(c.id, answers[i].Value)
		default:
			ret.Put(c.id, answers[i].Value)
		}
	}
	changes := value.NewDict("ret", ret)
	switch len(failed) {
	case 0:
		return done(changes, "All runner functions executed successfully.", false)
	case 1:
		return done(changes, fmt.Sprintf("Runner %s failed.", failed[0]), true)
	}
	return done(changes, fmt.Sprintf("Runners %s failed.", strings.Join(failed, ", ")), true)
}
