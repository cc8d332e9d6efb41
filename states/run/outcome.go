package run

import (
	"math"
	"strings"
	"time"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// An outcome is how a state ended, or why it did not run.
type outcome struct {
	result   *bool // nil in test mode: something would change, or may
	changes  *value.Dict
	comment  string
	warnings []string
	number   int
	started  time.Time
	took     time.Duration

	notRun  bool // its requisites kept it from running, or a check that could not be asked
	held    bool // onlyif, unless or creates kept it from running
	unknown bool // it could not tell what it would do
	certain bool // it failed, and would whatever changes before it
	depends bool // in test mode: what it would do depends on another's changes
	dict    *value.Dict
}

func (o *outcome) failed() bool { return o.result != nil && !*o.result }

// is says whether the state ended with this result.
func (o *outcome) is(result bool) bool { return o.result != nil && *o.result == result }

func (o *outcome) skip(result bool, comment string) {
	o.result, o.comment, o.notRun = &result, comment, true
}

// take adds what the state itself said.
func (o *outcome) take(res module.Result) {
	o.result, o.changes, o.comment, o.unknown, o.certain = res.Result, res.Changes, res.Comment, res.Unknown, res.Certain
	o.warnings = append(o.warnings, res.Warnings...)
}

// report is the outcome as Salt's results have it.
func (o *outcome) report(n *plan.Node) *value.Dict {
	var result any
	if o.result != nil {
		result = *o.result
	}
	d := value.NewDict(
		"name", n.Name,
		"changes", o.changes,
		"result", result,
		"comment", o.comment,
		"__sls__", n.SLS,
		"__run_num__", int64(o.number),
		"start_time", o.started.Format("15:04:05.000000"),
		"duration", math.Round(float64(o.took)/float64(time.Microsecond))/1000,
		"__id__", n.ID,
	)
	if o.failed() && n.Place.File != "" {
		d.Put("__place__", n.Place.String()) // file:line, where whoever mends it looks first
	}
	if o.notRun {
		d.Put("__state_ran__", false)
	}
	if o.held {
		d.Put("skip_watch", true)
	}
	if len(o.warnings) > 0 {
		list := &value.List{}
		for _, w := range o.warnings {
			list.Items = append(list.Items, w)
		}
		d.Put("warnings", list)
	}
	return d
}

// names lists states as Salt's comments do, no more than mostNamed.
func names(nodes []*plan.Node) string {
	var b strings.Builder
	for i, n := range nodes {
		if i == mostNamed {
			b.WriteString(" and more")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n.SLS + "." + n.ID)
	}
	return b.String()
}
