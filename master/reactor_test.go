package master

import (
	"testing"
	"time"

	"brine/master/reactor"
)

func TestOtherRulesAreToldOnceBothHaveReadTheirs(t *testing.T) {
	now := time.Now()
	long := now.Add(-time.Minute)
	for name, c := range map[string]struct {
		own     reactor.State
		other   []uint32
		started time.Time
		want    bool
	}{
		"the same":                {reactor.State{Hashes: []uint32{1, 2}, Changed: long}, []uint32{1, 2}, long, false},
		"others":                  {reactor.State{Hashes: []uint32{1, 2}, Changed: long}, []uint32{1}, long, true},
		"not read yet":            {reactor.State{}, []uint32{1}, long, false},
		"read just now":           {reactor.State{Hashes: []uint32{1, 2}, Changed: now}, []uint32{1}, long, false},
		"it was started just now": {reactor.State{Hashes: []uint32{1, 2}, Changed: long}, nil, now, false},
	} {
		if got := differ(c.own, reactor.Master{Rules: c.other}, c.started.UnixMicro(), now); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
