package beacon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/regex"
	"brine/states/value"
)

const (
	maxRead = 1 << 20  // bytes of a file in one look
	maxLine = 64 << 10 // of one line; more of it is left out
)

// A tail reads what is appended to a file, from where it ended at the first look, also when it is rotated.
type tail struct {
	name  string
	begun bool
	at    int64
	inode uint64
}

// next is what was appended since the last look: whole pieces, as far as cut finds their end.
func (t *tail) next(h *host.Host, cut func([]byte) int) ([]byte, error) {
	f, err := os.Open(h.Path(t.name))
	if errors.Is(err, fs.ErrNotExist) && t.begun {
		return nil, nil // it is being rotated
	}
	if err != nil {
		return nil, fmt.Errorf("cannot follow %s: %w", t.name, err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("cannot follow %s: %w", t.name, err)
	}
	switch {
	case !t.begun:
		t.at = st.Size
	case st.Ino != t.inode || st.Size < t.at:
		t.at = 0
	}
	t.begun, t.inode = true, st.Ino
	data := make([]byte, min(st.Size-t.at, maxRead))
	n, err := f.ReadAt(data, t.at)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("cannot read %s: %w", t.name, err)
	}
	data = data[:n]
	end := cut(data)
	if end == 0 && n == maxRead {
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
	t := &tail{name: s.text("file", "")}
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
