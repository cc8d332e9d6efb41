// Package outbox keeps what happens on a minion until a master has stored it.
package outbox

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

const (
	maxKept     = 16 << 20         // bytes of events that wait
	maxData     = 240 << 10        // of one event; masters take no more
	batchBytes  = 256 << 10        // of events that are told at once
	rewriteOver = 1 << 20          // bytes of told events in the file
	batchMost   = 500              // events, likewise
	askTime     = 30 * time.Second // one attempt
	retryFirst  = time.Second      // after one that failed; doubled each time
	retryMost   = time.Minute
)

// ErrFull says that too much waits for the masters.
var ErrFull = errors.New("too many events wait for the masters: this one is dropped")

// Options say where events go. Tell and Log are required.
type Options struct {
	Path string // of the file in which they wait, so that they outlive the process; "" for none
	// Tell brings an EventBatch to a master and returns its EventBatchReply.
	Tell  func(ctx context.Context, batch []byte) ([]byte, error)
	Log   hclog.Logger
	Now   func() time.Time // nil: time.Now
	Retry time.Duration    // after an attempt that failed, doubled each time; 0: a second
}

// A Box keeps events, in order. Its methods may be called from many goroutines.
type Box struct {
	o    Options
	wake chan struct{}

	mu      sync.Mutex // guards the fields below
	file    *os.File   // nil for none
	waiting []*pb.Event
	bytes   int
	newest  int64
	dropped uint64
}

// Open makes a Box, with what an earlier process has left. A file that can't be read to its end is cut there. The caller
// closes it after Run has ended.
func Open(o Options) (*Box, error) {
	o.Retry = cmp.Or(o.Retry, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Box{o: o, wake: make(chan struct{}, 1)}
	if o.Path == "" {
		return b, nil
	}
	var err error
	if b.file, err = os.OpenFile(o.Path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("cannot open the events that wait for the masters: %w", err)
	}
	if err := b.load(); err != nil {
		b.file.Close()
		return nil, err
	}
	return b, nil
}

// load reads what the file has.
func (b *Box) load() error {
	r := bufio.NewReader(b.file)
	whole := int64(0)
	for {
		e := &pb.Event{}
		err := protodelim.UnmarshalOptions{MaxSize: maxData + 4096}.UnmarshalFrom(r, e)
		if err == io.EOF {
			break
		}
		if err == nil && e.Tag == "" { // zeros read as such, which a host that lost power leaves at the end of files
			err = errors.New("an event without a tag")
		}
		if err != nil {
			b.o.Log.Warn("the end of the events that wait for the masters can't be read: cut off", "file", b.o.Path, "err", err)
			break
		}
		b.keep(e)
		at, err := b.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		whole = at - int64(r.Buffered())
	}
	if err := b.file.Truncate(whole); err != nil {
		return err
	}
	_, err := b.file.Seek(whole, io.SeekStart)
	return err
}

func (b *Box) keep(e *pb.Event) {
	b.waiting = append(b.waiting, e)
	b.bytes += proto.Size(e)
	b.newest = max(b.newest, e.At)
}

// Close gives up the file.
func (b *Box) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// Send keeps an event, whose data is an object of JSON, for the masters. Its cause is the id of the job that it comes of; ""
// for none. It does not wait for them. The error may wrap ErrFull.
func (b *Box) Send(tag, cause string, data []byte) error {
	switch {
	case tag == "":
		return errors.New("cannot send an event without a tag")
	case len(data) > maxData:
		return fmt.Errorf("cannot send event %s: its data has %d KiB, the limit is %d KiB", tag, len(data)>>10, maxData>>10)
	case !json.Valid(data):
		return fmt.Errorf("cannot send event %s: its data is no JSON", tag)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := &pb.Event{Tag: tag, Cause: cause, Data: data, At: max(b.o.Now().UnixMicro(), b.newest+1)} // so that equal ones differ
	if b.bytes+proto.Size(e) > maxKept {
		b.dropped++
		return fmt.Errorf("cannot send event %s: %w", tag, ErrFull)
	}
	if b.file != nil {
		if err := b.write(e); err != nil {
			b.o.Log.Warn("an event is kept in memory alone", "tag", tag, "err", err)
		}
	}
	b.keep(e)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// write puts an event behind the others in the file, whole or not at all: what stands behind a torn one can't be read again.
func (b *Box) write(e *pb.Event) error {
	at, err := b.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err = protodelim.MarshalTo(b.file, e); err != nil {
		_, back := b.file.Seek(at, io.SeekStart)
		return errors.Join(err, b.file.Truncate(at), back)
	}
	return nil
}

// Waiting is how many events no master has stored yet.
func (b *Box) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// Run tells the masters until ctx ends.
func (b *Box) Run(ctx context.Context) {
	failed := time.Duration(0)
	for {
		wait, err := b.tell(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failed == 0 {
				b.o.Log.Warn("events not told to the masters yet", "waiting", b.Waiting(), "err", err)
			}
			failed = min(max(2*failed, b.o.Retry), retryMost)
			wait = failed/2 + rand.N(failed/2)
		default:
			failed = 0
		}
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		} else if b.Waiting() == 0 {
			select {
			case <-b.wake:
			case <-ctx.Done():
				return
			}
		}
	}
}

// tell tells the first of what waits, and how long to leave a master alone afterwards.
func (b *Box) tell(ctx context.Context) (time.Duration, error) {
	batch := b.batch()
	if len(batch.Events) == 0 {
		return 0, nil
	}
	body, err := proto.Marshal(batch)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := b.o.Tell(ctx, body)
	if err != nil {
		return 0, err
	}
	reply := &pb.EventBatchReply{}
	if err := proto.Unmarshal(answer, reply); err != nil {
		return 0, fmt.Errorf("cannot read the master's answer: %v", err)
	}
	for _, why := range reply.Refused {
		b.o.Log.Error("the master refused an event", "why", why)
	}
	b.settle(min(int(reply.Settled), len(batch.Events)), batch.Dropped)
	return min(time.Duration(reply.Wait)*time.Microsecond, retryMost), nil
}

// batch is the first of what waits.
func (b *Box) batch() *pb.EventBatch {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch, size := &pb.EventBatch{Dropped: b.dropped}, 0
	for _, e := range b.waiting[:min(len(b.waiting), batchMost)] {
		if size += proto.Size(e); size > batchBytes && len(batch.Events) > 0 {
			break
		}
		batch.Events = append(batch.Events, e)
	}
	return batch
}

// settle forgets the first n. The file is emptied when nothing waits, or rewritten when most of it is told.
func (b *Box) settle(n int, dropped uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped -= dropped
	for _, e := range b.waiting[:n] {
		b.bytes -= proto.Size(e)
	}
	b.waiting = append(b.waiting[:0:0], b.waiting[n:]...)
	if b.file == nil || n == 0 {
		return
	}
	size, err := b.file.Seek(0, io.SeekCurrent)
	if err == nil && (len(b.waiting) == 0 || size > 2*int64(b.bytes)+rewriteOver) {
		err = b.rewrite()
	}
	if err != nil {
		b.o.Log.Warn("told events stay in their file: they may be told again", "file", b.o.Path, "err", err)
	}
}

// rewrite has the file hold what waits alone. An event that a crash leaves in it is told again, which masters notice.
func (b *Box) rewrite() error {
	if err := b.file.Truncate(0); err != nil {
		return err
	}
	if _, err := b.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for _, e := range b.waiting {
		if _, err := protodelim.MarshalTo(b.file, e); err != nil {
			return err
		}
	}
	return nil
}
