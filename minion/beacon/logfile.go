package beacon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/regex"
	"brine/states/value"
)

const (
	maxRead = 1 << 20  // bytes of a file in one look
	maxLine = 64 << 10 // of one line; more of it is left out

	keepMoved = time.Minute // for a file that was moved or deleted, which takes its space as long
)

// A tail reads what is appended to a file, from where it ended at the first look. It keeps the file open: what was written
// before it was rotated is read from there.
type tail struct {
	*env
	name  string
	begun bool // there was a look
	file  *os.File
	inode uint64 // of file
	at    int64
	moved time.Time   // when file was first seen without the name
	drop  func() bool // has the end of the beacon not close file
}

// next is what was appended since the last look: whole pieces, as far as cut finds their end.
func (t *tail) next(h *host.Host, cut func([]byte) int) ([]byte, error) {
	var st unix.Stat_t
	err := unix.Stat(h.Path(t.name), &st)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot follow %s: %w", t.name, err)
	}
	if t.file != nil && (err != nil || st.Ino != t.inode) {
		if rest, e := t.left(cut, err == nil && st.Size > 0); len(rest) > 0 || e != nil || t.file != nil {
			return rest, e
		}
	}
	if err != nil && t.inode != 0 {
		return nil, nil // it is being rotated
	}
	if err == nil && t.file == nil {
		err = t.open(h)
	}
	if err != nil {
		t.begun = true // all that it will have is new
		return nil, fmt.Errorf("cannot follow %s: %w", t.name, err)
	}
	t.moved = time.Time{}
	return t.read(cut, false)
}

// left is what was appended to the file that had the name, whose writer may go on with it for a while: until there is
// something in the one that has the name now.
func (t *tail) left(cut func([]byte) int, over bool) ([]byte, error) {
	if t.moved.IsZero() {
		t.moved = time.Now()
	}
	over = over || time.Since(t.moved) > keepMoved
	rest, err := t.read(cut, over)
	if over && (err != nil || len(rest) < maxRead/2) {
		t.close()
		t.set.rouse(t.i) // for the file in its place
	}
	return rest, err
}

// open opens the file: at its end if it was there at the first look.
func (t *tail) open(h *host.Host) error {
	f, err := os.Open(h.Path(t.name))
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return err
	}
	t.file, t.inode, t.at, t.moved = f, st.Ino, 0, time.Time{}
	t.drop = context.AfterFunc(t.i.life, func() { f.Close() })
	if !t.begun {
		t.at = st.Size
	}
	t.begun = true
	return nil
}

func (t *tail) close() {
	if t.drop() {
		t.file.Close()
	}
	t.file = nil
}

// read reads on in the open file: last says that nothing more will be written to it.
func (t *tail) read(cut func([]byte) int, last bool) ([]byte, error) {
	st, err := t.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot follow %s: %w", t.name, err)
	}
	if st.Size() < t.at {
		t.at = 0 // it was emptied
	}
	data := make([]byte, min(st.Size()-t.at, maxRead))
	n, err := t.file.ReadAt(data, t.at)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("cannot read %s: %w", t.name, err)
	}
	data = data[:n]
	end := cut(data)
	if n < maxRead && last || end == 0 && n == maxRead {
		end = n // a piece without end
	}
	t.at += int64(end)
	return data[:end], nil
}

func wholeLines(data []byte) int { return bytes.LastIndexByte(data, '\n') + 1 }

// logFile tells of lines of a file that match.
func logFile(s *section, e *env) looker {
	type tagged struct {
		tag string
		re  func(string) (bool, error)
	}
	t := &tail{env: e, name: s.text("file", "")}
	if t.name == "" {
		s.wrong("", "want a file in it")
	}
	tags := s.sub("tags")
	var all []tagged
	tags.each(func(tag string, v any) {
		one := tags.under(tag, v)
		expr := one.text("regex", "")
		one.end()
		re, err := regex.Beginning(expr, false)
		if err != nil {
			one.wrong("regex", "%v", err)
		} else if expr == "" {
			one.wrong("", "want a regex in it")
		}
		all = append(all, tagged{tag, re})
	})
	if len(all) == 0 {
		s.wrong("", "want tags in it, each with a regex")
	}
	return func(_ context.Context, h *host.Host) ([]reading, error) {
		var found readings
		data, err := t.next(h, wholeLines)
		for line := range bytes.Lines(data) {
			text := string(bytes.ToValidUTF8(bytes.TrimRight(line[:min(len(line), maxLine)], "\r\n"), []byte("\ufffd")))
			for _, a := range all {
				ok, e := a.re(text)
				if e != nil {
					err = e
				} else if ok {
					found.keep(reading{tag: a.tag, data: value.NewDict("match", "yes", "raw", text, "error", "")})
				}
			}
		}
		if len(data) >= maxRead/2 {
			e.set.rouse(e.i) // there is more
		}
		return found, err
	}
}
