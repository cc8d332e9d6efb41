package job

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// asideLimit is how many damaged files are kept for whoever wants to know why.
const asideLimit = 2

// Open opens the journal at path, or makes it. It consists of path.0, path.1
// and path.lock; a second process that opens it gets an error.
//
// A file that is damaged, shorter than it was, or missing while its sibling is
// there, is set aside and named in the log. What can still be read of it
// counts, but nobody knows what stood in the rest: jobs that waited are
// reported as interrupted, and from then on only jobs that were issued after this moment are taken.
func Open(path string, o JournalOptions) (_ *File, err error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &File{path: path, o: o, log: o.Log, wake: make(chan struct{}, 1), done: make(chan struct{}),
		journals: map[string]*Journal{}}
	defer func() {
		if err != nil {
			f.abandon()
			err = fmt.Errorf("cannot open journal %q: %w", path, err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if f.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, err
	}
	if err := f.load(); err != nil {
		return nil, err
	}
	go f.run()
	return f, nil
}

func (f *File) wrap(d disk) disk {
	if f.o.wrap != nil {
		return f.o.wrap(d)
	}
	return d
}

// abandon closes what a failed Open had opened.
func (f *File) abandon() {
	for _, d := range []disk{f.active, f.spare} {
		if d != nil {
			d.Close()
		}
	}
	if f.lock != nil {
		f.lock.Close()
	}
}

// load finds the file in use, reads it, and makes what is missing.
func (f *File) load() error {
	var found [2]*found
	for i := range found {
		d, err := openDisk(f.name(i))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			closeAll(found[:])
			return err
		}
		found[i] = look(f.wrap(d))
	}
	if found[0] == nil && found[1] == nil {
		return f.create()
	}
	for i, one := range found {
		if one != nil && one.version > formatVersion {
			closeAll(found[:])
			return fmt.Errorf("%q has format %d, this version reads up to %d", f.name(i), one.version, formatVersion)
		}
	}
	use := 0
	if found[0] == nil || !found[0].valid ||
		found[1] != nil && found[1].valid && found[1].generation > found[0].generation {
		use = 1
	}
	if found[use] == nil || !found[use].valid {
		return f.renew(found, "neither file has a readable header")
	}
	f.index, f.header = use, found[use].header
	f.active = found[use].disk
	if spare := found[1-use]; spare != nil {
		f.spare = spare.disk
		f.doubt = spare.valid
	}
	if damage := f.readAll(); damage != "" {
		return f.salvage(damage)
	}
	return f.prepareSpare()
}

// found is one of the two files as Open finds it.
type found struct {
	disk
	header
	version uint32
	valid   bool
	blank   bool // the first page is all zero, as of a file that waits
}

func look(d disk) *found {
	page := make([]byte, firstFrame)
	n, _ := d.ReadAt(page, 0)
	one := &found{disk: d}
	one.header, one.version, one.valid = decodeHeader(page[:n])
	one.blank = len(bytes.Trim(page[:n], "\x00")) == 0
	return one
}

func closeAll(all []*found) {
	for _, one := range all {
		if one != nil {
			one.Close()
		}
	}
}

// create makes the file in use of a new journal. The waiting one comes later:
// when it is there alone, something was lost.
func (f *File) create(first ...record) error {
	f.index, f.header, f.size = 0, header{1, rand.Uint64()}, preallocated
	head := f.header.encode()
	f.tail, f.next = firstFrame, 0
	if len(first) > 0 {
		f.fill([]*commit{{records: first}})
		sealFrame(f.buf, f.header.nonce, f.next, f.size)
		head = append(head, f.buf...)
		f.tail, f.next = int64(len(head)), 1
	}
	f.base = f.tail
	d, err := createDisk(f.name(0), head)
	if err != nil {
		return err
	}
	f.active = f.wrap(d)
	return f.prepareSpare()
}

// prepareSpare makes the waiting file ready. On a full disk the journal works without, as long as it can.
func (f *File) prepareSpare() error {
	if f.spare == nil {
		d, err := createDisk(f.name(1-f.index), nil)
		if err != nil {
			f.log.Warn("second file of the journal not made yet", "file", f.name(1-f.index), "err", err)
			return nil
		}
		f.spare = f.wrap(d)
		return nil
	}
	size, err := f.spare.Size()
	switch {
	case err == nil && size < preallocated:
		err = f.spare.Grow(preallocated)
	case err == nil && size > preallocated:
		err = f.spare.Shrink(preallocated)
	}
	if err != nil {
		f.log.Warn("second file of the journal not preallocated", "file", f.name(1-f.index), "err", err)
	}
	return f.eraseSpare()
}

// readAll folds the file in use and tells what is wrong with it, "" for nothing.
func (f *File) readAll() (damage string) {
	size, err := f.active.Size()
	if err != nil {
		return err.Error()
	}
	r := &frames{d: f.active, nonce: f.header.nonce, size: size}
	f.tail = firstFrame
	least := int64(preallocated)
	take := func(at int64, fr frame) {
		if err := f.foldFrame(fr, at); err != nil && damage == "" {
			damage = fmt.Sprintf("frame at byte %d: %v", at, err)
		}
		least = max(least, fr.size)
		f.tail, f.next = fr.end, fr.sequence+1
	}
	for {
		fr, ok := r.at(f.tail)
		if !ok || fr.sequence != f.next {
			break
		}
		take(f.tail, fr)
	}
	// A frame behind a bad one means that the bad one had been synced.
	for end := f.tail; ; end = f.tail {
		at, fr, ok := r.after(end)
		if !ok {
			break
		}
		if damage == "" {
			damage = fmt.Sprintf("no frame at byte %d, but one at byte %d", end, at)
		}
		take(at, fr)
	}
	switch {
	case damage != "":
	case r.err != nil: // or an unreadable last frame would pass for a torn one
		damage = r.err.Error()
	case size < least:
		damage = fmt.Sprintf("it has %d bytes and had %d", size, least)
	}
	f.size, f.base = size, f.tail
	return damage
}

func (f *File) foldFrame(fr frame, at int64) error {
	start := len(fr.payload)
	for b := fr.payload; len(b) > 0; {
		r, data, rest, err := decodeRecord(b)
		if err != nil {
			return err
		}
		place := ref{at + frameHeader + int64(start-len(b)+data), uint32(len(r.data)), checksum(r.data)}
		f.fold(&r, place)
		b = rest
	}
	return nil
}

// renew starts over after the header was lost. At each moment a file without
// a header lies there, so that a crash meanwhile leads here again.
func (f *File) renew(found [2]*found, damage string) error {
	closeAll(found[:])
	f.report(damage)
	if found[1] == nil {
		d, err := createDisk(f.name(1), nil)
		if err != nil {
			return err
		}
		if err := d.Close(); err != nil {
			return err
		}
	}
	if found[0] != nil {
		if err := f.setAside(0); err != nil {
			return err
		}
	}
	if found[1] != nil && !found[1].blank {
		if err := f.setAside(1); err != nil {
			return err
		}
	}
	return f.create(record{kind: kindTakeAfter, issued: f.takeAfter})
}

// salvage starts over with what readAll could read: it is written into the
// waiting file, and the damaged one is set aside.
func (f *File) salvage(damage string) error {
	f.report(damage)
	for _, j := range f.all() {
		j.distrust()
	}
	if err := f.prepareSpare(); err != nil {
		return err
	}
	if f.spare == nil {
		return fmt.Errorf("it is damaged and there is no space for a new one: free 2 MiB at %q", filepath.Dir(f.path))
	}
	w, err := f.rewritten(settledBudget)
	if errors.Is(err, syscall.ENOSPC) {
		w, err = f.rewritten(0)
	}
	if err != nil {
		return err
	}
	f.change(w)
	damaged := f.spare
	f.spare, f.doubt = nil, false
	if err := errors.Join(damaged.Close(), f.setAside(1-f.index)); err != nil {
		return err
	}
	return f.prepareSpare()
}

// report notes the damage and the moment from which jobs are taken.
func (f *File) report(damage string) {
	f.takeAfter = max(f.takeAfter, f.o.Now().UnixMicro())
	f.damaged = true
	f.log.Error("journal is damaged, set aside", "file", f.path, "damage", damage,
		"jobs taken when issued after", time.UnixMicro(f.takeAfter).UTC().Format(time.RFC3339))
}

// setAside renames a file that is no longer used, and removes older ones of its kind.
func (f *File) setAside(index int) error {
	aside := f.path + ".damaged-" + f.o.Now().UTC().Format("20060102T150405.000000")
	if err := os.Rename(f.name(index), aside+"."+strconv.Itoa(index)); err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	names, err := os.ReadDir(dir) // in order of name, which is that of time
	if err != nil {
		return err
	}
	var old []string
	for _, e := range names {
		if strings.HasPrefix(e.Name(), filepath.Base(f.path)+".damaged-") {
			old = append(old, filepath.Join(dir, e.Name()))
		}
	}
	for len(old) > asideLimit {
		if err := os.Remove(old[0]); err != nil {
			return err
		}
		old = old[1:]
	}
	return syncDir(dir)
}
