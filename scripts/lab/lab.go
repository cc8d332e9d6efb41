// Package lab runs whole brine sites on one machine, for tests, the demo and
// benchmarks: real processes under one directory (Up, Open), or everything in
// the test's own process (Start).
package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Lab is a site of real processes. Its state is lab.json in its directory.
type Lab struct {
	Dir      string    `json:"dir"`
	Operator string    `json:"operator"` // path of operator.toml
	Masters  []*Master `json:"masters"`
	Minions  []*Minion `json:"minions"`
	Swarm    *Swarm    `json:"swarm,omitempty"`
	Proxy    *Process  `json:"proxy,omitempty"`

	bin string
}

// A Process is one that the lab started; PID is 0 when it does not run.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start_ticks"` // of /proc/PID/stat: a pid that was used again is not ours
}

// A Master of the lab.
type Master struct {
	Name string `json:"name"`
	Process
	Address string `json:"address"` // of its bus
	Root    string `json:"root"`
}

// A Minion of the lab.
type Minion struct {
	ID string `json:"id"`
	Process
	Root string `json:"root"`
}

// A Swarm is many minions in one process.
type Swarm struct {
	Process
	Count int    `json:"count"`
	Root  string `json:"root"`
}

// UpOptions say what site to make.
type UpOptions struct {
	Dir      string
	Bin      string // directory of the programs; "" is that of this one
	Masters  int
	Minions  int
	Swarm    int
	FileRoot string
}

const patience = 60 * time.Second // for one thing to come up

// Up makes a site, starts it, enrols and accepts its minions, and returns
// when every one answers. On an error it stops what it started.
func Up(ctx context.Context, o UpOptions) (l *Lab, err error) {
	if o.Masters < 1 || o.Masters > maxMasters {
		return nil, fmt.Errorf("cannot make a lab of %d masters: want 1 to %d", o.Masters, maxMasters)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "lab.json")); err == nil {
		return nil, fmt.Errorf("cannot make a lab in %s: there is one already (brine-lab down --dir %s)", dir, dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "m1")); err == nil {
		return nil, fmt.Errorf("cannot make a lab in %s: files of an earlier one are there (rm -r %s, or name another --dir)", dir, dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l = &Lab{Dir: dir, Operator: filepath.Join(dir, "operator.toml")}
	if l.bin, err = binaries(o.Bin); err != nil {
		return nil, err
	}
	begun := l // an error returns no lab
	defer func() {
		if err != nil {
			err = errors.Join(err, begun.Down())
		}
	}()
	if err := l.startProxy(ctx); err != nil {
		return nil, err
	}
	for i := range o.Masters {
		if err := l.addMaster(ctx, fmt.Sprintf("m%d", i+1), o); err != nil {
			return nil, err
		}
	}
	for i := range o.Minions {
		if err := l.addMinion(fmt.Sprintf("minion%d", i+1)); err != nil {
			return nil, err
		}
	}
	if o.Swarm > 0 {
		if err := l.addSwarm(ctx, o.Swarm); err != nil {
			return nil, err
		}
	}
	return l, l.settle(ctx, o)
}

// Open reads the lab of a directory.
func Open(dir, bin string) (*Lab, error) {
	data, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		return nil, fmt.Errorf("cannot open the lab: %w", err)
	}
	l := &Lab{}
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", filepath.Join(dir, "lab.json"), err)
	}
	l.bin, err = binaries(bin)
	return l, err
}

func binaries(bin string) (string, error) {
	if bin != "" {
		return filepath.Abs(bin)
	}
	self, err := os.Executable()
	return filepath.Dir(self), err
}

func (l *Lab) save() error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(l.Dir, "lab.json.new")
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(l.Dir, "lab.json"))
}

func (l *Lab) settle(ctx context.Context, o UpOptions) error {
	if err := l.save(); err != nil {
		return err
	}
	if o.Minions > 0 {
		if err := until(ctx, "minions are accepted", func() error { return l.accept(ctx, o.Minions) }); err != nil {
			return err
		}
	}
	if o.Minions+o.Swarm == 0 {
		return nil
	}
	return until(ctx, "all minions answer", func() error {
		return l.answer(ctx, o.Minions+o.Swarm)
	})
}

// accept accepts the minions that have asked so far: the master that does it may know of fewer than the one that lists them.
func (l *Lab) accept(ctx context.Context, want int) error {
	out, err := l.Brine(ctx, "key", "ls", "minion*", "--out", "jsonl")
	if err != nil {
		return err
	}
	accepted := strings.Count(out, `"accepted"`)
	if accepted == want {
		return nil
	}
	if strings.Contains(out, `"pending"`) {
		_, err = l.Brine(ctx, "key", "accept", "minion*", "--yes")
	}
	return errors.Join(fmt.Errorf("%d of %d are accepted", accepted, want), err)
}

// answer asks every minion, and counts.
func (l *Lab) answer(ctx context.Context, want int) error {
	out, err := l.Brine(ctx, "run", "*", "test.ping", "--out", "json", "--yes")
	var got struct {
		Summary struct{ OK int } `json:"summary"`
	}
	if json.Unmarshal([]byte(out), &got) != nil {
		return err
	}
	if got.Summary.OK != want {
		return fmt.Errorf("%d of %d answer", got.Summary.OK, want)
	}
	return nil
}

// Brine runs the operators' command and returns what it prints.
func (l *Lab) Brine(ctx context.Context, args ...string) (string, error) {
	return l.Program(ctx, "brine", append([]string{"--config", l.Operator}, args...)...)
}

// Program runs one of the programs to its end and returns what it prints.
func (l *Lab) Program(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(l.bin, program), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// until asks again and again until check is content.
func until(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		var f fatal
		if err == nil || errors.As(err, &f) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cannot wait longer until %s: %w", what, err)
		}
	}
}

// Down ends every process of the lab. It keeps the files.
func (l *Lab) Down() error {
	var errs []error
	for _, p := range l.processes() {
		errs = append(errs, p.end())
	}
	if err := os.Remove(filepath.Join(l.Dir, "lab.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (l *Lab) processes() []*Process {
	var all []*Process
	for _, m := range l.Minions {
		all = append(all, &m.Process)
	}
	if l.Swarm != nil {
		all = append(all, &l.Swarm.Process)
	}
	for _, m := range l.Masters {
		all = append(all, &m.Process)
	}
	if l.Proxy != nil {
		all = append(all, l.Proxy)
	}
	return all
}

// find returns the process of a master's name, a minion's id or "swarm".
func (l *Lab) find(name string) (*Process, error) {
	for _, m := range l.Masters {
		if m.Name == name {
			return &m.Process, nil
		}
	}
	for _, m := range l.Minions {
		if m.ID == name {
			return &m.Process, nil
		}
	}
	if name == "swarm" && l.Swarm != nil {
		return &l.Swarm.Process, nil
	}
	return nil, fmt.Errorf("cannot find %q in the lab of %s", name, l.Dir)
}

// Kill sends a signal to a master or minion. After KILL and TERM it waits
// for the process to end.
func (l *Lab) Kill(name string, sig syscall.Signal) error {
	p, err := l.find(name)
	if err != nil {
		return err
	}
	if !p.alive() {
		return fmt.Errorf("cannot signal %s: it does not run", name)
	}
	if err := syscall.Kill(p.PID, sig); err != nil {
		return fmt.Errorf("cannot signal %s: %w", name, err)
	}
	if sig != syscall.SIGKILL && sig != syscall.SIGTERM {
		return nil
	}
	if err := p.gone(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.PID = 0
	return l.save()
}

// Restart starts a master or minion that does not run.
func (l *Lab) Restart(ctx context.Context, name string) error {
	p, err := l.find(name)
	if err != nil {
		return err
	}
	if p.alive() {
		return fmt.Errorf("cannot start %s: it runs", name)
	}
	for _, m := range l.Masters {
		if m.Name == name {
			err = l.runMaster(ctx, m)
		}
	}
	for _, m := range l.Minions {
		if m.ID == name {
			err = l.runMinion(m)
		}
	}
	if name == "swarm" {
		err = l.runSwarm()
	}
	if err != nil {
		return err
	}
	return l.save()
}

// Cut stops all traffic between two masters, silently. Heal undoes every cut.
func (l *Lab) Cut(a, b string) error {
	for _, name := range []string{a, b} {
		if !slices.ContainsFunc(l.Masters, func(m *Master) bool { return m.Name == name }) {
			return fmt.Errorf("cannot cut %s from %s: %q is no master of the lab", a, b, name)
		}
	}
	if a == b {
		return fmt.Errorf("cannot cut %s from itself", a)
	}
	return control(l.socket(), "cut "+a+" "+b)
}

// Heal undoes every Cut.
func (l *Lab) Heal() error { return control(l.socket(), "heal") }

func (l *Lab) socket() string { return filepath.Join(l.Dir, "proxy.sock") }
