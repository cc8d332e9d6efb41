package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"brine/master/runner"
)

// masterSchedule takes the jobs of a master's schedule, and names those whose function masters do not have.
func masterSchedule(into map[string]any, v any) (note string, ok bool) {
	jobs, isDict := v.(map[string]any)
	if !isDict || len(jobs) == 0 {
		return "it is empty", false
	}
	var unknown []string
	taken, functions := map[string]any{}, runner.New(nil)
	for _, name := range slices.Sorted(maps.Keys(jobs)) {
		job, isJob := jobs[name].(map[string]any)
		if isJob && job["tgt"] == nil && job["function"] != nil {
			if err := functions.Has(fmt.Sprint(job["function"])); err != nil {
				unknown = append(unknown, fmt.Sprintf("%s (%v)", name, err))
				continue
			}
		}
		taken[name] = jobs[name]
	}
	if len(unknown) > 0 {
		note = "left out, since masters have no such function: " + strings.Join(unknown, "; ")
	}
	if len(taken) > 0 {
		put(into, taken, "schedule")
	}
	return note, len(taken) > 0
}
