package cron

import (
	"errors"
	"fmt"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// times are the arguments that say when a job runs.
type times struct {
	Minute   when `arg:"minute" default:"*" doc:"0 to 59, lists, ranges and steps; random chooses once"`
	Hour     when `arg:"hour" default:"*" doc:"0 to 23"`
	Daymonth when `arg:"daymonth" default:"*" doc:"day of the month, 1 to 31"`
	Month    when `arg:"month" default:"*" doc:"1 to 12, or jan to dec"`
	Dayweek  when `arg:"dayweek" default:"*" doc:"day of the week, 0 to 7 (0 and 7 are Sunday), or sun to sat"`
}

func (t times) fields() fields {
	return fields{string(t.Minute), string(t.Hour), string(t.Daymonth), string(t.Month), string(t.Dayweek)}
}

func (t times) check() error {
	var errs []error
	for i, f := range fieldsOfJob() {
		errs = append(errs, f.check(t.fields()[i]))
	}
	return errors.Join(errs...)
}

// A mark is what a job is found by: text, or false for none.
type mark struct {
	set bool
	id  string // "" with set: none
}

func (*mark) ArgType() string { return "text or false" }

// ParseArg implements module.ArgParser.
func (m *mark) ParseArg(v module.Value) error {
	if v.Data == false && !v.HasText || v.Data == nil {
		return nil
	}
	if b, ok := v.Data.(bool); ok && !b {
		return nil
	}
	text, err := v.Str()
	if err != nil || strings.ContainsAny(text, "\n") {
		return v.Want("text in one line, or false")
	}
	m.set, m.id = true, text
	return nil
}

// A wanted job is one as it is to be.
type wanted struct {
	kind    kind
	when    fields
	spec    string
	cmd     string
	comment *string
	id      string
	off     bool
}

func (w *wanted) check() error {
	switch {
	case w.cmd == "":
		return errors.New("cannot make a job of an empty command")
	case strings.ContainsAny(w.cmd, "\n\r"):
		return fmt.Errorf("cannot make a job of %q: a crontab has one line for it", w.cmd)
	}
	return nil
}

// status is how a crontab has the job.
type status int

const (
	absent status = iota
	stale
	present
)

func (w *wanted) in(t *tab) (status, *entry) {
	e := t.find(w.kind, w.cmd, w.id)
	switch {
	case e == nil:
		return absent, nil
	case w.same(e):
		return present, e
	}
	return stale, e
}

// same says whether a job is as wanted. A comment that is not said is left as it is.
func (w *wanted) same(e *entry) bool {
	have := ""
	if e.comment != nil {
		have = *e.comment
	}
	if w.comment != nil && *w.comment != have || e.off != w.off || w.id != "" && e.id != w.id || e.cmd != w.cmd {
		return false
	}
	if w.kind == special {
		return e.spec == w.spec
	}
	for i := range w.when {
		if differs(e.when[i], w.when[i]) {
			return false
		}
	}
	return true
}

// put makes the job as it is wanted, in its place when it is there.
func (w *wanted) put(t *tab) status {
	was, e := w.in(t)
	if was == present {
		return was
	}
	if w.id != "" || w.kind == job { // the same job of the other kind is that job before it became this one
		if old := t.find(job+special-w.kind, w.cmd, w.id); was == absent && old != nil && w.id != "" && old.id == w.id {
			t.remove(old)
			was = stale
		}
	}
	if e == nil {
		e = &entry{kind: w.kind}
		t.insert(e)
	}
	e.raw, e.spec, e.cmd, e.off = nil, w.spec, w.cmd, w.off
	if w.id != "" {
		e.id = w.id
	}
	if w.comment != nil {
		e.comment = w.comment
	}
	for i, f := range fieldsOfJob() {
		switch {
		case w.kind == special:
		case w.when[i] != "random":
			e.when[i] = w.when[i]
		case e.when[i] == "" || e.when[i] == "*":
			e.when[i] = f.chosen()
		}
	}
	return was
}

// dict is an entry as Salt shows it.
func (e *entry) dict() *value.Dict {
	var id, comment any
	if e.id != "" {
		id = e.id
	}
	if e.comment != nil {
		comment = *e.comment
	} else if e.id != "" {
		comment = ""
	}
	switch e.kind {
	case env:
		return value.NewDict("name", e.name, "value", e.value)
	case special:
		return value.NewDict("spec", e.spec, "cmd", e.cmd, "identifier", id, "comment", comment, "commented", e.off)
	}
	return value.NewDict("minute", e.when[0], "hour", e.when[1], "daymonth", e.when[2], "month", e.when[3], "dayweek", e.when[4],
		"identifier", id, "cmd", e.cmd, "comment", comment, "commented", e.off)
}
