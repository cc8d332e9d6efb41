package cmd

import (
	"errors"
	"fmt"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// stateful says whether a command reports its changes itself, and which command foretells them in test mode.
type stateful struct {
	on       bool
	testName string
}

func (s *stateful) ArgType() string { return "boolean" }

// ParseArg takes true or false, or a list with a test_name.
func (s *stateful) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		pairs, isMap := item.Pairs()
		if !isMap {
			b, err := item.Bool()
			if err != nil {
				return err
			}
			s.on = b
			continue
		}
		for _, p := range pairs {
			name, err := p[1].Str()
			if p[0].Data != "test_name" || err != nil || strings.TrimSpace(name) == "" {
				return item.Want("true, false or a test_name")
			}
			s.on, s.testName = true, name
		}
	}
	return nil
}

// reported reads what a stateful command says of itself: nothing for no change, or a JSON object,
// or NAME=VALUE words in the last line.
func (o outcome) reported() (module.Done, error) {
	done := module.Done{Changes: &value.Dict{}, Comment: o.stderr}
	if o.stdout == "" {
		return done, nil
	}
	report, before, err := readReport(o.stdout)
	if err != nil {
		return module.Done{Changes: o.dict()}, err
	}
	changed, err := truth(report)
	if err != nil {
		return module.Done{Changes: o.dict()}, err
	}
	comment, _ := report.Get("comment")
	done.Comment, _ = module.Data(comment).Str()
	report.Delete("comment")
	if !changed {
		return done, nil
	}
	for k, v := range o.dict().All() {
		if _, given := report.Get(k); !given {
			report.Put(k.(string), v)
		}
	}
	report.Put("stdout", before)
	done.Changes = report
	return done, nil
}

// readReport returns the report and the output before it.
func readReport(out string) (report *value.Dict, before string, err error) {
	if v, err := value.FromJSON([]byte(out)); err == nil {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, "", errors.New("cannot read the report of the command: its JSON is no object")
		}
		return d, "", nil
	}
	last := out
	if i := strings.LastIndexByte(out, '\n'); i >= 0 {
		before, last = out[:i], out[i+1:]
	}
	words, err := split(last)
	if err != nil {
		return nil, "", errNoReport
	}
	report = &value.Dict{}
	for _, word := range words {
		key, val, ok := strings.Cut(word, "=")
		if !ok {
			return nil, "", errNoReport
		}
		report.Put(key, val)
	}
	return report, before, nil
}

var errNoReport = errors.New(
	"cannot read the report of the command: its output must be JSON or end with a line of name=value pairs")

func truth(report *value.Dict) (bool, error) {
	v, ok := report.Get("changed")
	if !ok {
		return false, nil
	}
	if s, ok := v.(string); ok && (s == "1" || s == "0") {
		return s == "1", nil
	}
	b, err := module.Data(v).Bool()
	if err != nil {
		return false, fmt.Errorf("cannot read the report of the command: changed: %w", err)
	}
	return b, nil
}
