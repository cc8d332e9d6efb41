package job

import (
	"bytes"
	"context"
	"encoding/hex"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
)

// What this format must always read: a header, and a frame with goldenRecords.
const goldenHeader = "4252494e454a4e4c010000000000000001000000000000000200000000000000c933f935"

const goldenFrame = "020000000000000003000000000000000000100000000000c10000005f2d3e30" +
	"4908011204776562311a1432303236303133313132303030303030303132332210010203000000000000000000" +
	"00000000280530064209746573742e70696e674a08656e76656c6f70653008021204776562311a143230323630" +
	"3133313132303030303030303132332210010203000000000000000000000000003508041204776562311a1432" +
	"3032363031333131323030303030303031323322100102030000000000000000000000000038014a01780a0808" +
	"12047765623128070408092808"

func goldenRecords() []record {
	req := requestID{1, 2, 3}
	return []record{
		{kind: kindAccepted, minion: "web1", jid: "20260131120000000123", req: req, issued: 5, notAfter: 6,
			function: "test.ping", data: []byte("envelope")},
		{kind: kindStarted, minion: "web1", jid: "20260131120000000123", req: req},
		{kind: kindValue, minion: "web1", jid: "20260131120000000123", req: req, index: 1, data: []byte("x")},
		{kind: kindNewest, minion: "web1", issued: 7},
		{kind: kindTakeAfter, issued: 8},
	}
}

func TestGoldenBytes(t *testing.T) {
	if got := hex.EncodeToString(header{1, 2}.encode()[:headerSize]); got != goldenHeader {
		t.Errorf("header: got %s", got)
	}
	b := make([]byte, frameHeader)
	for _, r := range goldenRecords() {
		b, _ = r.append(b)
	}
	sealFrame(b, 2, 3, preallocated)
	if got := hex.EncodeToString(b); got != goldenFrame {
		t.Errorf("frame: got %s", got)
	}
}

func TestRecordsSurviveEncoding(t *testing.T) {
	for _, want := range goldenRecords() {
		b, at := want.append([]byte("before"))
		got, where, rest, err := decodeRecord(append(b, "after"...)[6:])
		if err != nil || string(rest) != "after" || !bytes.Equal(got.data, want.data) ||
			len(want.data) > 0 && where != at-6 {
			t.Fatalf("got %+v at %d (%d), %q, %v", got, where, at, rest, err)
		}
		got.data, want.data = nil, nil
		if got.key() != want.key() || got.kind != want.kind || got.minion != want.minion || got.issued != want.issued ||
			got.notAfter != want.notAfter || got.function != want.function || got.index != want.index {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, r := range goldenRecords() {
		b, _ := r.append(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, at, rest, err := decodeRecord(b)
		if err != nil {
			return
		}
		if len(r.data) > 0 && !bytes.Equal(b[at:at+len(r.data)], r.data) {
			t.Error("data is elsewhere")
		}
		if len(rest) > len(b) {
			t.Error("rest grew")
		}
		again, _ := r.append(nil)
		if _, _, _, err := decodeRecord(again); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	})
}

// memory is a disk that needs no file.
type memory struct{ b []byte }

func (m *memory) ReadAt(b []byte, at int64) (int, error) { return bytes.NewReader(m.b).ReadAt(b, at) }
func (m *memory) Sync() error                            { return nil }
func (m *memory) Size() (int64, error)                   { return int64(len(m.b)), nil }
func (m *memory) Close() error                           { return nil }

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	m.Grow(at + int64(len(b)))
	return copy(m.b[at:], b), nil
}

func (m *memory) Grow(size int64) error {
	m.b = append(m.b, make([]byte, max(0, size-int64(len(m.b))))...)
	return nil
}

func (m *memory) Shrink(size int64) error {
	m.b = m.b[:min(size, int64(len(m.b)))]
	return nil
}

// FuzzReader reads a file with any bytes behind a good header, some of them sealed as a frame,
// and works with what it finds.
func FuzzReader(f *testing.F) {
	var payload []byte
	for _, r := range goldenRecords() {
		payload, _ = r.append(payload)
	}
	sealed := append(make([]byte, frameHeader), payload...)
	sealFrame(sealed, 2, 1, preallocated)
	f.Add(payload, []byte{})
	f.Add(payload[:len(payload)/2], payload)
	f.Add([]byte{}, payload)
	f.Add([]byte{}, append([]byte("gap"), sealed...))
	f.Fuzz(func(t *testing.T, payload, tail []byte) {
		frame := append(make([]byte, frameHeader), payload...)
		sealFrame(frame, 2, 0, preallocated)
		page := append(append(make([]byte, firstFrame), frame...), tail...)
		file := &File{log: hclog.NewNullLogger(), journals: map[string]*Journal{}, header: header{1, 2},
			active: &memory{page}, spare: &memory{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
		file.readAll()
		if err := file.compact(settledBudget); err != nil {
			t.Fatal(err)
		}
		go file.run()
		for _, j := range file.all() {
			r, err := New(t.Context(), Options{ID: j.id, Journal: j, Trust: pki.NewTrust(pki.Fingerprint{}),
				Publish: func(string, []byte) error { return nil },
				Exec:    func(context.Context, *Job) Result { t.Error("ran what nobody signed"); return Result{} }})
			if err != nil {
				continue // no id of a minion
			}
			r.Recover()
			r.Reoffer()
			r.Close(t.Context())
		}
		file.mu.Lock()
		file.closed = true
		file.mu.Unlock()
		file.poke()
		<-file.done
	})
}

func FuzzHandle(f *testing.F) {
	s := newSite(f)
	good := s.sign(s.draft("test.ping"))
	ack, _ := proto.Marshal(&pb.Ack{Master: "m1", Live: []string{"m1"}, Items: []*pb.AckItem{{Jid: "x"}, nil}})
	seen, _ := proto.Marshal(&pb.SeenReply{Now: 1,
		Jobs: []*pb.SeenJob{{Jid: "20260131120000000123", RequestId: make([]byte, 16)}}})
	for _, b := range [][]byte{good, good[:50], ack, seen, s.cancel(s.draft("test.ping")), {}} {
		f.Add(b, false)
		f.Add(b, true)
	}
	file, err := Open(filepath.Join(f.TempDir(), "journal"), JournalOptions{})
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	f.Fuzz(func(t *testing.T, data []byte, signed bool) {
		r, err := New(t.Context(), Options{ID: "web1", Journal: file.Minion("web1"), Trust: s.trust, Now: time.Now,
			Publish: func(string, []byte) error { return nil },
			Exec:    func(context.Context, *Job) Result { return Result{Value: []byte("1")} }})
		if err != nil {
			t.Fatal(err)
		}
		if signed { // what a broken master may sign
			for _, kind := range []pb.Kind{pb.Kind_KIND_JOB, pb.Kind_KIND_CANCEL} {
				env, _ := proto.Marshal(pki.Sign(s.key, s.fp, kind, data))
				r.Handle("job.all", env)
				now := time.Now().UnixMicro()
				job, _ := proto.Marshal(&pb.Job{Master: "m1", IssuedAt: now, NotAfter: now + 1e6,
					Request: &pb.Envelope{Kind: pb.Kind_KIND_JOB_REQUEST, Body: data}})
				env, _ = proto.Marshal(pki.Sign(s.key, s.fp, kind, job))
				r.Handle("job.id.web1", env)
			}
		} else {
			r.Handle("job.all", data)
		}
		r.Ack(data)
		reply := &pb.SeenReply{}
		if proto.Unmarshal(data, reply) == nil {
			r.Seen(reply)
		}
		r.Reoffer()
		r.Close(t.Context())
	})
}
