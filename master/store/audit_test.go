package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

// trail keeps a record a second: of ann and bob by turns, of three functions, each fifth refused.
func trail(t testing.TB, s *store.Store, n int) {
	t.Helper()
	for i := range n {
		a := &proto.Audit{
			Operator: []string{"ann", "bob"}[i%2], Action: "job.run", Outcome: "done", Detail: fmt.Sprint(i),
			Function: []string{"test.ping", "cmd.run", ""}[i%3],
		}
		if a.Function == "" {
			a.Action = "key.accept"
		}
		if i%5 == 4 {
			a.Outcome = "refused"
		}
		rec, err := store.NewRecord(start.Add(time.Duration(i)*time.Second).UnixMicro(), "m1", a)
		if err == nil {
			err = s.Append(t.Context(), rec)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func audits(t *testing.T, s *store.Store, f store.AuditFilter) string {
	t.Helper()
	var texts []string
	for _, e := range must(s.Audits(t.Context(), f))(t) {
		if e.Master != "m1" || e.Stamp == 0 {
			t.Errorf("%v: of %q at %d", e.Audit, e.Master, e.Stamp)
		}
		texts = append(texts, e.Detail)
	}
	return strings.Join(texts, " ")
}

func TestTheAuditTrailIsFoundByEachFilter(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	trail(t, s, 30)
	at := func(i int) int64 { return start.Add(time.Duration(i) * time.Second).UnixMicro() }
	for _, c := range []struct {
		f    store.AuditFilter
		want string
	}{
		{store.AuditFilter{Limit: 3}, "29 28 27"},
		{store.AuditFilter{Limit: 3, Before: at(27)}, "26 25 24"},
		{store.AuditFilter{Since: at(27)}, "29 28 27"},
		{store.AuditFilter{Since: at(20), Before: at(23)}, "22 21 20"},
		{store.AuditFilter{Operator: "ann", Limit: 3}, "28 26 24"},
		{store.AuditFilter{Operator: "nobody"}, ""},
		{store.AuditFilter{Operator: "[!a]*", Function: "cmd.run", Limit: 2}, "25 19"},
		{store.AuditFilter{Function: "@key.*", Limit: 2}, "29 26"},
		{store.AuditFilter{Function: "*.*", Limit: 4}, "29 28 27 26"},
		{store.AuditFilter{Function: "*.*", Limit: 2, Before: at(10)}, "9 8"},
		{store.AuditFilter{Failed: true, Limit: 3}, "29 24 19"},
		{store.AuditFilter{Failed: true, Operator: "ann", Function: "test.ping"}, "24"},
	} {
		if got := audits(t, s, c.f); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.f, got, c.want)
		}
	}
	check(t, s.Check(t.Context()))
}

func TestRecordsOfOneMomentAreNotTornApart(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	for i := range 4 {
		check(t, s.Append(t.Context(), record(t, start.UnixMicro(), &proto.Audit{Operator: "ann", Action: "a", Detail: fmt.Sprint(i)})))
	}
	for _, f := range []store.AuditFilter{{Limit: 2}, {Limit: 2, Operator: "*"}} {
		if got := audits(t, s, f); got != "3 2 1 0" {
			t.Errorf("%+v: got %q", f, got)
		}
	}
}

func TestTheAuditTrailIsPruned(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	trail(t, s, 10)
	must(s.Prune(t.Context(), start.Add(8*time.Second), 3))(t)
	if got := audits(t, s, store.AuditFilter{}); got != "9 8" {
		t.Errorf("got %q", got)
	}
	if got := audits(t, s, store.AuditFilter{Operator: "*"}); got != "9 8" {
		t.Errorf("by operator: got %q", got)
	}
	check(t, s.Check(t.Context()))
}

// BenchmarkAudits asks a trail of a million records.
func BenchmarkAudits(b *testing.B) {
	s, w := fresh(b, "m1")
	w.Add(1000 * time.Hour)
	const records = 1_000_000
	var lot []*proto.Record
	for i := range records {
		a := &proto.Audit{Operator: fmt.Sprintf("op%02d", i*7919%40), Action: "job.run", Function: fmt.Sprintf("mod%d.fun", i*104729%50),
			Detail: "web*", Outcome: "done", Address: "10.0.0.1", Jid: "20260701120000000000"}
		if i < records/2 {
			a.Operator = "gone" // long ago
		}
		if i%1000 == 0 {
			a.Outcome = "refused"
		}
		lot = append(lot, record(b, start.Add(time.Duration(i)*time.Second).UnixMicro(), a))
		if len(lot) == 5000 {
			check(b, s.Append(b.Context(), lot...))
			lot = nil
		}
	}
	for name, f := range map[string]store.AuditFilter{
		"newest": {}, "operator": {Operator: "gone"}, "globs": {Operator: "op*", Function: "mod1*"},
		"rare": {Operator: "gone", Function: "mod7.fun", Failed: true}, "failed": {Failed: true, Limit: 500},
		"since": {Since: start.Add(999_900 * time.Second).UnixMicro(), Function: "*"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Audits(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
