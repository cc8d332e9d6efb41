package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// BenchmarkReturns stores returns as they come from the bus, each on its own
// with an answer after its commit, and tells how many a second.
func BenchmarkReturns(b *testing.B) {
	for _, size := range []int{10, 300, 4000} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			s, _ := fresh(b, "m1")
			value := `"` + strings.Repeat("x", size) + `"`
			recs := make([]*proto.Record, b.N)
			for i := range recs {
				id := jidAfter(0)[:14] + fmt.Sprintf("%06d", i/1000)
				minion := fmt.Sprintf("web%03d.example.org", i%1000)
				recs[i] = record(b, s.Stamp(), aReturn(id, "r", minion, proto.Outcome_OK, value))
			}
			var all sync.WaitGroup
			all.Add(b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for _, rec := range recs {
				s.Enqueue(rec, func(err error) {
					if err != nil {
						b.Error(err)
					}
					all.Done()
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "returns/s")
		})
	}
}

// BenchmarkOutcomes asks how a job ended on 1,000 minions.
func BenchmarkOutcomes(b *testing.B) {
	s, _ := fresh(b, "m1")
	put(b, s, aJob(jidAfter(0), "r", "m1"))
	for i := range 1000 {
		put(b, s, aReturn(jidAfter(0), "r", fmt.Sprintf("web%03d", i), proto.Outcome_OK, "1"))
	}
	b.ResetTimer()
	for range b.N {
		if _, err := s.Outcomes(b.Context(), jidAfter(0)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReturnsRead reads all 1,000 returns of a job, values included.
func BenchmarkReturnsRead(b *testing.B) {
	s, _ := fresh(b, "m1")
	for i := range 1000 {
		put(b, s, aReturn(jidAfter(0), "r", fmt.Sprintf("web%03d", i), proto.Outcome_OK, "1"))
	}
	b.ResetTimer()
	for range b.N {
		if err := s.Returns(b.Context(), jidAfter(0), func(*proto.Return) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImport takes over returns from a peer, in pages of 500.
func BenchmarkImport(b *testing.B) {
	s, _ := fresh(b, "m1")
	recs := make([]*proto.Record, b.N)
	for i := range recs {
		id := jidAfter(0)[:14] + fmt.Sprintf("%06d", i/1000)
		minion := fmt.Sprintf("web%03d.example.org", i%1000)
		recs[i] = record(b, s.Stamp(), aReturn(id, "r", minion, proto.Outcome_OK, strings.Repeat("x", 300)))
	}
	b.ResetTimer()
	for n := 0; n < len(recs); n += 500 {
		if err := s.Import(b.Context(), "m2", "life", int64(n), recs[n:min(n+500, len(recs))]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTaken asks which of 20 open jobs a minion took, as each minion does
// when it connects, with many old jobs in the store.
func BenchmarkTaken(b *testing.B) {
	s, w := fresh(b, "m1")
	for i := range 200 {
		id := jidAfter(time.Duration(i-180) * time.Minute)
		put(b, s, aJob(id, "r", "m1"))
		var all []pb.Message
		for n := range 100 {
			all = append(all, aReturn(id, "r", fmt.Sprintf("web%02d", n), proto.Outcome_OK, "1"))
		}
		put(b, s, all...)
	}
	b.ResetTimer()
	for range b.N {
		if got, err := s.Taken(b.Context(), "web07", w.Now()); err != nil || len(got) == 0 {
			b.Fatal(got, err)
		}
	}
}

// BenchmarkMissing compares 500 ids of a peer's log, all of which are here, as
// each page of one is.
func BenchmarkMissing(b *testing.B) {
	s, _ := fresh(b, "m1")
	var ids []string
	for i := range 20_000 {
		id := jidAfter(0)[:14] + fmt.Sprintf("%06d", i/1000)
		minion := fmt.Sprintf("web%03d.example.org", i%1000)
		rec := record(b, s.Stamp(), aReturn(id, "r", minion, proto.Outcome_OK, "1"))
		ids = append(ids, rec.Id)
		s.Enqueue(rec, func(err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	put(b, s, aJob(jidAfter(0), "r", "m1"))
	b.ResetTimer()
	for n := range b.N {
		at := n % 40 * 500
		if missing, err := s.Missing(b.Context(), ids[at:at+500]); err != nil || len(missing) > 0 {
			b.Fatal(len(missing), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/500, "us/id")
}
