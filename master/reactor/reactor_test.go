package reactor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brine/master/reactor/decide"
	"brine/proto"
)

const rules = `
[[rule]]
name = "each"
mode = "enforce"
tag = "down"
key = "event.id"
cooldown = "0s"
rate = "none"
rule_rate = "none"
breaker = {share = 0, failed = 0}
action = {run = "service.start"}
verify = {run = "service.status", condition = "ret == true"}

[[rule]]
name = "cool"
mode = "enforce"
tag = "flap"
cooldown = "10m"
rate = "none"
rule_rate = "none"
breaker = {share = 0, failed = 0}
action = {run = "service.restart"}

[[rule]]
name = "tell"
mode = "enforce"
tag = "down"
key = "event.id"
cooldown = "0s"
rate = "none"
rule_rate = "none"
breaker = {share = 0, failed = 0}
action = {notify = "ops", text = "down"}
`

func happening(tag, origin string) *proto.Event {
	return &proto.Event{Tag: tag, Origin: origin, At: time.Now().UnixMicro(), Data: []byte("{}")}
}

// TestEachActionHappensOnceWhicheverMastersLive has masters die at any moment, and come back, while events happen.
func TestEachActionHappensOnceWhicheverMastersLive(t *testing.T) {
	for seed := range uint64(6) {
		masters := 2 + int(seed%2)
		t.Run(fmt.Sprintf("seed %d, %d masters", seed, masters), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, seed, masters, 240) })
		})
	}
}

// TestEachActionHappensOnceWhereverMastersDie has them die right after they wrote a step or made a job.
func TestEachActionHappensOnceWhereverMastersDie(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { frail(t, seed, 3, 240) })
		})
	}
}

const flaps = 4 // of a host

func frail(t *testing.T, seed uint64, masters, events int) {
	s := newSite(t, seed, masters, rules)
	s.mu.Lock()
	s.frail = 10
	s.mu.Unlock()
	for i := range events {
		id := fmt.Sprintf("event/%d", i)
		s.happen(id, happening("down", fmt.Sprintf("web%d", i%7)))
		s.happen(id+"/flap", happening("flap", fmt.Sprintf("db%d", i/flaps)))
		s.moment(60 * time.Millisecond)
		if i%5 == 0 {
			s.pull()
		}
		s.revive(false)
	}
	s.mu.Lock()
	s.frail = 0
	s.mu.Unlock()
	s.settle()
	s.check(t, events, events/flaps)
}

// settle has all masters live, and waits until nothing happens any more.
func (s *site) settle() {
	s.revive(true)
	for range 60 {
		time.Sleep(500 * time.Millisecond)
		s.pull()
	}
}

// revive begins the master again that has died.
func (s *site) revive(now bool) {
	s.mu.Lock()
	n := s.dead
	if n == nil || !now && s.rand.IntN(90) > 0 {
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	<-n.ended
	n.start()
	s.mu.Lock()
	s.dead = nil
	s.mu.Unlock()
}

func storm(t *testing.T, seed uint64, masters, events int) {
	s := newSite(t, seed, masters, rules)
	down := time.Time{} // until when a master is dead
	var dead *node
	for i := range events {
		id := fmt.Sprintf("event/%d", i)
		s.happen(id, happening("down", fmt.Sprintf("web%d", i%7)))
		s.happen(id+"/flap", happening("flap", fmt.Sprintf("db%d", i/20)))
		s.moment(60 * time.Millisecond)
		if i%5 == 0 {
			s.pull()
		}
		switch {
		case dead == nil && s.chance(15) == 0:
			dead = s.nodes[s.chance(len(s.nodes))]
			dead.kill()
			down = time.Now().Add(time.Duration(s.chance(4000)) * time.Millisecond)
		case dead != nil && time.Now().After(down):
			dead.start()
			dead = nil
		}
	}
	if dead != nil {
		dead.start()
	}
	s.settle()
	s.check(t, events, events/20)
}

// check tells what happened too often, or not at all.
func (s *site) check(t *testing.T, events, hosts int) {
	t.Helper()
	each, cool := s.acted("each"), s.acted("cool")
	for i := range events {
		if id := fmt.Sprintf("event/%d", i); each[id] != 1 {
			t.Errorf("%d actions follow from %s", each[id], id)
		}
	}
	if len(each) != events {
		t.Errorf("%d actions of %d events", len(each), events)
	}
	if len(cool) != hosts { // within the cool-down: one for each
		t.Errorf("%d actions within the cool-down of %d hosts: %v", len(cool), hosts, cool)
	}
	if len(s.told) != events {
		t.Errorf("%d of %d messages went out", len(s.told), events)
	}
	for _, n := range s.nodes {
		st, err := n.reactor.Fresh(t.Context())
		if err != nil || st.Waits != 0 || st.Open != 0 || st.Lag != 0 {
			t.Errorf("%s: %d undecided, %d under way, %d behind, %v", n.name, st.Waits, st.Open, st.Lag, err)
		}
		n.kill()
	}
}

// TestAKeyIsUsedThoughOnlyTheJobCameThrough has a master die when others have the job of an action, and have heard nothing else of it: not
// the event, nor that the rule fired.
func TestAKeyIsUsedThoughOnlyTheJobCameThrough(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { onlyTheJob(t, seed) })
		})
	}
}

func onlyTheJob(t *testing.T, seed uint64) {
	s := newSite(t, seed, 2, rules)
	time.Sleep(5 * time.Second)
	s.mu.Lock()
	s.last = true
	s.mu.Unlock()
	for i := range 8 { // some of these keys the first master drives
		s.tell(fmt.Sprintf("event/%d", i), happening("flap", fmt.Sprintf("db%d", i)), s.nodes[0])
	}
	time.Sleep(time.Second)
	hosts := s.hosts("cool")
	if len(hosts) != 1 || s.nodes[0].alive {
		t.Fatalf("before it died (%v) the master acted on %v", !s.nodes[0].alive, hosts)
	}
	for host := range hosts {
		s.tell("event/again", happening("flap", host), s.nodes[1])
	}
	time.Sleep(10 * time.Second)
	st, err := s.nodes[1].reactor.Fresh(t.Context())
	if err != nil || st.Waits != 0 || st.Open != 0 {
		t.Errorf("on the other master %d events are undecided, %d runs under way, %v", st.Waits, st.Open, err)
	}
	for _, e := range s.nodes[1].log {
		if step, ok := decide.ReadStep(e.Event); ok && step.Outcome == decide.Failed {
			t.Errorf("the other master could not go on: %s: %s", step.Step, step.Reason)
		}
	}
	s.settle()
	for host, n := range s.hosts("cool") {
		if n != 1 {
			t.Errorf("%d actions on %s within the cool-down", n, host)
		}
	}
	if n := len(s.hosts("cool")); n != 8 {
		t.Errorf("actions on %d of 8 hosts", n)
	}
	for _, n := range s.nodes {
		n.kill()
	}
}

// hosts are those that a rule acted on, and how often.
func (s *site) hosts(name string) map[string]int {
	all := map[string]int{}
	for cause := range s.acted(name) {
		s.mu.Lock()
		i := slices.IndexFunc(s.nodes, func(n *node) bool { return n.has[cause] != nil })
		all[s.nodes[i].has[cause].Origin]++
		s.mu.Unlock()
	}
	return all
}

// TestACutBetweenMastersDoublesNoAction has masters that don't hear each other for a while.
func TestACutBetweenMastersDoublesNoAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 2, rules)
		time.Sleep(5 * time.Second)
		s.mu.Lock()
		s.apart = true
		s.mu.Unlock()
		for i := range 100 {
			s.happen(fmt.Sprintf("event/%d", i), happening("down", "web1"))
			s.moment(50 * time.Millisecond)
		}
		s.happen("flap", happening("flap", "db0"))
		time.Sleep(5 * time.Second)
		s.mu.Lock()
		s.apart = false
		s.mu.Unlock()
		for range 20 {
			s.pull()
			time.Sleep(500 * time.Millisecond)
		}
		each := s.acted("each")
		for i := range 100 {
			if id := fmt.Sprintf("event/%d", i); each[id] != 1 {
				t.Errorf("%d actions follow from %s", each[id], id)
			}
		}
		if n := len(s.acted("cool")); n != 1 {
			t.Errorf("%d actions of one event", n)
		}
		for _, n := range s.nodes {
			if st, err := n.reactor.Fresh(t.Context()); err != nil || st.Waits != 0 || st.Open != 0 {
				t.Errorf("%s: %d undecided, %d under way, %v", n.name, st.Waits, st.Open, err)
			}
			n.kill()
		}
	})
}

// TestMastersLiveWithExpressionsThatWouldTakeAllMemory has rules beside the others that can't be worked out within bounds.
func TestMastersLiveWithExpressionsThatWouldTakeAllMemory(t *testing.T) {
	costly := ""
	for i, condition := range []string{
		`reduce(1..60, #acc + #acc, event.tag) == ""`,
		`toJSON(reduce(1..60, [#acc, #acc], event)) == ""`,
		`all(1..9000, all(1..9000, all(1..9000, # > 0)))`,
	} {
		costly += fmt.Sprintf("[[rule]]\nname = \"costly%d\"\nmode = \"enforce\"\ntag = \"down\"\ncondition = '%s'\naction = {run = \"test.ping\"}\n", i, condition)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 2, rules+costly)
		for i := range 3 {
			s.happen(fmt.Sprintf("event/%d", i), happening("down", "web1"))
			s.moment(time.Second)
		}
		s.happen("flap", happening("flap", "db0"))
		s.settle()
		said := map[string]string{}
		for _, n := range s.nodes {
			for _, e := range n.log {
				if step, ok := decide.ReadStep(e.Event); ok && step.Step == decide.Suppressed {
					said[step.Rule] = step.Reason
				}
			}
		}
		for rule, want := range map[string]string{"costly0": "reduce(1..60, #acc + #acc, event.tag)", "costly1": "toJSON(reduce(", "costly2": "all(1..9000, all("} {
			if got := said[rule]; !strings.Contains(got, want) || !strings.Contains(got, "(column ") {
				t.Errorf("%s: got %q", rule, got)
			}
		}
		s.check(t, 3, 1)
	})
}
