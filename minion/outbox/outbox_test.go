package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"brine/minion/outbox"
	pb "brine/proto"
)

// A master answers batches as a test says.
type master struct {
	t       *testing.T
	batches chan *pb.EventBatch
	answers chan func(*pb.EventBatch) (*pb.EventBatchReply, error)
}

func (m *master) tell(ctx context.Context, body []byte) ([]byte, error) {
	batch := &pb.EventBatch{}
	if err := proto.Unmarshal(body, batch); err != nil {
		m.t.Error(err)
	}
	select {
	case m.batches <- batch:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case answer := <-m.answers:
		reply, err := answer(batch)
		if err != nil {
			return nil, err
		}
		return proto.Marshal(reply)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func takes(n int) func(*pb.EventBatch) (*pb.EventBatchReply, error) {
	return func(b *pb.EventBatch) (*pb.EventBatchReply, error) {
		return &pb.EventBatchReply{Settled: uint32(min(n, len(b.Events)))}, nil
	}
}

// open opens a box at path, which runs unless idle.
func open(t *testing.T, path string, idle bool) (*outbox.Box, *master, func()) {
	t.Helper()
	m := &master{t, make(chan *pb.EventBatch), make(chan func(*pb.EventBatch) (*pb.EventBatchReply, error))}
	at := time.Unix(1_800_000_000, 0)
	b, err := outbox.Open(outbox.Options{Path: path, Tell: m.tell, Log: hclog.NewNullLogger(), Now: func() time.Time { return at }, Retry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !idle {
			b.Run(ctx)
		}
	}()
	stop := func() {
		cancel()
		<-done
		b.Close()
	}
	t.Cleanup(stop)
	return b, m, stop
}

func send(t *testing.T, b *outbox.Box, n int) {
	t.Helper()
	if err := b.Send("a/b", "", fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
		t.Fatal(err)
	}
}

func data(b *pb.EventBatch) string {
	var all []string
	for _, e := range b.Events {
		all = append(all, string(e.Data))
	}
	return strings.Join(all, " ")
}

func TestEventsAreToldUntilTheyAreStored(t *testing.T) {
	b, m, stop := open(t, filepath.Join(t.TempDir(), "events"), false)
	send(t, b, 1)
	if got := data(<-m.batches); got != `{"n":1}` {
		t.Fatalf("got %s", got)
	}
	send(t, b, 2)
	send(t, b, 3)
	m.answers <- func(*pb.EventBatch) (*pb.EventBatchReply, error) { return nil, errors.New("the master died") }
	batch := <-m.batches
	if got := data(batch); got != `{"n":1} {"n":2} {"n":3}` {
		t.Fatalf("again: got %s", got)
	}
	if batch.Events[0].At >= batch.Events[1].At || batch.Events[1].At >= batch.Events[2].At {
		t.Error("events of one moment have the same time: as records they would be one")
	}
	m.answers <- takes(2)
	if got := data(<-m.batches); got != `{"n":3}` {
		t.Fatalf("the rest: got %s", got)
	}
	m.answers <- takes(1)
	send(t, b, 4)
	if got := data(<-m.batches); got != `{"n":4}` {
		t.Fatalf("the next: got %s", got)
	}
	stop()
	if n := b.Waiting(); n != 1 {
		t.Errorf("%d wait", n)
	}
}

func TestEventsOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	b, _, stop := open(t, path, true)
	send(t, b, 1)
	send(t, b, 2)
	stop()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, whole[:len(whole)/2-3]...), 0o600); err != nil { // the host died while it was written
		t.Fatal(err)
	}
	b, m, stop := open(t, path, false)
	if got := data(<-m.batches); got != `{"n":1} {"n":2}` {
		t.Fatalf("got %s", got)
	}
	send(t, b, 3)
	m.answers <- takes(2)
	if got := data(<-m.batches); got != `{"n":3}` {
		t.Fatalf("got %s", got)
	}
	m.answers <- takes(1)
	send(t, b, 4)
	<-m.batches
	stop()
	_, m, _ = open(t, path, false)
	if got := data(<-m.batches); !strings.HasSuffix(got, `{"n":4}`) { // those before may be told again
		t.Errorf("after a restart: got %s", got)
	}
}

func TestZerosThatALostPowerLeftAreNoEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	b, _, stop := open(t, path, true)
	check(t, b.Send("site/a", "", []byte("{}")))
	stop()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	check(t, err)
	_, err = f.Write(make([]byte, 4096))
	check(t, errors.Join(err, f.Close()))
	b, _, stop = open(t, path, true)
	defer stop()
	if n := b.Waiting(); n != 1 {
		t.Errorf("%d events wait, want 1", n)
	}
}

func TestAnEventThatFoundNoRoomLeavesThoseBehindItReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	b, _, stop := open(t, path, true)
	check(t, b.Send("site/before", "", []byte("{}")))
	st, err := os.Stat(path)
	check(t, err)
	withFileLimit(t, uint64(st.Size())+5, func() {
		check(t, b.Send("site/torn", "", []byte("{}"))) // in memory alone
	})
	check(t, b.Send("site/after", "", []byte("{}")))
	stop()
	b, _, stop = open(t, path, true)
	defer stop()
	if n := b.Waiting(); n != 2 {
		t.Errorf("%d events wait after a restart, want the one before the disk was full and the one after", n)
	}
}

// withFileLimit calls f while no file can be larger than size: what goes over it is written in part.
func withFileLimit(t *testing.T, size uint64, f func()) {
	t.Helper()
	var before syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}))
	defer func() { check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }()
	f()
}

func TestWhatIsTooMuchIsRefused(t *testing.T) {
	b, _, _ := open(t, "", true)
	for name, c := range map[string]struct{ tag, data string }{
		"no tag": {"", "{}"}, "no JSON": {"a", "{"}, "too large": {"a", `"` + strings.Repeat("x", 300<<10) + `"`},
	} {
		if err := b.Send(c.tag, "", []byte(c.data)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	body := []byte(`"` + strings.Repeat("x", 200<<10) + `"`)
	var err error
	sent := 0
	for ; err == nil && sent < 1000; sent++ {
		err = b.Send("a", "", body)
	}
	if !errors.Is(err, outbox.ErrFull) || sent < 50 {
		t.Errorf("after %d: got %v", sent, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
