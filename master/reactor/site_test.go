package reactor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/master/reactor"
	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/proto"
	"brine/proto/jid"
)

// A site is some masters with a log each, which read each other's, and minions that run what jobs say. It lives in a bubble of
// time.
type site struct {
	t     *testing.T
	rules string
	rand  *rand.Rand
	names []uint32 // of the rules

	mu    sync.Mutex // guards the fields below
	nodes []*node
	jobs  map[string]*madeJob // by cause and key: what a request id is made of
	told  map[string]int      // messages, by their keys
	apart bool                // the masters don't hear each other
	dead  *node               // the one that died by itself
	frail int                 // one in how many steps and jobs is the last thing that a master does; 0: none is
	last  bool                // the next job is the last thing that its master does, and what it wrote before by itself was heard by none
}

type madeJob struct {
	reactor.Work
	jid  string
	at   time.Time
	made int // how often
}

// A node is one master.
type node struct {
	*site
	name    string
	dir     string
	log     []reactor.Entry
	has     map[string]*proto.Event
	pulled  map[*node]int
	changed chan struct{}
	alive   bool
	heard   time.Time // by the others, last
	stop    context.CancelFunc
	ended   chan struct{}
	reactor *reactor.Reactor
	writes  int
}

func newSite(t *testing.T, seed uint64, masters int, rules string) *site {
	s := &site{t: t, rules: rules, rand: rand.New(rand.NewPCG(seed, 0)), jobs: map[string]*madeJob{}, told: map[string]int{}}
	set, problems := rule.Parse("test", []rule.File{{Name: "_rules/a.toml", Text: []byte(rules)}})
	if wrong := rule.Mistakes(problems); len(wrong) > 0 {
		t.Fatal(wrong[0])
	}
	for _, r := range set.Rules {
		s.names = append(s.names, reactor.Hash(r.Name))
	}
	slices.Sort(s.names)
	for i := range masters {
		n := &node{site: s, name: fmt.Sprintf("m%d", i+1), dir: t.TempDir(), has: map[string]*proto.Event{}, pulled: map[*node]int{}, changed: make(chan struct{})}
		s.nodes = append(s.nodes, n)
	}
	for _, n := range s.nodes {
		n.start()
	}
	return s
}

// start begins a master, or begins it again.
func (n *node) start() {
	ctx, stop := context.WithCancel(context.Background())
	n.mu.Lock()
	n.alive, n.stop, n.ended = true, stop, make(chan struct{})
	n.mu.Unlock()
	n.pull() // a master that comes back reads the others' logs before it does anything
	n.reactor = reactor.New(reactor.Options{
		Master: n.name, Log: n, File: filepath.Join(n.dir, "reactor.json"), Masters: n.others, Others: func() bool { return len(n.nodes) > 1 },
		Rules: func(context.Context) ([]rule.File, string, error) {
			return []rule.File{{Name: "_rules/a.toml", Text: []byte(n.rules)}}, "test", nil
		},
		Act: reactor.Act{Derive: n.derive, Wait: n.wait, Notify: n.notify},
	})
	go func(r *reactor.Reactor, ended chan struct{}) {
		r.Run(ctx)
		close(ended)
	}(n.reactor, n.ended)
}

// kill ends a master at once: nothing that it writes from now on counts.
func (n *node) kill() {
	n.mu.Lock()
	n.alive, n.heard = false, time.Now()
	n.mu.Unlock()
	n.stop()
	<-n.ended
}

// falls ends a master right after it has written something, now and then: nothing else of what it was about happens. One master
// at a time is dead. The caller holds mu.
func (n *node) falls() {
	if n.frail > 0 && n.dead == nil && n.alive && n.rand.IntN(n.frail) == 0 {
		n.dead, n.alive, n.heard = n, false, time.Now()
		n.stop()
	}
}

// others are those that this one has heard a short while ago.
func (n *node) others() (all []reactor.Master) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, o := range n.nodes {
		if o != n && !n.apart && (o.alive || time.Since(o.heard) < 2*time.Second) {
			all = append(all, reactor.Master{Name: o.name, Rules: n.names, Last: int64(len(o.log)), Behind: int64(len(o.log) - n.pulled[o])})
		}
	}
	return all
}

// add appends to a log what is not in it. The caller holds mu.
func (n *node) add(id string, e *proto.Event) {
	if n.has[id] != nil {
		return
	}
	n.has[id] = e
	n.log = append(n.log, reactor.Entry{Seq: int64(len(n.log) + 1), ID: id, Event: e})
	close(n.changed)
	n.changed = make(chan struct{})
}

// pull has every live master read what is new at the others.
func (s *site) pull() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		for _, o := range s.nodes {
			for ; n != o && n.alive && o.alive && !s.apart && n.pulled[o] < len(o.log); n.pulled[o]++ {
				e := o.log[n.pulled[o]]
				n.add(e.ID, e.Event)
			}
		}
	}
}

// happen tells an event to the masters that live, each after a moment of its own.
func (s *site) happen(id string, e *proto.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		late := 50
		if s.rand.IntN(8) == 0 {
			late = 500
		}
		time.AfterFunc(time.Duration(s.rand.IntN(late))*time.Millisecond, func() { s.tell(id, e, n) })
	}
	time.AfterFunc(100*time.Millisecond, func() { s.tellAgain(id, e) })
}

func (s *site) tell(id string, e *proto.Event, n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.alive {
		n.add(id, e)
	}
}

// tellAgain is what a minion does with an event that no master has stored.
func (s *site) tellAgain(id string, e *proto.Event) {
	for _, n := range s.nodes {
		s.mu.Lock()
		has := n.has[id] != nil
		s.mu.Unlock()
		if has {
			return
		}
	}
	for _, n := range s.nodes {
		s.tell(id, e, n)
	}
}

// chance is a number below n.
func (s *site) chance(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.IntN(n)
}

// moment is a short time, another one each time.
func (s *site) moment(most time.Duration) {
	s.mu.Lock()
	d := time.Duration(s.rand.Int64N(int64(most)))
	s.mu.Unlock()
	time.Sleep(d)
}

var errDead = errors.New("the master is dead")

// derive makes a job, which all live masters have before it is published.
func (n *node) derive(ctx context.Context, w reactor.Work) (string, error) {
	n.moment(20 * time.Millisecond)
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil || !n.alive {
		return "", errDead
	}
	id := w.Cause + " " + w.Key
	j := n.jobs[id]
	if j == nil {
		j = &madeJob{Work: w, jid: jid.FromTime(start.Add(time.Duration(len(n.jobs)) * time.Microsecond)), at: time.Now()}
		n.jobs[id] = j
	}
	j.made++
	e := &proto.Event{Tag: "salt/job/" + j.jid + "/new", Origin: n.name, At: time.Now().UnixMicro(), Cause: w.Cause, Depth: w.Depth, Actor: w.Actor, Data: []byte("{}")}
	for _, o := range n.nodes {
		if o == n || o.alive && !n.apart {
			n.giveReasons(o, w)
			o.add("job/"+j.jid, e)
		}
	}
	if n.last {
		n.last, n.frail = false, 1
		n.falls()
		n.frail = 0
	}
	n.falls()
	return j.jid, nil
}

// giveReasons has another master know why a job is made. The caller holds mu.
func (n *node) giveReasons(o *node, w reactor.Work) {
	for _, e := range n.log {
		if e.ID == w.Cause || e.Event == w.Fired {
			o.add(e.ID, e.Event)
		}
	}
}

func (n *node) wait(ctx context.Context, _ string) ([]reactor.Returned, error) {
	n.moment(300 * time.Millisecond)
	return []reactor.Returned{{Minion: "web1", Status: "ok", OK: true, Value: []byte("true")}}, ctx.Err()
}

func (n *node) notify(ctx context.Context, m reactor.Message) error {
	n.moment(50 * time.Millisecond)
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil || !n.alive {
		return errDead
	}
	n.told[m.Key]++
	return nil
}

// What follows is the log.

func (n *node) After(_ context.Context, seq int64, limit int, _ bool) ([]reactor.Entry, int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	end := min(int(seq)+limit, len(n.log))
	return slices.Clone(n.log[seq:end]), int64(end), nil
}

func (n *node) Last() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return int64(len(n.log))
}

func (n *node) Changed(bool) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

func (n *node) Place(context.Context, time.Time) (int64, error) { return 0, nil }

func (n *node) Steps(_ context.Context, since time.Time) (all []*proto.Event, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.log {
		if _, ok := decide.ReadStep(e.Event); ok && e.Event.At >= since.UnixMicro() {
			all = append(all, e.Event)
		}
	}
	slices.SortStableFunc(all, func(a, b *proto.Event) int { return int(a.At - b.At) })
	return all, nil
}

func (n *node) Event(_ context.Context, id string) (*proto.Event, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e := n.has[id]; e != nil {
		return e, nil
	}
	return nil, errors.New("not in the log")
}

func (n *node) Ancestors(_ context.Context, cause string) (actors []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, j := range n.jobs {
		if j.jid == cause {
			actors = append(actors, j.Actor)
		}
	}
	return actors
}

func (n *node) Write(events []*proto.Event, kept func()) func(context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []string
	for _, e := range events {
		if !n.alive {
			break
		}
		n.writes++
		e.Origin, e.At = n.name, time.Now().UnixMicro()
		ids = append(ids, fmt.Sprintf("event/%s/%d", n.name, n.writes))
		n.add(ids[len(ids)-1], e)
		n.falls()
	}
	if n.alive {
		kept()
	}
	return func(ctx context.Context) {
		n.moment(10 * time.Millisecond)
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.last || n.rand.IntN(3) == 0 {
			return // nobody confirmed it in time: they will read it
		}
		for i, id := range ids {
			for _, o := range n.nodes {
				if n.alive && o.alive && !n.apart && ctx.Err() == nil {
					o.add(id, events[i])
				}
			}
		}
	}
}

func (n *node) Incarnation() string { return n.name }

// acted are the jobs that rules made of events to act, by rule and event.
func (s *site) acted(name string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int{}
	for _, j := range s.jobs {
		if j.Actor == rule.Own(name) && !strings.Contains(j.Key, "verify") {
			all[j.Cause]++
		}
	}
	return all
}

var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
