package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"brine/proto/schedule"
	"brine/states/host"
	"brine/states/value"
)

type jobArgs struct {
	Name   string      `arg:"name,required" doc:"the job"`
	Args   any         `arg:"job_args" doc:"a list of arguments of the function"`
	Kwargs any         `arg:"job_kwargs" doc:"a dict of arguments of the function by their names"`
	Config *value.Dict `arg:"config,named" doc:"the configuration of the job by names"`
	keepArgs
}

// item is the configuration of a job as it is kept, with what Salt writes into it.
func item(s host.Schedule, a *jobArgs) (*value.Dict, error) {
	given, d := a.Config, &value.Dict{}
	if given == nil {
		given = &value.Dict{}
	}
	take := func(keys ...string) {
		for _, key := range keys {
			if v, ok := given.Get(key); ok && v != nil {
				d.Put(key, v)
			}
		}
	}
	take("function", "seconds", "minutes", "hours", "days", "return_job", "metadata")
	switch list := a.Args.(type) {
	case nil:
	case *value.List:
		d.Put("args", list)
	default:
		return nil, errors.New("job_args is not a list, please correct and try again")
	}
	switch named := a.Kwargs.(type) {
	case nil:
	case *value.Dict:
		d.Put("kwargs", named)
	default:
		return nil, errors.New("job_kwargs is not a dict, please correct and try again")
	}
	d.Put("maxrunning", int64(1))
	take("maxrunning")
	d.Put("name", a.Name)
	d.Put("enabled", true)
	take("enabled")
	if v, ok := given.Get("jid_include"); !ok || v != false {
		d.Put("jid_include", true)
	}
	for key, v := range given.All() {
		if _, has := d.Get(key); !has && v != nil && key != "jid_include" {
			_ = d.Set(key, v) // it was a key already
		}
	}
	return d, s.Check(a.Name, d)
}

func build(_ context.Context, h *host.Host, a jobArgs) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	d, err := item(s, &a)
	if err != nil {
		return reply(false, "%v", err), nil
	}
	return d, nil
}

func add(_ context.Context, h *host.Host, a jobArgs) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	if jobOf(s, a.Name) != nil {
		return reply(false, "Job %s already exists in schedule.", a.Name), nil
	}
	d, err := item(s, &a)
	switch {
	case err != nil:
		return reply(false, "%v", err), nil
	case a.Test:
		return reply(true, "Job: %s would be added to schedule.", a.Name), nil
	}
	return kept(changed(a.Name, "added", "Added job: %s to schedule.", a.Name), s.Edit(a.Name, d, a.Persist)), nil
}

func modify(_ context.Context, h *host.Host, a jobArgs) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	now := jobOf(s, a.Name)
	if now == nil {
		return reply(false, "Job %s does not exist in schedule.", a.Name), nil
	}
	if a.Config == nil {
		a.Config = &value.Dict{}
	}
	if _, ok := a.Config.Get("function"); !ok {
		f, _ := now.Get("function")
		a.Config.Put("function", f)
	}
	d, err := item(s, &a)
	switch {
	case err != nil:
		return reply(false, "%v", err), nil
	case value.Equal(d, now):
		return reply(true, "Job %s in correct state", a.Name), nil
	}
	what := value.NewDict("old", now, "new", d)
	if a.Test {
		return changed(a.Name, what, "Job: %s would be modified in schedule.", a.Name), nil
	}
	return kept(changed(a.Name, what, "Modified job: %s in schedule.", a.Name), s.Edit(a.Name, d, a.Persist)), nil
}

type skipArgs struct {
	Name   string `arg:"name,required" doc:"the job"`
	At     string `arg:"current_time,required" doc:"the time of the run, as show_next_fire_time tells it"`
	Format string `arg:"time_fmt" default:"%Y-%m-%dT%H:%M:%S" doc:"how times are written, as strptime has it"`
	testArgs
}

type postponeArgs struct {
	Name   string `arg:"name,required" doc:"the job"`
	At     string `arg:"current_time,required" doc:"the time of the run, as show_next_fire_time tells it"`
	New    string `arg:"new_time,required" doc:"when it begins instead"`
	Format string `arg:"time_fmt" default:"%Y-%m-%dT%H:%M:%S" doc:"how times are written, as strptime has it"`
	testArgs
}

func skip(_ context.Context, h *host.Host, a skipArgs) (*value.Dict, error) {
	return moved(h, a.Name, a.Format, map[string]string{"skip_explicit": a.At}, a.Test,
		fmt.Sprintf("Job: %s would be skipped in schedule.", a.Name), fmt.Sprintf("Added Skip Job %s in schedule.", a.Name))
}

func postpone(_ context.Context, h *host.Host, a postponeArgs) (*value.Dict, error) {
	return moved(h, a.Name, a.Format, map[string]string{"skip_explicit": a.At, "run_explicit": a.New}, a.Test,
		fmt.Sprintf("Job: %s would be postponed in schedule.", a.Name), fmt.Sprintf("Postponed Job %s in schedule.", a.Name))
}

// moved adds times to lists of a job, from which those go that have passed long ago.
func moved(h *host.Host, name, format string, add map[string]string, test bool, would, did string) (*value.Dict, error) {
	s, err := of(h)
	if err != nil {
		return nil, err
	}
	layout, known := schedule.Layout(format)
	for _, text := range add {
		if _, err := time.ParseInLocation(layout, text, time.Local); !known || err != nil {
			return reply(false, "Date string could not be parsed."), nil
		}
	}
	job := jobOf(s, name)
	switch {
	case job == nil:
		return reply(false, "Job %s does not exist.", name), nil
	case test:
		return reply(true, "%s", would), nil
	}
	for key, text := range add {
		old, _ := job.Get(key)
		times := recent(old)
		times.Items = append(times.Items, value.NewDict("time", text, "time_fmt", format))
		job.Put(key, times)
	}
	return kept(reply(true, "%s", did), s.Edit(name, job, true)), nil
}

// recent are those of some times that have not passed a day ago.
func recent(v any) *value.List {
	list, _ := v.(*value.List)
	keep := value.NewList()
	if list == nil {
		return keep
	}
	for _, v := range list.Items {
		if d, ok := v.(*value.Dict); ok {
			text, _ := d.Get("time")
			format, _ := d.Get("time_fmt")
			layout, _ := schedule.Layout(fmt.Sprint(format))
			at, err := time.ParseInLocation(layout, fmt.Sprint(text), time.Local)
			if err == nil && time.Since(at) > 24*time.Hour {
				continue
			}
		}
		keep.Items = append(keep.Items, v)
	}
	return keep
}
