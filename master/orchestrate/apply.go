package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type stateArgs struct {
	targeted
	SLS        any         `arg:"sls" doc:"SLS files: a list, or a text with commas between"`
	Top        string      `arg:"top" doc:"the name of a top file that says what is applied"`
	Highstate  *bool       `arg:"highstate" doc:"apply what the top file gives each minion"`
	Saltenv    string      `arg:"saltenv" doc:"environment of the SLS files"`
	Pillar     *value.Dict `arg:"pillar" doc:"data laid over the minions' pillar for this run; only they can read it"`
	PillarEnv  string      `arg:"pillarenv" doc:"environment of the pillar"`
	Test       *bool       `arg:"test" doc:"only say what would change; as the orchestration when absent"`
	Exclude    any         `arg:"exclude" doc:"SLS files to leave out"`
	Queue      any         `arg:"queue" doc:"wait for a state run that is under way on a minion"`
	Concurrent bool        `arg:"concurrent" doc:"run beside a state run that is under way"`
	AllowFail  int64       `arg:"allow_fail" doc:"how many minions may fail"`
	Expect     bool        `arg:"expect_minions" default:"true" doc:"fail when a minion that is meant is not there"`
	SyncMods   any         `arg:"sync_mods" doc:"taken for Salt's sake: a state run has what its tree brings along"`
	OrchJID    any         `arg:"orchestration_jid" doc:"taken for Salt's sake"`
}

// CheckArgs implements module.Checker.
func (a *stateArgs) CheckArgs() error {
	var errs []error
	if (a.Highstate == nil || !*a.Highstate) && a.Top == "" && len(texts(a.SLS)) == 0 {
		errs = append(errs, errors.New("nothing is named: want sls, top or highstate: true"))
	}
	return errors.Join(append(errs, a.check())...)
}

func planState(_ context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
	test := a.Test != nil && *a.Test
	run := func(dry bool) func(context.Context) (module.Done, error) {
		return func(ctx context.Context) (module.Done, error) { return a.apply(ctx, dry || test) }
	}
	plan := module.Plan{Warnings: a.warnings(), Foretell: run(true), Steps: []module.Step{{Changes: &value.Dict{}, Do: run(false)}}}
	if a.Test != nil && !test {
		plan.Foretell = nil // it is told to change things: that an orchestration in test mode does not
		plan.Would = "States would be applied: test is false here"
	}
	return plan, nil
}

// apply has minions apply states.
func (a *stateArgs) apply(ctx context.Context, test bool) (module.Done, error) {
	s, err := stepOf(ctx)
	if err != nil {
		return module.Done{}, err
	}
	j, err := a.job(test)
	if err != nil {
		return module.Done{}, err
	}
	all, err := s.perform(ctx, j, time.Duration(a.Timeout)*time.Second)
	var none *Refusal
	if errors.As(err, &none) && none.None {
		return done(nil, "No minions returned", a.Expect)
	}
	if err != nil {
		return module.Done{}, err
	}
	return a.judge(all)
}

// job is what minions are to do.
func (a *stateArgs) job(test bool) (Job, error) {
	t, err := a.target()
	if err != nil {
		return Job{}, err
	}
	j := Job{Target: t, Environment: a.Saltenv, Subset: int(a.Subset), Function: "state.sls"}
	j.Batch, _ = batchOf(a.Batch) // checked before
	what := strings.Join(texts(a.SLS), ",")
	switch {
	case a.Highstate != nil && *a.Highstate:
		j.Function, what = "state.highstate", ""
	case a.Top != "":
		j.Function, what = "state.top", a.Top
	}
	var errs []error
	add := func(name string, v any) {
		arg, err := argument(name, v)
		j.Args, errs = append(j.Args, arg), append(errs, err)
	}
	if what != "" {
		add("", what)
	}
	if test {
		add("test", true)
	}
	if a.PillarEnv != "" {
		add("pillarenv", a.PillarEnv)
	}
	if a.Exclude != nil {
		add("exclude", a.Exclude)
	}
	if a.Queue != nil && a.Queue != false {
		add("queue", true)
	}
	if a.Concurrent {
		add("concurrent", true)
	}
	if a.Pillar.Len() > 0 {
		arg, err := argument("pillar", a.Pillar)
		j.Secret, errs = []*proto.Argument{arg}, append(errs, err)
	}
	return j, errors.Join(errs...)
}

// judge says what came of it, as Salt does.
func (a *stateArgs) judge(all map[string]ran) (module.Done, error) {
	mayFail := texts(a.FailMinions)
	changes := &value.Dict{}
	var failed, allowed, same []string
	for _, id := range ids(all) {
		r := all[id]
		switch {
		case r.away() && !a.Expect:
			continue
		case r.status != "ok":
			if slices.Contains(mayFail, id) {
				allowed = append(allowed, id)
			} else {
				failed = append(failed, id)
			}
			changes.Put(id, failure(r))
		case changedSomething(r.value):
			changes.Put(id, r.value)
		default:
			same = append(same, id)
		}
	}
	ret := &value.Dict{}
	if changes.Len() > 0 {
		ret = value.NewDict("out", "highstate", "ret", changes)
	}
	if int64(len(failed)) > a.AllowFail {
		return done(ret, "Run failed on minions: "+reasons(all, failed), true)
	}
	comment := "States ran successfully."
	if changes.Len() > 0 {
		comment += fmt.Sprintf(" Updating %s.", strings.Join(keys(changes), ", "))
	}
	if len(same) > 0 {
		comment += fmt.Sprintf(" No changes made to %s.", strings.Join(same, ", "))
	}
	if allowed = append(allowed, failed...); len(allowed) > 0 {
		slices.Sort(allowed)
		comment += fmt.Sprintf(" Failed, as is allowed: %s.", reasons(all, allowed))
	}
	return done(ret, comment, false)
}

// failure is what is shown of a minion on which states failed: what it returned, or false where it returned nothing.
func failure(r ran) any {
	if r.there() {
		return r.value
	}
	return false
}

func keys(d *value.Dict) (all []string) {
	for k := range d.All() {
		all = append(all, fmt.Sprint(k))
	}
	return all
}

// changedSomething tells whether one of the states of a run changed something, or would.
func changedSomething(v any) bool {
	d, _ := v.(*value.Dict)
	for _, state := range d.All() {
		s, ok := state.(*value.Dict)
		if !ok {
			continue
		}
		c, _ := s.Get("changes")
		if c, ok := c.(*value.Dict); ok && c.Len() > 0 {
			return true
		}
	}
	return false
}
