package master

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	quotaBurst = 60 * time.Second // of events a quiet minion may send at once
	quotaTold  = 10 * time.Minute // after the last event was dropped status is silent
	maxQuotas  = 10_000           // before those that nothing tells of are forgotten
)

// quotas bound what each minion may have kept of its events, or of what it tells of itself: one whose beacon runs wild
// must not fill the disk of every master.
type quotas struct {
	what  string  // a master does beyond it, for operators
	rate  float64 // events a second
	bytes float64 // a second

	mu sync.Mutex // guards the field below
	of map[string]*quota
}

type quota struct {
	events, bytes float64 // left
	at            time.Time
	dropped       uint64 // since this master began
	lately        time.Time
}

// take tells whether one more event of a minion may be kept, and how many were dropped.
func (q *quotas) take(id string, size int, now time.Time) (ok bool, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.of[id]
	if u == nil {
		u = q.begin(id, now)
	}
	q.fill(u, now)
	if u.events < 1 || u.bytes < float64(size) {
		u.dropped++
		u.lately = now
		return false, u.dropped
	}
	u.events--
	u.bytes -= float64(size)
	return true, u.dropped
}

func (q *quotas) begin(id string, now time.Time) *quota {
	if q.of == nil {
		q.of = map[string]*quota{}
	}
	if len(q.of) >= maxQuotas {
		for id, u := range q.of {
			if u.dropped == 0 && now.Sub(u.at) > quotaBurst {
				delete(q.of, id)
			}
		}
	}
	u := &quota{events: q.rate * quotaBurst.Seconds(), bytes: q.bytes * quotaBurst.Seconds(), at: now}
	q.of[id] = u
	return u
}

func (q *quotas) fill(u *quota, now time.Time) {
	passed := max(0, now.Sub(u.at).Seconds())
	u.events = min(u.events+passed*q.rate, q.rate*quotaBurst.Seconds())
	u.bytes = min(u.bytes+passed*q.bytes, q.bytes*quotaBurst.Seconds())
	u.at = now
}

// dropped is how many events were dropped of each minion that lost any.
func (q *quotas) dropped() map[string]uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := map[string]uint64{}
	for id, u := range q.of {
		if u.dropped > 0 {
			all[id] = u.dropped
		}
	}
	return all
}

// warning names the minions that lately lost events; "" when none did.
func (q *quotas) warning(now time.Time) string {
	const most = 5
	q.mu.Lock()
	defer q.mu.Unlock()
	var names []string
	for id, u := range q.of {
		if u.dropped > 0 && now.Sub(u.lately) < quotaTold {
			names = append(names, fmt.Sprintf("%s (%d)", id, u.dropped))
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and of %d more", len(names)-most)
	}
	return "it " + q.what + " over the quota of minions: of " + text
}
