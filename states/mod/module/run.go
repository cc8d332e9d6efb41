package modulemod

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

func planRun(_ context.Context, h *host.Host, a runArgs) (module.Plan, error) {
	calls, err := a.calls()
	if err != nil {
		return module.Plan{}, err
	}
	if err := available(h, calls); err != nil {
		return module.Plan{}, err
	}
	would := fmt.Sprintf("Module function %s is set to execute", a.Name)
	perform := func(ctx context.Context) (module.Done, error) { return calls[0].older(ctx, h) }
	if a.newer() {
		would = "Functions " + strings.Join(labels(calls), ", ") + " to be executed"
		perform = func(ctx context.Context) (module.Done, error) { return newer(ctx, h, calls) }
	}
	return module.Plan{Steps: []module.Step{{Do: perform}}, Would: would}, nil
}

func planWait(context.Context, *host.Host, runArgs) (module.Plan, error) {
	return module.Plan{Same: "nothing that it watches has changed"}, nil
}

func rerun(ctx context.Context, h *host.Host, a runArgs, _ []string) (module.Plan, error) {
	return planRun(ctx, h, a)
}

func labels(calls []call) []string {
	var all []string
	for _, c := range calls {
		all = append(all, c.label)
	}
	return all
}

// CheckCalls finds all functions that there are not, and mistakes in their arguments, before any state of a run is
// applied. Each mistake names the argument in which it stands.
func (a *runArgs) CheckCalls(functions *module.Index) module.ArgErrors {
	calls, err := a.calls()
	if err != nil {
		return nil // CheckArgs told it
	}
	var errs module.ArgErrors
	for i := range calls {
		c := &calls[i]
		if err := c.check(functions); err != nil {
			arg := "name"
			if a.newer() {
				arg = c.label
			}
			errs = append(errs, &module.ArgError{Arg: arg, Text: err.Error()})
		}
	}
	return errs
}

// available is the same where a state is run that was not compiled with others.
func available(h *host.Host, calls []call) error {
	if h.Modules == nil {
		return errors.New("cannot call functions: this host has none")
	}
	var errs []error
	for i := range calls {
		errs = append(errs, calls[i].check(h.Modules))
	}
	return errors.Join(errs...)
}

// check finds what is wrong with the call. Arguments that the older form lists beside named ones are those that the
// function takes any number of, where it calls them args: as in Salt the named ones come before them.
func (c *call) check(functions host.Modules) error {
	if !slices.Contains(functions.Functions(c.function), c.function) {
		return fmt.Errorf("module function %s is not available%s", c.function,
			spell.DidYouMean(c.function, functions.Functions()))
	}
	x, can := functions.(interface {
		Check(function string, args []any, named *value.Dict) error
	})
	if !can {
		return nil
	}
	err := x.Check(c.function, c.args, c.named)
	if err != nil && len(c.args) > 0 && c.named.Len() > 0 {
		named := value.NewDict("args", &value.List{Items: c.args})
		for k, v := range c.named.All() {
			_ = named.Set(k, v) // it was a key already
		}
		if x.Check(c.function, nil, named) == nil {
			c.args, c.named = nil, named
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("cannot call %s: %w", c.label, err)
	}
	return nil
}

// older calls the one function of the older form, whose value is the change ret.
func (c *call) older(ctx context.Context, h *host.Host) (module.Done, error) {
	v, code, err := h.Modules.Call(ctx, h, c.function, c.args, c.named)
	if err != nil {
		return module.Done{}, err
	}
	done := module.Done{Changes: value.NewDict("ret", v), Comment: fmt.Sprintf("Module function %s executed", c.function)}
	if !succeeded(v, code) {
		return done, fmt.Errorf("module function %s failed: %s", c.function, said(v))
	}
	return done, nil
}

// newer calls one function after the other, also after one that failed, as Salt does.
func newer(ctx context.Context, h *host.Host, calls []call) (module.Done, error) {
	done := module.Done{Changes: &value.Dict{}}
	var failed, ok []string
	for _, c := range calls {
		if err := context.Cause(ctx); err != nil {
			return done, err
		}
		v, code, err := h.Modules.Call(ctx, h, c.function, c.args, c.named)
		switch {
		case err != nil:
			failed = append(failed, fmt.Sprintf("'%s' failed: %v", c.label, err))
		case !succeeded(v, code):
			failed = append(failed, fmt.Sprintf("'%s' failed: %s", c.label, said(v)))
		default:
			ok = append(ok, c.label+": "+said(v))
			done.Changes.Put(c.label, v)
		}
	}
	done.Comment = strings.Join(append(failed, ok...), ", ")
	if len(failed) > 0 {
		return done, errors.New(done.Comment)
	}
	return done, nil
}

// succeeded judges what a function returned as Salt does: false is a failure, and so are a return code and a result
// that say so in a map.
func succeeded(v any, code int) bool {
	if code != 0 {
		return false
	}
	switch v := v.(type) {
	case bool:
		return v
	case *value.Dict:
		if retcode, ok := v.Get("retcode"); ok && value.Truth(retcode) {
			return false
		}
		result, ok := v.Get("result")
		b, isBool := result.(bool)
		return !ok || !isBool || b
	}
	return true
}

// most is how much of a value a comment tells.
const most = 1000

func said(v any) string {
	if d, ok := v.(*value.Dict); ok {
		if comment, ok := d.Get("comment"); ok {
			v = comment
		}
	}
	text, err := module.Data(v).Str()
	if err != nil {
		data, err := value.MarshalJSON(v)
		if err != nil {
			return err.Error()
		}
		text = string(data)
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
