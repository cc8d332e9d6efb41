package notify_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/notify"
	"brine/master/store"
	"brine/proto"
)

// site is some masters that have one log, and what is delivered.
type site struct {
	t       *testing.T
	mu      sync.Mutex // guards the fields below
	records []*proto.Record
	stamp   int64
	masters map[string]*master
	got     []string       // ids, in order of delivery
	fails   map[string]int // attempts that fail, by id; "" by any
	err     error          // that they fail with
	broken  bool           // nothing can be stored
	slow    time.Duration  // that a delivery takes
	busy    int
	most    int // deliveries at a time
}

type master struct {
	*notify.Engine
	site *site
	name string
	stop func()
}

func newSite(t *testing.T) *site {
	return &site{t: t, masters: map[string]*master{}, fails: map[string]int{}, err: errors.New("cannot reach the other side")}
}

// boot starts a master.
func (s *site) boot(name string) *master {
	s.t.Helper()
	m := &master{site: s, name: name}
	e, err := notify.New(notify.Options{
		Master: name, Log: m, Keep: m.keep, Channels: map[string]*notify.Channel{"ops": {Kind: "webhook", URL: "http://sink/"}},
		Secret: func(string) ([]byte, error) { return nil, errors.New("there is none") },
		Random: func() float64 { return 0.5 },
		Masters: func() (all []notify.Master) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for other := range s.masters {
				if other != name {
					all = append(all, notify.Master{Name: other, Channels: []string{"ops"}})
				}
			}
			return all
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	e.SetSender("ops", s)
	m.Engine = e
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); e.Run(ctx) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.masters[name] = m
	m.stop = func() {
		s.mu.Lock()
		delete(s.masters, name)
		s.mu.Unlock()
		cancel()
		<-ended
	}
	return m
}

// stopAll ends the masters that live.
func (s *site) stopAll() {
	for _, m := range maps.Clone(s.masters) {
		m.stop()
	}
}

// Send delivers a message.
func (s *site) Send(ctx context.Context, m *notify.Message) (string, error) {
	s.mu.Lock()
	s.busy++
	s.most = max(s.most, s.busy)
	slow := s.slow
	s.mu.Unlock()
	var err error
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	for _, id := range []string{m.ID, ""} {
		if s.fails[id] > 0 {
			s.fails[id]--
			err = cmp.Or(err, s.err)
		}
	}
	if err != nil {
		return "", err
	}
	s.got = append(s.got, m.ID)
	return "200 OK", nil
}

func (m *master) Stamp() int64 {
	m.site.mu.Lock()
	defer m.site.mu.Unlock()
	m.site.stamp = max(m.site.stamp+1, time.Now().UnixMicro())
	return m.site.stamp
}

func (m *master) keep(_ context.Context, recs []*proto.Record) error {
	s := m.site
	s.mu.Lock()
	if s.broken {
		s.mu.Unlock()
		return errors.New("the disk is full")
	}
	s.records = append(s.records, recs...)
	all := slices.Collect(maps.Values(s.masters))
	s.mu.Unlock()
	for _, other := range all {
		other.Committed(recs)
	}
	return nil
}

func (m *master) Events(_ context.Context, f store.EventFilter) (all []store.EventEntry, err error) {
	m.site.mu.Lock()
	defer m.site.mu.Unlock()
	for i, rec := range slices.Backward(m.site.records) {
		if seq := int64(i + 1); (f.Before == 0 || seq < f.Before) && len(all) < f.Limit {
			all = append(all, store.EventEntry{Seq: seq, ID: rec.Id, Event: eventOf(m.site.t, rec)})
		}
	}
	return all, nil
}

func (m *master) Records(_ context.Context, ids []string, _ int) ([]*proto.Record, error) {
	m.site.mu.Lock()
	defer m.site.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.site.records), func(r *proto.Record) bool { return !slices.Contains(ids, r.Id) }), nil
}

func eventOf(t *testing.T, rec *proto.Record) *proto.Event {
	e := &proto.Event{}
	if err := pb.Unmarshal(rec.Body, e); err != nil {
		t.Fatal(err)
	}
	return e
}

// send queues n messages.
func (s *site) send(m *master, begin string, n int) {
	s.t.Helper()
	for i := range n {
		if err := m.Engine.Send(s.t.Context(), notify.Message{ID: fmt.Sprintf("%s%d", begin, i), Channel: "ops", Text: "text", Cause: "event/1/x", Depth: 2, Actor: "rule r"}); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *site) delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.got))
}

// tags are those of the log, in order.
func (s *site) tags() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range s.records {
		all = append(all, eventOf(s.t, rec).Tag)
	}
	return all
}

// failing has the next attempts fail, of one message or, with "", of any.
func (s *site) failing(id string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[id] = times
}

// set changes what deliveries or the store do.
func (s *site) set(what *bool, to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*what = to
}

// pass advances the fake clock, and waits until all that is due has been done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAMessageIsDeliveredOnceAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		m1, m2 := s.boot("m1"), s.boot("m2")
		defer s.stopAll()
		pass(5 * time.Second)
		s.send(m1, "a", 10)
		s.send(m2, "a", 10) // both masters have it told
		pass(5 * time.Second)
		if got := s.delivered(); len(got) != 10 {
			t.Errorf("got %v, want each of 10 once", got)
		}
		first, last := eventOf(t, s.records[0]), eventOf(t, s.records[len(s.records)-1])
		if first.Tag != "brine/notify/ops/queued" || first.Cause != "event/1/x" || first.Depth != 2 || first.Actor != "rule r" || first.Origin != "m1" {
			t.Errorf("the first event is %v", first)
		}
		if last.Tag != "brine/notify/ops/sent" || !strings.HasPrefix(last.Cause, "event/") || last.Depth != 2 ||
			!strings.Contains(string(last.Data), `"attempts":1,"outcome":"200 OK"`) {
			t.Errorf("the last event is %v", last)
		}
		for _, m := range []*master{m1, m2} {
			if n := len(m.List(notify.Sent)); n != 10 || len(m.List()) != 10 {
				t.Errorf("%s knows of %d that were sent of %d", m.name, n, len(m.List()))
			}
		}
	})
}

// Masters die while messages are on their way, and come back: nothing is lost.
func TestNothingIsLostWhenMastersDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.slow = 700 * time.Millisecond
		s.failing("", 40)
		s.boot("m1")
		m2 := s.boot("m2")
		defer s.stopAll()
		pass(3 * time.Second)
		var want []string
		for i := range 20 {
			begin := fmt.Sprintf("b%02d-", i)
			s.send(m2, begin, 3)
			want = append(want, begin+"0", begin+"1", begin+"2")
			pass(400 * time.Millisecond)
			if i%3 == 0 {
				s.masters["m1"].stop()
			} else if i%3 == 1 {
				s.boot("m1")
			}
		}
		pass(10 * time.Minute)
		if got := slices.Compact(s.delivered()); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if n := len(m2.List(notify.Queued)); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

func TestTheOtherMasterTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		m1, m2 := s.boot("m1"), s.boot("m2")
		pass(3 * time.Second)
		s.failing("", 1000)
		s.send(m1, "c", 8)
		pass(time.Minute)
		m1.stop()
		s.failing("", 0)
		pass(3 * time.Minute)
		if got := s.delivered(); len(got) != 8 {
			t.Errorf("got %v", got)
		}
		m2.stop()
	})
}

func TestWhatFailsForTooLongIsDeadAndCanBeTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		m := s.boot("m1")
		defer s.stopAll()
		s.failing("d0", 1_000_000)
		s.send(m, "d", 2)
		pass(23 * time.Hour)
		if got := s.delivered(); !slices.Equal(got, []string{"d1"}) {
			t.Errorf("got %v: one that fails holds up the others", got)
		}
		waits := m.List(notify.Queued)
		if len(waits) != 1 || waits[0].Reason != "cannot reach the other side" || waits[0].Attempts < 200 || waits[0].Attempts > 400 {
			t.Errorf("what waits is %+v", waits)
		}
		if lags, dead := m.Lags(); len(lags) != 1 || lags[0].Waiting != 1 || lags[0].Problem == "" || dead != 0 {
			t.Errorf("the lags are %+v, %d", lags, dead)
		}
		pass(2 * time.Hour)
		all := m.List(notify.Dead)
		if len(all) != 1 || all[0].ID != "d0" || all[0].Reason != "cannot reach the other side" {
			t.Fatalf("dead are %+v", all)
		}
		if tags := s.tags(); tags[len(tags)-1] != "brine/notify/ops/dead" {
			t.Errorf("the log has %v", tags)
		}
		s.failing("d0", 2)
		if done, err := m.Again(t.Context(), nil, false, "operator admin"); err != nil || !slices.Equal(done, []string{"d0"}) {
			t.Errorf("got %v, %v", done, err)
		}
		pass(2 * time.Minute)
		if got := s.delivered(); !slices.Equal(got, []string{"d0", "d1"}) || len(m.List(notify.Dead)) != 0 {
			t.Errorf("got %v", got)
		}
		if _, err := m.Again(t.Context(), []string{"d0"}, false, ""); !errors.Is(err, notify.ErrUnknown) {
			t.Errorf("got %v for one that is not dead", err)
		}
	})
}

// What the other side will never take is dead at once, and holds nothing up.
func TestWhatIsRefusedIsDeadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		m := s.boot("m1")
		defer s.stopAll()
		pass(3 * time.Second)
		s.err = notify.Refused(errors.New("sink answers 400 Bad Request"))
		s.failing("r0", 1)
		s.failing("r2", 1)
		s.send(m, "r", 4)
		pass(time.Second)
		all := m.List(notify.Dead)
		if got := s.delivered(); !slices.Equal(got, []string{"r1", "r3"}) || len(all) != 2 {
			t.Fatalf("delivered are %v, dead %+v", got, all)
		}
		if d := all[1]; d.ID != "r0" || d.Reason != "sink answers 400 Bad Request" || d.Attempts != 1 {
			t.Errorf("got %+v", d)
		}
		if _, err := m.Again(t.Context(), []string{"r2"}, false, "operator admin"); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if got := s.delivered(); !slices.Equal(got, []string{"r1", "r2", "r3"}) {
			t.Errorf("delivered are %v after one was tried again", got)
		}
	})
}

func TestAChannelThatIsDownIsLeftInPeace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		m := s.boot("m1")
		defer s.stopAll()
		pass(3 * time.Second)
		s.failing("", 1000)
		s.send(m, "e", 100)
		pass(10 * time.Minute)
		s.mu.Lock()
		tried := 1000 - s.fails[""]
		s.fails[""], s.slow = 0, time.Millisecond
		s.most = 0
		s.mu.Unlock()
		if tried > 40 {
			t.Errorf("it was tried %d times in 10 minutes", tried)
		}
		pass(10 * time.Minute)
		if n := len(s.delivered()); n != 100 || s.most > 4 {
			t.Errorf("%d were delivered, %d at a time", n, s.most)
		}
	})
}

func TestWhatIsNotStoredIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		m := s.boot("m1")
		defer s.stopAll()
		s.set(&s.broken, true)
		if err := m.Engine.Send(t.Context(), notify.Message{ID: "f", Channel: "ops"}); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("got %v", err)
		}
		s.set(&s.broken, false)
		for channel, want := range map[string]string{"other": `there is no channel "other": [notify.NAME] of master.toml has ops`, "ftp://x": "want one such as https://"} {
			if err := m.Engine.Send(t.Context(), notify.Message{ID: "f", Channel: channel}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if err := m.Engine.Send(t.Context(), notify.Message{ID: "f g", Channel: "ops"}); err == nil {
			t.Error("an id with a space is taken")
		}
		// what was delivered, and could not be told of, is not delivered again
		s.mu.Lock()
		s.slow = time.Second
		s.mu.Unlock()
		s.send(m, "g", 1)
		pass(500 * time.Millisecond)
		s.set(&s.broken, true)
		pass(time.Minute)
		s.set(&s.broken, false)
		pass(time.Minute)
		if got := s.delivered(); len(got) != 1 || len(m.List(notify.Sent)) != 1 {
			t.Errorf("got %v", got)
		}
	})
}

func TestDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		m := s.boot("m1")
		defer s.stopAll()
		s.failing("", 1000)
		s.send(m, "h", 2)
		pass(time.Hour)
		if done, err := m.Again(t.Context(), []string{"h1"}, true, "operator admin"); err != nil || len(done) != 1 {
			t.Fatal(done, err)
		}
		s.failing("", 0)
		pass(time.Hour)
		if got := s.delivered(); !slices.Equal(got, []string{"h0"}) || len(m.List(notify.Dropped)) != 1 {
			t.Errorf("got %v", got)
		}
	})
}
