package job_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

var errDenied = errors.New("not allowed")

func (w *world) acks(id string) (all []*proto.Ack) {
	time.Sleep(500 * time.Millisecond) // of the fake clock: acks wait for those of other masters
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.published(subject.Ack(subject.Token(id))) {
		a := &proto.Ack{}
		if err := pb.Unmarshal(m.data, a); err != nil {
			w.t.Error(err)
		}
		all = append(all, a)
	}
	return all
}

func TestAcksComeAfterTheCommit(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q, p := w.request("*"), w.request("*")
		w.submit(q)
		w.submit(p)
		w.store.pause()
		w.finish(q, "web1", "web2")
		w.finish(p, "web1")
		if got := w.acks("web1"); got != nil {
			t.Fatalf("got %v before the commit, want nothing", got)
		}
		w.store.release()
		got := w.acks("web1")
		var items []string
		for _, a := range got {
			if a.Master != "m1" || !slices.Equal(a.Live, []string{"m1", "m2"}) {
				t.Errorf("got %v", a)
			}
			for _, item := range a.Items {
				items = append(items, item.Jid)
				if !bytes.Equal(item.RequestId, q.RequestId) {
					t.Errorf("got request id %q", item.RequestId)
				}
			}
		}
		if !slices.Equal(items, []string{q.Jid, p.Jid}) || len(w.acks("web2")) != 1 {
			t.Errorf("got %v for web1, %v for web2", items, w.acks("web2"))
		}
		w.clear()
		w.finish(q, "web1") // offered again: acknowledged again, stored once
		if len(w.acks("web1")) != 1 || len(w.store.returns()) != 3 {
			t.Errorf("offered again: got %d acks, %d returns", len(w.acks("web1")), len(w.store.returns()))
		}
	})
}

func TestAcksOfAllMastersComeInOneMessage(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		w.elsewhere = map[string]bool{"web2": true}
		q := w.request("*")
		w.submit(q)
		w.finish(q, "web1", "web2")
		item := &proto.AckItem{Jid: q.Jid, RequestId: q.RequestId}
		w.m.HandedAcks("m2", &proto.AckBatch{Live: w.live, Groups: []*proto.AckGroup{{Item: item, Minions: []string{"web1", "web2"}}}})
		got := w.acks("web1")
		if len(got) != 1 || got[0].Master != "m1" || len(got[0].Others) != 1 || got[0].Others[0].Master != "m2" ||
			!pb.Equal(got[0].Items[0], item) || !pb.Equal(got[0].Others[0].Items[0], item) {
			t.Errorf("got %v, want one of m1 with the word of m2", got)
		}
		if got := w.acks("web2"); got != nil {
			t.Errorf("got %v for a minion that hears another master, want nothing", got)
		}
		if len(w.handed) != 1 || !slices.Equal(w.handed[0].Groups[0].Minions, []string{"web2"}) {
			t.Errorf("handed on %v, want that of web2", w.handed)
		}
		w.finish(q, "web2") // offered again: perhaps the other master is gone
		if got := w.acks("web2"); len(got) != 1 {
			t.Errorf("offered again: got %v, want one ack", got)
		}
	})
}

// pulsed is what pulses said, by the minion's mark: the masters that have its return of q.
func (w *world) pulsed(id string, q *proto.JobRequest) (live []string) {
	time.Sleep(time.Second) // of the fake clock
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.published(subject.Pulse("m1", subject.Token(id))) {
		p := &proto.Pulse{}
		if err := pb.Unmarshal(m.data, p); err != nil {
			w.t.Error(err)
		}
		for mark := range slices.Chunk(p.Stored, len(proto.Mark{})) {
			if proto.Mark(mark) == proto.MarkOf(id, q.Jid, q.RequestId) {
				live = append(live, p.Live...)
			}
		}
	}
	return live
}

func TestAPulseTellsWhatAllMastersHave(t *testing.T) {
	type handed struct {
		live    []string
		minions []string
	}
	both := []string{"m1", "m2"}
	for name, c := range map[string]struct {
		live    []string
		handed  []handed
		pulse   bool
		in      map[string][]string // the pulse says of a minion that these have it
		oneself map[string]int      // acks of its own
	}{
		"both have both":  {both, []handed{{both, []string{"web1", "web2"}}}, true, map[string][]string{"web1": both, "web2": both}, nil},
		"one is missing":  {both, []handed{{both, []string{"web2"}}}, true, map[string][]string{"web2": both}, map[string]int{"web1": 1}},
		"none came":       {both, nil, true, nil, map[string]int{"web1": 1, "web2": 1}},
		"alone":           {[]string{"m1"}, nil, true, map[string][]string{"web1": {"m1"}, "web2": {"m1"}}, nil},
		"no common view":  {both, []handed{{[]string{"m1", "m2", "m3"}, []string{"web1", "web2"}}}, true, nil, map[string]int{"web1": 1, "web2": 1}},
		"hears no pulses": {both, []handed{{both, []string{"web1", "web2"}}}, false, nil, map[string]int{"web1": 1, "web2": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, names(2), func(t *testing.T, w *world) {
				w.live, w.pulse = c.live, c.pulse
				q := w.request("*")
				w.submit(q)
				w.finish(q, "web1", "web2")
				item := &proto.AckItem{Jid: q.Jid, RequestId: q.RequestId}
				for _, h := range c.handed {
					w.m.HandedAcks("m2", &proto.AckBatch{Live: h.live, Groups: []*proto.AckGroup{{Item: item, Minions: h.minions}}})
				}
				for _, id := range []string{"web1", "web2"} {
					if got := w.pulsed(id, q); !slices.Equal(got, c.in[id]) {
						t.Errorf("a pulse says that %v have what %s returned, want %v", got, id, c.in[id])
					}
					if got := len(w.acks(id)); got != c.oneself[id] {
						t.Errorf("%s got %d acks of its own, want %d", id, got, c.oneself[id])
					}
				}
			})
		})
	}
}

func TestAPulseNeverSleeps(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		before := len(w.subjects("pulse."))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		heard := map[string]int{}
		for _, s := range w.subjects("pulse.")[before:] {
			heard[s]++
		}
		for _, s := range subject.Pulses("m1") {
			if n := heard[s]; n < 20 || n > 30 {
				t.Errorf("%s: %d pulses in 10 s, want one in less than half a second", s, n)
			}
		}
	})
}

func TestReturnsFromAPeerAreAckedToo(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.finish(q, "web1")
		rec := w.store.order[1]
		w.stop()
		w.empty()
		w.boot("m2")
		w.clear()
		w.store.commit([]*proto.Record{rec})
		if got := w.acks("web1"); len(got) != 1 || got[0].Master != "m2" {
			t.Errorf("got %v, want one of m2", got)
		}
	})
}

func TestAFullDiskIsTriedAgain(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.store.fail(errors.New("no space left on device"))
		w.finish(q, "web1")
		w.pass(10 * time.Second)
		if got := w.acks("web1"); got != nil {
			t.Errorf("got %v while the disk is full", got)
		}
		w.store.fail(nil)
		w.pass(2 * time.Second)
		if len(w.acks("web1")) != 1 || len(w.store.returns()) != 1 {
			t.Errorf("got %d acks, %d returns, want 1 and 1", len(w.acks("web1")), len(w.store.returns()))
		}
	})
}

func TestReturnOfAnUnknownJob(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*") // never submitted here
		w.finish(q, "web1")
		if len(w.acks("web1")) != 1 {
			t.Error("it was not acknowledged")
		}
		v := w.watch(q.Jid, false)
		v.want(t, "incomplete", "web1 ok")
		if !v.job.Incomplete || v.job.Jid != q.Jid || v.job.Targeted != 1 {
			t.Errorf("got job %v", v.job)
		}
		gave := w.watch(q.Jid, false)
		w.pass(4 * time.Second)
		late := w.request("*")
		w.finish(late, "web1")
		ended := w.watch(late.Jid, false)
		w.pass(10 * time.Second)
		ended.want(t, "without a record to the end", "web1 ok")
		if !ended.over || ended.err != nil || !ended.job.Incomplete || ended.job.Done {
			t.Errorf("over %v, %v, job %v, want an end that is not done", ended.over, ended.err, ended.job)
		}
		if !v.over || !gave.over {
			t.Error("the record is waited for without end")
		}
		q.IssuedAt = time.Now().UnixMicro()
		v = w.watch(q.Jid, false)
		w.submit(q) // the record is filled in
		w.pass(0)
		v.want(t, "filled in", "web1 ok; done")
		if v.job.Incomplete || v.job.Function != "test.ping" {
			t.Errorf("got job %v", v.job)
		}
	})
}

func TestUnknownJobsAreLimited(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		for range 400 {
			w.finish(w.request("*"), "web1")
		}
		w.finish(w.request("*"), "web2")
		if n := len(w.store.returns()); n != 201 {
			t.Errorf("got %d returns, want 200 of web1 and one of web2", n)
		}
		w.pass(time.Minute)
		q := w.request("*")
		w.finish(q, "web1")
		if len(w.store.returns()) != 202 {
			t.Error("nothing is taken a minute later")
		}
		// A known job with request ids made up does not get around it.
		w.submit(q)
		for i := range 400 {
			p := pb.CloneOf(q)
			p.RequestId = fmt.Appendf(nil, "request-id-%05d", 90000+i)
			w.finish(p, "web1")
		}
		if n := len(w.store.returns()); n > 202+60 {
			t.Errorf("got %d returns", n)
		}
	})
}

func TestBytesOfUnknownJobsAreLimited(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		const each = 700 << 10
		for range 150 {
			r := returnOf(w.request("*"), "web1")
			r.Value = jsonText(each)
			w.say(subject.Final(subject.Token("web1"), r.Jid), r)
		}
		if n := len(w.store.returns()); n < 90 || n > (68<<20)/each {
			t.Errorf("%d returns of %d KiB are kept, want as many as 68 MiB hold", n, each>>10)
		}
	})
}

// cut cuts value into parts of a job's return.
func cut(q *proto.JobRequest, id string, value []byte, size int) (parts []*proto.Part, final *proto.Return) {
	final = returnOf(q, id)
	sum := sha256.Sum256(value)
	final.Value, final.ValueSha256 = nil, sum[:]
	for p := range slices.Chunk(value, size) {
		parts = append(parts, &proto.Part{Jid: q.Jid, RequestId: q.RequestId, Index: uint32(len(parts)), Data: p})
	}
	for _, p := range parts {
		p.Count = uint32(len(parts))
	}
	final.Parts = uint32(len(parts))
	return parts, final
}

func jsonText(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }

func (w *world) part(id string, p *proto.Part) {
	w.say(subject.Part(subject.Token(id), p.Jid, int(p.Index)), p)
}

func TestPartsInAnyOrder(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		v := w.watch(q.Jid, false)
		value := jsonText(1 << 20)
		parts, final := cut(q, "web1", value, 256<<10)
		w.part("web1", parts[2])
		w.part("web1", parts[0])
		w.part("web1", parts[0]) // twice
		w.say(subject.Final("web1", q.Jid), final)
		w.part("web1", parts[3])
		if got := w.acks("web1"); got != nil {
			t.Fatalf("got %v while a part is missing", got)
		}
		w.part("web1", parts[1])
		if len(w.acks("web1")) != 1 {
			t.Fatal("the whole value was not acknowledged")
		}
		r := w.store.returns()[0]
		if !bytes.Equal(r.Value, value) || r.Parts != 0 || r.ValueSha256 != nil {
			t.Errorf("stored %d bytes, %d parts", len(r.Value), r.Parts)
		}
		w.finish(q, "web2")
		w.pass(100 * ms)
		v.want(t, "watched", "web1 ok, web2 ok; done")
		if got := v.minions["web1"].Value; !bytes.Equal(got, value) {
			t.Errorf("a watcher got %d bytes, want %d", len(got), len(value))
		}
		late := w.watch(q.Jid, true)
		if got := late.minions["web1"].Value; !bytes.Equal(got, value) {
			t.Errorf("a late watcher got %d bytes, want %d", len(got), len(value))
		}
	})
}

func TestMissingPartsAreAskedFor(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		parts, final := cut(q, "web1", jsonText(1000), 400)
		w.part("web1", parts[0])
		w.part("web1", parts[2])
		w.say(subject.Final("web1", q.Jid), final)
		w.clear()
		w.pass(20 * time.Second)
		if got := w.subjects("job.id.web1"); len(got) == 0 {
			t.Fatal("the job was not sent again")
		}
		for _, p := range parts {
			w.part("web1", p)
		}
		w.say(subject.Final("web1", q.Jid), final)
		if len(w.acks("web1")) != 1 || len(w.store.returns()) != 1 {
			t.Errorf("got %d acks, %d returns", len(w.acks("web1")), len(w.store.returns()))
		}
	})
}

func TestBadParts(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		for name, spoil := range map[string]func(parts []*proto.Part, final *proto.Return){
			"hash":        func(_ []*proto.Part, f *proto.Return) { f.ValueSha256[0]++ },
			"short hash":  func(_ []*proto.Part, f *proto.Return) { f.ValueSha256 = nil },
			"count":       func(p []*proto.Part, _ *proto.Return) { p[1].Count = 7 },
			"no count":    func(p []*proto.Part, _ *proto.Return) { p[1].Count = 0 },
			"huge count":  func(p []*proto.Part, _ *proto.Return) { p[1].Count = 1 << 31 },
			"index":       func(p []*proto.Part, _ *proto.Return) { p[1].Index = 3 },
			"empty":       func(p []*proto.Part, _ *proto.Return) { p[1].Data = nil },
			"not JSON":    func(p []*proto.Part, f *proto.Return) { p[0].Data[0] = 'x'; rehash(p, f) },
			"value too":   func(_ []*proto.Part, f *proto.Return) { f.Value = []byte("1") },
			"other parts": func(_ []*proto.Part, f *proto.Return) { f.Parts = 2 },
			"other job":   func(p []*proto.Part, _ *proto.Return) { p[1].Jid = "20260630120000000001" },
			"request":     func(p []*proto.Part, _ *proto.Return) { p[1].RequestId = p[1].RequestId[1:] },
		} {
			q := w.request("*")
			w.submit(q)
			parts, final := cut(q, "web1", jsonText(900), 300)
			spoil(parts, final)
			for i, p := range parts {
				data := mustMarshal(t, p)
				w.m.Returned(t.Context(), subject.Part("web1", q.Jid, i), data)
			}
			w.say(subject.Final("web1", q.Jid), final)
			synctest.Wait()
			if n := len(w.store.returns()); n != 0 {
				t.Errorf("%s: got %d returns, want none", name, n)
			}
		}
	})
}

func rehash(parts []*proto.Part, final *proto.Return) {
	var all []byte
	for _, p := range parts {
		all = append(all, p.Data...)
	}
	sum := sha256.Sum256(all)
	final.ValueSha256 = sum[:]
}

func TestOversizeValue(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		data := make([]byte, 1<<20)
		for i := range 65 {
			w.part("web1", &proto.Part{Jid: q.Jid, RequestId: q.RequestId, Index: uint32(i), Count: 65, Data: data})
		}
		final := returnOf(q, "web1")
		final.Value, final.Parts, final.ValueSha256 = nil, 65, make([]byte, 32)
		w.say(subject.Final("web1", q.Jid), final)
		synctest.Wait()
		if len(w.store.returns()) != 0 {
			t.Error("65 MiB were taken")
		}
	})
}

func TestOneMinionCannotHoldAllThePlaces(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		var last *proto.JobRequest
		for range 40 {
			last = w.request("*")
			w.submit(last)
			parts, _ := cut(last, "web1", jsonText(100), 50)
			w.part("web1", parts[0])
		}
		parts, final := cut(last, "web2", jsonText(100), 50)
		w.part("web2", parts[0])
		w.part("web2", parts[1])
		w.say(subject.Final("web2", last.Jid), final)
		if len(w.acks("web2")) != 1 {
			t.Error("another minion's value was not taken")
		}
	})
}

func TestGarbageOnEverySubject(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		const id = "web1"
		change := func(f func(r *proto.Return)) []byte {
			r := returnOf(q, id)
			f(r)
			return mustMarshal(t, r)
		}
		subjects := []string{subject.Accepted(id, q.Jid), subject.Progress(id, q.Jid), subject.Part(id, q.Jid, 0),
			subject.Final(id, q.Jid)}
		for _, s := range subjects {
			for _, data := range [][]byte{nil, {}, {0xff}, []byte("garbage"), bytes.Repeat([]byte{0x0a}, 1<<20),
				mustMarshal(t, q), mustMarshal(t, returnOf(q, id))[:20]} {
				w.m.Returned(t.Context(), s, data)
			}
		}
		fin := subjects[3]
		for _, c := range []struct {
			subject string
			data    []byte
		}{
			{"", nil}, {"ret", nil}, {"ret.web1", nil}, {"job.all", nil}, {"ret.web1." + q.Jid, nil},
			{"ret.web1." + q.Jid + ".other", change(func(*proto.Return) {})},
			{"ret.web_2a." + q.Jid + ".fin", change(func(*proto.Return) {})},
			{"ret.web2." + q.Jid + ".fin", change(func(*proto.Return) {})}, // another minion's
			{"ret.web1.x.fin", change(func(r *proto.Return) { r.Jid = "x" })},
			{fin, change(func(r *proto.Return) { r.Jid = "20260630120000000001" })},
			{fin, change(func(r *proto.Return) { r.RequestId = r.RequestId[1:] })},
			{fin, change(func(r *proto.Return) { r.Minion = "web2" })},
			{fin, change(func(r *proto.Return) { r.Outcome = 0 })},
			{fin, change(func(r *proto.Return) { r.Outcome = 77 })},
			{fin, change(func(r *proto.Return) { r.Value = []byte("{") })},
			{fin, change(func(r *proto.Return) { r.Duration = -1 })},
			{fin, change(func(r *proto.Return) { r.Reason = strings.Repeat("x", 1<<20) })},
			{subjects[0], mustMarshal(t, &proto.Accepted{Jid: q.Jid, RequestId: q.RequestId, WaitsFor: "; rm"})},
			{subjects[1], mustMarshal(t, &proto.Progress{Jid: q.Jid, RequestId: q.RequestId,
				Current: strings.Repeat("x", 5000)})},
		} {
			w.m.Returned(t.Context(), c.subject, c.data)
		}
		synctest.Wait()
		if n := len(w.store.returns()); n != 0 {
			t.Errorf("got %d returns, want none", n)
		}
		w.watch(q.Jid, true).want(t, "untouched", "web1 sent, web2 sent")
		w.finish(q, "web1", "web2")
		w.watch(q.Jid, false).want(t, "goes on", "web1 ok, web2 ok; done")
	})
}

func TestAMinionThatIsNotMeantDoesNotCount(t *testing.T) {
	run(t, []string{"web1", "db1"}, func(t *testing.T, w *world) {
		q := w.request("web*")
		w.submit(q)
		w.finish(q, "db1")
		w.accept(q, "db1", proto.Accepted_STARTED)
		w.finish(q, "web1")
		w.finish(q, "web2") // accepted after the job was made; the target means it
		w.watch(q.Jid, false).want(t, "at the end", "web1 ok, web2 ok; done")
	})
}

func TestALaterReturnOfMoreWeightCounts(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		r := returnOf(q, "web1")
		r.Outcome, r.Reason, r.Value = proto.Outcome_REFUSED, "clock differs by 612 s from m1: check NTP", nil
		w.say(subject.Final("web1", q.Jid), r)
		v := w.watch(q.Jid, true)
		v.want(t, "refused", "web1 refused; done")
		if got := v.minions["web1"].Reason; got != r.Reason {
			t.Errorf("got reason %q, want %q", got, r.Reason)
		}
		w.finish(q, "web1")
		w.watch(q.Jid, true).want(t, "then done", "web1 ok; done")
		w.say(subject.Final("web1", q.Jid), r)
		w.watch(q.Jid, true).want(t, "refused again", "web1 ok; done")
	})
}

func TestDifferentReturnsOfOneJobAreLimited(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q, unknown := w.request("*"), w.request("*")
		w.submit(q)
		for _, held := range []bool{false, true} { // while they wait for the store too
			id := names(2)[0]
			if held {
				id = names(2)[1]
				w.store.pause()
			}
			for _, p := range []*proto.JobRequest{q, unknown} {
				for i := range 20 {
					r := returnOf(p, id)
					r.Outcome, r.Value, r.Reason = proto.Outcome_REFUSED, nil, fmt.Sprintf("clock differs by %d s", i)
					w.say(subject.Final(id, p.Jid), r)
				}
				for i := range 20 { // one that ran finds room
					r := returnOf(p, id)
					r.Value = fmt.Appendf(nil, "%d", i)
					w.say(subject.Final(id, p.Jid), r)
				}
			}
			w.store.release()
			got := map[string]int{}
			for _, r := range w.store.returns() {
				if r.Minion == id {
					got[r.Jid+" "+r.Outcome.String()]++
				}
			}
			for _, p := range []*proto.JobRequest{q, unknown} {
				if got[p.Jid+" REFUSED"] != 2 || got[p.Jid+" OK"] != 2 {
					t.Errorf("%s: got %v, want two of each", id, got)
				}
			}
			refused := 0
			for _, ack := range w.acks(id) {
				for _, item := range ack.Items {
					if item.Refused != "" {
						refused++
					}
				}
			}
			if refused != 2*36 {
				t.Errorf("%s was told of %d returns that nobody will take, want 72", id, refused)
			}
			w.clear()
			r := returnOf(q, id)
			r.Value = []byte("0")
			w.say(subject.Final(id, q.Jid), r) // one that is stored is acknowledged again
			if got := w.acks(id); len(got) != 1 {
				t.Errorf("got %d acks, want 1", len(got))
			}
		}
		w.watch(q.Jid, true).want(t, "at the end", "web1 ok, web2 ok; done")
	})
}
