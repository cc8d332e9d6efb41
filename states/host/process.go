package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Processes are the commands that run for one job, so that a signal can be sent to them.
// The zero value is ready; it is safe for concurrent use.
type Processes struct {
	mu   sync.Mutex
	pids map[int]identity
}

// An identity tells a command's process from others that get its id, and its descendants from strangers.
type identity struct {
	started uint64 // when its process did
	mark    string // what its environment and that of its descendants holds
	group   string // the cgroup in which it and they are; "" for none
}

type processesKey struct{}

// WithProcesses returns a context whose commands are listed in p while they run.
func WithProcesses(ctx context.Context, p *Processes) context.Context {
	return context.WithValue(ctx, processesKey{}, p)
}

func processesOf(ctx context.Context) *Processes {
	p, _ := ctx.Value(processesKey{}).(*Processes)
	return p
}

// Signal sends a signal to each command and all its descendants, and returns how many commands there were.
func (p *Processes) Signal(sig syscall.Signal) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pid, id := range p.pids {
		newTree(pid, id).signal(sig)
	}
	return len(p.pids)
}

// PIDs returns the process ids of the commands that run now.
func (p *Processes) PIDs() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	pids := make([]int, 0, len(p.pids))
	for pid := range p.pids {
		pids = append(pids, pid)
	}
	return pids
}

// launch starts a command and lists it, with no moment between in which a signal would miss it.
// It marks the command's environment.
func (p *Processes) launch(cmd *exec.Cmd, own *group, start func() (outputs, error)) (outputs, *tree, error) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	id := identity{mark: "BRINE_COMMAND=" + rand.Text()}
	cmd.Env = append(cmd.Env, id.mark)
	outs, err := start()
	if err != nil {
		return outs, nil, err
	}
	pid := cmd.Process.Pid
	self, _ := readProcess(pid) // before Wait: until then the id can't be given again
	id.started = self.started
	if own != nil && cmd.SysProcAttr.UseCgroupFD {
		id.group = own.path
	}
	if p != nil {
		if p.pids == nil {
			p.pids = make(map[int]identity)
		}
		p.pids[pid] = id
	}
	return outs, newTree(pid, id), nil
}

// forget takes a command that ended off the list.
func (p *Processes) forget(pid int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pids, pid)
}

// stuck is how long a command that was killed may take to end: one that waits for a dead disk never does.
const stuck = 5 * time.Second

// endTree ends a command with all its descendants: SIGTERM, and SIGKILL after grace. It
// returns when none is left, and says whether ended has told the command's own end.
func endTree(t *tree, grace time.Duration, ended <-chan error) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	over := false
	until := func(limit time.Duration, each func()) {
		deadline := time.NewTimer(limit)
		defer deadline.Stop()
		for !over || t.grow() > 0 {
			each()
			var wait <-chan error
			if !over {
				wait = ended
			}
			select {
			case <-wait:
				over = true
			case <-tick.C:
			case <-deadline.C:
				return
			}
		}
	}
	if grace > 0 {
		t.freeze()
		t.signal(syscall.SIGTERM)
		t.signal(syscall.SIGCONT)
		until(grace, func() {})
	}
	// Killed again and again: what is being killed may be starting children.
	until(stuck, func() {
		t.freeze()
		t.signal(syscall.SIGKILL)
	})
	return over
}

// A tree is a command's process, its session and all descendants, as far as they were seen:
// a child that made itself a session and whose parent ended is known by the command's cgroup and, where it
// has none, by the mark in its environment. A process is told by its id and start, since an id is given again once its process is gone.
type tree struct {
	leader int
	identity
	known map[int]uint64
}

func newTree(leader int, id identity) *tree {
	return &tree{leader: leader, identity: id, known: make(map[int]uint64)}
}

// freeze stops the whole tree, also what is begun meanwhile. Without it a shell whose child
// ends first goes on with its next line before its own turn comes.
func (t *tree) freeze() {
	for seen := -1; seen < len(t.known); {
		seen = len(t.known)
		t.signal(syscall.SIGSTOP)
	}
}

// signal sends sig to the tree as it is now.
func (t *tree) signal(sig syscall.Signal) {
	t.grow()
	for pid := range t.known {
		_ = syscall.Kill(pid, sig) // it may have ended since
	}
	if sig == syscall.SIGKILL {
		killGroup(t.group)
	}
}

// grow looks for new members, forgets ended ones, and returns how many there are.
func (t *tree) grow() int {
	all := processTable()
	for pid, started := range t.known {
		if p, ok := all[pid]; !ok || p.started != started {
			delete(t.known, pid)
		}
	}
	lead, alive := all[t.leader]
	reused := alive && lead.started != t.started
	for pid, p := range all {
		if _, ok := t.known[pid]; !ok && t.marked(pid, p) {
			t.known[pid] = p.started
		}
	}
	for _, pid := range members(t.group) {
		if p, ok := all[pid]; ok {
			t.known[pid] = p.started
		}
	}
	for more := true; more; {
		more = false
		for pid, p := range all {
			if _, ok := t.known[pid]; ok {
				continue
			}
			_, child := t.known[p.parent]
			ours := pid == t.leader || p.session == t.leader || p.group == t.leader
			if child || ours && !reused {
				t.known[pid] = p.started
				more = true
			}
		}
	}
	return len(t.known)
}

// marked says whether a process was begun with the command's mark. Those older than the command are not
// asked, which are nearly all.
func (t *tree) marked(pid int, p process) bool {
	if t.mark == "" || p.started < t.started {
		return false
	}
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+t.mark+"\x00"))
}

type process struct {
	parent, group, session int
	started                uint64
	ended                  bool // it only waits for its parent
}

// processTable reads /proc, without the processes that have ended.
func processTable() map[int]process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	all := make(map[int]process, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok && !p.ended {
			all[pid] = p
		}
	}
	return all
}

func readProcess(pid int) (process, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	return parseStat(data)
}

// parseStat reads /proc/PID/stat (see proc_pid_stat(5)). The second field, the program's name in
// parentheses, may hold anything, so the rest is counted from the last parenthesis.
func parseStat(data []byte) (process, bool) {
	i := bytes.LastIndexByte(data, ')')
	if i < 0 {
		return process{}, false
	}
	f := bytes.Fields(data[i+1:])
	if len(f) < 20 {
		return process{}, false
	}
	n := func(i int) int {
		v, _ := strconv.Atoi(string(f[i]))
		return v
	}
	started, err := strconv.ParseUint(string(f[19]), 10, 64)
	ended := f[0][0] == 'Z' || f[0][0] == 'X'
	return process{n(1), n(2), n(3), started, ended}, err == nil
}
