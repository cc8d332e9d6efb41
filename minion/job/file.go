package job

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// lazyLimit is how many records may wait for the next commit.
const lazyLimit = 256

// JournalOptions are the optional parts of Open.
type JournalOptions struct {
	Log hclog.Logger     // nil: none
	Now func() time.Time // nil: time.Now

	wrap func(d disk) disk // tests put faults between
}

// File is a journal on disk, shared by the minions of one process. What they
// write at the same time reaches the disk with one fdatasync. It may be used
// from many goroutines.
//
// It consists of two files, PATH.0 and PATH.1: one is in use, the other waits,
// preallocated, until what still counts is written into it. So a full disk
// stops neither writing nor cleaning up.
type File struct {
	path string
	o    JournalOptions
	log  hclog.Logger
	lock *os.File

	// Owned by Open, then by the goroutine of run.
	index   int // of the file in use
	header  header
	next    uint64    // sequence of the next frame
	tail    int64     // where it goes
	size    int64     // of the file in use
	base    int64     // tail after the last compaction
	spare   disk      // nil when it could not be made
	suspect bool      // a sync failed: nothing is trusted before all is written anew
	doubt   bool      // the spare's header may look valid: erase it first
	retry   time.Time // neither is tried before
	full    time.Time // nor is a compaction that failed
	lean    bool      // the last compaction kept no values but those that are owed
	buf     []byte

	// turn is held for reading while a value is read, and for writing while
	// active and the places of the values change. Before Journal.mu.
	turn   sync.RWMutex
	active disk

	wake chan struct{}
	done chan struct{}

	mu        sync.Mutex // guards the fields below; after Journal.mu
	queue     []*commit
	lazy      []record
	batch     *batch
	closed    bool
	journals  map[string]*Journal
	takeAfter int64
	damaged   bool // takeAfter is still by this machine's own clock
}

// commit is what one caller of append writes, all or nothing.
type commit struct {
	records []record
	accept  bool // takes a job: leaves the reserve alone
	refs    []ref
	err     error
	batch   *batch
}

// batch is done when every commit in it has its err.
type batch struct{ done chan struct{} }

// ref is where a record's data lies in the file in use.
type ref struct {
	at  int64
	n   uint32
	sum uint32
}

var errClosed = errors.New("the journal is closed")

// Minion returns the journal of one minion, the same for every call with its id.
func (f *File) Minion(id string) *Journal {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.journals[id]
	if j == nil {
		j = newJournal(f, id)
		f.journals[id] = j
	}
	return j
}

// Close writes what waits and closes the files. It is idempotent.
func (f *File) Close() error {
	f.mu.Lock()
	closed := f.closed
	f.closed = true
	f.mu.Unlock()
	f.poke()
	<-f.done
	if closed {
		return nil
	}
	return f.closeDisks()
}

func (f *File) closeDisks() error {
	f.turn.Lock()
	defer f.turn.Unlock()
	err := f.active.Close()
	if f.spare != nil {
		err = errors.Join(err, f.spare.Close())
	}
	return errors.Join(err, f.lock.Close())
}

func (f *File) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// append writes records and returns when they are on disk, or an error and
// they don't count. The records' data must not change meanwhile.
func (f *File) append(accept bool, records ...record) error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return errClosed
	}
	if f.batch == nil {
		f.batch = &batch{done: make(chan struct{})}
	}
	c := &commit{records: records, accept: accept, batch: f.batch}
	f.queue = append(f.queue, c)
	f.mu.Unlock()
	f.poke()
	<-c.batch.done
	return c.err
}

// later writes a record together with what is appended next; a crash may lose it.
func (f *File) later(r record) {
	f.mu.Lock()
	f.lazy = append(f.lazy, r)
	full := len(f.lazy) >= lazyLimit
	f.mu.Unlock()
	if full {
		f.poke()
	}
}

func (f *File) run() {
	defer close(f.done)
	for range f.wake {
		for {
			queue, b, closed := f.take()
			f.commit(queue)
			if b != nil {
				close(b.done)
			}
			if closed {
				return
			}
			if len(queue) == 0 {
				break
			}
		}
	}
}

// take returns everything that waits.
func (f *File) take() (queue []*commit, b *batch, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue, b = f.queue, f.batch
	f.queue, f.batch = nil, nil
	if len(f.lazy) > 0 && (len(queue) > 0 || f.closed || len(f.lazy) >= lazyLimit) {
		queue = append(queue, &commit{records: f.lazy})
		f.lazy = nil
	}
	return queue, b, f.closed
}

// commit writes the queue in as few frames as its size allows. When a frame
// finds no room, each of its commits gets a try of its own.
func (f *File) commit(queue []*commit) {
	for len(queue) > 0 {
		n, keep := f.fill(queue)
		err := f.write(keep)
		if n > 1 && errors.Is(err, syscall.ENOSPC) {
			for i := range n {
				_, keep = f.fill(queue[i : i+1])
				f.finish(queue[i:i+1], f.write(keep))
			}
		} else {
			f.finish(queue[:n], err)
		}
		queue = queue[n:]
	}
	if cap(f.buf) > 64<<10 {
		f.buf = nil
	}
}

// fill encodes as many commits as go into one frame, at least one.
func (f *File) fill(queue []*commit) (n int, keep int64) {
	f.buf = append(f.buf[:0], make([]byte, frameHeader)...)
	for n < len(queue) && (n == 0 || len(f.buf) < frameTarget) {
		c := queue[n]
		c.refs = c.refs[:0]
		for i := range c.records {
			var at int
			f.buf, at = c.records[i].append(f.buf)
			data := c.records[i].data
			c.refs = append(c.refs, ref{int64(at), uint32(len(data)), checksum(data)})
		}
		if c.accept {
			keep = reserve
		}
		n++
	}
	return n, keep
}

// write puts the frame in buf behind the last one.
func (f *File) write(keep int64) error {
	if len(f.buf) > frameHeader+maxFrame {
		return fmt.Errorf("cannot write %d bytes at once to journal %q", len(f.buf), f.path)
	}
	err := f.makeRoom(int64(len(f.buf)), keep)
	if err == nil {
		sealFrame(f.buf, f.header.nonce, f.next, f.size)
		_, err = f.active.WriteAt(f.buf, f.tail)
	}
	if err == nil {
		if err = f.active.Sync(); err != nil {
			f.suspect = true // a bad block stays bad: go on in the other file
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write journal %q: %w", f.path, err)
	}
	return nil
}

// finish tells the commits of the frame in buf how it went.
func (f *File) finish(queue []*commit, err error) {
	for _, c := range queue {
		c.err = err
		if err != nil {
			if c.batch == nil {
				f.log.Warn("journal entry put off", "err", err)
			}
			continue
		}
		for i := range c.records {
			c.refs[i].at += f.tail
			f.fold(&c.records[i], c.refs[i])
		}
	}
	if err == nil {
		f.tail += int64(len(f.buf))
		f.next++
	}
}

// read returns the data at r, which must be of the file in use: hold turn since r was looked up.
func (f *File) read(r ref) ([]byte, error) {
	b := make([]byte, r.n)
	if _, err := f.active.ReadAt(b, r.at); err != nil {
		return nil, fmt.Errorf("cannot read journal %q: %w", f.path, err)
	}
	if checksum(b) != r.sum {
		return nil, fmt.Errorf("cannot read journal %q: bad checksum at byte %d", f.path, r.at)
	}
	return b, nil
}

// fold takes a record that is on disk.
func (f *File) fold(r *record, at ref) {
	if r.kind == kindTakeAfter {
		f.mu.Lock()
		f.takeAfter = max(f.takeAfter, r.issued)
		f.mu.Unlock()
		return
	}
	f.Minion(r.minion).fold(r, at)
}

func (f *File) all() []*Journal {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*Journal, 0, len(f.journals))
	for _, j := range f.journals {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b *Journal) int { return strings.Compare(a.id, b.id) })
	return all
}

func (f *File) name(index int) string { return f.path + "." + strconv.Itoa(index) }

// taking returns the moment of which only later jobs are taken, 0 when there is
// none, and whether a master should confirm it.
func (f *File) taking() (after int64, unconfirmed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.takeAfter, f.damaged
}

// confirm raises that moment to a master's clock.
func (f *File) confirm(at int64) error {
	err := f.append(false, record{kind: kindTakeAfter, issued: at})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.damaged = f.damaged && err != nil
	f.takeAfter = max(f.takeAfter, at)
	return err
}
