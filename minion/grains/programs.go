package grains

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"brine/states/custom"
	"brine/states/host"
	"brine/states/value"
)

const (
	programLimit  = 10 * time.Second // that a program may take
	programOutput = 256 << 10
	programsOnce  = 4 // that run at the same time
)

// A programs is the executables that tell further grains: each prints one
// JSON object. They get the grains found so far as JSON on standard input.
type programs struct {
	synced func() []custom.Program // those of the state tree; nil for none
	dirs   []string
	exec   host.Exec
	limit  time.Duration
}

// run merges what the executables tell, in the order of the directories and in each of
// names: what comes later counts. The errors name those that were of no use.
func (p programs) run(ctx context.Context, known *value.Dict) (*value.Dict, []error) {
	files, errs := p.all()
	merged := &value.Dict{}
	if len(files) == 0 || p.exec == nil {
		return merged, errs
	}
	stdin, err := value.MarshalJSON(known)
	if err != nil {
		return merged, append(errs, err)
	}
	told := make([]*value.Dict, len(files))
	failed := make([]error, len(files))
	var wait sync.WaitGroup
	slots := make(chan struct{}, programsOnce)
	for i, file := range files {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			told[i], failed[i] = p.ask(ctx, file, stdin)
		})
	}
	wait.Wait()
	for i := range files {
		if failed[i] != nil {
			errs = append(errs, failed[i])
			continue
		}
		for k, v := range told[i].All() {
			_ = merged.Set(k, v) // it was a key already
		}
	}
	return merged, errs
}

// all are the executables of the state tree and those of all directories.
func (p programs) all() (all []custom.Program, errs []error) {
	if p.synced != nil {
		for _, s := range p.synced() {
			if s.Err != nil {
				errs = append(errs, s.Err)
				continue
			}
			all = append(all, s)
		}
	}
	files, more := p.files()
	for _, file := range files {
		all = append(all, custom.Program{Name: file, Path: file})
	}
	return all, append(errs, more...)
}

// files are the executables of all directories.
func (p programs) files() (files []string, errs []error) {
	for _, dir := range p.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("cannot look for grains: %w", err))
			}
			continue
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			st, err := os.Stat(name)
			if err != nil || !st.Mode().IsRegular() || st.Mode()&0o111 == 0 || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			if err := trusted(name, st); err != nil {
				errs = append(errs, err)
				continue
			}
			files = append(files, name)
		}
	}
	return files, errs
}

// trusted refuses what someone else than the minion's own user or root could have written.
func trusted(name string, st fs.FileInfo) error {
	if st.Mode()&0o022 != 0 {
		return fmt.Errorf("cannot run %s: others may write to it (chmod go-w)", name)
	}
	if s, ok := st.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && s.Uid != uint32(os.Geteuid()) {
		return fmt.Errorf("cannot run %s: it belongs to user %d, neither to root nor to the minion's user", name, s.Uid)
	}
	return nil
}

func (p programs) ask(ctx context.Context, file custom.Program, stdin []byte) (*value.Dict, error) {
	errLate := fmt.Errorf("it took longer than %v", p.limit)
	ctx, cancel := context.WithTimeoutCause(ctx, p.limit, late{errLate})
	defer cancel()
	out, err := p.exec(ctx, host.Command{Argv: []string{file.Path}, Stdin: stdin, Limit: programOutput + 1, Grace: 100 * time.Millisecond})
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot use grains of %s: %w", file.Name, err)
	case out.Code != 0:
		first, _, _ := strings.Cut(strings.TrimSpace(string(out.Stderr)), "\n")
		return nil, fmt.Errorf("cannot use grains of %s: it ended with %d: %s", file.Name, out.Code, first)
	case len(out.Stdout) > programOutput:
		return nil, fmt.Errorf("cannot use grains of %s: it printed more than %d bytes", file.Name, programOutput)
	case len(bytes.TrimSpace(out.Stdout)) == 0:
		return &value.Dict{}, nil
	}
	v, err := value.FromJSON(out.Stdout)
	if err != nil {
		return nil, fmt.Errorf("cannot use grains of %s: %w: %.60q", file.Name, err, out.Stdout)
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot use grains of %s: want a JSON object, got a %s", file.Name, value.Kind(v))
	}
	return d, nil
}

// late is the cause of the end of a program that hangs; it is killed at once.
type late struct{ error }

func (late) Is(target error) bool { return target == host.ErrKill }
