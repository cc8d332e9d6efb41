package output

import (
	"fmt"
	"strings"

	"brine/states/value"
)

// A stateResult is one entry of Salt's results.
type stateResult struct {
	module, id, name, function string

	result   any // true, false or nil
	changes  *value.Dict
	comment  string
	sls      string
	place    string // file:line, of one that failed
	started  string
	duration float64
	warnings []string
	notRun   int
}

// stateResults reads results; false when v is something else.
func stateResults(d *value.Dict) ([]stateResult, bool) {
	states := make([]stateResult, 0, d.Len())
	for k, v := range d.All() {
		tag, _ := k.(string)
		parts := strings.Split(tag, "_|-")
		fields, ok := v.(*value.Dict)
		if !ok || len(parts) != 4 {
			return nil, false
		}
		if _, ok := fields.Get("result"); !ok {
			return nil, false
		}
		s := stateResult{module: parts[0], id: parts[1], name: parts[2], function: parts[3]}
		s.read(fields)
		states = append(states, s)
	}
	return states, true
}

func (s *stateResult) read(fields *value.Dict) {
	s.result, _ = fields.Get("result")
	s.changes, _ = get[*value.Dict](fields, "changes")
	s.comment, _ = get[string](fields, "comment")
	s.sls, _ = get[string](fields, "__sls__")
	s.place, _ = get[string](fields, "__place__")
	s.started, _ = get[string](fields, "start_time")
	s.duration, _ = get[float64](fields, "duration")
	if list, ok := get[*value.List](fields, "warnings"); ok {
		for _, w := range list.Items {
			s.warnings = append(s.warnings, fmt.Sprint(w))
		}
	}
	if list, ok := get[*value.List](fields, "__not_run__"); ok {
		s.notRun = len(list.Items)
	}
}

func get[T any](d *value.Dict, key string) (T, bool) {
	v, _ := d.Get(key)
	t, ok := v.(T)
	return t, ok
}

func (s *stateResult) failed() bool  { return s.result == false }
func (s *stateResult) pending() bool { return s.result == nil }
func (s *stateResult) changed() bool { return s.changes.Len() > 0 }

// clean tells that there is nothing to say of it: it succeeded without a change.
func (s *stateResult) clean() bool {
	return !s.failed() && !s.pending() && !s.changed() && len(s.warnings) == 0
}

func (s *stateResult) color() string {
	switch {
	case s.failed():
		return lightRed
	case s.pending():
		return lightYellow
	case s.changed():
		return cyan
	}
	return green
}

// A summing is the counts below the states.
type summing struct {
	succeeded, pending, failed, changed, warnings, notRun int
	would, broken                                         int     // of changed: in test mode those that would, and those that failed
	duration                                              float64 // milliseconds
}

func count(states []stateResult) summing {
	var sum summing
	for i := range states {
		s := &states[i]
		switch {
		case s.failed():
			sum.failed++
		case s.pending():
			sum.pending++
			sum.succeeded++
		default:
			sum.succeeded++
		}
		if s.changed() {
			sum.changed++
			switch {
			case s.failed():
				sum.broken++
			case s.pending():
				sum.would++
			}
		}
		if len(s.warnings) > 0 {
			sum.warnings++
		}
		sum.notRun += s.notRun
		sum.duration += s.duration
	}
	return sum
}

// quiet tells that nothing but successes without a change was counted.
func (s *summing) quiet() bool {
	return s.failed+s.pending+s.changed+s.warnings+s.notRun == 0
}

// add counts another's times over; of the durations it takes none.
func (s *summing) add(other summing, times int) {
	s.succeeded += other.succeeded * times
	s.pending += other.pending * times
	s.failed += other.failed * times
	s.changed += other.changed * times
	s.would += other.would * times
	s.broken += other.broken * times
	s.warnings += other.warnings * times
	s.notRun += other.notRun * times
}

// compileErrors reads what is returned of states with mistakes; false when l is something else.
func compileErrors(l *value.List) ([]string, bool) {
	var errs []string
	for _, item := range l.Items {
		text, ok := item.(string)
		if !ok {
			return nil, false
		}
		errs = append(errs, text)
	}
	return errs, len(errs) > 0
}
