package beacon

import (
	"context"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// A looker looks once. What it returns beside an error counts too.
type looker func(ctx context.Context, h *host.Host) ([]reading, error)

// A reading is one thing that a look found.
type reading struct {
	tag   string // what stands in the event's tag behind the beacon's name
	data  *value.Dict
	count int // how often it was found, of a stream

	// Of what has a state, such as a service; else it is told each time.
	about string  // names it among others of the beacon
	state string  // "" for none
	anew  string  // in the same state as before another text says that it was not in that meanwhile; "" says nothing
	first string  // the state that is taken for granted before the first look; "" for none
	tell  bool    // without onchangeonly it is told in this state
	quiet bool    // with onchangeonly it is noted, not told
	how   *manner // its own; nil is the beacon's
}

func (r reading) same(other reading) bool {
	return r.tag == other.tag && value.Equal(r.data, other.data)
}

// readings are of a stream, in order.
type readings []reading

// keep adds one. What says the same as that before it only counts.
func (all *readings) keep(r reading) {
	if n := len(*all); n > 0 && (*all)[n-1].same(r) {
		(*all)[n-1].count++
		return
	}
	r.count = 1
	*all = append(*all, r)
}

// A manner is when readings are told.
type manner struct {
	onChange bool          // only when the state is another one
	atStart  bool          // with onChange: what the first look finds is told too
	lasts    time.Duration // only when the state has held for so long
}

// seen is the state of something.
type seen struct {
	state string
	since time.Time
	told  string // that was told last
	anew  string // likewise
}

// passes tells whether a reading is told.
func (i *instance) passes(r reading, now time.Time) bool {
	if r.state == "" {
		return true
	}
	m := i.manner
	if r.how != nil {
		m = *r.how
	}
	s := i.seen[r.about]
	if s == nil {
		s = &seen{state: r.state, since: now, told: r.first}
		if !m.atStart {
			s.told, s.anew = r.state, r.anew
		}
		i.seen[r.about] = s
	}
	if s.state != r.state {
		s.state, s.since = r.state, now
	}
	switch {
	case now.Sub(s.since) < m.lasts:
		return false
	case !m.onChange:
		return r.tell
	case s.told == r.state && (r.anew == "" || r.anew == s.anew || m.lasts > 0):
		return false
	}
	s.told, s.anew = r.state, r.anew
	return !r.quiet
}

// A threshold is a limit with hysteresis: what has reached it is over until it is below the clearance.
type threshold struct {
	limit, clear float64
	over         bool
}

// The states of what has a threshold.
const (
	below = "below"
	over  = "over"
)

func (t *threshold) crossed(v float64) bool {
	if t.over {
		t.over = v >= t.clear
	} else {
		t.over = v >= t.limit
	}
	return t.over
}

// reading is what is found of something with a threshold. What tells changes says in "exceeded" to which side.
func (t *threshold) reading(about string, v float64, data *value.Dict) reading {
	r := reading{about: about, state: below, first: below, tell: t.crossed(v), data: data}
	if r.tell {
		r.state = over
	}
	data.Put("exceeded", r.tell)
	return r
}

// threshold reads a limit, and what it clears below: {percent: 90%, clear: 85%}, or 90% alone.
func (s *section) threshold(key string, v any, clear float64) *threshold {
	t := &threshold{}
	if d, ok := v.(*value.Dict); ok {
		sub := s.under(key, d)
		t.limit, t.clear = sub.number("percent", -1), sub.number("clear", clear)
		if !sub.has("percent") {
			sub.wrong("", "want percent in it")
		}
		sub.end()
	} else {
		only := &section{key: s.key, d: value.NewDict(key, v), read: map[string]bool{}, errs: s.errs}
		t.limit, t.clear = only.number(key, -1), clear
		if v == nil {
			s.wrong(key, "want a number of percent")
		}
	}
	if t.clear < 0 {
		t.clear = t.limit
	}
	if t.limit >= 0 && t.clear > t.limit {
		s.wrong(key, "clear = %v: want at most the limit, which is %v", t.clear, t.limit)
	}
	return t
}
