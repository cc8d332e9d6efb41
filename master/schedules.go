package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/master/runner"
	"brine/master/schedule"
	"brine/proto"
	"brine/proto/config"
	"brine/proto/jid"
	"brine/proto/target"
)

const runsAsked = 20 // of a scheduled job: what may be under way

// readSchedule reads the jobs of the configuration.
func (c *Config) readSchedule(path, dropins string) (jobs []*schedule.Job, warnings []string, err error) {
	where := func(name string) string { return config.Where(path, dropins, "schedule", name) }
	jobs, warnings, err = schedule.Read(c.Schedule, time.Local, where)
	errs, functions := []error{err}, runner.New(nil)
	for _, j := range jobs {
		if err := checkScheduled(schedule.Due{Job: j}, functions); err != nil {
			errs = append(errs, fmt.Errorf("%s: cannot schedule %q: %w", where(j.Name), j.Name, err))
		}
	}
	return jobs, warnings, errors.Join(errs...)
}

func (c *Config) scheduleProblems(path, dropins string) []error {
	_, _, err := c.readSchedule(path, dropins)
	if err == nil {
		return nil
	}
	return []error{err}
}

// startSchedule has jobs made at the times that the configuration says.
func (m *Master) startSchedule(ctx context.Context) (func(), error) {
	jobs, warnings, err := m.o.Config.readSchedule(m.layout.Config(), m.layout.ConfigDir())
	if err != nil {
		return nil, err
	}
	log := m.log.Named("schedule")
	for _, w := range warnings {
		log.Warn("option of the schedule has no effect", "what", w)
	}
	names := []uint32{}
	for _, j := range jobs {
		names = append(names, schedule.Hash(j.Name))
	}
	m.scheduleLock.Lock()
	m.scheduleNames = names
	m.scheduleLock.Unlock()
	m.schedule = schedule.New(schedule.Options{
		Master: m.id.Name, Jobs: jobs, Log: log, Now: m.o.Now, Masters: m.schedulers, Begin: m.beginScheduled, Runs: m.scheduledRuns,
	})
	var running sync.WaitGroup
	running.Go(func() { m.schedule.Run(ctx) })
	return func() { running.Wait(); m.scheduled.Wait() }, nil
}

// scheduledNames tells other masters which jobs this one has.
func (m *Master) scheduledNames() []uint32 {
	m.scheduleLock.Lock()
	defer m.scheduleLock.Unlock()
	return m.scheduleNames
}

// schedulers are the live masters that have a job.
func (m *Master) schedulers(name string) (all []string) {
	hash := schedule.Hash(name)
	for _, master := range m.peers.Live() {
		if b := m.peers.Beat(master); slices.Contains(b.GetSchedule(), hash) && !b.GetDraining() {
			all = append(all, master)
		}
	}
	return all
}

// scheduledBy is how operators are told of who has a job made.
func scheduledBy(name string) string { return "schedule " + name }

// derivedOf is the job of a due time.
func derivedOf(d schedule.Due) (job.Derived, error) {
	kind := strings.ToLower(d.TargetType)
	if kind == "" {
		kind = "glob"
	}
	syntax, ok := proto.Target_Syntax_value[strings.ToUpper(kind)]
	if !ok || !slices.Contains(target.Kinds(), kind) {
		return job.Derived{}, fmt.Errorf("tgt_type = %q: want one of %s", d.TargetType, strings.Join(target.Kinds(), ", "))
	}
	args, err := scheduledArgs(d)
	return job.Derived{
		Cause: scheduledBy(d.Name), Key: d.At.UTC().Format(time.RFC3339), At: d.At, Actor: scheduledBy(d.Name), Function: d.Function, Args: args,
		Target: &proto.Target{Syntax: proto.Target_Syntax(syntax), Expression: d.Target},
	}, err
}

// argumentsOfDue are the arguments of a job, as they were configured.
func argumentsOfDue(d schedule.Due) (list []any, named map[string]any, err error) {
	var errs []error
	var ok bool
	if list, ok = d.Args.([]any); !ok && d.Args != nil {
		errs = append(errs, fmt.Errorf("args = %v: want a list", d.Args))
	}
	if named, ok = d.Kwargs.(map[string]any); !ok && d.Kwargs != nil {
		errs = append(errs, fmt.Errorf("kwargs = %v: want a table", d.Kwargs))
	}
	return list, named, errors.Join(errs...)
}

// scheduledArgs are the arguments of a job on minions.
func scheduledArgs(d schedule.Due) (args []*proto.Argument, err error) {
	list, named, err := argumentsOfDue(d)
	errs := []error{err}
	add := func(name string, v any) {
		text, err := json.Marshal(v)
		errs = append(errs, err)
		args = append(args, &proto.Argument{Name: name, Value: &proto.Argument_Json{Json: text}})
	}
	for _, v := range list {
		add("", v)
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		add(name, named[name])
	}
	return args, errors.Join(errs...)
}

// beginScheduled makes the job of a due time, or finds that it was made.
func (m *Master) beginScheduled(ctx context.Context, d schedule.Due) error {
	if d.Target == "" {
		return m.beginCall(ctx, d)
	}
	j, err := derivedOf(d)
	if err != nil {
		return err
	}
	for _, a := range j.Args {
		if a.Name == "saltenv" {
			_ = json.Unmarshal(a.GetJson(), &j.Environment) // what is no text, the function refuses
		}
	}
	_, err = m.jobs.Derive(ctx, j)
	return err
}

// globbed is a glob that only matches a text.
func globbed(text string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(text)
}

// scheduledRuns are the last jobs that were made of an entry, newest first.
func (m *Master) scheduledRuns(ctx context.Context, name string) (runs []schedule.Run, err error) {
	if i := slices.IndexFunc(m.schedule.Jobs(), func(j *schedule.Job) bool { return j.Name == name }); i >= 0 && m.schedule.Jobs()[i].Target == "" {
		return m.scheduledCalls(ctx, name)
	}
	reply, err := m.jobs.Asked(ctx, &proto.JobListRequest{Operator: globbed(scheduledBy(name)), Limit: runsAsked})
	if err != nil {
		return nil, err
	}
	for _, info := range reply.Jobs {
		at, err := jid.Time(info.Jid)
		if err != nil {
			continue
		}
		runs = append(runs, schedule.Run{At: at.Truncate(time.Second), JID: info.Jid, Running: !info.Done})
	}
	return runs, nil
}

// scheduleList tells of the schedule.
func (m *Master) scheduleList(ctx context.Context, _ *call) (pb.Message, error) {
	reply := &proto.ScheduleListReply{}
	for _, j := range m.schedule.Jobs() {
		info := &proto.ScheduledJob{
			Name: j.Name, Function: j.Function, Timing: j.Timing(), Enabled: j.Enabled, Driver: m.schedule.Driver(j.Name),
		}
		if j.Target != "" {
			d, err := derivedOf(schedule.Due{Job: j})
			if err != nil {
				return nil, err
			}
			info.Target = d.Target
		}
		if next := m.schedule.Next(j); !next.IsZero() {
			info.Next = next.UnixMicro()
		}
		runs, err := m.scheduledRuns(ctx, j.Name)
		if err != nil {
			return nil, err
		}
		if len(runs) > 0 {
			info.Last, info.LastJid = runs[0].At.UnixMicro(), runs[0].JID
		}
		reply.Jobs = append(reply.Jobs, info)
	}
	return reply, nil
}
