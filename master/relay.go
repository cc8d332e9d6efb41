package master

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// relay passes what minions of this master say of jobs on to the other
// masters, each of which stores its own copy, and has it taken in here. That may
// have to wait for the disk; the others need not. What is lost on the way the
// minion offers again, as it lacks somebody's ack.
type relay struct {
	publish func(subj string, data []byte) error // not heard here again
	queue   chan relayed                         // to be taken in
	bytes   atomic.Int64                         // in it

	mu    sync.Mutex // guards the fields below
	batch *proto.RelayBatch
	size  int         // of it
	timer *time.Timer // sends it
	armed bool        // it will
	last  time.Time   // when a batch was sent
	lost  error       // why one could not be
}

type relayed struct {
	returned string // subject
	data     []byte
}

const (
	maxRelayed = 1 << 15 // messages that wait to be taken in, besides maxPending
	// To carry a message to another master costs both the more than what they do with it: in a
	// burst they get one each relayEach. What is large goes by itself.
	relayEach  = 8 * time.Millisecond
	relayBytes = 64 << 10
)

var errRelayFull = errors.New("too many messages of minions wait to be taken in")

func newRelay(publish func(string, []byte) error) *relay {
	return &relay{publish: publish, queue: make(chan relayed, maxRelayed), batch: &proto.RelayBatch{}}
}

// hear takes a message from the bus, and keeps data. It does not wait for the
// store. An error says what is lost, here or on the way to the others.
func (r *relay) hear(subj string, data []byte) error {
	returned, err := subject.ParseRelay(subj)
	if err != nil {
		return err
	}
	if !utf8.ValidString(returned) { // it would have no place in a batch
		return fmt.Errorf("cannot read relayed subject %q", subj)
	}
	return errors.Join(r.pass(returned, data), r.keep(relayed{returned, data}))
}

// pass tells the others, soon. It tells what became of the last batch too.
func (r *relay) pass(returned string, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.lost
	r.lost = nil
	return errors.Join(err, r.add(returned, data))
}

// add puts a message into the batch, which goes at once when nothing was told
// just before. With mu held.
func (r *relay) add(returned string, data []byte) error {
	if len(data) > relayBytes/4 {
		return errors.Join(r.send(), r.publish(returned, data))
	}
	r.batch.Subjects, r.batch.Data = append(r.batch.Subjects, returned), append(r.batch.Data, data)
	r.size += len(returned) + len(data)
	wait := relayEach - time.Since(r.last)
	switch {
	case r.size >= relayBytes || wait <= 0 && !r.armed:
		return r.send()
	case r.armed:
	case r.timer == nil:
		r.armed, r.timer = true, time.AfterFunc(wait, r.due)
	default:
		r.armed = true
		r.timer.Reset(wait)
	}
	return nil
}

// due sends what was gathered.
func (r *relay) due() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = false
	r.lost = r.send()
}

// stop sends what was gathered; what comes later goes at once.
func (r *relay) stop() {
	r.due()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
	}
}

// send tells the others what was gathered. With mu held.
func (r *relay) send() error {
	if len(r.batch.Data) == 0 {
		return nil
	}
	data, err := pb.Marshal(r.batch)
	if err == nil {
		err = r.publish(subject.Relayed, data)
	}
	clear(r.batch.Data)
	r.batch.Subjects, r.batch.Data, r.size = r.batch.Subjects[:0], r.batch.Data[:0], 0
	r.last = time.Now()
	return err
}

// unpack calls take with each message of a batch of another master.
func unpack(data []byte, take func(returned string, data []byte)) error {
	batch := &proto.RelayBatch{}
	if err := pb.Unmarshal(data, batch); err != nil {
		return fmt.Errorf("cannot read what another master heard of minions: %w", err)
	}
	if len(batch.Subjects) != len(batch.Data) {
		return fmt.Errorf("cannot read what another master heard of minions: %d subjects of %d messages",
			len(batch.Subjects), len(batch.Data))
	}
	for i, returned := range batch.Subjects {
		take(returned, batch.Data[i])
	}
	return nil
}

func (r *relay) keep(m relayed) error {
	size := int64(len(m.data))
	if r.bytes.Add(size) <= maxPending {
		select {
		case r.queue <- m:
			return nil
		default:
		}
	}
	r.bytes.Add(-size)
	return errRelayFull
}

// run has take take in what was heard, in order, until ctx ends.
func (r *relay) run(ctx context.Context, take func(returned string, data []byte)) {
	defer r.stop()
	for {
		select {
		case m := <-r.queue:
			take(m.returned, m.data)
			r.bytes.Add(-int64(len(m.data)))
		case <-ctx.Done():
			return
		}
	}
}
