package beacon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"brine/states/host"
	"brine/states/value"
)

// shells tells which commands people run in their shells, by strace(1).
func shells(_ *section, e *env) looker {
	f := &follower{env: e}
	var mu sync.Mutex // guards watched
	watched := map[string]bool{}
	return func(ctx context.Context, h *host.Host) ([]reading, error) {
		all, err := loginShells(ctx, h)
		if err != nil {
			return nil, err
		}
		for pid, user := range all {
			mu.Lock()
			had := watched[pid]
			watched[pid] = true
			mu.Unlock()
			if had {
				continue
			}
			e.set.work.Go(func() {
				err := trace(e.i.life, h, pid, func(r reading) {
					r.data.Put("user", user)
					f.add(r)
				})
				mu.Lock()
				delete(watched, pid)
				mu.Unlock()
				if err != nil {
					f.fail(err)
				}
			})
		}
		return f.taken()
	}
}

// trace tells of each program that a process and its children run, until it ends.
func trace(ctx context.Context, h *host.Host, pid string, add func(reading)) error {
	argv := []string{"strace", "-f", "-e", "trace=execve", "-e", "signal=none", "-s", "4096", "-o", "/dev/stdout", "-p", pid}
	err := eachLine(ctx, h, host.Command{Argv: argv}, func(line []byte) error {
		if program, args, ok := execve(string(line)); ok {
			list := value.NewList()
			for _, a := range args {
				list.Items = append(list.Items, a)
			}
			add(reading{tag: pid, data: value.NewDict("args", list, "cmd", program)})
		}
		return nil
	})
	if !exists(h, "/proc/"+pid) {
		return nil // it is why strace ended
	}
	return err
}

// execve reads a line of strace: execve("/bin/ls", ["ls", "-l"], ...) = 0.
func execve(line string) (program string, args []string, ok bool) {
	_, rest, ok := strings.Cut(line, "execve(")
	// One that another process interrupts is told without its result, and counts as one that works.
	if !ok || !strings.HasSuffix(line, "= 0") && !strings.HasSuffix(line, "<unfinished ...>") {
		return "", nil, false
	}
	rest, _, _ = strings.Cut(rest, "]")
	for n := 0; ; n++ {
		i := strings.IndexByte(rest, '"')
		if i < 0 {
			return program, args, n > 0
		}
		quoted, err := strconv.QuotedPrefix(rest[i:])
		if err != nil {
			return program, args, n > 0
		}
		text, _ := strconv.Unquote(quoted)
		if n == 0 {
			program = text
		} else {
			args = append(args, text)
		}
		rest = rest[i+len(quoted):]
	}
}

// loginShells are the processes, with the ids of their users, whose program is a shell of /etc/shells and that have a terminal.
func loginShells(ctx context.Context, h *host.Host) (map[string]string, error) {
	data, err := os.ReadFile(h.Path("/etc/shells"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot look for shells: %w", err)
	}
	known := map[string]bool{"sh": true, "bash": true}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			known[filepath.Base(line)] = true
		}
	}
	dir, err := os.ReadDir(h.Path("/proc"))
	if err != nil {
		return nil, fmt.Errorf("cannot look for shells: %w", err)
	}
	all := map[string]string{}
	for _, e := range dir {
		stat, err := os.ReadFile(h.Path("/proc/" + e.Name() + "/stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), "(")
		at := strings.LastIndexByte(rest, ')')
		fields := strings.Fields(rest[at+1:])
		if at < 0 || len(fields) < 5 || !known[rest[:at]] || fields[4] == "0" { // the terminal
			continue
		}
		all[e.Name()] = owner(ctx, h, e.Name())
	}
	return all, nil
}

// owner is the name of the user of a process.
func owner(ctx context.Context, h *host.Host, pid string) string {
	st, err := os.Stat(h.Path("/proc/" + pid))
	if err != nil {
		return "" // it has ended
	}
	sys, _ := st.Sys().(*syscall.Stat_t)
	uid := fmt.Sprint(sys.Uid)
	u, err := h.User(ctx, uid)
	if err != nil {
		return uid
	}
	return u.Name
}
