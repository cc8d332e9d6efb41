package jid

import (
	"sync"
	"testing"
	"time"
)

func TestIDsAreMomentsInUTC(t *testing.T) {
	moment := time.Date(2026, 1, 31, 13, 0, 0, 123456789, time.FixedZone("CET", 3600))
	id := FromTime(moment)
	if id != "20260131120000123456" || len(id) != Len {
		t.Errorf("got %q", id)
	}
	if got, err := Time(id); err != nil || !got.Equal(moment.Truncate(time.Microsecond)) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTimeRefuses(t *testing.T) {
	for _, id := range []string{"", "2026013112000012345", "202601311200001234567", "20260230120000123456",
		"20261301120000123456", "20260131250000123456", "2026013112000012345x", "-0260131120000123456",
		"20260131120000.12345", "20260131 20000123456", "../../../../../etc/pw", "２"} {
		if got, err := Time(id); err == nil {
			t.Errorf("%q: got %v, want an error", id, got)
		}
	}
}

func TestClockNeverGoesBackNorRepeats(t *testing.T) {
	var c Clock
	now := time.Date(2026, 1, 31, 23, 59, 59, 999998500, time.UTC)
	got := []string{c.Next(now), c.Next(now), c.Next(now.Add(-time.Hour)), c.Next(now.Add(time.Second))}
	want := []string{"20260131235959999998", "20260131235959999999", "20260201000000000000", "20260201000000999998"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: got %s, want %s", i, got[i], want[i])
		}
	}
}

func TestClockServesManyGoroutines(t *testing.T) {
	var c Clock
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[string]bool{}
	now := time.Now()
	for range 8 {
		wg.Go(func() {
			for range 200 {
				id := c.Next(now)
				mu.Lock()
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func FuzzTime(f *testing.F) {
	f.Add("20260131120000123456")
	f.Add("20260230120000123456")
	f.Fuzz(func(t *testing.T, id string) {
		if moment, err := Time(id); err == nil && FromTime(moment) != id {
			t.Errorf("%q has another spelling %q", id, FromTime(moment))
		}
	})
}
