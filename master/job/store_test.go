package job_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
)

// TestWithTheStore is a job's whole life with the real store, by the real
// clock: two masters, a large value, and a restart.
func TestWithTheStore(t *testing.T) {
	dir := t.TempDir()
	open := func(name string) *store.Store {
		s, err := store.Open(filepath.Join(dir, name), store.Options{Master: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	s1, s2 := open("m1"), open("m2")
	w := newWorld(t, names(3))
	w.stored = s1
	w.boot("m1")
	s1.OnCommit(w.m.Committed)

	q := w.request("*")
	w.submit(q)
	value := jsonText(700_000)
	parts, final := cut(q, "web2", value, 256<<10)
	done := make(chan *watching)
	begun := make(chan struct{})
	go func() {
		v := &watching{minions: map[string]*proto.MinionUpdate{}, over: true}
		first := true
		v.err = w.m.Watch(t.Context(), q.Jid, false, func(f *proto.WatchFrame, more bool) error {
			if first {
				close(begun)
			}
			first = false
			return v.take(f, more)
		})
		done <- v
	}()
	<-begun
	w.finish(q, "web1")
	for _, p := range parts {
		w.part("web2", p)
	}
	w.say(subject.Final("web2", q.Jid), final)
	w.finish(q, "web3")
	check := func(when string, v *watching) {
		t.Helper()
		v.want(t, when, "web1 ok, web2 ok, web3 ok; done")
		if got := v.minions["web2"].GetValue(); !bytes.Equal(got, value) {
			t.Errorf("%s: got a value of %d bytes, want %d", when, len(got), len(value))
		}
	}
	check("watching", <-done)

	show := func() *watching {
		v := &watching{minions: map[string]*proto.MinionUpdate{}, over: true}
		v.err = w.m.Watch(t.Context(), q.Jid, true, v.take)
		return v
	}
	w.boot("m1")
	check("after a restart", show())

	// Another master copies the log, last record first.
	page, err := s1.Page(t.Context(), 0, 64<<20, false)
	if err != nil {
		t.Fatal(err)
	}
	var recs []*proto.Record
	for _, e := range page.Entries {
		rec := e.Record
		if len(rec.Body) == 0 {
			if rec.Body, _, err = s1.Body(t.Context(), rec.Id, 0, 64<<20); err != nil {
				t.Fatal(err)
			}
		}
		recs = append([]*proto.Record{rec}, recs...)
	}
	w.stored = s2
	w.boot("m2")
	s2.OnCommit(w.m.Committed)
	if err := s2.Import(t.Context(), "m1", page.Incarnation, page.Last, recs); err != nil {
		t.Fatal(err)
	}
	check("at another master", show())
	w.submit(q) // a retry there is the same job
	jobs, err := s2.Jobs(t.Context(), store.JobFilter{})
	if err != nil || len(jobs) != 1 {
		t.Errorf("got %d jobs, %v, want 1", len(jobs), err)
	}
	w.stop()
}

// BenchmarkCollectIntoStore is the way of 1,000 returns into the real store,
// until all are acknowledged.
func BenchmarkCollectIntoStore(b *testing.B) {
	s, err := store.Open(filepath.Join(b.TempDir(), "store"), store.Options{Master: "m1"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w := newWorld(b, names(1000))
	w.stored = s
	w.boot("m1")
	defer w.stop()
	s.OnCommit(w.m.Committed)
	ids := names(1000)
	for b.Loop() {
		b.StopTimer()
		w.clear()
		q := w.request("*")
		w.submit(q)
		data := make([][]byte, len(ids))
		for i, id := range ids {
			data[i], _ = pb.Marshal(returnOf(q, id))
		}
		b.StartTimer()
		for i, id := range ids {
			w.m.Returned(b.Context(), subject.Final(id, q.Jid), data[i])
		}
		deadline, cancel := context.WithTimeout(b.Context(), time.Minute)
		err := w.m.Watch(deadline, q.Jid, false, func(*proto.WatchFrame, bool) error { return nil })
		cancel()
		if err != nil {
			b.Fatal(err)
		}
	}
}
