package store_test

import (
	"fmt"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

// beaconEvent is one of many events of 5,000 minions.
func beaconEvent(i int) *proto.Event {
	minion := fmt.Sprintf("web%04d", i%5000)
	tag := "salt/beacon/" + minion + "/" + []string{"load", "diskusage", "service/nginx", "memusage"}[i%4] + "/"
	if i == 1000 {
		tag = "site/zirkel/one"
	}
	return &proto.Event{Tag: tag, Origin: minion, Data: fmt.Appendf(nil, `{"id":"%s","value":%d}`, minion, i), At: start.UnixMicro() + int64(i)*1000}
}

// storeEvents stores so many events, 500 at a time.
func storeEvents(b *testing.B, s *store.Store, n int) {
	b.Helper()
	var recs []*proto.Record
	for i := range n {
		ev := beaconEvent(i)
		recs = append(recs, record(b, ev.At, ev))
		if len(recs) == 500 || i == n-1 {
			if err := s.Append(b.Context(), recs...); err != nil {
				b.Fatal(err)
			}
			recs = recs[:0]
		}
	}
}

// BenchmarkEventsStored tells how many events are stored a second.
func BenchmarkEventsStored(b *testing.B) {
	s, w := fresh(b, "m1")
	w.Add(240 * time.Hour)
	b.ResetTimer()
	storeEvents(b, s, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkEventsByTag looks for tags among many events, of which few have some.
func BenchmarkEventsByTag(b *testing.B) {
	s, w := fresh(b, "m1")
	w.Add(240 * time.Hour)
	storeEvents(b, s, 200_000)
	for _, tag := range []string{"*irke*", "*nosuch*", "salt/beacon/*/nosuch*", "salt/beacon/*/dis*", "salt/beacon/web0042/*", "*"} {
		b.Run(tag, func(b *testing.B) {
			for range b.N {
				if _, err := s.Events(b.Context(), store.EventFilter{Tags: []string{tag}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
