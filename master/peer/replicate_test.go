package peer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

func TestGapsHeal(t *testing.T) {
	l := newLab(t)
	l.interval = 200 * time.Millisecond
	m1, m2, m3 := l.node("m1"), l.node("m2"), l.node("m3")
	// A part of it both have.
	m1.write(0, 300, 20)
	m2.write(200, 300, 20)
	m1.start()
	m2.start()
	if err := m2.PullAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameLogs(t, m1, m2)

	// While m2 is away, the others go on; it catches up before PullAll returns.
	m2.halt()
	m1.write(20000, 10, 20)
	m3.start()
	sameLogs(t, m1, m3)
	m2.open()
	m2.start()
	if err := m2.PullAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m1.digest() != m2.digest() {
		t.Error("m2 has not caught up although PullAll returned")
	}

	// In the steady state as well.
	m3.write(30000, 10, 20)
	sameLogs(t, m1, m2, m3)
	eventually(t, "no lag", func() bool {
		for _, b := range m1.Beats() {
			if b.Lag != 0 {
				return false
			}
		}
		return true
	})
}

// Where very much is missing, what decides who is trusted comes first.
func TestDecisionsComeFirst(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.write(0, 2500, 10)
	m1.append(t, &proto.OperatorRecord{Name: "alice", Key: make([]byte, 32)})
	m1.write(2500, 100, 10)
	order := make(chan proto.RecordKind, 10000)
	m2.store.OnCommit(func(recs []*proto.Record) {
		for _, r := range recs {
			order <- r.Kind
		}
	})
	m1.start()
	m2.start()
	sameLogs(t, m1, m2)
	if first := <-order; first != proto.RecordKind_RECORD_OPERATOR {
		t.Errorf("first of all came %v", first)
	}
}

func TestLargeBodiesComeInPieces(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.write(0, 3, 3<<20)
	m1.write(3, 20, 200<<10)
	m1.write(23, 1, 9<<20)
	m1.start()
	m2.start()
	sameLogs(t, m1, m2)
}

// A store put back to an older copy by hand: what it lost comes back, and
// what it wrote under sequences used before reaches the others.
func TestOlderCopyOfStore(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.write(0, 50, 10)
	m1.start()
	m2.start()
	sameLogs(t, m1, m2)
	m1.halt()
	copyFile(t, m1.path, m1.path+".copy")
	m1.open()
	m1.start()
	m1.write(100, 50, 10)
	sameLogs(t, m1, m2)
	old := m1.store.Incarnation()
	m1.halt()

	copyFile(t, m1.path+".copy", m1.path)
	m1.open()
	if m1.store.Incarnation() != old {
		t.Fatal("the copy has another incarnation")
	}
	m1.start()
	m1.write(200, 100, 10) // past the place to which m2 has read
	sameLogs(t, m1, m2)
	ids := fmt.Sprint(m1.missing(t, m1.ret(100, 10).Id, m1.ret(299, 10).Id), m2.missing(t, m2.ret(299, 10).Id))
	if ids != "[] []" {
		t.Errorf("missing in the end: %v", ids)
	}
	if m1.store.Incarnation() == old {
		t.Error("the incarnation is still the old one")
	}
}

func TestRestoredBackup(t *testing.T) {
	l := newLab(t)
	l.interval = 200 * time.Millisecond
	m1, m2 := l.node("m1"), l.node("m2")
	m1.write(0, 50, 10)
	backup, err := os.Create(t.TempDir() + "/backup")
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	if err := m1.store.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	m1.start()
	m2.start()
	m1.write(100, 50, 10)
	sameLogs(t, m1, m2)
	want := m2.digest()
	m1.halt()
	if _, err := backup.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(t.Context(), m1.path, "m1", backup); err != nil {
		t.Fatal(err)
	}
	m1.open()
	m1.start()
	if err := m1.PullAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m1.digest() != want {
		t.Error("what was lost with the backup's age did not come back")
	}
	m1.write(200, 20, 10)
	sameLogs(t, m1, m2)
}

// A record stamped too far ahead holds nothing up, and comes when its time has come.
func TestRecordFromTheFuture(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.write(0, 5, 10)
	l.ahead.Add(int64(30 * time.Minute))
	m1.write(5, 1, 10)
	future := m1.ret(5, 10).Id
	l.ahead.Add(-int64(30 * time.Minute))
	if err := m1.store.Append(t.Context(), record(t, time.Now(), 6)); err != nil {
		t.Fatal(err)
	}
	m1.start()
	m2.start()
	eventually(t, "all but the future", func() bool {
		return m2.store.Last() == 6 && slices.Equal(m2.missing(t, future), []string{future})
	})
	if _, at, err := m2.store.Cursor("m1"); err != nil || at >= 6 {
		t.Errorf("the kept place is after the record that was refused: %d, %v", at, err)
	}
	l.ahead.Add(int64(25 * time.Minute))
	sameLogs(t, m1, m2)
	eventually(t, "the kept place", func() bool {
		_, at, err := m2.store.Cursor("m1")
		return err == nil && at >= 7
	})
}

// A disk that is full for a while only delays.
func TestStoreThatFailsForAWhile(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.write(0, 5, 10)
	broken := &failing{Store: m2.store}
	broken.fails.Store(true)
	m2.o.Store = broken
	m1.start()
	m2.start()
	eventually(t, "the failure in the log", func() bool { return m2.log.has("no room") })
	ctx, cancel := context.WithTimeout(t.Context(), beat)
	defer cancel()
	if err := m2.PullAll(ctx); err == nil || !strings.Contains(err.Error(), "m1") {
		t.Errorf("catching up with a broken store: got %v", err)
	}
	broken.fails.Store(false)
	sameLogs(t, m1, m2)
}

type failing struct {
	*store.Store
	fails atomic.Bool
}

func (f *failing) Import(ctx context.Context, from, inc string, upTo int64, recs []*proto.Record) error {
	if f.fails.Load() {
		return errors.New("no room")
	}
	return f.Store.Import(ctx, from, inc, upTo, recs)
}

func (n *node) append(t *testing.T, body *proto.OperatorRecord) {
	t.Helper()
	rec, err := store.NewRecord(n.store.Stamp(), n.id.Name, body)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.store.Append(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
}

func (n *node) missing(t *testing.T, ids ...string) []string {
	t.Helper()
	missing, err := n.store.Missing(context.Background(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return missing
}

// record is a return stamped now, whatever the store's clock has seen.
func record(t *testing.T, now time.Time, i int) *proto.Record {
	t.Helper()
	minion := fmt.Sprintf("web%d", i)
	rec, err := store.NewRecord(now.UnixMicro(), minion, &proto.Return{
		Jid: "20260131120000000123", RequestId: make([]byte, 16), Minion: minion, Outcome: proto.Outcome_OK,
	})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, tail := range []string{"-wal", "-shm"} {
		if err := os.RemoveAll(to + tail); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
