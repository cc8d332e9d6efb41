package job_test

import (
	"context"
	"fmt"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

// FuzzReturned feeds the collector what a stolen minion key could send.
// Whatever is stored or acknowledged must be about the sender.
func FuzzReturned(f *testing.F) {
	w := newWorld(f, names(2))
	w.boot("m1")
	defer w.stop()
	q := w.request("*")
	w.submit(q)
	token := "web1"
	parts, final := cut(q, token, jsonText(100), 60)
	for s, m := range map[string]pb.Message{
		subject.Final(token, q.Jid):    returnOf(q, token),
		subject.Part(token, q.Jid, 0):  parts[0],
		subject.Part(token, q.Jid, 1):  final,
		subject.Accepted(token, q.Jid): &proto.Accepted{Jid: q.Jid, RequestId: q.RequestId, State: 1},
		subject.Progress(token, q.Jid): &proto.Progress{Jid: q.Jid, RequestId: q.RequestId, Done: 1, Total: 2},
	} {
		data, err := pb.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s, data)
	}
	f.Fuzz(func(t *testing.T, subj string, data []byte) {
		before := len(w.store.returns())
		w.m.Returned(t.Context(), subj, data)
		id, jid, _, err := subject.ParseReturn(subj)
		for _, r := range w.store.returns()[before:] {
			if err != nil || r.Minion != id || r.Jid != jid {
				t.Errorf("%q stored a return of %q for job %q", subj, r.Minion, r.Jid)
			}
		}
	})
}

// FuzzRequest feeds Submit what an operator could sign.
func FuzzRequest(f *testing.F) {
	w := newWorld(f, names(2))
	w.boot("m1")
	defer w.stop()
	data, err := pb.Marshal(w.request("web1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("\x0a\x02x1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		env := pki.Sign(w.key, site, proto.Kind_KIND_JOB_REQUEST, body)
		if info, err := w.m.Submit(t.Context(), w.op, env); err == nil && info.Targeted == 0 {
			t.Errorf("took a job for nobody: %v", info)
		}
	})
}

// discard is a store that forgets: only the manager is measured.
type discard struct{ *fakeStore }

func (s discard) Enqueue(rec *proto.Record, done func(error)) {
	s.hook([]*proto.Record{rec})
	done(nil)
}

// BenchmarkCollect1000 is a job on 1,000 minions from its first return to the
// end of a watch, without the store.
func BenchmarkCollect1000(b *testing.B) {
	w := newWorld(b, names(1000))
	w.stored = discard{w.store}
	w.boot("m1")
	defer w.stop()
	ids := names(1000)
	for b.Loop() {
		b.StopTimer()
		q := w.request("*")
		q.RequestId = fmt.Appendf(nil, "request-%8d", b.N)
		w.sent, w.store.order, w.store.records = nil, nil, map[string]*proto.Record{}
		w.submit(q)
		subjects, data := make([]string, len(ids)), make([][]byte, len(ids))
		for i, id := range ids {
			subjects[i] = subject.Final(id, q.Jid)
			data[i], _ = pb.Marshal(returnOf(q, id))
		}
		watched := make(chan error)
		begun := make(chan struct{}, 1)
		go func() {
			watched <- w.m.Watch(context.Background(), q.Jid, false, func(*proto.WatchFrame, bool) error {
				select {
				case begun <- struct{}{}:
				default:
				}
				return nil
			})
		}()
		<-begun
		b.StartTimer()
		for i := range ids {
			w.m.Returned(b.Context(), subjects[i], data[i])
		}
		if err := <-watched; err != nil {
			b.Fatal(err)
		}
	}
}
