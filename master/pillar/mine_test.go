package pillar_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"brine/master/pillar"
	"brine/states/host"
)

// told is a mine that counts how often it was asked.
type told struct {
	host.Mine
	minion string
	times  *int
}

func (m told) Get(_ context.Context, q host.MineQuery) ([]host.MineItem, error) {
	*m.times++
	return []host.MineItem{{Function: q.Functions[0], Minion: "web1", Value: fmt.Sprint(m.minion, " asked ", *m.times)}}, nil
}

// TestTheMineIsAskedAnew has pillar follow the mine, and be kept when it asks for nothing of it.
func TestTheMineIsAskedAnew(t *testing.T) {
	s := newSite(t, map[string]string{
		"top.sls":   "base:\n  db1: [mine]\n  web1: [plain]\n",
		"mine.sls":  "of: {{ salt['mine.get']('*', 'x').web1 }}\n",
		"plain.sls": "of: nobody\n",
	})
	times := 0
	s.make = pillar.New(pillar.Options{
		Trees: pillar.NewDirs(map[string][]string{"base": {s.dir}}),
		Mine:  func(minion string) host.Mine { return told{nil, minion, &times} },
	})
	for i, want := range []string{`{"of":"db1 asked 1"}`, `{"of":"db1 asked 2"}`} {
		if got := text(t, s.of("db1", `{}`)); got != want {
			t.Errorf("%d: got %s, want %s", i, got, want)
		}
	}
	since := time.Now()
	first, err := s.make.Of(t.Context(), "web1", "", []byte(`{}`), since)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.make.Of(t.Context(), "web1", "", []byte(`{}`), since); err != nil || again != first {
		t.Errorf("pillar without the mine is made anew: %v", err)
	}
}
