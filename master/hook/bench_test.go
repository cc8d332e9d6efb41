package hook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// BenchmarkStorm has two masters take messages of 100 alerts, of which none was told before, when they know 10,000.
func BenchmarkStorm(b *testing.B) {
	s := newSite(b, generic())
	sent := 0
	send := func() {
		var all []map[string]any
		for range 100 {
			sent++
			all = append(all, map[string]any{"host": "web1", "status": "bad", "name": fmt.Sprintf("service%d", sent%100), "key": fmt.Sprintf("key%d", sent),
				"at": s.now.Add(time.Duration(sent) * time.Microsecond)})
		}
		body, err := json.Marshal(map[string]any{"alerts": all})
		if err != nil {
			b.Fatal(err)
		}
		if w := s.post(sent/100%2, "/hook/mon", string(body)); w.Code != http.StatusAccepted {
			b.Fatal(w.Code, w.Body)
		}
	}
	for sent < 10_000 {
		send()
	}
	for b.Loop() {
		send()
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "events/s")
}
