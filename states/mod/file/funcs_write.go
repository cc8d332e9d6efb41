package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

var writeFuncs = []module.Func{
	{Name: "append", Doc: "Add lines to the end of a file.", Example: "/etc/motd 'first line' 'second line'",
		Do: lineWriter(atEnd, "Wrote %d lines to %q")},
	{Name: "prepend", Doc: "Add lines to the beginning of a file.", Example: "/etc/motd 'first line' 'second line'",
		Do: lineWriter(func(before []byte, lines []string) []byte {
			return append([]byte(joined(lines)), before...)
		}, "Prepended %d lines to %q")},
	{Name: "replace",
		Doc: `
			Replace what matches a regular expression in a file, and return the difference: an empty text when there is none.`,
		Example: `/etc/motd '^Hello' 'Welcome' backup=False`, Do: module.Call(replaceFunc)},
	{Name: "seek_write", Doc: "Write over a part of a file in place, and return how many bytes were written.",
		Example: "/var/lib/app/flag on 0", Do: module.Call(seekWrite)},
	{Name: "truncate", Doc: "Make a file as long as a number of bytes, in place.", Example: "/var/log/app.log 0",
		Do: module.Call(truncate)},
	{Name: "write", Doc: "Write lines to a file; what it held is gone.", Example: "/etc/motd 'first line' 'second line'",
		Do: lineWriter(func(_ []byte, lines []string) []byte { return []byte(joined(lines)) }, "Wrote %d lines to %q")},
}

type linesArgs struct {
	onePath
	Lines []text `arg:"lines,rest" doc:"the lines"`
	Args  text   `arg:"args" doc:"the lines as one list"`
}

// lineWriter makes a function that makes a file's new content of lines.
func lineWriter(make func([]byte, []string) []byte, told string) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a linesArgs) (string, error) {
		var lines []string
		for _, more := range append(a.Lines, a.Args) {
			for _, line := range more {
				lines = append(lines, strings.TrimSuffix(line, "\n"))
			}
		}
		name, err := absPath(ctx, h, a.Path)
		if err != nil {
			return "", err
		}
		e, err := openEdit(h, name)
		if err != nil {
			return "", err
		}
		defer e.spot.leave()
		if len(e.spot.missing) > 0 {
			return "", fmt.Errorf("cannot write %s: its directory is not there", a.Path)
		}
		if err := e.write(ctx, outcome{after: make(e.before, lines), rights: anyone}); err != nil {
			return "", fmt.Errorf("cannot write %s: %w", a.Path, err)
		}
		return fmt.Sprintf(told, len(lines), a.Path), nil
	})
}

type replaceFuncArgs struct {
	onePath
	replaceArgs
	Search bool `arg:"search_only" doc:"only tell whether the expression matches"`
	DryRun bool `arg:"dry_run" doc:"change nothing"`
	Show   bool `arg:"show_changes" default:"true" doc:"false: return whether something changed"`
}

func replaceFunc(ctx context.Context, h *host.Host, a replaceFuncArgs) (any, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	if a.Search {
		return search(ctx, h, searchArgs{onePath: a.onePath, Pattern: a.Pattern, Flags: a.Flags, Ignore: a.Ignore})
	}
	name, err := absPath(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	e, err := openEdit(h, name)
	if err == nil && e.old == nil {
		e.spot.leave()
		err = errNotThere
	}
	if errors.Is(err, errNotThere) {
		if a.Ignore {
			return false, nil
		}
		return nil, notFound(a.Path)
	}
	if err != nil {
		return nil, err
	}
	defer e.spot.leave()
	after, err := a.edit(e.before)
	if err != nil {
		return nil, fmt.Errorf("cannot edit %s: %w", a.Path, err)
	}
	changed := string(after) != string(e.before)
	if changed && !a.DryRun {
		if err := e.write(ctx, outcome{after: after, rights: anyone, bak: a.Bak}); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", a.Path, err)
		}
	}
	switch {
	case !a.Show:
		return changed, nil
	case !changed:
		return "", nil
	}
	return e.difference(outcome{after: after}), nil
}

// openWrite opens the file at the spot to change it in place.
func (s *spot) openWrite() (*os.File, error) {
	const flags = unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(s.fd, s.base, flags, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", s.path(), err)
	}
	return os.NewFile(uintptr(fd), s.path()), nil
}

// inPlace changes a file that is there in place and brings it to the disk.
func inPlace(ctx context.Context, h *host.Host, name string, do func(*os.File) error) error {
	s, i, err := thereToChange(ctx, h, name, true)
	if err != nil {
		return err
	}
	defer s.leave()
	if !i.isFile() {
		return fmt.Errorf("cannot write %s: it is a %s", name, i.kind())
	}
	f, err := s.openWrite()
	if err != nil {
		return err
	}
	err = do(f)
	if err == nil {
		err = h.SyncFile(int(f.Fd()))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return s.touched()
}

type seekWriteArgs struct {
	onePath
	Data   string `arg:"data,required" doc:"what to write"`
	Offset int64  `arg:"offset,required" doc:"where to begin"`
}

func seekWrite(ctx context.Context, h *host.Host, a seekWriteArgs) (n int, err error) {
	if a.Offset < 0 {
		return 0, fmt.Errorf("cannot write at %d of %s: out of range", a.Offset, a.Path)
	}
	err = inPlace(ctx, h, a.Path, func(f *os.File) error {
		n, err = io.NewOffsetWriter(f, a.Offset).Write([]byte(a.Data))
		return err
	})
	return n, err
}

type truncateArgs struct {
	onePath
	Length int64 `arg:"length,required" doc:"how many bytes"`
}

func truncate(ctx context.Context, h *host.Host, a truncateArgs) (any, error) {
	return nil, inPlace(ctx, h, a.Path, func(f *os.File) error { return f.Truncate(a.Length) })
}
