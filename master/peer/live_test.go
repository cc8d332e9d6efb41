package peer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

func liveIs(n *node, names ...string) func() bool {
	return func() bool { return slices.Equal(n.Live(), names) }
}

func TestMastersHearEachOther(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.o.Address = func() *proto.MasterAddress { return &proto.MasterAddress{Name: "m1", Bus: "h:1"} }
	m1.o.Fill = func(b *proto.Heartbeat) { b.Minions = 7 }
	m1.start()
	m2.start()
	eventually(t, "both live at both", func() bool {
		return liveIs(m1, "m1", "m2")() && liveIs(m2, "m1", "m2")()
	})
	if b := m2.Beat("m1"); b.GetMinions() != 7 || b.GetAddress().GetBus() != "h:1" {
		t.Errorf("heartbeat of m1: got %v", b)
	}
	if b := m1.Beat("m1"); b.GetMinions() != 7 {
		t.Errorf("own heartbeat: got %v", b)
	}
	if late := m2.Late("m1"); late > 3*beat {
		t.Errorf("m1 is %v late", late)
	}

	m1.halt()
	eventually(t, "m1 missed", liveIs(m2, "m2"))
	eventually(t, "m1 told as missed", func() bool {
		select {
		case live := <-m2.live:
			return slices.Equal(live, []string{"m2"})
		default:
			return false
		}
	})
	if late := m2.Late("m1"); late < 3*beat {
		t.Errorf("m1 is only %v late", late)
	}
	m1.open()
	m1.start()
	eventually(t, "m1 back", liveIs(m2, "m1", "m2"))
}

// Who has slept asks for something before its next heartbeat is heard: what follows from that has to be committed to it.
func TestARequestIsASignOfLife(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.o.Interval = time.Hour // it beats once
	var live []string
	m1.start()
	m2.start()
	m2.Handle("sys", "drain", func(context.Context, string, []byte) (pb.Message, error) {
		live = m2.Live()
		return &proto.Empty{}, nil
	})
	eventually(t, "m1 heard", func() bool { return m2.Beat("m1") != nil })
	eventually(t, "m1 silent", liveIs(m2, "m2"))
	if err := m1.Call(t.Context(), "m2", "sys", "drain", &proto.Empty{}, nil); err != nil || !slices.Equal(live, []string{"m1", "m2"}) {
		t.Errorf("got %v; live was %v", err, live)
	}
}

func TestRevokedMasterIsNotLive(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.start()
	m2.start()
	eventually(t, "both live", liveIs(m1, "m1", "m2"))
	l.rule(func(b *proto.Bundle) { b.Masters[1].Revoked = true })
	if got := m1.Live(); !slices.Equal(got, []string{"m1"}) {
		t.Errorf("live after revocation: got %v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*beat)
	defer cancel()
	if err := m2.Call(ctx, "m1", "repl", "pull", &proto.PullRequest{}, nil); err == nil {
		t.Error("a revoked master was answered")
	}
}

func TestAbsentMasters(t *testing.T) {
	l := newLab(t)
	m1 := l.node("m1")
	l.node("m2")
	m1.start()
	begun := time.Now()
	err := m1.Call(t.Context(), "m2", "sys", "status", &proto.Empty{}, nil)
	if err == nil || !strings.Contains(err.Error(), `cannot ask master "m2" for sys.status: it is not connected`) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	if err := m1.PullAll(t.Context()); err != nil {
		t.Errorf("catching up with nobody: %v", err)
	}
	if away := m1.Away(); !slices.Equal(away, []string{"m2"}) {
		t.Errorf("away: got %v", away)
	}
	beats := m1.Beats()
	if len(beats) != 1 || beats[0].Name != "m2" || beats[0].Live || beats[0].Beat != nil {
		t.Errorf("got %+v", beats)
	}
}

func TestNobodyWaitsForAMasterThatHasNeverRun(t *testing.T) {
	l := newLab(t)
	m1 := l.node("m1")
	l.node("m2")
	l.node("m3")
	m1.o.Invited = func(name string) bool { return name == "m3" }
	m1.start()
	if away := m1.Away(); !slices.Equal(away, []string{"m2"}) {
		t.Errorf("away: got %v", away)
	}
}

func TestSecondProcessOfOneName(t *testing.T) {
	l := newLab(t)
	first, third := l.node("m1"), l.node("m2")
	first.start()
	third.start()
	eventually(t, "m1 live", liveIs(third, "m1", "m2"))
	copied := &node{l: l, id: first.id, path: t.TempDir() + "/store.db", live: make(chan []string, 100),
		other: make(chan bool, 10), log: &logBuffer{}}
	copied.open()
	copied.start()
	if yield := <-first.other; yield {
		t.Error("the first process is told to yield")
	}
	if yield := <-copied.other; !yield {
		t.Error("the second process is not told to yield")
	}
	eventually(t, "the third master sees two", func() bool {
		return strings.Contains(third.Beats()[0].Problem, "two processes")
	})
	copied.halt()
	eventually(t, "the third master sees one again", func() bool {
		b := third.Beats()[0]
		return b.Live && b.Problem == "" && b.Beat.Instance == first.Beat("m1").Instance
	})
}

// A process that was stopped for a while must not take the others for dead.
func TestOwnPauseIsForgiven(t *testing.T) {
	l := newLab(t)
	l.interval = 2 * time.Second
	m1, m2 := l.node("m1"), l.node("m2")
	m1.start()
	m2.start()
	eventually(t, "both live", func() bool { return liveIs(m1, "m1", "m2")() && liveIs(m2, "m1", "m2")() })
	for len(m1.live) > 0 {
		<-m1.live
	}
	l.ahead.Add(int64(20 * time.Second))
	last := m1.Beat("m2").Sequence
	m2.write(0, 1, 10)
	eventually(t, "a later heartbeat", func() bool { return m1.Beat("m2").Sequence > last })
	for len(m1.live) > 0 {
		if live := <-m1.live; !slices.Equal(live, []string{"m1", "m2"}) {
			t.Errorf("live became %v", live)
		}
	}
}

func TestClockOfAnotherMaster(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.start()
	m2.o.Now = func() time.Time { return time.Now().Add(612 * time.Second) }
	m2.start()
	eventually(t, "the clock named", func() bool {
		b := m1.Beats()[0]
		return !b.Live && strings.Contains(b.Problem, `clock of master "m2" differs by 612 s: check NTP`)
	})
	err := m2.Call(t.Context(), "m1", "repl", "pull", &proto.PullRequest{}, nil)
	if err == nil || !strings.Contains(err.Error(), "check NTP") {
		t.Errorf("request with a wrong clock: got %v", err)
	}
}
