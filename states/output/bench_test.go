package output_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/output"
)

// highstateOf is what a minion returns of so many states without a change; the times differ.
func highstateOf(states, minion int) []byte {
	var b strings.Builder
	for i := range states {
		fmt.Fprintf(&b, `,"file_|-/etc/app/%d_|-/etc/app/%d_|-managed":{"name":"/etc/app/%d","changes":{},"result":true,`+
			`"comment":"The file /etc/app/%d is in the correct state","__sls__":"app.config","__run_num__":%d,`+
			`"start_time":"12:00:%02d.%06d","duration":%d.5,"__id__":"/etc/app/%d"}`, i, i, i, i, i, i%60, minion, minion%7, i)
	}
	return []byte("{" + b.String()[1:] + "}")
}

const fleet = 5000

func fleetResults(states int) []output.Result {
	all := make([]output.Result, fleet)
	for i := range all {
		all[i] = output.Result{Minion: fmt.Sprintf("web%d", i), Value: highstateOf(states, i)}
	}
	return all
}

func showFleet(tb testing.TB, all []output.Result) string {
	var b strings.Builder
	m, err := output.NewMany(&b, "highstate", output.Options{Color: true, Width: 100}, output.ManyOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	for _, r := range all {
		if err := m.Add(r); err != nil {
			tb.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestEqualResultsOfAFleetFitAScreen(t *testing.T) {
	got := showFleet(t, fleetResults(2))
	if n := strings.Count(got, "\n"); n > 24 || !strings.Contains(got, "5,000 minions: no change") {
		t.Errorf("got %d lines:\n%.2000s", n, got)
	}
}

func BenchmarkFleet(b *testing.B) {
	for _, states := range []int{1, 20, 100} {
		b.Run(fmt.Sprintf("states=%d", states), func(b *testing.B) {
			all := fleetResults(states)
			size := 0
			for _, r := range all {
				size += len(r.Value)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				showFleet(b, all)
			}
		})
	}
}

func BenchmarkHighstate(b *testing.B) {
	returned := highstateOf(1000, 1)
	out, err := output.For("highstate")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var sink strings.Builder
		if err := out(&sink, "web1", returned, output.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
