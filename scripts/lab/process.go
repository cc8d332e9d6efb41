package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// spawn starts a program that outlives this one; what it prints goes to log.
func (l *Lab) spawn(log, program string, args ...string) (Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return Process{}, err
	}
	defer f.Close()
	cmd := exec.Command(filepath.Join(l.bin, program), args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return Process{}, fmt.Errorf("cannot start %s: %w", program, err)
	}
	p := Process{PID: cmd.Process.Pid, Start: startTicks(cmd.Process.Pid)}
	go func() { _ = cmd.Wait() }() // no zombie while this process lives; how it ended is in its log
	return p, nil
}

// startTicks is when a process started, from /proc; 0 when there is none. A
// zombie counts as none once its other threads are gone too: until then it may
// hold files and locks.
func startTicks(pid int) uint64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 20 || (f[0] == "Z" || f[0] == "X") && f[17] <= "1" {
		return 0
	}
	n, err := strconv.ParseUint(f[19], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (p *Process) alive() bool { return p.PID != 0 && startTicks(p.PID) == p.Start }

// end stops a process: gently, then not.
func (p *Process) end() error {
	if !p.alive() {
		p.PID = 0
		return nil
	}
	_ = syscall.Kill(p.PID, syscall.SIGCONT) // a stopped one would not hear the next signal
	_ = syscall.Kill(p.PID, syscall.SIGKILL)
	err := p.gone()
	p.PID = 0
	return err
}

// gone waits until the process has ended.
func (p *Process) gone() error {
	return until(context.Background(), "the process ends", func() error {
		if p.alive() {
			return fmt.Errorf("process %d runs", p.PID)
		}
		return nil
	})
}

func (l *Lab) startProxy(ctx context.Context) error {
	p, err := l.spawn(filepath.Join(l.Dir, "proxy.log"), "brine-lab", "proxy", "--dir", l.Dir)
	if err != nil {
		return err
	}
	l.Proxy = &p
	return until(ctx, "the proxy listens", func() error {
		c, err := net.Dial("unix", l.socket())
		if err == nil {
			c.Close()
		}
		return err
	})
}

// RunProxy is the lab's proxy process: it opens a way for each pair of
// masters as they come and takes commands until ctx ends.
func RunProxy(ctx context.Context, dir string) error {
	path := filepath.Join(dir, "proxy.sock")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ways, err := openWays(dir)
	if err != nil {
		return err
	}
	defer ways.Close()
	socket, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	return ways.Serve(ctx, socket)
}

// maxMasters is how many masters the ways are opened for in advance.
const maxMasters = 5

// A way is how the other masters reach one, through the proxy.
type way struct {
	Route string `json:"route"`
	Files string `json:"files"`
}

// openWays makes a proxy with a way to each of m1 ... m5 and writes them to
// ways.json. Where a master listens is read when it is dialled.
func openWays(dir string) (*Proxy, error) {
	p := NewProxy()
	ways := map[string]way{}
	from := func(c net.Conn) string { return dialler(dir, c) }
	for i := 1; i <= maxMasters; i++ {
		to := fmt.Sprintf("m%d", i)
		root := filepath.Join(dir, to)
		var w way
		var err error
		w.Route, err = p.Listen(to, from, func() (string, error) { a, err := readAddresses(root); return a.Route, err })
		if err == nil {
			w.Files, err = p.Listen(to, from, func() (string, error) { a, err := readAddresses(root); return a.Files, err })
		}
		if err != nil {
			p.Close()
			return nil, err
		}
		ways[to] = w
	}
	data, err := json.Marshal(ways)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ways.json"), data, 0o644)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// dialler names the master whose process holds the other end of a connection
// on loopback; "" when it is none of the lab's. The kernel tells which socket
// it is (proc_pid_net(5), proc_pid_fd(5)).
func dialler(dir string, c net.Conn) string {
	inode := socketOf(c.RemoteAddr().(*net.TCPAddr))
	for i := 1; inode != "" && i <= maxMasters; i++ {
		name := fmt.Sprintf("m%d", i)
		pid, err := os.ReadFile(filepath.Join(dir, name+".pid"))
		if err != nil {
			continue
		}
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%s/fd/*", pid)) // the pattern is well formed
		for _, fd := range fds {
			if link, err := os.Readlink(fd); err == nil && link == "socket:["+inode+"]" {
				return name
			}
		}
	}
	return ""
}

// socketOf finds the inode of the socket that is bound to a local address.
func socketOf(a *net.TCPAddr) string {
	data, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	ip := a.IP.To4()
	local := fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 9 && f[1] == local {
			return f[9]
		}
	}
	return ""
}

// addresses is what a running master tells in run/brine/master.json.
type addresses struct {
	PID   int    `json:"pid"`
	Bus   string `json:"bus"`
	Route string `json:"route"`
	Files string `json:"files"`
}

func readAddresses(root string) (addresses, error) {
	var a addresses
	data, err := os.ReadFile(filepath.Join(root, "run/brine/master.json"))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(data, &a)
}

// addMaster makes the first master, or joins a further one, and starts it.
func (l *Lab) addMaster(ctx context.Context, name string, o UpOptions) error {
	m := &Master{Name: name, Root: filepath.Join(l.Dir, name)}
	phrase := filepath.Join(l.Dir, "passphrase")
	if len(l.Masters) == 0 {
		if err := os.WriteFile(phrase, []byte("lab\n"), 0o600); err != nil {
			return err
		}
		if _, err := l.Program(ctx, "brine-master", "init", "--root", m.Root, "--name", name,
			"--listen", "127.0.0.1:0", "--passphrase-file", phrase); err != nil {
			return err
		}
	} else {
		token, err := l.Brine(ctx, "master", "invite", name, "--passphrase-file", phrase)
		if err != nil {
			return err
		}
		if _, err := l.Program(ctx, "brine-master", "join", strings.TrimSpace(token), "--root", m.Root,
			"--listen", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	if err := l.configure(m, o.FileRoot); err != nil {
		return err
	}
	if err := l.runMaster(ctx, m); err != nil {
		return err
	}
	l.Masters = append(l.Masters, m)
	if err := l.pinPorts(m); err != nil {
		return err
	}
	return l.writeOperator()
}

// configure writes what only a lab wants: the ways through the proxy and the tree.
func (l *Lab) configure(m *Master, fileRoot string) error {
	data, err := os.ReadFile(filepath.Join(l.Dir, "ways.json"))
	if err != nil {
		return err
	}
	var ways map[string]way
	if err := json.Unmarshal(data, &ways); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[advertise]\nroute = %q\nfiles = %q\n", ways[m.Name].Route, ways[m.Name].Files)
	if fileRoot != "" {
		abs, err := filepath.Abs(fileRoot)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "[file_roots]\nbase = [%q]\n", abs)
	}
	return dropIn(m.Root, "10-lab.toml", b.String())
}

// pinPorts keeps the ports that the system chose, so that a master that is
// started again is found where it was.
func (l *Lab) pinPorts(m *Master) error {
	a, err := readAddresses(m.Root)
	if err != nil {
		return err
	}
	return dropIn(m.Root, "20-ports.toml", fmt.Sprintf("[listen]\nbus = %q\nroute = %q\nfiles = %q\n", a.Bus, a.Route, a.Files))
}

func dropIn(root, name, text string) error {
	dir := filepath.Join(root, "etc/brine/master.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
}

func (l *Lab) runMaster(ctx context.Context, m *Master) error {
	p, err := l.spawn(filepath.Join(l.Dir, m.Name+".log"), "brine-master", "run", "--root", m.Root)
	if err != nil {
		return err
	}
	m.Process = p
	// The proxy tells by it who dials.
	if err := os.WriteFile(filepath.Join(l.Dir, m.Name+".pid"), []byte(strconv.Itoa(p.PID)), 0o644); err != nil {
		return err
	}
	return until(ctx, "master "+m.Name+" listens", func() error {
		if !p.alive() {
			return fatal{fmt.Errorf("master %s ended: see %s", m.Name, filepath.Join(l.Dir, m.Name+".log"))}
		}
		a, err := readAddresses(m.Root)
		if err == nil && a.PID != p.PID {
			err = errors.New("the addresses are of an earlier run")
		}
		m.Address = a.Bus
		return err
	})
}

// fatal is an error that waiting does not mend.
type fatal struct{ error }

// writeOperator makes operator.toml name every master.
func (l *Lab) writeOperator() error {
	made := filepath.Join(l.Masters[0].Root, "etc/brine/operator.toml")
	data, err := os.ReadFile(made)
	if err != nil {
		return err
	}
	var list []string
	for _, m := range l.Masters {
		list = append(list, strconv.Quote(m.Address))
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		switch {
		case strings.HasPrefix(line, "masters"):
			line = "masters = [" + strings.Join(list, ", ") + "]\n"
		case strings.HasPrefix(line, "key"):
			line = fmt.Sprintf("key = %q\n", filepath.Join(filepath.Dir(made), "operator.key"))
		}
		out = append(out, line)
	}
	return os.WriteFile(l.Operator, []byte(strings.Join(out, "")), 0o600)
}

func (l *Lab) fingerprint() (string, error) {
	data, err := os.ReadFile(l.Operator)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "ca_fingerprint = "); ok {
			return strings.Trim(strings.TrimSpace(rest), `"`), nil
		}
	}
	return "", fmt.Errorf("cannot find ca_fingerprint in %s", l.Operator)
}

// addMinion writes a minion's configuration and starts it.
func (l *Lab) addMinion(id string) error {
	m := &Minion{ID: id, Root: filepath.Join(l.Dir, id)}
	pin, err := l.fingerprint()
	if err != nil {
		return err
	}
	var list []string
	for _, master := range l.Masters {
		list = append(list, strconv.Quote(master.Address))
	}
	dir := filepath.Join(m.Root, "etc/brine")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("id = %q\nmasters = [%s]\nca_fingerprint = %q\n", id, strings.Join(list, ", "), pin)
	if err := os.WriteFile(filepath.Join(dir, "minion.toml"), []byte(text), 0o644); err != nil {
		return err
	}
	l.Minions = append(l.Minions, m)
	return l.runMinion(m)
}

func (l *Lab) runMinion(m *Minion) error {
	p, err := l.spawn(filepath.Join(l.Dir, m.ID+".log"), "brine-minion", "run", "--root", m.Root)
	m.Process = p
	return err
}

// addSwarm starts many minions in one process, let in by a token.
func (l *Lab) addSwarm(ctx context.Context, n int) error {
	token, err := l.Brine(ctx, "key", "token", "--id", "swarm*", "--uses", "0", "--ttl", "24h")
	if err != nil {
		return err
	}
	l.Swarm = &Swarm{Count: n, Root: filepath.Join(l.Dir, "swarm")}
	if err := os.MkdirAll(l.Swarm.Root, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(l.Swarm.Root, "token"), []byte(token), 0o600); err != nil {
		return err
	}
	return l.runSwarm()
}

func (l *Lab) runSwarm() error {
	p, err := l.spawn(filepath.Join(l.Dir, "swarm.log"), "brine-lab", "swarm",
		"--root", l.Swarm.Root, "--count", strconv.Itoa(l.Swarm.Count))
	l.Swarm.Process = p
	return err
}

// A State tells of one process of a lab.
type State struct {
	Name  string
	PID   int
	State string // running, stopped, down
}

// States tells of every master and minion.
func (l *Lab) States() []State {
	var out []State
	add := func(name string, p *Process) {
		s := State{Name: name, PID: p.PID, State: "down"}
		if p.alive() {
			s.State = "running"
			if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID)); err == nil && strings.Contains(string(data), ") T ") {
				s.State = "stopped"
			}
		}
		out = append(out, s)
	}
	for _, m := range l.Masters {
		add(m.Name, &m.Process)
	}
	for _, m := range l.Minions {
		add(m.ID, &m.Process)
	}
	if l.Swarm != nil {
		add("swarm", &l.Swarm.Process)
	}
	return out
}
