package grains_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"brine/proto/target"
)

func TestFactsFollowTheGrains(t *testing.T) {
	db, _ := newDB(t)
	facts := func() target.Map {
		t.Helper()
		f, err := db.Facts(t.Context(), "web1")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := facts(); f != nil {
		t.Errorf("before: got %v", f)
	}
	matcher, err := target.Language{}.Parse("grain", "num_cpus:4")
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		data string
		want bool
	}{{`{"num_cpus":4}`, true}, {`{"num_cpus":8}`, false}, {`{"num_cpus":4,"os":["a",{"b":4}]}`, true}} {
		hear(t, db, "web1", message(t, now.Add(time.Duration(i)*time.Second), step.data))
		for range 2 { // looked up, and kept
			if got := matcher.Match(target.Facts{ID: "web1", Grains: facts()}); got != step.want {
				t.Errorf("%s: got %v, want %v", step.data, got, step.want)
			}
		}
	}
}

// BenchmarkTarget asks a compound of a fleet of 10,000 minions of which all is in memory.
func BenchmarkTarget(b *testing.B) {
	facts := map[string]any{}
	for i := range 70 {
		facts[fmt.Sprintf("grain%d", i)] = map[string]any{"value": i, "list": []any{"a", "b"}}
	}
	facts["os"] = "Debian"
	data, err := json.Marshal(facts)
	if err != nil {
		b.Fatal(err)
	}
	var grains map[string]any
	if err := json.Unmarshal(data, &grains); err != nil {
		b.Fatal(err)
	}
	m, err := target.Language{}.Parse("compound", "G@os:Debian and not ( web1* or G@grain3:list:c )")
	if err != nil {
		b.Fatal(err)
	}
	const fleet = 10_000
	for b.Loop() {
		for i := range fleet {
			m.Match(target.Facts{ID: fmt.Sprintf("db%d", i), Grains: target.JSON(grains)})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/fleet")
}
