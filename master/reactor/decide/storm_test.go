package decide_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/proto"
)

const stormRules = `
[[rule]]
name = "a"
mode = "enforce"
tag = "down"
cooldown = "1s"
rate = "3/1h"
rule_rate = "40/1h"
breaker = {share = 10, at_least = 5, within = "10m", failed = 3}
action = {run = "service.start"}
`

// storm has many events happen, a hundred to each go, and says what became of each.
func storm(t *testing.T, rules string, events, minions int, fail bool) (fired, suppressed, steps int, reasons map[string]int) {
	t.Helper()
	set, problems := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(rules)}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	m := decide.New(decide.Options{Rules: set, Fleet: func() int { return 1000 }, PerMinute: 600})
	now, seen := start, map[string]bool{}
	reasons = map[string]int{}
	take := func(all []decide.Step) {
		steps += len(all)
		for _, s := range all {
			about := s.Events
			if len(about) == 0 {
				about = []string{s.Event}
			}
			switch s.Step {
			case decide.Fired:
				fired++
			case decide.Suppressed:
				suppressed += len(about)
				reasons[s.Reason[:4]] += len(about)
			default:
				continue
			}
			for _, id := range about {
				if seen[id] {
					t.Fatalf("%s is decided about twice", id)
				}
				seen[id] = true
			}
		}
	}
	for i := range events {
		e := &proto.Event{Tag: "down", Origin: fmt.Sprintf("m%d", i%minions), At: now.UnixMicro(), Data: []byte("{}")}
		m.See(&rule.Event{ID: fmt.Sprintf("event/%d", i), Event: e}, int64(i+1))
		if i%100 < 99 {
			continue
		}
		all, orders := m.Decide(now)
		take(all)
		for _, o := range orders {
			take(m.Result(o, decide.Result{OK: !fail, Reason: "no"}, now))
		}
		now = now.Add(10 * time.Millisecond)
	}
	if len(seen) != events || m.Waits() > 0 {
		t.Errorf("%d of %d events are decided about, %d wait", len(seen), events, m.Waits())
	}
	return fired, suppressed, steps, reasons
}

func TestAStormIsHeldAndNothingOfItIsLost(t *testing.T) {
	fired, suppressed, steps, reasons := storm(t, stormRules, 50_000, 1000, false)
	if fired > 40 || fired < 5 || fired+suppressed != 50_000 {
		t.Errorf("%d fired, %d suppressed: %v", fired, suppressed, reasons)
	}
	if steps > 3000 {
		t.Errorf("it took %d steps to say so", steps)
	}
	if fired, _, _, reasons = storm(t, strings.Replace(stormRules, "40/1h", "none", 1), 50_000, 1000, true); fired > 110 || reasons["brea"] == 0 {
		t.Errorf("of actions that fail %d are begun: %v", fired, reasons)
	}
	// A service that flaps on one host.
	if fired, _, _, reasons = storm(t, stormRules, 50_000, 1, false); fired != 3 || reasons["rate"] == 0 {
		t.Errorf("%d fired on one host: %v", fired, reasons)
	}
}

// TestAFollowerKnowsWhatTheDriverKnows has two machines see the same events in different orders. One follows by the other's steps
// alone and then goes on from there.
func TestAFollowerKnowsWhatTheDriverKnows(t *testing.T) {
	set, _ := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(stormRules)}})
	drives := true
	machine := func(own bool) *decide.Machine {
		return decide.New(decide.Options{Rules: set, Drives: func(string, string, time.Time) bool { return drives == own }})
	}
	a, b := machine(true), machine(false)
	event := func(i int) *rule.Event {
		return &rule.Event{ID: fmt.Sprintf("event/%d", i), Event: &proto.Event{Tag: "down", Origin: "web1", At: start.UnixMicro(), Data: []byte("{}")}}
	}
	for i := range 10 {
		a.See(event(i), int64(i+1))
		b.See(event(9-i), int64(i+1))
	}
	steps, orders := a.Decide(start)
	if len(orders) != 1 || b.Waits() != 10 {
		t.Fatalf("%d orders, %d wait at the other", len(orders), b.Waits())
	}
	for i := range steps { // they come in some order, and twice
		b.Fold(steps[len(steps)-1-i])
		b.Fold(steps[i])
	}
	if b.Waits() != 0 {
		t.Errorf("%d events wait that are decided about", b.Waits())
	}
	drives = false
	more, again := b.Decide(start)
	if len(more) != 0 || len(again) != 1 || again[0].Key() != orders[0].Key() || again[0].Event != orders[0].Event {
		t.Errorf("the other goes on by %v, with %v; want %v", more, again, orders)
	}
	b.See(event(99), 99)
	if more, again = b.Decide(start); len(more) != 1 || more[0].Step != decide.Suppressed || len(again) != 0 {
		t.Errorf("the other makes of a further event %v, %v", more, again)
	}
}

// TestAJobCountsAsFired has the step get lost with the master that wrote it: its job says so too.
func TestAJobCountsAsFired(t *testing.T) {
	set, _ := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(stormRules)}})
	m := decide.New(decide.Options{Rules: set})
	for i := range 2 {
		m.See(&rule.Event{ID: fmt.Sprintf("event/%d", i), Event: &proto.Event{Tag: "down", Origin: "web1", At: start.UnixMicro(), Data: []byte("{}")}}, int64(i+1))
	}
	m.FoldJob("a", "event/1", start)
	steps, orders := m.Decide(start)
	if len(steps) != 2 || steps[0].Step != decide.Suppressed || steps[0].Event != "event/0" || steps[1].Step != decide.Fired || len(orders) != 1 ||
		orders[0].Event != "event/1" {
		t.Errorf("got %v, %v", steps, orders)
	}
}

func TestAPauseIsWrittenAgainBeforeTheLogForgetsIt(t *testing.T) {
	set, _ := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(stormRules)}})
	m := decide.New(decide.Options{Rules: set})
	day := 24 * time.Hour
	m.Fold(decide.Step{Rule: "a", Step: decide.Paused, Actor: "operator ada", At: start, Reason: "why"})
	m.Fold(decide.Step{Step: decide.Paused, Actor: "operator ada", At: start, Until: start.Add(day).UnixMicro()})
	all := m.OldPauses(start.Add(day), start.Add(2*day))
	if len(all) != 1 || all[0].Rule != "a" || all[0].Reason != "why" || all[0].Actor != "operator ada" {
		t.Fatalf("got %v", all)
	}
	all[0].At = start.Add(2 * day)
	m.Fold(all[0])
	if again := m.OldPauses(start.Add(day), start.Add(2*day)); len(again) != 0 {
		t.Errorf("got %v again", again)
	}
}

// TestAJobMayBeReadBeforeItsEvent has a master read both in the order of its own log, and no step between: it had been lost.
func TestAJobMayBeReadBeforeItsEvent(t *testing.T) {
	set, _ := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(stormRules)}})
	m := decide.New(decide.Options{Rules: set})
	event := func(i int) *rule.Event {
		at := start.Add(time.Duration(i) * time.Millisecond).UnixMicro()
		return &rule.Event{ID: fmt.Sprintf("event/%d", i), Event: &proto.Event{Tag: "down", Origin: "web1", At: at, Data: []byte("{}")}}
	}
	m.FoldJob("a", "event/1", start)
	m.See(event(0), 7)
	m.See(event(1), 8)
	if m.Oldest() != 7 {
		t.Errorf("what is not decided about begins at %d, want 7", m.Oldest())
	}
	steps, orders := m.Decide(start.Add(time.Second / 2))
	if len(orders) != 1 || orders[0].Event != "event/1" || len(steps) != 2 || steps[0].Step != decide.Suppressed || steps[0].Event != "event/0" {
		t.Errorf("got %v, %v; want to go on with event/1 alone", steps, orders)
	}
}

// TestWhoeverDecidesBeginsWithTheSame has the events of a key come in several orders.
func TestWhoeverDecidesBeginsWithTheSame(t *testing.T) {
	set, _ := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(stormRules)}})
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		m := decide.New(decide.Options{Rules: set})
		for seq, i := range order {
			at := start.Add(time.Duration(i) * time.Millisecond).UnixMicro()
			m.See(&rule.Event{ID: fmt.Sprintf("event/%d", i), Event: &proto.Event{Tag: "down", Origin: "web1", At: at, Data: []byte("{}")}}, int64(seq+1))
		}
		if _, orders := m.Decide(start.Add(time.Second / 2)); len(orders) != 1 || orders[0].Event != "event/0" {
			t.Errorf("events that came as %v lead to %v, want event/0", order, orders)
		}
	}
}

// TestAnActionCountsByWhatCameOfIt has a master that was away read how a run ended, and neither its event nor that it had begun.
func TestAnActionCountsByWhatCameOfIt(t *testing.T) {
	set, _ := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(strings.Replace(stormRules, "1s", "1h", 1))}})
	event := func(i int) *rule.Event {
		at := start.Add(time.Duration(i) * time.Millisecond).UnixMicro()
		return &rule.Event{ID: fmt.Sprintf("event/%d", i), Event: &proto.Event{Tag: "down", Origin: "web1", At: at, Data: []byte("{}")}}
	}
	a := decide.New(decide.Options{Rules: set})
	a.See(event(0), 1)
	fired, orders := a.Decide(start)
	ended := a.Result(orders[0], decide.Result{OK: true}, start)
	closed, _ := a.Decide(start)
	for name, read := range map[string][]decide.Step{"its action": ended, "its end": closed, "both": append(ended, closed...)} {
		b := decide.New(decide.Options{Rules: set})
		for _, s := range read {
			b.Fold(s)
		}
		b.See(event(1), 1)
		if steps, orders := b.Decide(start.Add(time.Second)); len(orders) != 0 || len(steps) == 0 || steps[0].Step != decide.Suppressed {
			t.Errorf("of %s follow %v, %v; want that the cool-down holds", name, steps, orders)
		}
		b.Fold(fired[0])
		b.See(event(0), 2)
		if steps, orders := b.Decide(start.Add(2 * time.Second)); len(steps)+len(orders)+b.Open() != 0 {
			t.Errorf("of what is read late follow %v, %v, %d runs", steps, orders, b.Open())
		}
	}
}
