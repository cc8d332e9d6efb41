package job

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// BenchmarkJob is one pure job end to end: Handle to .fin, and its ack.
func BenchmarkJob(b *testing.B) {
	s := newSite(b)
	f, err := Open(filepath.Join(b.TempDir(), "journal"), JournalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	sent := make(chan []byte, 1)
	r := benchRunner(b, s, f, "web1", sent)
	for b.Loop() {
		r.Handle("job.all", s.sign(s.draft("test.ping"))) // signing costs about 25 us of it
		r.Ack(benchAck(<-sent))
	}
}

// BenchmarkThousandMinions is one job on 1,000 minions that share a journal.
func BenchmarkThousandMinions(b *testing.B) {
	const minions = 1000
	s := newSite(b)
	f, err := Open(filepath.Join(b.TempDir(), "journal"), JournalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	sent := make(chan []byte, minions)
	var all []*Runner
	for i := range minions {
		all = append(all, benchRunner(b, s, f, fmt.Sprintf("web%d", i), sent))
	}
	for b.Loop() {
		data := s.sign(s.draft("test.ping"))
		go func() {
			for _, r := range all {
				r.Handle("job.all", data)
			}
		}()
		var last []byte
		for range minions {
			last = <-sent
		}
		ack := benchAck(last)
		for _, r := range all {
			r.Ack(ack)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/minions, "us/minion")
}

// BenchmarkAppend is what a record costs alone, with its fdatasync.
func BenchmarkAppend(b *testing.B) {
	f, err := Open(filepath.Join(b.TempDir(), "journal"), JournalOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	j := f.Minion("web1")
	n := uint64(0)
	for b.Loop() {
		n++
		k := key{"20260131120000000123", requestID{}}
		binary.BigEndian.PutUint64(k.req[:], n)
		e, _ := j.claim(k, "test.ping", 1, 2)
		if err := j.accept(e, started, nil); err != nil {
			b.Fatal(err)
		}
		j.mu.Lock()
		delete(j.entries, k)
		j.mu.Unlock()
	}
}

func benchRunner(b *testing.B, s *site, f *File, id string, sent chan []byte) *Runner {
	r, err := New(b.Context(), Options{ID: id, Journal: f.Minion(id), Trust: s.trust,
		Publish: func(_ string, data []byte) error { sent <- data; return nil },
		Exec:    func(context.Context, *Job) Result { return Result{Value: []byte("true")} }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close(b.Context()) })
	return r
}

func benchAck(fin []byte) []byte {
	ret := &pb.Return{}
	if err := proto.Unmarshal(fin, ret); err != nil {
		panic(err)
	}
	ack, _ := proto.Marshal(&pb.Ack{Master: "m1", Live: []string{"m1"},
		Items: []*pb.AckItem{{Jid: ret.Jid, RequestId: ret.RequestId}}})
	return ack
}
