// Package schedule says what the minion runs at certain times.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto/schedule"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

// Module is the schedule module.
var Module = module.Module{
	Name: "schedule",
	Doc: `
		Say what the minion runs at certain times. What these functions change lasts for good, or with persist=False until the
		minion ends. Jobs of pillar change until pillar says something else of them.`,
	Funcs: []module.Func{
		{
			Name: "add",
			Doc: `
				Have the minion run a job at certain times. Arguments that are not named here are the configuration of the job:
				function; one of seconds, minutes, hours and days, or when, once, cron; range, splay, maxrunning and the others.`,
			Example: "ping function=test.ping minutes=10", Do: module.Call(add),
		},
		{
			Name: "build_schedule_item", Doc: "Return the configuration of a job as add would take it.",
			Example: "ping function=test.ping minutes=10", Do: module.Call(build),
		},
		{Name: "copy", Doc: "For calls written for Salt: it refuses, as a minion gives no orders to others.", Example: "ping 'web*'", Do: module.Call(copyTo)},
		{Name: "delete", Doc: "Have the minion run a job no more.", Example: "ping", Do: module.Call(remove)},
		{Name: "disable", Doc: "Have all jobs rest.", Do: module.Call(switchAll(false))},
		{Name: "disable_job", Doc: "Have a job rest.", Example: "ping", Do: module.Call(switchOne(false))},
		{Name: "enable", Doc: "Have jobs run again, but those that rest by themselves.", Do: module.Call(switchAll(true))},
		{Name: "enable_job", Doc: "Have a job run again.", Example: "ping", Do: module.Call(switchOne(true))},
		{Name: "is_enabled", Doc: "Return the configuration of a job; without a name whether jobs run at all.", Example: "ping", Do: module.Call(isEnabled)},
		{
			Name: "job_status", Doc: "Return the configuration of a job with when it runs next, ran last, and why it was left out.",
			Example: "ping", Do: module.Call(status),
		},
		{
			Name: "list", Doc: "Return the configuration of all jobs, those of pillar and those of the minion itself.",
			Example: "return_yaml=False", Do: module.Call(list),
		},
		{
			Name: "modify", Doc: "Give a job another configuration, of the same arguments as for add; the function may be left out.",
			Example: "ping hours=1", Do: module.Call(modify),
		},
		{Name: "move", Doc: "For calls written for Salt: it refuses, as a minion gives no orders to others.", Example: "ping 'web*'", Do: module.Call(copyTo)},
		{
			Name: "postpone_job", Doc: "Have the run of a time begin at another one.",
			Example: "ping 2026-12-24T10:00:00 2026-12-24T12:00:00", Do: module.Call(postpone),
		},
		{Name: "purge", Doc: "Have the minion run none of its jobs any more.", Do: module.Call(purge)},
		{Name: "reload", Doc: "Take what is kept, and forget what was changed with persist=False.", Do: module.Call(reload)},
		{Name: "run_job", Doc: "Run a job now, beside the times that it has.", Example: "ping", Do: module.Call(runJob)},
		{Name: "save", Doc: "Keep what was changed with persist=False for later starts.", Do: module.Call(save)},
		{Name: "show_next_fire_time", Doc: "Return when a job runs next.", Example: "ping", Do: module.Call(next)},
		{Name: "skip_job", Doc: "Leave out the run of a time.", Example: "ping 2026-12-24T10:00:00", Do: module.Call(skip)},
	},
	States: states,
}

// reply is what these functions return.
func reply(ok bool, format string, args ...any) *value.Dict {
	return value.NewDict("comment", fmt.Sprintf(format, args...), "result", ok)
}

// changed is a reply with the changes of one name.
func changed(name string, what any, format string, args ...any) *value.Dict {
	return value.NewDict("comment", fmt.Sprintf(format, args...), "result", true, "changes", value.NewDict(name, what))
}

// kept tells of what was done that later starts won't have.
func kept(r *value.Dict, err error) *value.Dict {
	if err != nil {
		text, _ := r.Get("comment")
		r.Put("comment", fmt.Sprintf("%s It is not kept: %v", text, err))
		r.Put("result", false)
	}
	return r
}

func of(h *host.Host) (host.Schedule, error) {
	if h.Schedule == nil {
		return nil, errors.New("no minion runs here that would run something")
	}
	return h.Schedule, nil
}

// isGlobal tells names of a schedule that are no jobs.
func isGlobal(name string) bool {
	return slices.Contains([]string{"enabled", "splay", "skip_during_range", "skip_function"}, name)
}

// jobOf is the configuration of a job, with enabled; nil when there is none.
func jobOf(s host.Schedule, name string) *value.Dict {
	v, _ := s.List(true, true).Get(name)
	d, ok := v.(*value.Dict)
	if !ok || isGlobal(name) {
		return nil
	}
	if _, ok := d.Get("enabled"); !ok {
		d.Put("enabled", true)
	}
	return d
}

func enabled(job *value.Dict) bool {
	v, _ := job.Get("enabled")
	return v != false
}

type keepArgs struct {
	Test    bool `arg:"test" doc:"only say what would change"`
	Persist bool `arg:"persist" default:"true" doc:"for later starts of the minion too"`
	Offline bool `arg:"offline" doc:"for calls written for Salt: without a running minion brine-minion call changes what its next start takes"`
}

type listArgs struct {
	All      bool   `arg:"show_all" doc:"those too whose names begin with __"`
	Disabled bool   `arg:"show_disabled" default:"true" doc:"those too that rest"`
	Where    string `arg:"where" doc:"only those of pillar or of the minion itself: pillar or opts; all when it is empty"`
	YAML     bool   `arg:"return_yaml" default:"true" doc:"return YAML"`
	Offline  bool   `arg:"offline" doc:"for calls written for Salt"`
}

func list(_ context.Context, h *host.Host, a listArgs) (any, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for key, v := range s.List(a.Where != "opts", a.Where != "pillar").All() {
		name := value.KeyText(key)
		d, ok := v.(*value.Dict)
		if !ok || isGlobal(name) {
			all.Put(name, v)
			continue
		}
		if _, has := d.Get("enabled"); !has {
			d.Put("enabled", true)
		}
		if strings.HasPrefix(name, "__") && !a.All || !a.Disabled && !enabled(d) {
			continue
		}
		if a.YAML {
			d.Put("saved", s.Saved(name))
		}
		all.Put(name, d)
	}
	if !a.YAML {
		return all, nil
	}
	text, err := yaml.Dump(value.NewDict("schedule", all))
	return string(text), err
}

type isEnabledArgs struct {
	Name string `arg:"name" doc:"the job"`
}

func isEnabled(_ context.Context, h *host.Host, a isEnabledArgs) (any, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	if a.Name == "" {
		on, has := s.List(true, true).Get("enabled")
		return !has || on != false, nil
	}
	if d := jobOf(s, a.Name); d != nil {
		return d, nil
	}
	return &value.Dict{}, nil
}

type nameArgs struct {
	Name string `arg:"name,required" doc:"the job"`
	keepArgs
}

func remove(_ context.Context, h *host.Host, a nameArgs) (*value.Dict, error) {
	s, err := of(h)
	switch {
	case err != nil:
		return nil, err
	case a.Test:
		return reply(true, "Job: %s would be deleted from schedule.", a.Name), nil
	case jobOf(s, a.Name) == nil:
		return reply(false, "Job %s does not exist.", a.Name), nil
	}
	return kept(changed(a.Name, "removed", "Deleted Job %s from schedule.", a.Name), s.Edit(a.Name, nil, a.Persist)), nil
}

func purge(_ context.Context, h *host.Host, a keepArgs) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	comments, changes := value.NewList(), &value.Dict{}
	for key := range s.List(true, true).All() {
		name := value.KeyText(key)
		switch {
		case isGlobal(name) || strings.HasPrefix(name, "__"):
			continue
		case a.Test:
			comments.Items = append(comments.Items, fmt.Sprintf("Job: %s would be deleted from schedule.", name))
			continue
		}
		err = errors.Join(err, s.Edit(name, nil, a.Persist))
		changes.Put(name, "removed")
		comments.Items = append(comments.Items, fmt.Sprintf("Deleted job: %s from schedule.", name))
	}
	if err != nil {
		comments.Items = append(comments.Items, fmt.Sprintf("It is not kept: %v", err))
	}
	return value.NewDict("comment", comments, "changes", changes, "result", err == nil), nil
}

// switchAll makes the function that enables or disables all jobs.
func switchAll(on bool) func(context.Context, *host.Host, keepArgs) (*value.Dict, error) {
	word := switched(on)
	return func(_ context.Context, h *host.Host, a keepArgs) (*value.Dict, error) {
		s, err := of(h)
		switch {
		case err != nil:
			return nil, err
		case a.Test:
			return reply(true, "Schedule would be %s.", word), nil
		}
		return kept(changed("schedule", word, "%s schedule on minion.", title(word)), s.Edit("enabled", on, a.Persist)), nil
	}
}

func switched(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// switchOne makes the function that enables or disables a job.
func switchOne(on bool) func(context.Context, *host.Host, nameArgs) (*value.Dict, error) {
	word := switched(on)
	return func(_ context.Context, h *host.Host, a nameArgs) (*value.Dict, error) {
		s, err := of(h)
		if err != nil {
			return nil, err
		}
		if a.Test {
			return reply(true, "Job: %s would be %s in schedule.", a.Name, word), nil
		}
		job := jobOf(s, a.Name)
		if job == nil {
			return reply(false, "Job %s does not exist.", a.Name), nil
		}
		job.Put("enabled", on)
		return kept(changed(a.Name, word, "%s Job %s in schedule.", title(word), a.Name), s.Edit(a.Name, job, a.Persist)), nil
	}
}

type runArgs struct {
	Name  string `arg:"name,required" doc:"the job"`
	Force bool   `arg:"force" doc:"also one that rests"`
}

func runJob(_ context.Context, h *host.Host, a runArgs) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	job := jobOf(s, a.Name)
	switch {
	case job == nil:
		return reply(false, "Job %s does not exist.", a.Name), nil
	case !enabled(job) && !a.Force:
		return reply(true, "Job %s is disabled.", a.Name), nil
	}
	if err := s.RunJob(a.Name); err != nil {
		return reply(false, "Failed to run job %s on minion: %v", a.Name, err), nil
	}
	return reply(true, "Scheduling Job %s on minion.", a.Name), nil
}

type testArgs struct {
	Test bool `arg:"test" doc:"only say what would change"`
}

func save(_ context.Context, h *host.Host, a testArgs) (*value.Dict, error) {
	s, err := of(h)
	switch {
	case err != nil:
		return nil, err
	case a.Test:
		return reply(true, "Schedule would be saved."), nil
	}
	if _, err := s.Save(); err != nil {
		return reply(false, "Failed to save schedule: %v", err), nil
	}
	return reply(true, "Schedule (non-pillar items) saved."), nil
}

func reload(_ context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	path, err := s.Reload()
	if err != nil {
		return value.NewDict("comment", value.NewList("Failed to reload schedule on minion: "+err.Error()), "result", false), nil
	}
	return value.NewDict("comment", value.NewList("Reloaded schedule on minion from "+path+"."), "result", true), nil
}

type statusArgs struct {
	Name   string `arg:"name,required" doc:"the job"`
	Format string `arg:"time_fmt" default:"%Y-%m-%dT%H:%M:%S" doc:"how times are written, as strftime has it"`
}

func status(_ context.Context, h *host.Host, a statusArgs) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	layout, ok := schedule.Layout(a.Format)
	if !ok {
		return nil, fmt.Errorf("cannot write times as %q: a directive of it is not known", a.Format)
	}
	d := jobOf(s, a.Name)
	if d == nil {
		return &value.Dict{}, nil
	}
	st := s.Status(a.Name)
	for _, t := range []struct {
		key string
		at  time.Time
	}{{"_next_fire_time", st.Next}, {"_last_run", st.Last}, {"_skipped_time", st.Skipped}} {
		if !t.at.IsZero() {
			d.Put(t.key, t.at.Format(layout))
		}
	}
	if st.Why != "" {
		d.Put("_skip_reason", st.Why)
		d.Put("_skipped", true)
	}
	if st.Mistake != "" {
		d.Put("_error", st.Mistake)
	}
	if len(st.Running) > 0 {
		running := value.NewList()
		for _, jid := range st.Running {
			running.Items = append(running.Items, jid)
		}
		d.Put("_running", running)
	}
	return d, nil
}

type onlyName struct {
	Name string `arg:"name,required" doc:"the job"`
}

func next(_ context.Context, h *host.Host, a onlyName) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	if jobOf(s, a.Name) == nil {
		return reply(false, "Job %s does not exist.", a.Name), nil
	}
	at := s.Status(a.Name).Next
	if at.IsZero() {
		return reply(true, "next fire time not available."), nil
	}
	return value.NewDict("result", true, "next_fire_time", at.Format("2006-01-02T15:04:05")), nil
}

type copyArgs struct {
	Name   string `arg:"name,required" doc:"the job"`
	Target string `arg:"target,required" doc:"the minions"`
}

func copyTo(_ context.Context, _ *host.Host, a copyArgs) (*value.Dict, error) {
	return reply(false, "Job %s stays where it is: a minion gives no orders to others. "+
		"Use brine run '%s' schedule.add %[1]s ..., or give the job to them by pillar.", a.Name, a.Target), nil
}
