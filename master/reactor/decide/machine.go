// Package decide is the reactor's mind: what rules have seen, what they did, and what they do next. It has no clock, no disk and
// no network: events and steps go in, steps and orders come out. Every master has one, which sees all events; the one that drives
// a key of a rule lets it decide, and the others follow by the steps that it writes.
package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"brine/master/reactor/rule"
)

// Options are what a Machine needs. Rules is required.
type Options struct {
	Rules     *rule.Set
	Fleet     func() int                                 // minions of the site; nil: no share of it is looked at
	Ancestors func(cause string) (actors []string)       // who made happen what led to something, the nearest first; nil: nobody knows
	PerMinute int                                        // actions of all rules; 0: any number
	Drives    func(name, key string, now time.Time) bool // whether to decide for a key of a rule; nil: always
}

// A Machine is for one goroutine.
type Machine struct {
	o       Options
	states  map[string]*state // by rule
	runs    map[string]*run   // that are open
	known   recent            // runs that there were
	settled recent            // events that a rule has decided about
	ahead   ahead             // jobs of events that were not seen yet
	minute  []time.Time       // of the last actions of all rules
	paused  map[string]pause  // by rule; "" is all
}

// A state is what is known of one rule.
type state struct {
	keys    map[string]*key
	open    map[*key]bool     // that have something to decide
	matches map[string]*match // these, by the event's id
	done    [2]history        // what it did, and what it would have done
	failed  []time.Time
	count   map[string]int // steps, by name
}

// A key is what is known of one of a rule's keys.
type key struct {
	name    string
	matches []*match  // in order of time and id, so that every machine that knows the same begins with the same
	trouble string    // why an event could not be looked at: it has this key to itself
	closed  time.Time // the newest event that ended what it was about
	done    [2]history
	run     *run // the last one, while it is open
}

// A history is when something was done, in order.
type history struct {
	last time.Time
	acts []act
}

type act struct {
	at          time.Time
	origin, run string
}

// A match is an event that a rule has to decide about.
type match struct {
	id, origin, cause string
	depth             uint32
	at                time.Time
	seq               int64
	key               *key
}

type pause struct {
	at, until time.Time
	on        bool
	step      Step
}

func (p pause) holds(now time.Time) bool { return p.on && (p.until.IsZero() || now.Before(p.until)) }

// New makes a machine that has seen nothing.
func New(o Options) *Machine {
	if o.Drives == nil {
		o.Drives = func(string, string, time.Time) bool { return true }
	}
	return &Machine{o: o, states: map[string]*state{}, runs: map[string]*run{}, paused: map[string]pause{}}
}

// SetRules goes on by other rules. What is known of those whose name stays is kept.
func (m *Machine) SetRules(set *rule.Set) {
	m.o.Rules = set
	maps.DeleteFunc(m.states, func(name string, _ *state) bool { return set.Rule(name) == nil })
}

func (m *Machine) state(name string) *state {
	s := m.states[name]
	if s == nil {
		s = &state{keys: map[string]*key{}, open: map[*key]bool{}, matches: map[string]*match{}, count: map[string]int{}}
		m.states[name] = s
	}
	return s
}

func (s *state) key(name string) *key {
	k := s.keys[name]
	if k == nil {
		k = &key{name: name}
		s.keys[name] = k
	}
	return k
}

// See takes in an event that stands at a place of the log. It returns what could not be worked out.
func (m *Machine) See(e *rule.Event, seq int64) (problems []error) {
	for _, h := range m.o.Rules.Hits(e) {
		if h.Problem != nil {
			problems = append(problems, fmt.Errorf("cannot work out rule %q for event %s: %w", h.Rule.Name, e.ID, h.Problem))
			m.trouble(h, e, seq)
			continue
		}
		s := m.state(h.Rule.Name)
		k, at := s.key(h.Key), time.UnixMicro(e.At)
		if !h.Opens {
			m.end(s, k, h.Rule, at)
			continue
		}
		if s.matches[e.ID] != nil || m.settled.has(h.Rule.Name, e.ID) || h.Rule.For > 0 && (len(k.matches) > 0 || !at.After(k.closed)) {
			continue
		}
		n := &match{id: e.ID, origin: e.Origin, cause: e.Cause, depth: e.Depth, at: at, seq: seq, key: k}
		i, _ := k.find(n)
		k.matches = slices.Insert(k.matches, i, n)
		s.matches[e.ID], s.open[k] = n, true
		if made, ok := m.ahead.take(h.Rule.Name, e.ID); ok {
			m.FoldJob(h.Rule.Name, e.ID, made)
		}
	}
	return problems
}

// trouble has it told that a rule could not look at an event.
func (m *Machine) trouble(h rule.Hit, e *rule.Event, seq int64) {
	s := m.state(h.Rule.Name)
	if s.matches[e.ID] != nil || m.settled.has(h.Rule.Name, e.ID) {
		return
	}
	n := &match{id: e.ID, origin: e.Origin, cause: e.Cause, depth: e.Depth, at: time.UnixMicro(e.At), seq: seq}
	n.key = &key{name: e.Origin, trouble: h.Problem.Error(), matches: []*match{n}}
	s.matches[e.ID], s.open[n.key] = n, true
}

// find tells where a match stands, or belongs.
func (k *key) find(n *match) (at int, has bool) {
	return slices.BinarySearchFunc(k.matches, n, func(a, b *match) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
}

// end notes that what a key was about has ended.
func (m *Machine) end(s *state, k *key, r *rule.Rule, at time.Time) {
	if at.After(k.closed) {
		k.closed = at
	}
	if r.For > 0 {
		for _, n := range slices.Clone(k.matches) {
			if !n.at.After(at) {
				s.drop(n)
			}
		}
	}
	if k.run != nil && !k.run.began.After(at) {
		k.run.resolved = true
	}
}

// drop forgets a match.
func (s *state) drop(n *match) {
	delete(s.matches, n.id)
	if i, has := n.key.find(n); has {
		n.key.matches = slices.Delete(n.key.matches, i, i+1)
	}
	if len(n.key.matches) == 0 {
		delete(s.open, n.key)
	}
}

// settle notes that a rule has decided about an event.
func (m *Machine) settle(name string, events ...string) {
	s := m.state(name)
	for _, id := range events {
		m.settled.add(name, id)
		if n := s.matches[id]; n != nil {
			s.drop(n)
		}
	}
}

// Oldest is the place in the log of the first event that is not decided about, or of which only a job says so; 0 when there is none.
func (m *Machine) Oldest() (seq int64) {
	for _, x := range m.runs {
		if !x.told && x.seq > 0 && (seq == 0 || x.seq < seq) {
			seq = x.seq
		}
	}
	for _, s := range m.states {
		for k := range s.open {
			for _, n := range k.matches {
				if seq == 0 || n.seq < seq {
					seq = n.seq
				}
			}
		}
	}
	return seq
}

// Waits is how many events are not decided about.
func (m *Machine) Waits() (n int) {
	for _, s := range m.states {
		n += len(s.matches)
	}
	return n
}

// isPaused tells who paused a rule, "" for nobody.
func (m *Machine) isPaused(name string, now time.Time) string {
	for _, who := range []string{name, ""} {
		if m.paused[who].holds(now) {
			if who == "" {
				return "all rules are paused"
			}
			return "the rule is paused"
		}
	}
	return ""
}

// Tidy forgets what is too old to count.
func (m *Machine) Tidy(now time.Time) {
	m.minute = since(m.minute, now.Add(-time.Minute))
	for name, s := range m.states {
		r := m.o.Rules.Rule(name)
		if r == nil {
			continue
		}
		keep := max(r.CoolDown, r.KeyRate.Per, r.RuleRate.Per, r.Breaker.Within)
		s.failed = since(s.failed, now.Add(-r.Breaker.Within))
		for i := range s.done {
			s.done[i].prune(now.Add(-keep))
		}
		for id, k := range s.keys {
			for i := range k.done {
				k.done[i].prune(now.Add(-keep))
			}
			if r.Count > 1 {
				s.age(k, now.Add(-max(r.Within, r.MaxAge)))
			}
			if len(k.matches) == 0 && k.run == nil && len(k.done[0].acts)+len(k.done[1].acts) == 0 && now.Sub(k.closed) > keep {
				delete(s.keys, id)
			}
		}
	}
}

// age forgets matches that no longer count.
func (s *state) age(k *key, from time.Time) {
	for _, n := range slices.Clone(k.matches) {
		if n.at.Before(from) {
			s.drop(n)
		}
	}
}

func since(all []time.Time, from time.Time) []time.Time {
	return slices.DeleteFunc(all, func(t time.Time) bool { return t.Before(from) })
}

func (h *history) prune(from time.Time) {
	h.acts = slices.DeleteFunc(h.acts, func(a act) bool { return a.at.Before(from) })
}

func (h *history) add(at time.Time, origin, run string) {
	if at.After(h.last) {
		h.last = at
	}
	h.acts = append(h.acts, act{at, origin, run})
}

// recent are pairs that were seen lately.
type recent struct {
	at   map[string]bool
	ring []string
	next int
}

// kept is how many of them are remembered.
const kept = 1 << 17

func (r *recent) has(a, b string) bool { return r.at[a+"\x00"+b] }

func (r *recent) add(a, b string) {
	text := a + "\x00" + b
	if r.at[text] {
		return
	}
	if r.at == nil {
		r.at = map[string]bool{}
	}
	r.at[text] = true
	if len(r.ring) < kept {
		r.ring = append(r.ring, text)
		return
	}
	delete(r.at, r.ring[r.next])
	r.ring[r.next], r.next = text, (r.next+1)%kept
}

// A Status tells of one rule.
type Status struct {
	Rule    string
	Steps   map[string]int // since this master began
	Last    time.Time      // that it acted, or would have
	Paused  string
	Open    int      // runs
	Waiting []string // runs that want to be approved
	Pending int      // events that are not decided about
}

// Status tells of all rules, in order of name.
func (m *Machine) Status(now time.Time) []Status {
	var all []Status
	for _, r := range m.o.Rules.Rules {
		s := m.state(r.Name)
		st := Status{Rule: r.Name, Steps: maps.Clone(s.count), Paused: m.isPaused(r.Name, now), Pending: len(s.matches), Last: s.done[0].last}
		if s.done[1].last.After(st.Last) {
			st.Last = s.done[1].last
		}
		for _, x := range m.runs {
			if x.rule == r.Name {
				if st.Open++; x.stage == waiting {
					st.Waiting = append(st.Waiting, x.id)
				}
			}
		}
		slices.Sort(st.Waiting)
		all = append(all, st)
	}
	return all
}

// Run finds the open runs that a text means: one by its id, or those of a rule that wait. The steps of those that wait are Waiting, others have none.
func (m *Machine) Run(text string) (all []Step) {
	for _, x := range m.runs {
		if x.id == text || x.rule == text && x.stage == waiting {
			step := Step{Rule: x.rule, Key: x.key, Run: x.id, Origin: x.origin, Began: x.began.UnixMicro(), Event: x.event, Cause: x.event, Depth: x.depth}
			if x.stage == waiting {
				step.Step = Waiting
			}
			all = append(all, step)
		}
	}
	slices.SortFunc(all, func(a, b Step) int { return strings.Compare(a.Run, b.Run) })
	return all
}

// reached tells whether a rate is used up.
func (h *history) reached(r rule.Rate, now time.Time) bool {
	n := 0
	for _, a := range h.acts {
		if now.Sub(a.at) < r.Per {
			n++
		}
	}
	return r.Times > 0 && n >= r.Times
}

// Paused says why no rule acts; "" when they do.
func (m *Machine) Paused(now time.Time) string {
	if m.paused[""].holds(now) {
		return "all rules are paused"
	}
	return ""
}

// OldPauses are the steps of pauses that hold and were written before a time: they are to be written again, before the log forgets them.
func (m *Machine) OldPauses(before, now time.Time) (steps []Step) {
	for _, p := range m.paused {
		if p.holds(now) && p.at.Before(before) {
			steps = append(steps, p.step)
		}
	}
	return steps
}

// Open is how many runs are not over.
func (m *Machine) Open() int { return len(m.runs) }

// Due is when the first thing happens that waits for a time; zero when something may happen at any.
func (m *Machine) Due() (first time.Time) {
	for name, s := range m.states {
		r := m.o.Rules.Rule(name)
		for k := range s.open {
			if r == nil || k.trouble != "" || r.For == 0 && r.Count <= 1 {
				return time.Time{}
			}
			at := k.matches[0].at.Add(max(r.For, r.Within))
			if first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	for _, x := range m.runs {
		if x.stage == waiting {
			if r := m.o.Rules.Rule(x.rule); r != nil {
				if at := x.since.Add(r.ApproveWithin); first.IsZero() || at.Before(first) {
					first = at
				}
			}
			continue
		}
		if first.IsZero() || x.due.Before(first) {
			first = x.due
		}
	}
	return first
}
