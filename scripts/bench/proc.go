package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// ticks is the unit of CPU times in /proc (USER_HZ, 100 on Linux).
const tick = time.Second / 100

// cpu is the processor time that processes have used so far.
func cpu(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		f := strings.Fields(rest)
		for _, field := range []string{f[11], f[12]} {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// memory is what a process holds, from /proc/PID/status.
func memory(pid int) (anonymous, resident int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "RssAnon:":
			anonymous = n << 10
		case "VmRSS:":
			resident = n << 10
		}
	}
	return anonymous, resident, nil
}

func mb(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// A part is a process of bench itself in another role.
type part struct {
	cmd   *exec.Cmd
	in    io.Writer
	lines *bufio.Scanner
}

// start runs this program in a role. stop ends it.
func start(ctx context.Context, role string, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"-role", role}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &part{cmd, in, bufio.NewScanner(out)}, nil
}

// line waits for the next line that the part prints.
func (p *part) line() (string, error) {
	if !p.lines.Scan() {
		return "", fmt.Errorf("%s ended: %v", strings.Join(p.cmd.Args, " "), p.lines.Err())
	}
	return p.lines.Text(), nil
}

func (p *part) pids() []int { return []int{p.cmd.Process.Pid} }

func (p *part) stop() {
	_ = p.cmd.Process.Kill() // it is ours, and has nothing to lose
	_ = p.cmd.Wait()
}
