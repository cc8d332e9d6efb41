package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"brine/states/output"
)

// printed is how many equal results the printer is measured with.
const printed = 5000

// printer measures how long the results of a fleet take from what minions returned to what an operator sees:
// 20 states each, without a change, that differ only in their times.
func (b *bench) printer(context.Context) error {
	results := make([]output.Result, printed)
	for i := range results {
		results[i] = output.Result{Minion: fmt.Sprintf("web%d", i), Value: stateResults(20, i)}
	}
	var times []time.Duration
	lines := 0
	for range b.runs {
		began := time.Now()
		var out strings.Builder
		m, err := output.NewMany(&out, "highstate", output.Options{Color: true, Width: 80}, output.ManyOptions{})
		if err != nil {
			return err
		}
		for _, r := range results {
			if err := m.Add(r); err != nil {
				return err
			}
		}
		if err := m.Close(); err != nil {
			return err
		}
		times = append(times, time.Since(began))
		lines = strings.Count(out.String(), "\n")
	}
	took := median(times)
	b.say("5,000 equal state runs of 20 states printed", ms(took), "1000 ms", took < time.Second)
	b.say("the same, lines on the screen", fmt.Sprint(lines), "24", lines <= 24)
	return nil
}

// stateResults is what a minion returns of states that changed nothing.
func stateResults(states, minion int) []byte {
	var all strings.Builder
	for i := range states {
		name := fmt.Sprintf("/etc/app/part%d.conf", i)
		fmt.Fprintf(&all, `,"file_|-%s_|-%s_|-managed":{"name":"%s","changes":{},"result":true,`+
			`"comment":"The file %s is in the correct state","__sls__":"app.config","__run_num__":%d,`+
			`"start_time":"12:00:%02d.%06d","duration":%d.5,"__id__":"%s"}`, name, name, name, name, i, i%60, minion, minion%9, name)
	}
	return []byte("{" + all.String()[1:] + "}")
}
