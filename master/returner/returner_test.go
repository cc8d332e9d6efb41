package returner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/returner"
	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
	"brine/states/host"
)

// site is some masters and the program that they give returns to.
type site struct {
	t       *testing.T
	mu      sync.Mutex // guards the fields below
	masters map[string]*master
	given   []string // keys, in order
	lines   []map[string]any
	runs    int
	codes   map[string]int // what the program ends with, by master
	poison  string         // a minion whose return it can't take
}

type master struct {
	name  string
	dir   string
	store *store.Store
	r     *returner.Returner
	stop  func()
}

func newSite(t *testing.T, names ...string) *site {
	s := &site{t: t, masters: map[string]*master{}, codes: map[string]int{}}
	for _, name := range names {
		dir := t.TempDir()
		st, err := store.Open(filepath.Join(dir, "store.db"), store.Options{Master: name})
		if err != nil {
			t.Fatal(err)
		}
		s.masters[name] = &master{name: name, dir: dir, store: st}
	}
	return s
}

// boot starts the returner of a master.
func (s *site) boot(name string) {
	m := s.masters[name]
	r, err := returner.New(s.t.Context(), returner.Options{
		Master: name, Command: []string{"/feed"}, Batch: 100, File: filepath.Join(m.dir, "returner.json"), Store: m.store,
		Exec: func(_ context.Context, c host.Command) (host.Output, error) { return s.program(name, c.Stdin) },
		Peers: func() (peers []returner.Peer) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, other := range s.masters {
				if other.name != name && other.r != nil {
					peers = append(peers, returner.Peer{Name: other.name, State: other.r.State()})
				}
			}
			return peers
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	m.store.OnCommit(r.Committed)
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	m.r = r
	m.stop = func() {
		cancel()
		<-ended
		s.mu.Lock()
		defer s.mu.Unlock()
		m.r = nil
	}
}

func (s *site) program(name string, input []byte) (host.Output, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	var keys []string
	for line := range bytes.Lines(input) {
		var l map[string]any
		if err := json.Unmarshal(line, &l); err != nil {
			s.t.Errorf("a line is no JSON: %v", err)
		}
		if s.poison != "" && l["minion"] == s.poison {
			return host.Output{Code: 3, Stderr: []byte("cannot use\nit")}, nil
		}
		keys, s.lines = append(keys, l["key"].(string)), append(s.lines, l)
	}
	if code := s.codes[name]; code != 0 {
		return host.Output{Code: code}, nil
	}
	s.given = append(s.given, keys...)
	return host.Output{}, nil
}

// returns stores returns of minions at masters; the others read their logs.
func (s *site) returns(n int, at ...string) {
	s.t.Helper()
	id := jid.FromTime(time.Now())
	for i := range n {
		r := &proto.Return{Jid: id, RequestId: make([]byte, 16), Minion: fmt.Sprintf("web%03d", i), Outcome: proto.Outcome_OK,
			Function: "test.ping", Value: []byte("true"), FinishedAt: time.Now().UnixMicro()}
		for _, name := range at {
			s.store(name, r)
		}
	}
	s.exchange()
}

func (s *site) store(name string, body pb.Message) {
	s.t.Helper()
	st, origin := s.masters[name].store, name
	if r, is := body.(*proto.Return); is {
		origin = r.Minion
	}
	rec, err := store.NewRecord(st.Stamp(), origin, body)
	if err == nil {
		err = st.Append(s.t.Context(), rec)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// exchange has each master read the logs of the others.
func (s *site) exchange() {
	s.t.Helper()
	for _, a := range s.masters {
		for _, b := range s.masters {
			if a == b {
				continue
			}
			page, err := b.store.Page(s.t.Context(), 0, 64<<20, false)
			var recs []*proto.Record
			for _, e := range page.Entries {
				recs = append(recs, e.Record)
			}
			if err == nil {
				err = a.store.Import(s.t.Context(), b.name, page.Incarnation, page.Last, recs)
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *site) want(when string, given int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Clone(s.given)
	slices.Sort(keys)
	if got := len(slices.Compact(keys)); got != given || len(s.given) != given {
		s.t.Errorf("%s: %d returns given, %d of them different, want %d", when, len(s.given), got, given)
	}
}

// ends sets what the program of a master ends with.
func (s *site) ends(name string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[name] = code
}

func (s *site) active(name string) bool { return s.masters[name].r.State().Active }

func (s *site) end() {
	for _, m := range s.masters {
		if m.r != nil {
			m.stop()
		}
		if err := m.store.Close(); err != nil {
			s.t.Error(err)
		}
	}
}

func run(t *testing.T, names []string, f func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))) // job ids begin after the bubble's time
		s := newSite(t, names...)
		f(t, s)
		s.end()
	})
}

func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

func TestEachReturnIsGivenOnce(t *testing.T) {
	run(t, []string{"m1", "m2"}, func(t *testing.T, s *site) {
		s.returns(10, "m1", "m2") // before there was a program
		s.boot("m1")
		s.boot("m2")
		pass(10 * time.Second)
		if !s.active("m1") || s.active("m2") {
			t.Errorf("active: m1 %v, m2 %v, want m1 alone", s.active("m1"), s.active("m2"))
		}
		s.returns(250, "m2", "m1")
		pass(time.Second)
		s.returns(5, "m2") // that m1 has from m2's log
		pass(time.Second)
		s.want("both are there", 255)
		if s.runs > 6 {
			t.Errorf("the program ran %d times for 255 returns", s.runs)
		}
		l := s.lines[0]
		if l["function"] != "test.ping" || l["success"] != true || l["return"] != true || l["outcome"] != "ok" || l["retcode"] != 0.0 {
			t.Errorf("got line %v", l)
		}
		s.masters["m1"].stop() // it dies
		s.returns(20, "m2")
		pass(10 * time.Second)
		s.want("m2 has taken over", 275)
		s.boot("m1")
		s.returns(20, "m1", "m2")
		pass(10 * time.Second)
		s.want("m1 is back", 295)
		if s.active("m1") {
			t.Error("m1 is active while m2 lives")
		}
		s.masters["m2"].stop()
		pass(10 * time.Second)
		s.returns(3, "m1")
		pass(time.Second)
		s.want("m1 alone", 298)
	})
}

func TestAProgramThatFailsLosesNothing(t *testing.T) {
	run(t, []string{"m1"}, func(t *testing.T, s *site) {
		s.boot("m1")
		pass(10 * time.Second)
		s.ends("m1", 1)
		s.returns(150, "m1")
		pass(20 * time.Second)
		s.want("it fails", 0)
		state := s.masters["m1"].r.State()
		if state.Problem != "cannot give 6 returns to /feed: it ended with 1" || state.Waiting != 150 || state.Oldest == 0 {
			t.Errorf("got state %v", state)
		}
		if s.runs > 8 {
			t.Errorf("it ran %d times in 20 s", s.runs)
		}
		s.masters["m1"].stop() // and the master starts again
		s.boot("m1")
		s.ends("m1", 0)
		pass(2 * time.Minute)
		s.want("it works again", 150)
		if state := s.masters["m1"].r.State(); state.Problem != "" || state.Waiting != 0 || state.Given != 150 {
			t.Errorf("got state %v", state)
		}
		s.mu.Lock()
		s.poison = "web005"
		s.mu.Unlock()
		s.returns(10, "m1")
		pass(5 * time.Minute)
		s.want("one return can't be taken: those before it are", 155)
		if got := s.masters["m1"].r.State().Problem; got != "cannot give 1 returns to /feed: it ended with 3: cannot use it" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAnotherMasterTriesWhenTheProgramFails(t *testing.T) {
	run(t, []string{"m1", "m2"}, func(t *testing.T, s *site) {
		s.ends("m1", 1)
		s.boot("m1")
		s.boot("m2")
		pass(10 * time.Second)
		s.returns(10, "m1", "m2")
		pass(10 * time.Second)
		s.want("m1 fails", 0)
		pass(time.Minute)
		s.want("m2 tries", 10)
		if !s.active("m2") || s.active("m1") {
			t.Error("m2 is not the active one")
		}
	})
}

func TestBothSidesOfACutGoOnAndOneStays(t *testing.T) {
	run(t, []string{"m1", "m2"}, func(t *testing.T, s *site) {
		s.boot("m1")
		pass(10 * time.Second)
		m1 := s.masters["m1"].r
		s.mu.Lock()
		s.masters["m1"].r = nil // m2 does not see it
		s.mu.Unlock()
		s.boot("m2")
		pass(10 * time.Second)
		if !s.active("m2") || !m1.State().Active {
			t.Error("a side does not go on")
		}
		s.mu.Lock()
		s.masters["m1"].r = m1
		s.mu.Unlock()
		pass(2 * time.Second)
		if s.active("m2") || !s.active("m1") {
			t.Error("want m1 alone to be active")
		}
	})
}
