package host

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// groups gives each command a cgroup (version 2) of its own below the daemon's, where the daemon may
// make one: what is in it is known whatever it does to its session, parent and environment. The zero value
// is ready; it is safe for concurrent use.
type groups struct {
	mu     sync.Mutex // guards the fields below
	looked bool
	base   string   // the daemon's own; "" where none can be made below it
	name   string   // what names of its groups begin with: other daemons may share its cgroup
	left   []string // of commands that have ended, while background children live on
}

// A group is the cgroup of one command. A nil one is none.
type group struct {
	path string
	dir  *os.File // until the command was started
}

const groupPrefix = "brine-command-"

// begin makes a group for a command; nil where that can't be.
func (g *groups) begin() *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.looked {
		g.looked = true
		g.base = ownGroup("/proc/self/cgroup", "/proc/self/mountinfo")
		if g.base != "" {
			self, _ := readProcess(os.Getpid())
			g.name = fmt.Sprintf("%s%d-%d-", groupPrefix, os.Getpid(), self.started)
			g.left = abandoned(g.base)
		}
	}
	if g.base == "" {
		return nil
	}
	g.sweep()
	path := filepath.Join(g.base, g.name+rand.Text())
	if err := os.Mkdir(path, 0o755); err != nil {
		g.base = nowhere(g.base, err)
		return nil
	}
	dir, err := os.Open(path)
	if _, bad := os.Stat(filepath.Join(path, "cgroup.kill")); err != nil || bad != nil { // of Linux 5.14
		g.base = ""
		_ = os.Remove(path)
		_ = dir.Close()
		return nil
	}
	return &group{path: path, dir: dir}
}

// abandoned are the groups of daemons that have ended, such as this one in its last life.
func abandoned(base string) (left []string) {
	all, _ := filepath.Glob(filepath.Join(base, groupPrefix+"*")) // the pattern is a good one
	for _, path := range all {
		var pid int
		var started uint64
		n, err := fmt.Sscanf(strings.TrimPrefix(filepath.Base(path), groupPrefix), "%d-%d-", &pid, &started)
		if err != nil || n != 2 {
			continue
		}
		if p, alive := readProcess(pid); !alive || p.started != started {
			left = append(left, path)
		}
	}
	return left
}

// nowhere is where to make groups after one could not be made: nowhere, unless there are just too many.
func nowhere(base string, err error) string {
	if errors.Is(err, syscall.EAGAIN) {
		return base
	}
	return ""
}

// refuse notes that no command can be started in a group.
func (g *groups) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.base = ""
}

// end gives a group up: it is removed once nothing is in it any more.
func (g *groups) end(c *group) {
	if c == nil {
		return
	}
	_ = c.dir.Close() // it was only for starting
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = append(g.left, c.path)
	g.sweep()
}

// sweep removes groups in which nothing is left. The caller holds mu.
func (g *groups) sweep() {
	g.left = slices.DeleteFunc(g.left, func(path string) bool {
		removeInner(path)
		err := syscall.Rmdir(path)
		return err == nil || errors.Is(err, fs.ErrNotExist)
	})
}

// removeInner removes the groups that a command made within its own.
func removeInner(path string) {
	inner := innerGroups(path)
	for _, p := range slices.Backward(inner) {
		_ = syscall.Rmdir(p) // one in which something lives stays
	}
}

// innerGroups are those below path, a group before those within it.
func innerGroups(path string) (inner []string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			p := filepath.Join(path, e.Name())
			inner = append(append(inner, p), innerGroups(p)...)
		}
	}
	return inner
}

// members are the processes in the group at path and those within it.
func members(path string) (pids []int) {
	if path == "" {
		return nil
	}
	for _, p := range append([]string{path}, innerGroups(path)...) {
		data, err := os.ReadFile(filepath.Join(p, "cgroup.procs"))
		if err != nil {
			continue
		}
		for _, line := range bytes.Fields(data) {
			if pid, err := strconv.Atoi(string(line)); err == nil && pid > 0 { // 0 is outside of this namespace
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// killGroup kills all in the group at path, also what is being started.
func killGroup(path string) {
	if path != "" {
		_ = os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0) // one that is gone is empty
	}
}

// ownGroup is the directory of this process's cgroup; "" without version 2.
func ownGroup(cgroup, mountinfo string) string {
	data, err := os.ReadFile(cgroup)
	if err != nil {
		return ""
	}
	own := ""
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path
		}
	}
	mounts, err := os.ReadFile(mountinfo)
	if err != nil || own == "" || strings.HasPrefix(own, "/..") {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		mount, kind, _ := strings.Cut(line, " - ")
		f := strings.Fields(mount)
		if !strings.HasPrefix(kind, "cgroup2 ") || len(f) < 5 {
			continue
		}
		root, at := f[3], f[4]
		if below, ok := strings.CutPrefix(own, strings.TrimSuffix(root, "/")); ok && (below == "" || below[0] == '/') {
			return filepath.Join(at, below)
		}
	}
	return ""
}

// into has a command started in the group.
func (c *group) into(cmd *exec.Cmd) {
	if c != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(c.dir.Fd())
	}
}

// startAnywhere starts a command, in its group unless the system does not let it; then without.
func startAnywhere(cmd *exec.Cmd) error {
	attr := cmd.SysProcAttr
	if attr == nil || !attr.UseCgroupFD {
		return cmd.Start()
	}
	// A Cmd can be started once.
	again := &exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir,
		Stdin: cmd.Stdin, Stdout: cmd.Stdout, Stderr: cmd.Stderr, SysProcAttr: attr}
	err := cmd.Start()
	// ENOENT is, besides what it is of a program, that of a group that somebody has removed.
	for _, no := range []error{syscall.ENOENT, syscall.ENODEV, syscall.ENOSYS, syscall.EPERM, syscall.EACCES, syscall.EBUSY, syscall.EOPNOTSUPP, syscall.EINVAL} {
		if errors.Is(err, no) {
			attr.UseCgroupFD, attr.CgroupFD = false, 0
			*cmd = *again
			return cmd.Start()
		}
	}
	return err
}
