package moduletest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
)

// errRefused is how a command fails that the suite lets fail.
var errRefused = errors.New("permission denied")

// A meter notes the commands of a host, and lets some of them fail.
type meter struct {
	root   string
	lines  []string
	refuse func(nth int, line string) bool // nil for none
	exits  bool                            // they end with 1 instead of not starting
	last   []string                        // the one that was let fail
}

func (m *meter) on(h *hosttest.Host) {
	run := h.Exec
	m.root = h.Root
	h.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		line := strings.ReplaceAll(strings.Join(c.Argv, " ")+"\n"+string(c.Stdin), m.root, "")
		m.lines = append(m.lines, line)
		if m.refuse == nil || !m.refuse(len(m.lines), line) {
			return run(ctx, c)
		}
		m.last = c.Argv
		switch {
		case m.exits && c.Merge:
			return host.Output{Code: 1, Stdout: []byte(broken)}, nil
		case m.exits:
			return host.Output{Code: 1, Stderr: []byte(broken)}, nil
		}
		return host.Output{}, fmt.Errorf("cannot start %q: %w", c.Argv[0], errRefused)
	}
}

// broken is what a command says that fails.
const broken = "this command is broken"

// faults lets what the state does fail: each of its commands in turn, and whatever it writes.
func (x *trial) faults(t testing.TB) (problems []string) {
	var looks, all meter
	h := x.o.Host(t)
	looks.on(h)
	before := treeOf(t, h)
	x.Run(t.Context(), h.Host, true)
	h = x.o.Host(t)
	all.on(h)
	x.Run(t.Context(), h.Host, false)
	whole := treeOf(t, h)
	for nth := 1; nth <= len(all.lines); nth++ {
		for _, exits := range []bool{false, true} {
			problems = append(problems, x.failing(t, nth, exits, before, whole)...)
		}
	}
	changes := differences(before, whole)
	if len(changes) > 0 {
		problems = append(problems, x.unprivileged(t, looks.lines, whole)...)
	}
	for _, dir := range directories(changes, before) {
		problems = append(problems, x.readOnly(t, dir, looks.lines, changes, whole)...)
	}
	return problems
}

// failing lets one command of the run fail: then the state fails and says why, or gets the host where it is
// wanted all the same. A run after that, in which nothing fails, ends well.
func (x *trial) failing(t testing.TB, nth int, exits bool, before, whole tree) (problems []string) {
	m := meter{exits: exits, refuse: func(n int, _ string) bool { return n == nth }}
	h := x.o.Host(t)
	m.on(h)
	r := x.Run(t.Context(), h.Host, false)
	if m.last == nil {
		return nil // there are other commands each time
	}
	line := strings.Join(m.last, " ")
	when := fmt.Sprintf("when %q cannot be run", line)
	if exits {
		when = fmt.Sprintf("when %q ends with 1", line)
	}
	now := treeOf(t, h)
	m.refuse = nil
	switch failed := r.Result != nil && !*r.Result; {
	case failed:
		problems = append(problems, x.told(r, when, m.last[0], broken)...)
	case !x.reached(t, h):
		problems = append(problems, fmt.Sprintf("the state succeeds %s, and the host is not as wanted: return the error of h.Run", when))
	}
	for path := range now {
		if !before.has(path) && !whole.has(path) {
			problems = append(problems, fmt.Sprintf("%s, %s stays behind", when, path))
		}
	}
	again := x.Run(t.Context(), h.Host, false)
	if again.Result == nil || !*again.Result {
		problems = append(problems, fmt.Sprintf("%s once, the state fails for good: %s", when, again.Comment))
	}
	return problems
}

// reached says whether the host is as wanted, as far as the state itself can tell.
func (x *trial) reached(t testing.TB, h *hosttest.Host) bool {
	r := x.Run(t.Context(), h.Host, true)
	return r.Result != nil && *r.Result && !x.is(x.o.Repeats)
}

// unprivileged runs the state as someone who may only look: it fails, says at what, and leaves the host as it is.
func (x *trial) unprivileged(t testing.TB, looks []string, whole tree) (problems []string) {
	h := x.o.Host(t)
	before := treeOf(t, h)
	m := meter{refuse: func(_ int, line string) bool { return !slices.Contains(looks, line) }}
	m.on(h)
	var r module.Result
	asRoot := os.Geteuid() == 0
	withoutRights(t, h, func() { r = x.Run(t.Context(), h.Host, false) })
	now := treeOf(t, h)
	if asRoot {
		for _, path := range differences(before, now) {
			problems = append(problems, fmt.Sprintf("a run that may not write changed %s", path))
		}
		if r.Result == nil || *r.Result {
			return append(problems, fmt.Sprintf("the state succeeds although it may not write (%s): return the error", r.Comment))
		}
		if r.Changes.Len() > 0 {
			problems = append(problems, "a run that may not write tells of changes "+shown(r.Changes))
		}
	}
	for _, path := range halfWritten(now, before, whole) {
		problems = append(problems, fmt.Sprintf("a run that may not write leaves %s half written", path))
	}
	if r.Result != nil && !*r.Result {
		problems = append(problems, x.told(r, "when it may not write", append(differences(before, whole), m.last[:min(1, len(m.last))]...)...)...)
	}
	return problems
}

// readOnly runs the state as the owner of all of the host but one directory, in which it may not write: what it could
// do is done whole, and the rest not at all.
func (x *trial) readOnly(t testing.TB, dir string, looks, changes []string, whole tree) (problems []string) {
	if os.Geteuid() != 0 {
		return nil // the owner of a directory may write in it if he wants to
	}
	h := x.o.Host(t)
	before := treeOf(t, h)
	for path := range before {
		if path != dir {
			if err := os.Lchown(h.Path(path), nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := meter{refuse: func(_ int, line string) bool { return !slices.Contains(looks, line) }}
	m.on(h)
	var r module.Result
	withoutRights(t, h, func() { r = x.Run(t.Context(), h.Host, false) })
	m.refuse = nil
	for _, path := range halfWritten(treeOf(t, h), before, whole) {
		problems = append(problems, fmt.Sprintf("a run that may not write in %s leaves %s half written", dir, path))
	}
	switch failed := r.Result != nil && !*r.Result; {
	case failed:
		problems = append(problems, x.told(r, "when it may not write in "+dir, append(changes, m.last[:min(1, len(m.last))]...)...)...)
	case !x.reached(t, h):
		problems = append(problems, fmt.Sprintf("the state succeeds although it may not write in %s: return the error", dir))
	}
	return problems
}

// directories are those in which paths changed, as far as they were there before.
func directories(changes []string, before tree) (dirs []string) {
	for _, path := range changes {
		dir := filepath.Dir(path)
		if before[dir].mode.IsDir() && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// told says what is missing in the comment of a state that failed: it begins with what could not be done, and names
// one of the things, or what they lie in, or the name that the state has.
func (x *trial) told(r module.Result, when string, things ...string) (problems []string) {
	own := strings.Contains(r.Comment, broken) && r.Comment != broken // what the command says, and in which matter
	if r.Changes.Len() == 0 && !own && !strings.Contains("\n"+r.Comment, "\ncannot ") && !strings.Contains(r.Comment, " ended with ") {
		problems = append(problems, fmt.Sprintf("%s, it says %q: begin with what could not be done, such as cannot write \"/etc/motd\"",
			when, r.Comment))
	}
	names := append(slices.Clone(things), x.name)
	for _, path := range names {
		if strings.HasPrefix(path, "/") {
			names = append(names, strings.TrimPrefix(filepath.Dir(path), "/"), filepath.Base(path))
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return n != "" && strings.Contains(r.Comment, n) }) {
		problems = append(problems, fmt.Sprintf("%s, it says %q: name the thing, such as %s", when, r.Comment, things[0]))
	}
	return problems
}
