// Package schedule has masters make jobs at certain times: once for the site, whichever masters live.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto/elect"
	"brine/proto/schedule"
)

// A Job is one of the configuration.
type Job struct {
	*schedule.Job
	Target, TargetType string // of a function of minions; "" for one of masters
}

// A Due is a time at which a job runs.
type Due struct {
	*Job
	At time.Time
}

// A Run is one that was made.
type Run struct {
	At      time.Time
	JID     string
	Running bool
}

// Options are what a Schedule needs. Where, Now, Zone and Log may be left out.
type Options struct {
	Master string // name of this one
	Jobs   []*Job
	// Masters are those that live and have a job, this one too.
	Masters func(name string) []string
	Begin   func(context.Context, Due) error                      // makes the run, or finds that it was made
	Runs    func(ctx context.Context, name string) ([]Run, error) // the last ones, newest first

	Now  func() time.Time
	Zone *time.Location
	Log  hclog.Logger
}

// A Schedule is that of this master. It is safe for concurrent use.
type Schedule struct {
	o       Options
	entries []*entry // only Run changes them
}

// An entry is a job with the times that were looked at.
type entry struct {
	*Job
	past time.Time   // times up to then are done, or open
	open []time.Time // have come, and are for a master to make

	problem string // that was told, of the last run that was not made; "" when it was
}

const (
	lookEvery = 500 * time.Millisecond // while something is open
	restMost  = 10 * time.Second       // between two looks at the clock
	late      = 5 * time.Minute        // what could not be made for so long is missed
	trusted   = 10 * time.Second       // after which a master that lives has made what is for it to make
	settle    = 5 * time.Second        // until a master that begins has heard of the others
)

// Read reads the jobs of a configuration. The error has every mistake, each with its place.
func Read(config map[string]any, zone *time.Location, where func(name string) string) (jobs []*Job, warnings []string, err error) {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(config)) {
		j, told, err := read(name, config, zone)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where(name), err))
			continue
		}
		for _, w := range told {
			warnings = append(warnings, fmt.Sprintf("%s: schedule %q: %s", where(name), name, w))
		}
		if j != nil {
			jobs = append(jobs, j)
		}
	}
	return jobs, warnings, errors.Join(errs...)
}

// read reads one entry; nil for what is said of all.
func read(name string, config map[string]any, zone *time.Location) (*Job, []string, error) {
	switch name {
	case "enabled", "splay", "skip_during_range":
		return nil, nil, nil
	case "skip_function":
		return nil, []string{"skip_function does nothing at masters"}, nil
	}
	given, ok := config[name].(map[string]any)
	if !ok {
		return nil, nil, fmt.Errorf("cannot schedule %q: want a table with function and a time", name)
	}
	spec, j := lists(given).(map[string]any), &Job{}
	var errs []error
	for key, into := range map[string]*string{"tgt": &j.Target, "tgt_type": &j.TargetType} {
		v := spec[key]
		if *into, ok = v.(string); v != nil && !ok {
			errs = append(errs, fmt.Errorf("cannot schedule %q: %s = %v: want a text", name, key, v))
		}
		delete(spec, key)
	}
	if j.TargetType != "" && j.Target == "" {
		errs = append(errs, fmt.Errorf("cannot schedule %q: tgt_type without tgt", name))
	}
	for _, key := range []string{"splay", "skip_during_range"} {
		if spec[key] == nil && config[key] != nil {
			spec[key] = config[key]
		}
	}
	base, warnings, err := schedule.Read(name, spec, zone, nil)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, nil, err
	}
	if j.Job = base; config["enabled"] == false {
		j.Enabled = false
	}
	if !j.ReturnJob {
		warnings = append(warnings, "return_job does nothing at masters: what minions return is kept")
	}
	return j, warnings, nil
}

// lists makes of TOML's arrays of tables lists like others.
func lists(v any) any {
	switch v := v.(type) {
	case []map[string]any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = lists(v[i])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for k := range v {
			all[k] = lists(v[k])
		}
		return all
	}
	return v
}

// New makes a schedule; Run runs it.
func New(o Options) *Schedule {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	s := &Schedule{o: o}
	for _, j := range o.Jobs {
		s.entries = append(s.entries, &entry{Job: j})
	}
	return s
}

// epoch is what intervals count from, so that they are due at the same times at each master.
var epoch = time.Unix(0, 0)

// next is the first time after another one at which a job begins.
func (j *Job) next(after time.Time) (due, begin time.Time) {
	if due = j.Next(after, epoch); due.IsZero() {
		return due, due
	}
	return due, due.Add(j.Splay("masters", due))
}

// Hash tells a name to other masters.
func Hash(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

// Driver is the master that makes the runs of a job; "" when none lives that has it.
func (s *Schedule) Driver(name string) string {
	return elect.First(s.o.Masters(name), name)
}

const looksAhead = 50_000

// Next is the next time at which a job may run; zero when none can be foreseen.
func (s *Schedule) Next(j *Job) time.Time {
	due := s.o.Now()
	for range looksAhead {
		var begin time.Time
		if due, begin = j.next(due); due.IsZero() {
			break
		}
		if ok, _ := j.May(begin); ok {
			return begin
		}
	}
	return time.Time{}
}

// Jobs are those of the configuration, in order of name.
func (s *Schedule) Jobs() []*Job { return s.o.Jobs }
