package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type functionArgs struct {
	targeted
	Arg          any         `arg:"arg" doc:"a list of arguments; of a text its words"`
	Kwarg        *value.Dict `arg:"kwarg" doc:"named arguments"`
	Expect       bool        `arg:"expect_minions" doc:"fail when a minion that is meant is not there"`
	FailFunction string      `arg:"fail_function" doc:"a function of data that gets what a minion returned, and says true when that is good"`
}

// CheckArgs implements module.Checker.
func (a *functionArgs) CheckArgs() error {
	var errs []error
	if a.FailFunction != "" {
		if _, err := Index().Func(a.FailFunction); err != nil || !all.Pure(a.FailFunction) {
			errs = append(errs, fmt.Errorf("fail_function %q is none that a master can ask: want a function of data, such as test.true", a.FailFunction))
		}
	}
	if mod, fn, ok := strings.Cut(a.Name, "."); !ok || mod == "" || fn == "" {
		errs = append(errs, fmt.Errorf("name: want a function such as test.ping, got %q", a.Name))
	}
	return errors.Join(append(errs, a.check())...)
}

func planFunction(_ context.Context, h *host.Host, a functionArgs) (module.Plan, error) {
	plan := module.Plan{Warnings: a.warnings(), Would: fmt.Sprintf("Function %s would be executed on target %s", a.Name, strings.Join(texts(a.Tgt), ","))}
	if _, isText := a.Arg.(string); isText {
		plan.Warnings = append(plan.Warnings, "Please specify 'arg' as a list of arguments.")
	}
	plan.Steps = []module.Step{{Changes: &value.Dict{}, Do: func(ctx context.Context) (module.Done, error) { return a.call(ctx, h) }}}
	return plan, nil
}

// call has minions run the function.
func (a *functionArgs) call(ctx context.Context, h *host.Host) (module.Done, error) {
	s, err := stepOf(ctx)
	if err != nil {
		return module.Done{}, err
	}
	j, err := a.job()
	if err != nil {
		return module.Done{}, err
	}
	all, err := s.perform(ctx, j, time.Duration(a.Timeout)*time.Second)
	var none *Refusal
	if errors.As(err, &none) && none.None {
		return done(nil, "No minions responded", true)
	}
	if err != nil {
		return module.Done{}, err
	}
	return a.judge(ctx, h, all)
}

func (a *functionArgs) job() (j Job, err error) {
	t, err := a.target()
	if err != nil {
		return j, err
	}
	j = Job{Target: t, Function: a.Name, Subset: int(a.Subset)}
	j.Batch, _ = batchOf(a.Batch) // checked before
	list := itemsOf(a.Arg)
	if text, ok := a.Arg.(string); ok {
		list = nil
		for _, word := range strings.Fields(text) {
			list = append(list, word)
		}
	}
	for _, v := range list {
		arg, err := argument("", v)
		if err != nil {
			return j, err
		}
		j.Args = append(j.Args, arg)
	}
	more, err := named(a.Kwarg)
	for _, arg := range more {
		if arg.Name == "saltenv" && readsTree(a.Name) {
			var env any
			if env, err = value.FromJSON(arg.GetJson()); err == nil {
				j.Environment = fmt.Sprint(env)
			}
			continue
		}
		if arg.Name == "pillar" {
			j.Secret = append(j.Secret, arg)
			continue
		}
		j.Args = append(j.Args, arg)
	}
	return j, err
}

// readsTree tells whether a function has its environment as the environment of the job.
func readsTree(function string) bool {
	return strings.HasPrefix(function, "state.") || strings.HasPrefix(function, "saltutil.sync_")
}

// judge says what came of it, as Salt does.
func (a *functionArgs) judge(ctx context.Context, h *host.Host, all map[string]ran) (module.Done, error) {
	mayFail := texts(a.FailMinions)
	changes := &value.Dict{}
	var failed, allowed, missing, ranOn []string
	for _, id := range ids(all) {
		r := all[id]
		if r.away() && !a.Expect {
			missing = append(missing, id)
			continue
		}
		good, err := a.good(ctx, h, r)
		if err != nil {
			return module.Done{}, err
		}
		switch {
		case good:
		case slices.Contains(mayFail, id):
			allowed = append(allowed, id)
		default:
			failed = append(failed, id)
		}
		changes.Put(id, failure(r))
		if r.there() {
			ranOn = append(ranOn, id)
		}
	}
	var comment string
	switch {
	case changes.Len() == 0:
		comment = "No minions responded"
	case len(failed) > 0:
		comment = fmt.Sprintf("Running function %s failed on minions: %s", a.Name, reasons(all, failed))
	default:
		comment = "Function ran successfully."
	}
	ret := &value.Dict{}
	if changes.Len() > 0 {
		ret.Put("ret", changes)
	}
	if len(ranOn) > 0 {
		comment += fmt.Sprintf(" Function %s ran on %s.", a.Name, strings.Join(ranOn, ", "))
	}
	if len(allowed) > 0 {
		comment += fmt.Sprintf(" Failed, as is allowed: %s.", reasons(all, allowed))
	}
	if len(missing) > 0 {
		comment += " Not there: " + reasons(all, missing) + "."
	}
	return done(ret, comment, len(failed) > 0 || changes.Len() == 0)
}

// good tells whether a function succeeded on a minion.
func (a *functionArgs) good(ctx context.Context, h *host.Host, r ran) (bool, error) {
	if r.status != "ok" || r.value == false {
		return false, nil
	}
	if a.FailFunction == "" {
		return true, nil
	}
	v, code, err := h.Modules.Call(ctx, h, a.FailFunction, []any{r.value}, nil)
	if err != nil {
		return false, fmt.Errorf("cannot ask fail_function: %w", err)
	}
	return code == 0 && value.Truth(v), nil
}
