package master

import (
	"fmt"
	"testing"
	"time"
)

// TestAFloodOfRefusalsLeavesFewRecords, and they stand for all of them.
func TestAFloodOfRefusalsLeavesFewRecords(t *testing.T) {
	r, now := &refusals{}, time.Unix(1e9, 0)
	kept, stoodFor := 0, 0
	ask := func(who string, times int) {
		for range times {
			if n, ok := r.take(who, now); ok {
				kept, stoodFor = kept+1, stoodFor+int(n)
			}
		}
	}
	ask("alice", 1000)
	if kept != refusalsAtOnce || stoodFor != refusalsAtOnce {
		t.Fatalf("kept %d for %d, want %d", kept, stoodFor, refusalsAtOnce)
	}
	ask("bob", 1)
	if kept != refusalsAtOnce+1 {
		t.Error("bob's refusal is left out because of alice's")
	}
	now = now.Add(refusalEach - time.Second)
	if late := r.late(now); len(late) != 0 {
		t.Errorf("told too soon: %v", late)
	}
	now = now.Add(time.Second)
	ask("alice", 5)
	if kept != refusalsAtOnce+2 || stoodFor != refusalsAtOnce+1+1000-refusalsAtOnce+1 {
		t.Errorf("kept %d for %d", kept, stoodFor)
	}
	// Nobody asks any more: what was left out is told all the same, once.
	now = now.Add(refusalEach)
	if late := r.late(now); len(late) != 1 || late["alice"] != 4 {
		t.Errorf("got %v, want 4 of alice", late)
	}
	now = now.Add(refusalsAtOnce * refusalEach)
	if late := r.late(now); len(late) != 0 || len(r.of) != 0 {
		t.Errorf("got %v, and %d operators are remembered", late, len(r.of))
	}
	ask("alice", 1000)
	if kept != 2*refusalsAtOnce+2 {
		t.Errorf("after a rest: kept %d", kept)
	}
}

func TestManyWhoAreRefusedLeaveFewRecords(t *testing.T) {
	r, now := &refusals{}, time.Unix(1e9, 0)
	kept := 0
	for i := range 10 * refusalsTracked {
		if _, ok := r.take(fmt.Sprint(i), now); ok {
			kept++
		}
		if len(r.of) > refusalsTracked {
			t.Fatalf("%d operators are remembered", len(r.of))
		}
	}
	if kept != refusalsOfAll {
		t.Errorf("kept %d, want %d", kept, refusalsOfAll)
	}
	if _, ok := r.take("0", now.Add(refusalEachAll)); !ok {
		t.Error("nothing is kept after a while")
	}
}
