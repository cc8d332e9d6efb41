package master

import (
	"strings"
	"testing"
	"time"
)

func TestQuotaOfEvents(t *testing.T) {
	q := &quotas{what: "drops events", rate: 2, bytes: 1000}
	now := time.Now()
	send := func(id string, n, size int) (kept int) {
		for range n {
			if ok, _ := q.take(id, size, now); ok {
				kept++
			}
		}
		return kept
	}
	for _, step := range []struct {
		name          string
		id            string
		after         time.Duration
		n, size, want int
	}{
		{"a burst", "web1", 0, 200, 10, 120},
		{"another minion", "web2", 0, 100, 10, 100},
		{"a second later", "web1", time.Second, 10, 10, 2},
		{"with the clock put back", "web1", -time.Hour, 10, 10, 0},
		{"a minute later", "web1", time.Hour + time.Minute, 200, 1, 120},
		{"large ones", "web3", 0, 10, 20_000, 3},
		{"a small one after them", "web3", 0, 1, 10, 0},
	} {
		now = now.Add(step.after)
		if got := send(step.id, step.n, step.size); got != step.want {
			t.Errorf("%s: kept %d, want %d", step.name, got, step.want)
		}
	}
	if d := q.dropped(); d["web1"] != 80+8+10+80 || d["web3"] != 8 || len(d) != 2 {
		t.Errorf("dropped %v", d)
	}
	if text := q.warning(now); !strings.Contains(text, "web1 (178), web3 (8)") {
		t.Errorf("got %q", text)
	}
	if text := q.warning(now.Add(quotaTold)); text != "" {
		t.Errorf("later: got %q", text)
	}
}
