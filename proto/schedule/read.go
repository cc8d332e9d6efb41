package schedule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"

	"brine/proto/spell"
)

// A Whens finds the time that a name stands for, as "whens" of pillar or grains give it.
type Whens func(name string) (text string, ok bool)

// Read reads a job of a schedule. What stands in lists and mappings must be []any and map[string]any, but for args, kwargs and
// metadata, which are kept as they are. Times without a zone are those of zone. The error has every mistake; what a job has
// that does nothing here is in warnings.
func Read(name string, spec map[string]any, zone *time.Location, whens Whens) (j *Job, warnings []string, err error) {
	r := &job{Job: &Job{Name: name, Enabled: true, MaxRunning: 1, ReturnJob: true}, spec: spec, zone: zone, whens: whens}
	r.Function = r.function()
	r.Args, r.Kwargs, r.Metadata = spec["args"], spec["kwargs"], spec["metadata"]
	r.Enabled, r.ReturnJob = r.flag("enabled", true), r.returns()
	r.RunOnStart, r.RunMissed, r.runAfterSkip = r.flag("run_on_start", false), r.flag("run_missed", false), r.flag("run_after_skip_range", false)
	if r.DryRun = r.flag("dry_run", false); r.DryRun {
		r.warnings = append(r.warnings, "dry_run is true: it never runs")
	}
	if r.flag("jid_include", true) {
		r.MaxRunning = r.count("maxrunning", 1)
	}
	r.times()
	r.runRange, r.skipRange = r.span("range"), r.span("skip_during_range")
	r.after, r.until = r.moment("after"), r.moment("until")
	r.explicit, r.skips = r.list("run_explicit"), r.list("skip_explicit")
	r.splay()
	r.unknown()
	if len(r.errs) > 0 {
		return nil, nil, fmt.Errorf("cannot schedule %q: %w", name, errors.Join(r.errs...))
	}
	return r.Job, r.warnings, nil
}

// A job is one that is being read.
type job struct {
	*Job
	spec     map[string]any
	zone     *time.Location
	whens    Whens
	errs     []error
	warnings []string
}

func (r *job) fail(format string, args ...any) { r.errs = append(r.errs, fmt.Errorf(format, args...)) }

func (r *job) function() string {
	for _, key := range []string{"function", "func", "fun"} {
		if v, ok := r.spec[key]; ok {
			if name, ok := v.(string); ok && strings.Contains(name, ".") {
				return name
			}
			r.fail("%s = %v: want MODULE.FUNCTION, such as state.apply", key, v)
			return ""
		}
	}
	r.fail("function is missing: what is to run, such as state.apply")
	return ""
}

func (r *job) flag(key string, otherwise bool) bool {
	switch v := r.spec[key].(type) {
	case nil:
		return otherwise
	case bool:
		return v
	default:
		r.fail("%s = %v: want true or false", key, v)
		return otherwise
	}
}

// returns reads return_job, which may also be "nocache" in Salt.
func (r *job) returns() bool {
	if r.spec["return_job"] == "nocache" {
		r.warnings = append(r.warnings, "return_job: nocache: returns are kept as those of all jobs")
		return true
	}
	return r.flag("return_job", true)
}

func (r *job) count(key string, otherwise int) int {
	v, given := r.spec[key]
	if !given || v == nil {
		return otherwise
	}
	n, ok := whole(v)
	if !ok || n < 0 {
		r.fail("%s = %v: want a number from 0 on", key, v)
	}
	return int(n)
}

// whole reads a number of any kind, or one in text.
func whole(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		return int64(v), v == float64(int64(v))
	case string:
		_, err := fmt.Sscanf(v+"\n", "%d\n", &n)
		return n, err == nil
	}
	return 0, false
}

// units are those of an interval, each with its length.
var units = []struct {
	key  string
	unit time.Duration
}{{"seconds", time.Second}, {"minutes", time.Minute}, {"hours", time.Hour}, {"days", 24 * time.Hour}}

const maxInterval = 10 * 365 * 24 * time.Hour

// times reads when the job runs: one of an interval, when, once and cron.
func (r *job) times() {
	var ways []string
	for _, u := range units {
		if n := r.count(u.key, 0); r.spec[u.key] != nil {
			if len(ways) == 0 {
				ways = append(ways, u.key)
			}
			r.Interval += time.Duration(min(int64(n), int64(maxInterval/u.unit))) * u.unit
		}
	}
	if len(ways) > 0 && len(r.errs) == 0 && (r.Interval < time.Second || r.Interval > maxInterval) {
		r.fail("its interval is %v: want a second to ten years", r.Interval)
	}
	for _, way := range []struct {
		key  string
		read func(v any)
	}{{"when", r.when}, {"once", r.once}, {"cron", r.crontab}} {
		if v := r.spec[way.key]; v != nil {
			ways = append(ways, way.key)
			way.read(v)
		}
	}
	switch {
	case len(ways) > 1:
		r.fail("%s do not go together: want one of them", strings.Join(ways, ", "))
	case len(ways) == 0 && r.spec["run_explicit"] == nil && !r.RunOnStart:
		r.fail("it has no time: want seconds, minutes, hours or days, or when, once or cron")
	}
}

func (r *job) when(v any) {
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, v := range all {
		if name, ok := v.(string); ok && r.whens != nil {
			if text, ok := r.whens(name); ok {
				v = text
			}
		}
		if m := r.read("when", v); m != nil {
			r.Job.times = append(r.Job.times, *m)
		}
	}
}

func (r *job) once(v any) {
	if m := r.formatted("once", v, r.spec["once_fmt"]); m != nil {
		r.Job.times = append(r.Job.times, *m)
	}
}

func (r *job) crontab(v any) {
	text, ok := v.(string)
	if !ok {
		r.fail(`cron = %v: want five fields, such as "*/15 8-17 * * 1-5"`, v)
		return
	}
	s, err := cron.ParseStandard(text)
	if err != nil {
		r.fail("cron = %q: %w", text, err)
		return
	}
	r.cron, r.cronText = s, text
}

// read reads a moment; nil for one with a mistake.
func (r *job) read(key string, v any) *Moment {
	switch v := v.(type) {
	case time.Time:
		v = v.In(r.zone)
		day := time.Date(v.Year(), v.Month(), v.Day(), 0, 0, 0, 0, r.zone)
		clock := time.Duration(v.Hour())*time.Hour + time.Duration(v.Minute())*time.Minute + time.Duration(v.Second())*time.Second
		return &Moment{text: v.Format(time.DateTime), date: day, clock: clock, zone: r.zone}
	case string:
		m, err := ReadMoment(v, r.zone)
		if err != nil {
			r.fail("%s: %w", key, err)
			return nil
		}
		return m
	}
	if n, ok := whole(v); ok && n >= 0 && n < 24*60 && r.spec != nil { // YAML 1.1 reads 17:30 as 1050 minutes
		return &Moment{text: fmt.Sprintf("%02d:%02d", n/60, n%60), clock: time.Duration(n) * time.Minute, zone: r.zone}
	}
	r.fail("%s = %v: want a time, such as \"Monday 5:00pm\"", key, v)
	return nil
}

// formatted reads a moment in a format of strptime, if one is given.
func (r *job) formatted(key string, v, format any) *Moment {
	text, isText := v.(string)
	layout, given := format.(string)
	if !isText || !given {
		return r.read(key, v)
	}
	l, ok := Layout(layout)
	if !ok {
		r.fail("%s: the format %q has a directive that is not known: want some of %%Y %%m %%d %%H %%M %%S %%b %%B %%I %%p %%y", key, layout)
		return nil
	}
	at, err := time.ParseInLocation(l, text, r.zone)
	if err != nil {
		r.fail("%s = %q: it is not as the format %q says", key, text, layout)
		return nil
	}
	return r.read(key, at)
}

// Layout is Go's layout for a format of strptime; false for one with a directive that is not known.
func Layout(format string) (string, bool) {
	of := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'b': "Jan", 'B': "January", 'I': "03", 'p': "PM",
		'y': "06", 'j': "002", 'f': "000000", '%': "%"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if i++; i == len(format) || of[format[i]] == "" {
			return "", false
		}
		b.WriteString(of[format[i]])
	}
	return b.String(), true
}

func (r *job) moment(key string) *Moment {
	v := r.spec[key]
	if v == nil {
		return nil
	}
	return r.read(key, v)
}

func (r *job) span(key string) *span {
	v := r.spec[key]
	if v == nil {
		return nil
	}
	parts, ok := v.(map[string]any)
	if !ok || parts["start"] == nil || parts["end"] == nil {
		r.fail("%s = %v: want start and end", key, v)
		return nil
	}
	start, end := r.read(key+".start", parts["start"]), r.read(key+".end", parts["end"])
	if start == nil || end == nil {
		return nil
	}
	s := &span{start: *start, end: *end}
	if v := parts["invert"]; v != nil {
		if s.invert, ok = v.(bool); !ok {
			r.fail("%s.invert = %v: want true or false", key, v)
		}
	}
	if start.fixed() && end.fixed() && !end.On(time.Time{}).After(start.On(time.Time{})) {
		r.fail("%s: its end is not after its start", key)
	}
	return s
}

// list reads times that are runs or not: each {time: ..., time_fmt: ...}, or a time by itself.
func (r *job) list(key string) (all []time.Time) {
	v := r.spec[key]
	if v == nil {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		r.fail("%s = %v: want a list of times", key, v)
	}
	for _, item := range items {
		var format any
		if m, ok := item.(map[string]any); ok {
			item, format = m["time"], m["time_fmt"]
		}
		m := r.formatted(key, item, format)
		switch {
		case m == nil:
		case !m.fixed():
			r.fail("%s: %q is no date with a time", key, m.text)
		default:
			all = append(all, m.On(time.Time{}))
		}
	}
	return all
}

// splay reads how much later a run may begin: seconds, or from start to end.
func (r *job) splay() {
	v := r.spec["splay"]
	from, to, ok := int64(0), int64(0), true
	if parts, is := v.(map[string]any); is {
		var okEnd bool
		from, ok = whole(parts["start"])
		to, okEnd = whole(parts["end"])
		ok = ok && okEnd
	} else if v != nil {
		to, ok = whole(v)
	}
	if !ok || from < 0 || to < from || to > int64(maxInterval/time.Second) {
		r.fail("splay = %v: want seconds, or start and end", v)
		return
	}
	r.splayFrom, r.splayTo = time.Duration(from)*time.Second, time.Duration(to)*time.Second
}

// known are the options of a job.
var known = []string{"function", "func", "fun", "args", "kwargs", "metadata", "enabled", "return_job", "run_on_start", "run_missed", "jid_include",
	"maxrunning", "seconds", "minutes", "hours", "days", "when", "once", "once_fmt", "cron", "range", "skip_during_range", "run_after_skip_range",
	"after", "until", "run_explicit", "skip_explicit", "splay", "name", "persist", "dry_run"}

// idle are those of Salt that do nothing here.
var idle = []string{"returner", "return_config", "return_kwargs"}

func (r *job) unknown() {
	for _, key := range slices.Sorted(maps.Keys(r.spec)) {
		switch {
		case slices.Contains(known, key):
		case key == "skip_function":
			r.warnings = append(r.warnings, "skip_function does nothing in a job: it stands beside the jobs, for all of them")
		case slices.Contains(idle, key):
			r.warnings = append(r.warnings, key+" does nothing here: what a job returns goes to the masters, and from there to [returner]")
		default:
			r.fail("%q is no option of a scheduled job%s", key, spell.DidYouMean(key, known))
		}
	}
}
