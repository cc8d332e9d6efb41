package job

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// recorder keeps what was done to the journal's two files, in order, so that
// the state after a power cut at any moment can be made.
type recorder struct {
	mu    sync.Mutex
	start map[string][]byte // content when it was opened first
	ops   []op
}

type op struct {
	file string
	kind byte // 'w'rite, 's'ync, 't'runcate to at
	at   int64
	data []byte
}

type recorded struct {
	disk
	name string
	r    *recorder
}

func (r *recorder) wrap(d disk) disk {
	name := strings.TrimSuffix(filepath.Base(d.(osDisk).Name()), ".new")
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.start[name]; !ok {
		size, _ := d.Size()
		b := make([]byte, size)
		d.ReadAt(b, 0)
		r.start[name] = b
	}
	return recorded{d, name, r}
}

func (d recorded) note(o op) {
	o.file = d.name
	d.r.mu.Lock()
	defer d.r.mu.Unlock()
	d.r.ops = append(d.r.ops, o)
}

func (d recorded) WriteAt(b []byte, at int64) (int, error) {
	d.note(op{kind: 'w', at: at, data: bytes.Clone(b)})
	return d.disk.WriteAt(b, at)
}

func (d recorded) Sync() error {
	err := d.disk.Sync()
	d.note(op{kind: 's'})
	return err
}

func (d recorded) Grow(size int64) error {
	d.note(op{kind: 't', at: size})
	return d.disk.Grow(size)
}

func (d recorded) Shrink(size int64) error {
	d.note(op{kind: 't', at: size})
	return d.disk.Shrink(size)
}

// replay writes to dir what the disk may hold after the first n operations and a power cut: of a
// write that was not synced, damage decides what arrived.
func (r *recorder) replay(t testing.TB, dir string, n int, damage func(data []byte) []byte) {
	t.Helper()
	content := map[string][]byte{}
	for name, b := range r.start {
		content[name] = bytes.Clone(b)
	}
	for i, o := range r.ops[:n] {
		b := content[o.file]
		switch o.kind {
		case 't':
			b = append(b[:min(int64(len(b)), o.at)], make([]byte, max(0, o.at-int64(len(b))))...)
		case 'w':
			data := o.data
			if !slices.ContainsFunc(r.ops[i:n], func(l op) bool { return l.file == o.file && l.kind == 's' }) {
				data = damage(data)
			}
			copy(b[o.at:], data)
		}
		content[o.file] = b
	}
	for name, b := range content {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// fact is something that a caller was told to be on disk, after so many operations.
type fact struct {
	after int
	k     key
	state state
	value []byte
}

// history does what a minion does and returns what it may rely on.
type history struct {
	t     testing.TB
	r     *recorder
	f     *File
	j     *Journal
	facts []fact
	n     int
}

func newHistory(t testing.TB) *history {
	h := &history{t: t, r: &recorder{start: map[string][]byte{}}}
	var err error
	if h.f, err = Open(filepath.Join(t.TempDir(), "journal"), JournalOptions{wrap: h.r.wrap}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.f.Close() })
	h.j = h.f.Minion("web1")
	return h
}

func (h *history) claim() *entry {
	h.n++
	issued := time.Now()
	k := key{fmt.Sprintf("20260131120000%06d", h.n), requestID{byte(h.n), byte(h.n >> 8), 1}}
	e, _ := h.j.claim(k, "cmd.run", issued.UnixMicro(), issued.Add(time.Minute).UnixMicro())
	return e
}

func (h *history) did(e *entry, s state, value []byte, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	h.facts = append(h.facts, fact{len(h.r.ops), e.key, s, value})
}

func (h *history) accept(at state) *entry {
	h.t.Helper()
	e := h.claim()
	h.did(e, at, nil, h.j.accept(e, at, []byte("envelope of "+e.jid)))
	return e
}

func (h *history) finish(e *entry, size int) {
	h.t.Helper()
	r := Runner{o: Options{ID: "web1"}, now: time.Now}
	ret := r.blank(e.key, "cmd.run")
	ret.Outcome, ret.Value = pb.Outcome_OK, value(e, size)
	res := r.pack(ret)
	h.did(e, returned, value(e, size), h.j.finish(e, res))
}

// value is different for each job.
func value(e *entry, size int) []byte {
	return []byte(`"` + strings.Repeat(e.jid, size/len(e.jid)) + `"`)
}

// check opens the journal in dir and sees whether the facts that were told before operation n hold.
func (h *history) check(t testing.TB, dir string, n int) {
	t.Helper()
	f, err := Open(filepath.Join(dir, "journal"), JournalOptions{})
	if err != nil {
		t.Fatalf("after %d operations: %v", n, err)
	}
	defer f.Close()
	if after, _ := f.taking(); after != 0 {
		t.Errorf("after %d operations: a crash looks like damage", n)
	}
	j := f.Minion("web1")
	for _, c := range h.facts {
		if c.after > n {
			continue
		}
		e := j.lookup(c.k)
		if e == nil || e.state < c.state || e.saved != e.state {
			t.Errorf("after %d operations: job %s: got %+v, want state %d", n, c.k.jid, e, c.state)
			continue
		}
		if c.state == queued && e.state == queued {
			if b, err := j.envelope(e); string(b) != "envelope of "+c.k.jid || err != nil {
				t.Errorf("after %d operations: job %s: envelope %q, %v", n, c.k.jid, b, err)
			}
		}
		if c.value != nil && e.state == returned {
			checkStored(t, j, e, c.value)
		}
	}
}

func checkStored(t testing.TB, j *Journal, e *entry, want []byte) {
	t.Helper()
	fin, parts, err := j.load(e)
	ret := &pb.Return{}
	if err == nil {
		err = proto.Unmarshal(fin, ret)
	}
	got := ret.Value
	for i := range parts {
		p, e := j.part(e, i)
		if e != nil {
			err = e
		}
		got = append(got, p...)
	}
	if err != nil || !bytes.Equal(got, want) || ret.Truncated {
		t.Errorf("job %s: got %d bytes, %v, want %d", e.jid, len(got), err, len(want))
	}
}

func whole(b []byte) []byte   { return b }
func nothing(b []byte) []byte { return nil }

// sectors lets some of the 512-byte sectors of a write arrive.
func sectors(rnd *rand.Rand, old byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.Clone(b)
		for at := 0; at < len(b); at += 512 {
			if rnd.IntN(2) == 0 {
				for i := at; i < min(at+512, len(b)); i++ {
					b[i] = old
				}
			}
		}
		return b
	}
}

func TestPowerCutAtEveryMoment(t *testing.T) {
	h := newHistory(t)
	var owed []*entry
	for i := range 12 {
		e := h.accept(queued)
		if i%3 == 0 {
			continue // still waits
		}
		h.did(e, started, nil, h.j.start(e))
		d := h.accept(started)
		h.finish(d, 20)
		if i%3 == 1 {
			h.finish(e, 300<<10) // in parts
			owed = append(owed, e)
			if len(owed) > 1 { // so that a compaction, at 1 MiB, has something to leave out
				h.j.ack(owed[0].key, "m1", "", []string{"m1"})
				owed = owed[1:]
			}
		}
	}
	if h.f.header.generation < 2 {
		t.Fatal("the history holds no compaction")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range len(h.r.ops) + 1 {
		for _, damage := range []func([]byte) []byte{whole, nothing, sectors(rnd, 0), sectors(rnd, 0xaa)} {
			dir := t.TempDir()
			h.r.replay(t, dir, n, damage)
			h.check(t, dir, n)
			os.RemoveAll(dir)
			if n == 0 || h.r.ops[n-1].kind != 'w' {
				break
			}
		}
	}
}

func TestPowerCutAtEveryByteOfAWrite(t *testing.T) {
	h := newHistory(t)
	e := h.accept(queued)
	h.did(e, started, nil, h.j.start(e))
	h.finish(e, 40)
	for n, o := range h.r.ops {
		if o.kind != 'w' {
			continue
		}
		for length := range o.data {
			dir := t.TempDir()
			h.r.replay(t, dir, n+1, func(b []byte) []byte { return b[:length] })
			h.check(t, dir, n+1)
			os.RemoveAll(dir)
		}
	}
}

// TestTruncationAtEveryByte: whatever is cut off, no job that began runs again,
// what can be read is kept, and the journal can be used.
func TestTruncationAtEveryByte(t *testing.T) {
	h := newHistory(t)
	first := h.accept(started)
	h.finish(first, 40)
	second := h.accept(queued)
	third := h.accept(started)
	h.f.Close()
	page, err := os.ReadFile(h.f.name(0))
	if err != nil {
		t.Fatal(err)
	}
	ends := []int64{}
	for _, o := range h.r.ops {
		if o.kind == 'w' {
			ends = append(ends, o.at+int64(len(o.data)))
		}
	}
	lengths := []int{0, 1, headerSize, headerCopy, firstFrame - 1, preallocated / 2, preallocated - 1}
	for n := firstFrame; n < int(h.f.tail)+10; n++ {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "journal.0"), page[:n], 0o600)
		os.WriteFile(filepath.Join(dir, "journal.1"), make([]byte, preallocated), 0o600)
		f, err := Open(filepath.Join(dir, "journal"), JournalOptions{})
		if err != nil {
			t.Fatalf("length %d: %v", n, err)
		}
		j := f.Minion("web1")
		if after, _ := f.taking(); after < third.issued {
			t.Errorf("length %d: takes jobs that may have run", n)
		}
		if e := j.lookup(first.key); int64(n) >= ends[1] {
			if e == nil || e.state != returned {
				t.Fatalf("length %d: a return that is there is lost", n)
			}
			checkStored(t, j, e, value(first, 40))
		}
		for _, k := range []key{second.key, third.key} {
			if e := j.lookup(k); e != nil && e.state == queued {
				t.Errorf("length %d: job %s would run", n, k.jid)
			}
		}
		again := (&history{t: t, r: h.r, f: f, j: j, n: 100})
		again.finish(again.accept(started), 10)
		f.Close()
		os.RemoveAll(dir)
	}
}

func TestDamageAnywhereIsNoticedOrHarmless(t *testing.T) {
	h := newHistory(t)
	var all []*entry
	for range 5 {
		e := h.accept(started)
		h.finish(e, 40)
		all = append(all, e)
	}
	h.f.Close()
	page, err := os.ReadFile(h.f.name(0))
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for _, o := range h.r.ops {
		if o.kind == 'w' {
			last = o.at
		}
	}
	// What precedes the last frame; that one can't be told from a torn one.
	for at := int64(0); at < last; at += 7 {
		dir := t.TempDir()
		bad := bytes.Clone(page)
		bad[at] ^= 0x40
		os.WriteFile(filepath.Join(dir, "journal.0"), bad, 0o600)
		os.WriteFile(filepath.Join(dir, "journal.1"), make([]byte, preallocated), 0o600)
		f, err := Open(filepath.Join(dir, "journal"), JournalOptions{})
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		after, _ := f.taking()
		kept := 0
		for _, e := range all {
			if e := f.Minion("web1").lookup(e.key); e != nil && e.state == returned {
				kept++
			}
		}
		if want := 5; at >= firstFrame {
			want = 4
			if kept < want || after == 0 {
				t.Errorf("byte %d: kept %d of 5 returns, damage noticed: %v", at, kept, after != 0)
			}
		} else if kept != want || after != 0 {
			t.Errorf("byte %d of the header: kept %d of 5 returns, damage noticed: %v", at, kept, after != 0)
		}
		f.Close()
		os.RemoveAll(dir)
	}
}

func TestFilesThatAreLost(t *testing.T) {
	for name, c := range map[string]struct {
		lose   []int
		damage bool
	}{
		"both":           {[]int{0, 1}, false}, // a first start; the masters know what this minion forgot
		"the one in use": {[]int{0}, true},
		"the other":      {[]int{1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.accept(started)
			h.f.Close()
			for _, i := range c.lose {
				if err := os.Remove(h.f.name(i)); err != nil {
					t.Fatal(err)
				}
			}
			f, err := Open(h.f.path, JournalOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if after, _ := f.taking(); (after != 0) != c.damage {
				t.Errorf("got damage %v, want %v", after != 0, c.damage)
			}
			_, err = Open(h.f.path, JournalOptions{})
			if err == nil || !strings.Contains(err.Error(), "another process uses it") {
				t.Errorf("a second one: got %v", err)
			}
		})
	}
}

func TestANewerFormatIsNotTouched(t *testing.T) {
	h := newHistory(t)
	h.f.Close()
	page := header{7, 7}.encode()
	page[8] = formatVersion + 1
	for _, at := range []int{0, headerCopy} {
		page[at+8] = formatVersion + 1
		sum := checksum(page[at : at+32])
		page[at+32], page[at+33], page[at+34], page[at+35] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	}
	d, err := openDisk(h.f.name(0))
	if err != nil {
		t.Fatal(err)
	}
	d.WriteAt(page, 0)
	d.Close()
	_, err = Open(h.f.path, JournalOptions{})
	if err == nil || !strings.Contains(err.Error(), "has format 2, this version reads up to 1") {
		t.Errorf("got %v", err)
	}
}

// TestFramesOfAnEarlierGenerationMeanNothing, even where the next one would go.
func TestFramesOfAnEarlierGenerationMeanNothing(t *testing.T) {
	page := make([]byte, firstFrame)
	for sequence, nonce := range []uint64{2, 1, 2 << 56} {
		frame := make([]byte, frameHeader)
		r := record{kind: kindStarted, minion: "web1", jid: fmt.Sprintf("2026013112000000000%d", sequence)}
		frame, _ = r.append(frame)
		sealFrame(frame, nonce, uint64(sequence), preallocated)
		page = append(page, frame...)
	}
	page = append(page, make([]byte, preallocated-len(page))...)
	f := &File{journals: map[string]*Journal{}, header: header{9, 2}, active: &memory{page}}
	if damage := f.readAll(); damage != "" || len(f.Minion("web1").entries) != 1 {
		t.Errorf("got %q, %d jobs", damage, len(f.Minion("web1").entries))
	}
}
