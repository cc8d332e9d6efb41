package orchestrate

import (
	"fmt"
	"strings"

	"brine/states/value"
)

// Bounds of a reason: it stands in an event.
const (
	failureText  = 300 // bytes of one text
	failureSteps = 5
)

// Failure says in a line why a call that was no success failed: the steps of an orchestration that did, or else what was returned.
func (a Answer) Failure() string {
	steps := failedSteps(a.Value)
	if len(steps) == 0 {
		return cut(textOf(a.Value))
	}
	if n := len(steps); n > failureSteps {
		steps = append(steps[:failureSteps], fmt.Sprintf("and %d more", n-failureSteps))
	}
	text := strings.Join(steps, "; ")
	if a.JID != "" {
		text += " (brine job show " + a.JID + ")"
	}
	return text
}

// failedSteps are the steps in what an orchestration returned that failed by themselves, and what its files lack.
func failedSteps(v any) (all []string) {
	masters, _ := field(v, "data").(*value.Dict)
	for _, steps := range masters.All() {
		if list, ok := steps.(*value.List); ok { // it did not compile
			for _, text := range list.Items {
				all = append(all, cut(textOf(text)))
			}
		}
		d, _ := steps.(*value.Dict)
		for _, step := range d.All() {
			if field(step, "result") == false && field(step, "__state_ran__") != false {
				all = append(all, textOf(field(step, "__id__"))+": "+cut(textOf(field(step, "comment"))))
			}
		}
	}
	return all
}

func field(v any, key string) any {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	f, _ := d.Get(key)
	return f
}

func cut(s string) string {
	if len(s) > failureText {
		s = strings.ToValidUTF8(s[:failureText], "") + "..."
	}
	return s
}
