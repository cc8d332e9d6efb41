package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// masterSchedule takes the jobs of a master's schedule that are for minions, and names the others.
func masterSchedule(into map[string]any, v any) (note string, ok bool) {
	jobs, isDict := v.(map[string]any)
	if !isDict || len(jobs) == 0 {
		return "it is empty", false
	}
	var runners []string
	taken := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(jobs)) {
		job, isJob := jobs[name].(map[string]any)
		if isJob && job["tgt"] == nil {
			runners = append(runners, fmt.Sprintf("%s (%v)", name, job["function"]))
			continue
		}
		taken[name] = jobs[name]
	}
	if len(runners) > 0 {
		note = "runners can't be scheduled: give these a tgt and a function of minions, or use a timer of systemd that calls brine: " + strings.Join(runners, ", ")
	}
	if len(taken) > 0 {
		put(into, taken, "schedule")
	}
	return note, len(taken) > 0
}
