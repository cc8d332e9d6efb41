package store_test

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

var update = flag.Bool("update", false, "write the golden files")

// TestIDsStayAsTheyAre compares with a golden file: ids are on the disks and
// between masters of different versions.
func TestIDsStayAsTheyAre(t *testing.T) {
	id := jidAfter(0)
	var got strings.Builder
	for _, body := range []pb.Message{
		aJob(id, "r", "m1", "web1"), aReturn(id, "r", "web1", proto.Outcome_OK, "1"), aCancel(id, "r"),
		aKey("web1", "k", accepted), &proto.Audit{Action: "a"}, &proto.Event{Tag: "a"},
		&proto.OperatorRecord{Name: "root", Key: key("k")}, &proto.MasterAddress{Name: "m2"}, aBundle(1),
		&proto.TokenRecord{Name: "t", Purpose: "enrol", SecretSha256: key("k")},
	} {
		rec := record(t, 77, body)
		check(t, store.Check(rec))
		fmt.Fprintln(&got, rec.Id)
	}
	const golden = "testdata/ids.golden"
	if *update {
		check(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	if check(t, err); got.String() != string(want) {
		t.Errorf("ids\n%swant\n%s", got.String(), want)
	}
}

func TestTheStampIsNotInTheIDOfWhatEveryMasterHears(t *testing.T) {
	r := aReturn(jidAfter(0), "r", "web1", proto.Outcome_OK, "1")
	if a, b := record(t, 1, r).Id, record(t, 2, r).Id; a != b {
		t.Errorf("ids %q and %q of one return", a, b)
	}
}

func TestNewRecordRefusesWhatIsOutOfBounds(t *testing.T) {
	id := jidAfter(0)
	job := func(change func(*proto.JobRecord, *proto.Job, *proto.JobRequest)) pb.Message {
		rec, j, asked := aJob(id, "r", "m1", "web1"), new(proto.Job), new(proto.JobRequest)
		check(t, pb.Unmarshal(rec.Job.Body, j))
		check(t, pb.Unmarshal(j.Request.Body, asked))
		change(rec, j, asked)
		j.Request = envelope(proto.Kind_KIND_JOB_REQUEST, asked)
		rec.Job = envelope(proto.Kind_KIND_JOB, j)
		return rec
	}
	ret := func(change func(*proto.Return)) pb.Message {
		r := aReturn(id, "r", "web1", proto.Outcome_OK, "1")
		change(r)
		return r
	}
	bad := map[string]pb.Message{
		"no job":           &proto.JobRecord{},
		"unsigned job":     &proto.JobRecord{Job: &proto.Envelope{Kind: proto.Kind_KIND_JOB}},
		"a cancel as job":  &proto.JobRecord{Job: envelope(proto.Kind_KIND_CANCEL, &proto.Cancel{})},
		"no request":       &proto.JobRecord{Job: envelope(proto.Kind_KIND_JOB, &proto.Job{})},
		"jid of letters":   job(func(_ *proto.JobRecord, _ *proto.Job, r *proto.JobRequest) { r.Jid = "abcdefghijklmnopqrst" }),
		"old jid":          job(func(_ *proto.JobRecord, _ *proto.Job, r *proto.JobRequest) { r.Jid = "00010101000000000000" }),
		"short request id": job(func(_ *proto.JobRecord, _ *proto.Job, r *proto.JobRequest) { r.RequestId = []byte("x") }),
		"no function":      job(func(_ *proto.JobRecord, _ *proto.Job, r *proto.JobRequest) { r.Function = "" }),
		"endless function": job(func(_ *proto.JobRecord, _ *proto.Job, r *proto.JobRequest) { r.Function = strings.Repeat("x", 2000) }),
		"endless window": job(func(_ *proto.JobRecord, j *proto.Job, _ *proto.JobRequest) {
			j.NotAfter += int64(32 * day / time.Microsecond)
		}),
		"window backwards":  job(func(_ *proto.JobRecord, j *proto.Job, _ *proto.JobRequest) { j.NotAfter = j.IssuedAt - 1 }),
		"window overflows":  job(func(_ *proto.JobRecord, j *proto.Job, _ *proto.JobRequest) { j.IssuedAt, j.NotAfter = 1, math.MinInt64 }),
		"odd minion":        job(func(r *proto.JobRecord, _ *proto.Job, _ *proto.JobRequest) { r.Expected = []string{"../x"} }),
		"odd offline":       job(func(r *proto.JobRecord, _ *proto.Job, _ *proto.JobRequest) { r.Offline = []string{""} }),
		"no outcome":        ret(func(r *proto.Return) { r.Outcome = 0 }),
		"no minion":         ret(func(r *proto.Return) { r.Minion = "" }),
		"endless reason":    ret(func(r *proto.Return) { r.Reason = strings.Repeat("x", 100_000) }),
		"endless value":     ret(func(r *proto.Return) { r.Value = make([]byte, 65<<20) }),
		"short key":         &proto.KeyRecord{Id: "web1", SigningKey: []byte("x"), State: accepted},
		"odd sealing key":   &proto.KeyRecord{Id: "web1", SigningKey: key("k"), SealingKey: []byte("x"), State: accepted},
		"no state":          &proto.KeyRecord{Id: "web1", SigningKey: key("k")},
		"no id":             &proto.KeyRecord{SigningKey: key("k"), State: accepted},
		"operator unnamed":  &proto.OperatorRecord{Key: key("k")},
		"operator keyless":  &proto.OperatorRecord{Name: "root"},
		"master unnamed":    &proto.MasterAddress{Bus: "a:1"},
		"odd address":       &proto.MasterAddress{Name: "m1", Bus: "a:1\n"},
		"bundle unnumbered": aBundle(0),
		"bundle overflows":  aBundle(math.MaxUint64),
		"token unnamed":     &proto.TokenRecord{Purpose: "enrol", SecretSha256: key("k")},
		"token in clear":    &proto.TokenRecord{Name: "t", Purpose: "enrol", SecretSha256: []byte("x")},
		"endless audit":     &proto.Audit{Detail: strings.Repeat("x", 2<<20)},
		"no kind":           &proto.Page{},
	}
	for name, body := range bad {
		if rec, err := store.NewRecord(77, "web1", body); err == nil {
			t.Errorf("%s: made %q", name, rec.Id)
		} else if !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: error %q does not say what could not be done", name, err)
		}
	}
	for _, origin := range []string{"", "a b", "web2"} {
		if _, err := store.NewRecord(77, origin, ret(func(*proto.Return) {})); err == nil {
			t.Errorf("a return of web1 by %q was made", origin)
		}
	}
	if _, err := store.NewRecord(0, "m1", &proto.Audit{}); err == nil {
		t.Error("a record without a time was made")
	}
}

func TestCheckRefusesARecordThatWasChanged(t *testing.T) {
	for _, body := range everything(jidAfter(0)) {
		rec := record(t, 77, body)
		changes := map[string]func(*proto.Record){
			"id":       func(r *proto.Record) { r.Id += "x" },
			"no id":    func(r *proto.Record) { r.Id = "" },
			"odd id":   func(r *proto.Record) { r.Id = "a\x00b" },
			"long id":  func(r *proto.Record) { r.Id = strings.Repeat("x/", 1000) },
			"kind":     func(r *proto.Record) { r.Kind = r.Kind%10 + 1 },
			"no kind":  func(r *proto.Record) { r.Kind = 0 },
			"new kind": func(r *proto.Record) { r.Kind = 1000 },
			"body":     func(r *proto.Record) { r.Body[len(r.Body)-1] ^= 1 },
			"no body":  func(r *proto.Record) { r.Body = nil },
			"more":     func(r *proto.Record) { r.Body = append(r.Body, 0xf8, 0x3f, 1) },
			"origin":   func(r *proto.Record) { r.Origin = "../x" },
			"no stamp": func(r *proto.Record) { r.Stamp = 0 },
		}
		for name, change := range changes {
			changed := pb.Clone(rec).(*proto.Record)
			change(changed)
			if err := store.Check(changed); err == nil {
				t.Errorf("%s with another %s was taken", rec.Id, name)
			}
		}
	}
}

// FuzzCheck gives records of any bytes: what passes does so with one body only,
// can be stored and is found again.
func FuzzCheck(f *testing.F) {
	for _, body := range everything(jidAfter(0)) {
		rec := record(f, 77, body)
		f.Add(int32(rec.Kind), rec.Id, rec.Origin, rec.Stamp, rec.Body)
	}
	f.Add(int32(99), "later/1/abc", "m1", int64(1), []byte("x"))
	s, w := fresh(f, "m1")
	w.Add(1000 * day)
	f.Fuzz(func(t *testing.T, kind int32, id, origin string, stamp int64, body []byte) {
		rec := &proto.Record{Kind: proto.RecordKind(kind), Id: id, Origin: origin, Stamp: stamp, Body: body}
		if store.Check(rec) != nil {
			return
		}
		changed := pb.Clone(rec).(*proto.Record)
		changed.Body = append(changed.Body, 0)
		if store.Check(changed) == nil {
			t.Errorf("record %q passes with two bodies", id)
		}
		importForeign(t, s, rec)
	})
}

// FuzzImport gives pages of any bytes, as a peer might.
func FuzzImport(f *testing.F) {
	page := &proto.Page{Incarnation: "life", Last: 10}
	for _, body := range everything(jidAfter(0)) {
		if rec := record(f, 77, body); len(rec.Body) < 1000 {
			page.Entries = append(page.Entries, &proto.LogEntry{Record: rec})
		}
	}
	data, err := pb.Marshal(page)
	check(f, err)
	f.Add(data)
	s, w := fresh(f, "m1")
	w.Add(1000 * day)
	f.Fuzz(func(t *testing.T, data []byte) {
		page := new(proto.Page)
		if pb.Unmarshal(data, page) != nil {
			return
		}
		var recs []*proto.Record
		for _, e := range page.Entries {
			recs = append(recs, e.GetRecord())
		}
		importForeign(t, s, recs...)
	})
}

// importForeign imports records from a peer, looks for them and asks everything
// that they could have spoilt.
func importForeign(t *testing.T, s *store.Store, recs ...*proto.Record) {
	ctx := t.Context()
	if s.Import(ctx, "m2", "life", 1, recs) != nil {
		return // stamped ahead
	}
	for _, rec := range recs {
		if store.Check(rec) != nil {
			continue
		}
		got := must(s.Records(ctx, []string{rec.Id}, 64<<20))(t)
		if len(got) != 1 || got[0].Id != rec.Id || string(got[0].Body) != string(rec.Body) {
			t.Errorf("record %q is not found again", rec.Id)
		}
	}
	must(s.Jobs(ctx, store.JobFilter{}))(t)
	must(s.Keys(ctx))(t)
	must(s.Operators(ctx, ""))(t)
	must(s.Masters(ctx))(t)
	must(s.Tokens(ctx))(t)
	if _, err := s.Bundle(ctx); !errors.Is(err, store.ErrNotFound) {
		check(t, err)
	}
}
