package peer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

func TestCommitReachesLiveMasters(t *testing.T) {
	l := newLab(t)
	l.interval, l.confirm = 2*time.Second, patient
	m1, m2, m3 := l.node("m1"), l.node("m2"), l.node("m3")
	var mu sync.Mutex
	trees := map[string]string{}
	for _, n := range []*node{m2, m3} {
		n.o.Tree = func(_ context.Context, tree, from string) error {
			mu.Lock()
			defer mu.Unlock()
			trees[n.id.Name] += " " + tree + " " + from
			return nil
		}
	}
	m1.start()
	m2.start()
	m3.start()
	eventually(t, "all live", liveIs(m1, "m1", "m2", "m3"))
	// More than one message, with bodies that fit in none.
	var recs []*proto.Record
	for i, size := range []int{10, 200 << 10, 200 << 10, 200 << 10, 1 << 20, 10, 300 << 10} {
		recs = append(recs, m1.ret(i, size))
	}
	if err := m1.store.Append(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
	confirmed, unconfirmed := m1.Commit(t.Context(), recs, "tree1", "tree2")
	if fmt.Sprint(confirmed, unconfirmed) != "[m2 m3] []" {
		t.Errorf("got confirmed %v, unconfirmed %v", confirmed, unconfirmed)
	}
	for _, n := range []*node{m2, m3} {
		for _, r := range recs {
			if missing := n.missing(t, r.Id); len(missing) > 0 {
				t.Errorf("%s confirmed without %v", n.id.Name, missing)
			}
		}
		mu.Lock()
		if got := trees[n.id.Name]; got != " tree1 m1 tree2 m1" {
			t.Errorf("tree at %s: got %q", n.id.Name, got)
		}
		mu.Unlock()
	}
}

type slow struct {
	*store.Store
	release chan struct{}
}

func (s *slow) Append(ctx context.Context, recs ...*proto.Record) error {
	<-s.release
	return s.Store.Append(ctx, recs...)
}

func TestCommitDoesNotWaitForASilentMaster(t *testing.T) {
	l := newLab(t)
	l.interval = 2 * time.Second
	m1, m2, m3 := l.node("m1"), l.node("m2"), l.node("m3")
	hangs := &slow{m2.store, make(chan struct{})}
	m2.o.Store = hangs
	m1.start()
	m2.start()
	m3.start()
	defer close(hangs.release)
	eventually(t, "all live", liveIs(m1, "m1", "m2", "m3"))
	rec := m1.ret(1, 10)
	if err := m1.store.Append(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, unconfirmed := m1.Commit(t.Context(), []*proto.Record{rec}, "") // m2 hangs until it has returned
	if took := time.Since(begun); took < 190*time.Millisecond {
		t.Errorf("it took %v, want 200 ms", took)
	}
	if len(unconfirmed) == 0 || unconfirmed[0] != "m2" {
		t.Errorf("unconfirmed: got %v, want m2", unconfirmed)
	}
}

func TestCommitOfBadRecordsIsRefused(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1").start(), l.node("m2").start()
	eventually(t, "both live", liveIs(m1, "m1", "m2"))
	good := m1.ret(1, 10)
	before := m2.store.Last()
	for name, req := range map[string]*proto.CommitRequest{
		"another id": {Records: []*proto.Record{{Id: "return/x", Kind: good.Kind, Stamp: good.Stamp,
			Origin: good.Origin, Body: good.Body}}},
		"empty record": {Records: []*proto.Record{{}}},
		"from the future": {Records: []*proto.Record{{Id: good.Id, Kind: good.Kind,
			Stamp: time.Now().Add(time.Hour).UnixMicro(), Origin: good.Origin, Body: good.Body}}},
		"large without end": {Large: []*proto.LogEntry{{Record: good, Size: 1 << 40}}},
		"large of nothing":  {Large: []*proto.LogEntry{{Size: 10}}},
		"large and unknown": {Large: []*proto.LogEntry{{Record: good, Size: 10}}},
		"large and another": {Large: []*proto.LogEntry{{Record: &proto.Record{Id: "x"}, Size: 300 << 10}}},
	} {
		if err := m1.Call(t.Context(), "m2", "repl", "commit", req, nil); err == nil {
			t.Errorf("%s: confirmed", name)
		}
	}
	if m2.store.Last() != before {
		t.Error("something was stored")
	}
}
