package peer_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

// counting counts the pages that others read of a log.
type counting struct {
	*store.Store
	pages atomic.Int64
}

func (c *counting) Page(ctx context.Context, after int64, max int, idsOnly bool) (*proto.Page, error) {
	c.pages.Add(1)
	return c.Store.Page(ctx, after, max, idsOnly)
}

// count has a node that was not started yet count the pages read of it.
func (n *node) count() *counting {
	c := &counting{Store: n.store}
	n.o.Store = c
	return c
}

// upToDate waits until n has kept as its place in the log of other the end of it.
func upToDate(t *testing.T, n, other *node) {
	t.Helper()
	eventually(t, "the end of the other's log", func() bool {
		incarnation, at, err := n.store.Cursor(other.id.Name)
		return err == nil && incarnation == other.store.Incarnation() && at == other.store.Last()
	})
}

// both stores the same records at two masters, in different order.
func both(t *testing.T, m1, m2 *node, first, count int) {
	t.Helper()
	var recs []*proto.Record
	for i := first; i < first+count; i++ {
		recs = append(recs, m1.ret(i, 10))
	}
	if err := m1.store.Append(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(recs)
	if err := m2.store.Append(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
}

// What all masters have heard nobody reads again.
func TestEqualLogsAreNotRead(t *testing.T) {
	l := newLab(t)
	l.interval = 500 * time.Millisecond // so long that both have a record before one would ask
	m1, m2 := l.node("m1"), l.node("m2")
	both(t, m1, m2, 0, 50)
	c1, c2 := m1.count(), m2.count()
	life := m1.store.Incarnation()
	m1.start()
	m2.start()
	if err := m2.PullAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	upToDate(t, m1, m2)
	upToDate(t, m2, m1)
	both(t, m1, m2, 50, 50)
	upToDate(t, m1, m2)
	upToDate(t, m2, m1)
	if a, b := c1.pages.Load(), c2.pages.Load(); a != 0 || b != 0 {
		t.Errorf("%d and %d pages were read of logs that are equal", a, b)
	}

	// A place that was reached so is no sign of a lost log.
	eventually(t, "the place in a heartbeat", func() bool {
		cursors := m1.Beat("m2").Cursors
		return len(cursors) > 0 && cursors[0].Sequence == 100
	})
	m1.write(1000, 1, 10)
	upToDate(t, m2, m1)
	sameLogs(t, m1, m2)
	if m1.store.Incarnation() != life {
		t.Error("the log has another incarnation")
	}
}

// As many records, but others: they are read.
func TestUnequalLogsAreRead(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	both(t, m1, m2, 0, 10)
	m1.write(10, 1, 10)
	m2.write(11, 1, 10)
	c1, c2 := m1.count(), m2.count()
	m1.start()
	m2.start()
	sameLogs(t, m1, m2)
	upToDate(t, m1, m2)
	upToDate(t, m2, m1)
	if a, b := c1.pages.Load(), c2.pages.Load(); a+b == 0 {
		t.Error("no page was read of logs that are not equal")
	}
	if ids := m1.missing(t, m1.ret(10, 10).Id, m1.ret(11, 10).Id); len(ids) > 0 {
		t.Errorf("missing in the end: %v", ids)
	}
}

// The fields of a heartbeat about the log are of one moment.
func TestHeartbeatsAgreeWithThemselves(t *testing.T) {
	l := newLab(t)
	m1 := l.node("m1").start()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			m1.write(i, 1, 10)
		}
	}()
	for {
		b := m1.Beat("m1")
		if b.Sequence != b.Records || len(b.Set) != 16 { // nothing was removed
			t.Fatalf("%d records up to sequence %d, digest %x", b.Records, b.Sequence, b.Set)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
