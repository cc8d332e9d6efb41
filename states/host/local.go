package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Local runs commands on this machine. Each is the leader of a session of its own, without a
// terminal. The zero Local is ready; it is safe for concurrent use.
type Local struct {
	Root string // working directories lie under it; "" is the real root directory

	mu   sync.Mutex
	left map[*pipe]struct{} // outputs that a command's background children still hold

	groups groups
}

// lingering is how long output is awaited after a command ended while background children hold it open.
const lingering = 500 * time.Millisecond

// Run is an Exec. Background children that a command leaves behind live on when
// it ends by itself, and end with it when ctx does.
func (l *Local) Run(ctx context.Context, c Command) (Output, error) {
	if len(c.Argv) == 0 {
		return Output{}, errors.New("cannot run a command: it is empty")
	}
	if err := context.Cause(ctx); err != nil {
		return Output{}, err
	}
	cmd, err := l.prepare(c)
	if err != nil {
		return Output{}, err
	}
	limit := c.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	if c.Background {
		return background(cmd, c)
	}
	processes := processesOf(ctx)
	own := l.groups.begin()
	defer l.groups.end(own)
	own.into(cmd)
	outs, t, err := processes.launch(cmd, own, func() (outputs, error) { return start(cmd, c, limit) })
	if err != nil {
		return Output{}, err
	}
	if own != nil && !cmd.SysProcAttr.UseCgroupFD {
		l.groups.refuse()
	}
	defer processes.forget(cmd.Process.Pid)
	return l.wait(ctx, cmd, c, outs, t)
}

// background starts a command that no one waits for but to bury it.
func background(cmd *exec.Cmd, c Command) (Output, error) {
	in, err := stdin(c.Stdin)
	if err != nil {
		return Output{}, startError(c, cmd.Dir, err)
	}
	if in != nil {
		cmd.Stdin = in
		defer in.Close()
	}
	if err := spawn(cmd, c); err != nil {
		return Output{}, startError(c, cmd.Dir, err)
	}
	pid := cmd.Process.Pid
	go func() { _ = cmd.Wait() }() // how it ended is no one's business
	return Output{PID: pid}, nil
}

// wait waits for a started command to end by itself or with ctx.
func (l *Local) wait(ctx context.Context, cmd *exec.Cmd, c Command, outs outputs, t *tree) (Output, error) {
	out := Output{PID: cmd.Process.Pid, Code: -1}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		outs.await(lingering)
		out.Code, out.Stdout, out.Stderr = exitCode(cmd.ProcessState), outs.out.keep(), outs.err.keep()
		l.drain(outs)
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			return out, fmt.Errorf("cannot wait for %q: %w", c.Argv[0], err)
		}
		return out, nil
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	if endTree(t, grace(c, cause), ended) {
		out.Code = exitCode(cmd.ProcessState)
	}
	outs.await(lingering)
	out.Stdout, out.Stderr = outs.out.keep(), outs.err.keep()
	outs.close()
	return out, cause
}

func grace(c Command, cause error) time.Duration {
	switch {
	case errors.Is(cause, ErrKill):
		return 0
	case c.Grace > 0:
		return c.Grace
	}
	return DefaultGrace
}

// drain reads on what background children write after their command ended, and throws it away: were the
// pipe closed, a service that a command started would die of its next line.
func (l *Local) drain(outs outputs) {
	for _, p := range outs.open() {
		l.mu.Lock()
		if l.left == nil {
			l.left = make(map[*pipe]struct{})
		}
		l.left[p] = struct{}{}
		l.mu.Unlock()
		go func() {
			<-p.done
			l.mu.Lock()
			delete(l.left, p)
			l.mu.Unlock()
		}()
	}
}

// Close stops reading what background children of ended commands still write.
func (l *Local) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.left {
		p.close()
	}
}

func (l *Local) prepare(c Command) (*exec.Cmd, error) {
	argv := c.Argv
	if c.Umask != "" {
		argv = append([]string{"/bin/sh", "-c", `umask "$1" && shift && exec "$@"`, "sh", c.Umask}, argv...)
	}
	env := environment(c)
	path, err := lookPath(argv[0], env)
	if err != nil {
		return nil, startError(c, l.dir(c.Dir), err)
	}
	cmd := &exec.Cmd{Path: path, Args: argv, Env: env, Dir: l.dir(c.Dir)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.User != nil && (c.User.UID != uint32(os.Geteuid()) || c.User.GID != uint32(os.Getegid())) {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.User.UID, Gid: c.User.GID, Groups: c.User.Groups}
	}
	return cmd, nil
}

func (l *Local) dir(name string) string {
	return filepath.Join("/", l.Root, filepath.Join("/", name))
}

// DefaultPath is the PATH of a command whose environment has none.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the daemon's own, then the user's, then the command's; the last value of a name counts.
func environment(c Command) []string {
	var env []string
	if !c.Clean {
		env = slices.DeleteFunc(os.Environ(), daemons)
	}
	if _, ok := lookup(env, "PATH"); !ok {
		env = append(env, "PATH="+DefaultPath)
	}
	if u := c.User; u != nil {
		env = append(env, "HOME="+u.Home, "USER="+u.Name, "LOGNAME="+u.Name, "SHELL="+u.Shell)
	}
	return append(env, c.Env...)
}

// daemons says whether a variable is systemd's word to the daemon, which no child may take for its own.
func daemons(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	switch name {
	case "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
		"INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "CREDENTIALS_DIRECTORY":
		return true
	}
	return false
}

func lookup(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// lookPath finds a program in the PATH that the command itself will see.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, _ := lookup(env, "PATH")
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if !filepath.IsAbs(file) {
			continue
		}
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("no such program in %s: %w", path, os.ErrNotExist)
}

// startError tells a missing working directory from a missing program: the system answers both with
// the same word. dir is where the command was to run.
func startError(c Command, dir string, err error) error {
	var perr *os.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	st, bad := os.Stat(dir)
	if bad == nil && c.User != nil && c.Dir != "" && errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("cannot run %q in %q: %w: the user may not enter that directory, or not run the program", c.Argv[0], c.Dir, err)
	}
	if bad != nil || !st.IsDir() {
		return fmt.Errorf("cannot run %q in %q: %w", c.Argv[0], c.Dir, err)
	}
	return fmt.Errorf("cannot run %q: %w", c.Argv[0], err)
}

func exitCode(st *os.ProcessState) int {
	if st == nil {
		return -1
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return st.ExitCode()
}
