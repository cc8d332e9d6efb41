package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto"
	"brine/proto/jid"
	"brine/proto/moment"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

func (f *Functions) jobs() module.Module {
	return module.Module{Name: "jobs", Doc: "Jobs: those that run, and those that ran.", Funcs: []module.Func{
		{Name: "active", Doc: "Return the jobs that run or wait, by id, with the minions that returned and those where they run.", Do: module.Call(f.jobsActive)},
		{Name: "exit_success", Doc: "Return of each minion of a job whether it returned something that is true.", Example: "20260131120000000123", Do: module.Call(f.jobsExitSuccess)},
		{Name: "last_run", Doc: "Return the newest job, with what it returned; false when there is none.", Example: "function=state.apply", Do: module.Call(f.jobsLastRun)},
		{Name: "list_job", Doc: "Return a job with what it returned.", Example: "20260131120000000123", Do: module.Call(f.jobsListJob)},
		{Name: "list_jobs", Doc: "Return jobs by id, the 1,000 newest that fit.", Example: "search_function='test.*' start_time=2d", Do: module.Call(f.jobsListJobs)},
		{Name: "list_jobs_filter", Doc: "Return so many of the newest jobs, by id.", Example: "50", Do: module.Call(f.jobsListFilter)},
		{Name: "lookup_jid", Doc: "Return what minions returned for a job.", Example: "20260131120000000123", Do: module.Call(f.jobsLookup)},
		{Name: "master", Doc: "Return the orchestrations and other functions of masters that are under way and change something.", Do: module.Call(f.jobsMaster)},
		{Name: "print_job", Doc: "Return a job with what it returned, under its id.", Example: "20260131120000000123", Do: module.Call(f.jobsPrint)},
	}}
}

// kinds are Salt's names of kinds of targets.
func kindOf(t *proto.Target) string { return strings.ToLower(t.GetSyntax().String()) }

// started writes a time as Salt's job lists do.
func started(id string) string {
	at, err := jid.Time(id)
	if err != nil {
		return ""
	}
	return at.Format("2006, Jan 02 15:04:05.000000")
}

// instance is a job as Salt's lists have it.
func instance(j *proto.JobInfo) *value.Dict {
	args := value.NewList()
	named := &value.Dict{}
	for _, a := range j.GetArgs() {
		v := module.Typed(a.GetText()).Data
		if raw := a.GetJson(); raw != nil {
			var err error
			if v, err = value.FromJSON(raw); err != nil {
				continue
			}
		}
		if a.Name == "" {
			args.Items = append(args.Items, v)
		} else {
			named.Put(a.Name, v)
		}
	}
	if named.Len() > 0 {
		named.Put("__kwarg__", true)
		args.Items = append(args.Items, named)
	}
	return value.NewDict("Function", j.GetFunction(), "Arguments", args, "Target", j.GetTarget().GetExpression(), "Target-type", kindOf(j.GetTarget()),
		"User", j.GetOperator(), "StartTime", started(j.GetJid()))
}

type noArgs struct{}

// Bounds of what lists of jobs hold.
const (
	mostJobs  = 1000
	openJobs  = 500 // of the newest that are looked at for active ones
	oneAnswer = 200
)

// list asks for jobs until there are as many as wanted.
func (f *Functions) list(ctx context.Context, q *proto.JobListRequest, most int) (all []*proto.JobInfo, err error) {
	for len(all) < most {
		q.Limit = uint32(min(most-len(all), oneAnswer))
		reply, err := f.site.Jobs(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, reply.Jobs...)
		if reply.Next == "" || reply.Next == q.Before {
			break
		}
		q.Before = reply.Next
	}
	return all, nil
}

func (f *Functions) jobsActive(ctx context.Context, _ *host.Host, _ noArgs) (*value.Dict, error) {
	jobs, err := f.list(ctx, &proto.JobListRequest{}, openJobs)
	if err != nil {
		return nil, err
	}
	active := &value.Dict{}
	for _, j := range jobs {
		if j.Done {
			continue
		}
		_, results, err := f.site.Job(ctx, j.Jid)
		if err != nil {
			return nil, err
		}
		returned, running := value.NewList(), value.NewList()
		for _, r := range results {
			switch r.Status {
			case "running", "queued", "sent":
				running.Items = append(running.Items, value.NewDict(r.Minion, nil))
			case "ok", "failed":
				returned.Items = append(returned.Items, r.Minion)
			}
		}
		if len(running.Items) == 0 {
			continue
		}
		d := instance(j)
		d.Put("Running", running)
		d.Put("Returned", returned)
		active.Put(j.Jid, d)
	}
	return active, nil
}

func (f *Functions) jobsMaster(ctx context.Context, _ *host.Host, _ noArgs) (*value.List, error) {
	all := value.NewList()
	for _, function := range []string{Runner + ".*", Wheel + ".*"} {
		calls, err := f.list(ctx, &proto.JobListRequest{Function: function}, openJobs)
		if err != nil {
			return nil, err
		}
		for _, j := range calls {
			if d := instance(j); !j.Done {
				args, _ := d.Get("Arguments")
				all.Items = append(all.Items, value.NewDict("fun", j.Function, "arg", args, "jid", j.Jid, "user", j.Operator, "master", j.Master))
			}
		}
	}
	return all, nil
}

type listArgs struct {
	Function any    `arg:"search_function" doc:"only jobs of functions that match one of these globs: a list, or a text with commas between"`
	Target   any    `arg:"search_target" doc:"only jobs whose target, as it was typed, matches one of these globs"`
	Metadata any    `arg:"search_metadata" doc:"refused: jobs have no metadata"`
	Start    string `arg:"start_time" doc:"only jobs from then on: 2d, 2026-11-30, or a jid"`
	End      string `arg:"end_time" doc:"only jobs until then"`
	Output   string `arg:"outputter" doc:"taken for Salt's sake"`
	Source   any    `arg:"ext_source" doc:"taken for Salt's sake: the masters keep all jobs"`
	Progress bool   `arg:"display_progress" doc:"taken for Salt's sake"`
}

// CheckArgs implements module.Checker.
func (a *listArgs) CheckArgs() error {
	if a.Metadata != nil {
		return fmt.Errorf("search_metadata: jobs have no metadata")
	}
	return nil
}

func globs(v any) []string {
	switch v := v.(type) {
	case nil:
		return []string{""}
	case *value.List:
		var all []string
		for _, item := range v.Items {
			all = append(all, fmt.Sprint(item))
		}
		return all
	}
	var all []string
	for _, part := range strings.Split(fmt.Sprint(v), ",") {
		all = append(all, strings.TrimSpace(part))
	}
	return all
}

func (f *Functions) jobsListJobs(ctx context.Context, _ *host.Host, a listArgs) (*value.Dict, error) {
	q := proto.JobListRequest{}
	if a.Start != "" {
		at, err := moment.Past(a.Start, time.Now())
		if err != nil {
			return nil, fmt.Errorf("start_time: %w", err)
		}
		q.Since = at.UnixMicro()
	}
	if a.End != "" {
		at, err := moment.Past(a.End, time.Now())
		if err != nil {
			return nil, fmt.Errorf("end_time: %w", err)
		}
		q.Before = jid.FromTime(at)
	}
	var all []*proto.JobInfo
	for _, function := range globs(a.Function) {
		for _, target := range globs(a.Target) {
			found, err := f.list(ctx, &proto.JobListRequest{Since: q.Since, Before: q.Before, Function: function, Target: target}, mostJobs)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return byID(all), nil
}

// byID are jobs as Salt lists them, the oldest first.
func byID(all []*proto.JobInfo) *value.Dict {
	slices.SortFunc(all, func(a, b *proto.JobInfo) int { return strings.Compare(a.Jid, b.Jid) })
	d := &value.Dict{}
	for _, j := range all {
		d.Put(j.Jid, instance(j))
	}
	return d
}

type countArgs struct {
	Count  int64 `arg:"count,required" doc:"how many"`
	Filter bool  `arg:"filter_find_job" default:"true" doc:"taken for Salt's sake: there are no jobs that look for jobs"`
}

func (f *Functions) jobsListFilter(ctx context.Context, _ *host.Host, a countArgs) (*value.Dict, error) {
	all, err := f.list(ctx, &proto.JobListRequest{}, int(min(max(a.Count, 0), mostJobs)))
	return byID(all), err
}

type jidArgs struct {
	JID    string `arg:"jid,required" doc:"the job"`
	Source any    `arg:"ext_source" doc:"taken for Salt's sake: the masters keep all jobs"`
}

// job is a job with what it returned.
func (f *Functions) job(ctx context.Context, id string) (*value.Dict, []Result, error) {
	info, results, err := f.site.Job(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	d := instance(info)
	minions, returned := value.NewList(), &value.Dict{}
	for _, r := range results {
		minions.Items = append(minions.Items, r.Minion)
		if r.Returned() {
			one := value.NewDict("return", r.Value, "retcode", int64(r.Retcode), "success", r.Status == "ok")
			if appliesStates(info.Function) {
				one.Put("out", "highstate")
			}
			returned.Put(r.Minion, one)
		}
	}
	d.Put("Minions", minions)
	d.Put("Result", returned)
	return d, results, nil
}

// appliesStates tells whether what a function returns are results of states.
func appliesStates(function string) bool {
	switch function {
	case "state.apply", "state.highstate", "state.sls", "state.single", "state.sls_id", "state.top", "state.template", "state.template_str", "state.test":
		return true
	}
	return false
}

func (f *Functions) jobsListJob(ctx context.Context, _ *host.Host, a jidArgs) (*value.Dict, error) {
	d, _, err := f.job(ctx, a.JID)
	if err != nil {
		return nil, err
	}
	d.Put("jid", a.JID)
	return d, nil
}

func (f *Functions) jobsPrint(ctx context.Context, _ *host.Host, a jidArgs) (*value.Dict, error) {
	d, _, err := f.job(ctx, a.JID)
	return value.NewDict(a.JID, d), err
}

type lookupArgs struct {
	jidArgs
	Returned bool `arg:"returned" default:"true" doc:"tell of minions that returned"`
	Missing  bool `arg:"missing" doc:"tell of those that did not"`
	Progress bool `arg:"display_progress" doc:"taken for Salt's sake"`
}

func (f *Functions) jobsLookup(ctx context.Context, _ *host.Host, a lookupArgs) (*value.Dict, error) {
	info, results, err := f.site.Job(ctx, a.JID)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for _, r := range results {
		switch {
		case r.Returned() && a.Returned:
			all.Put(r.Minion, r.Value)
		case !r.Returned() && a.Missing:
			all.Put(r.Minion, "Minion did not return")
		}
	}
	if appliesStates(info.Function) {
		return value.NewDict("outputter", "highstate", "data", all), nil
	}
	return all, nil
}

func (f *Functions) jobsExitSuccess(ctx context.Context, _ *host.Host, a jidArgs) (*value.Dict, error) {
	_, results, err := f.site.Job(ctx, a.JID)
	all := &value.Dict{}
	for _, r := range results {
		all.Put(r.Minion, r.Returned() && value.Truth(r.Value))
	}
	return all, err
}

type lastArgs struct {
	Function string `arg:"function" doc:"only of functions that match this glob"`
	Target   string `arg:"target" doc:"only jobs whose target, as it was typed, matches this glob"`
	Metadata any    `arg:"metadata" doc:"taken for Salt's sake"`
}

func (f *Functions) jobsLastRun(ctx context.Context, h *host.Host, a lastArgs) (any, error) {
	all, err := f.list(ctx, &proto.JobListRequest{Function: a.Function, Target: a.Target}, 1)
	if err != nil || len(all) == 0 {
		return false, err
	}
	return f.jobsPrint(ctx, h, jidArgs{JID: all[0].Jid})
}
