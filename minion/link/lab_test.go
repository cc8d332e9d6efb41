package link

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/minion/link/linktest"
	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

const minionID = "web1.example.com"

// quick are timings that let a test see in moments what takes a minute in life.
var quick = Timings{
	Ping: 150 * time.Millisecond, Dial: 3 * time.Second, Hedge: 200 * time.Millisecond,
	Retry: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, StandbyMax: 200 * time.Millisecond,
	Enrol: 200 * time.Millisecond, Rotate: 10 * time.Second, Refresh: time.Hour, Notice: 50 * time.Millisecond,
	SpreadMin: 50 * time.Millisecond, SpreadMax: 300 * time.Millisecond,
}

// A minion is a link under test, with what came through it.
type minion struct {
	*Link
	t      *testing.T
	jobs   chan string
	order  chan string // "seen", and "job" for each job, in order
	saved  chan []*pb.MasterAddress
	bundle chan *pb.Envelope
	pins   chan pki.Fingerprint
	stop   func()
}

func newMinion(t *testing.T, trust *pki.Trust, change func(*Options), masters ...string) *minion {
	t.Helper()
	key, err := pki.NewMinionKey()
	if err != nil {
		t.Fatal(err)
	}
	m := &minion{
		t: t, jobs: make(chan string, 1000), order: make(chan string, 1000),
		saved: make(chan []*pb.MasterAddress, 100), bundle: make(chan *pb.Envelope, 100),
		pins: make(chan pki.Fingerprint, 100),
	}
	o := Options{
		ID: minionID, Key: key, Trust: trust, Masters: masters, Timings: quick, Version: "test",
		Log: hclog.New(&hclog.LoggerOptions{Name: "link", Level: hclog.Debug, Output: testLog{t}}),
		Job: func(_ string, data []byte) bool {
			if len(data) == 0 || data[0] != '#' {
				return false
			}
			m.order <- "job"
			m.jobs <- string(data)
			return true
		},
		Seen:        func(*pb.SeenReply) { m.order <- "seen" },
		SaveMasters: func(a []*pb.MasterAddress) { m.saved <- a },
		SaveBundle:  func(e *pb.Envelope) { m.bundle <- e },
		Pinned:      func(f pki.Fingerprint) { m.pins <- f },
	}
	if change != nil {
		change(&o)
	}
	if m.Link, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	m.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(m.stop)
	return m
}

func (m *minion) until(what string, ok func(Status) bool) Status {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	if err := m.Wait(ctx, ok); err != nil {
		m.t.Fatalf("never %s: now %+v", what, m.Status())
	}
	return m.Status()
}

func (m *minion) linked(what string) Status {
	m.t.Helper()
	return m.until(what, func(s Status) bool { return s.State == Linked })
}

// hears publishes text at the master until it arrives.
func (m *minion) hears(at *linktest.Master, text string) {
	m.t.Helper()
	if !heard(m, at, text) {
		m.t.Fatalf("%q sent by %s was not heard", text, at.Name)
	}
}

func heard(m *minion, at *linktest.Master, text string) bool {
	at.PublishRaw(subject.JobAll, []byte("#"+text))
	timeout := time.After(20 * time.Second)
	for {
		select {
		case got := <-m.jobs:
			if got == "#"+text {
				return true
			}
		case <-timeout:
			return false
		}
	}
}

// take receives one value or fails.
func take[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(string(p[:len(p)-1]))
	return len(p), nil
}
