package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// modules measures what the commonest states cost on a host that is as wanted: what is asked of it, and how often.
func (b *bench) modules(ctx context.Context) error {
	for _, part := range []func(context.Context) error{b.servedFiles, b.services, b.packages, b.trees, b.treesOfMasters} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A stage is an empty host with state files, and programs that take the place of those of this machine.
type stage struct {
	dir string
	bin string // of bench: where brine-minion is
}

func (b *bench) newStage() (*stage, error) {
	dir, err := os.MkdirTemp("", "brine-modules.")
	s := &stage{dir: dir, bin: b.bin}
	return s, errors.Join(err, os.Mkdir(s.path("programs"), 0o755),
		s.write("root/etc/passwd", fmt.Sprintf("root:x:%d:%d::/:/bin/sh\n", os.Getuid(), os.Getgid())),
		s.write("root/etc/group", fmt.Sprintf("root:x:%d:\n", os.Getgid())))
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) write(name, text string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(s.path(name)), 0o755), os.WriteFile(s.path(name), []byte(text), 0o644))
}

// program makes a program that notes each call and gives the same answer, after it waited as long as the real one works.
func (s *stage) program(name, answer string, works time.Duration) error {
	script := fmt.Sprintf("#!/bin/sh\necho called >>%s\nsleep %.3f\ncat %s\n", s.path("calls"), works.Seconds(), s.path("answer"))
	return errors.Join(s.write("answer", answer), os.WriteFile(s.path("programs/"+name), []byte(script), 0o755))
}

// calls is how often programs were called since the last time.
func (s *stage) calls() (int, error) {
	text, err := os.ReadFile(s.path("calls"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return strings.Count(string(text), "\n"), errors.Join(err, os.Remove(s.path("calls")))
}

// An applied is what one state.apply took: all of the command, and each of its states.
type applied struct {
	whole  time.Duration
	states []time.Duration
}

func (a *applied) sum() (sum time.Duration) {
	for _, d := range a.states {
		sum += d
	}
	return sum
}

// apply applies an SLS of the stage with the whole command. All its states must succeed, and where nothing is to be
// changed none may change anything.
func (s *stage) apply(ctx context.Context, sls string, changes bool) (*applied, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "brine-minion"), "--root", s.path("root"), "call", "--id", "bench",
		"--file-root", s.path("tree"), "--out", "json", "state.apply", sls)
	cmd.Env = append(os.Environ(), "PATH="+s.path("programs")+":"+os.Getenv("PATH"))
	began := time.Now()
	out, err := cmd.Output()
	a := &applied{whole: time.Since(began)}
	if err != nil {
		return nil, fmt.Errorf("state.apply %s: %w: %.2000s", sls, err, out)
	}
	a.states, err = durations(out, "bench", changes)
	return a, err
}

// durations reads what states took out of the JSON of a job.
func durations(out []byte, minion string, changes bool) (all []time.Duration, err error) {
	var report struct {
		Minions map[string]struct {
			Return map[string]struct {
				Result   *bool
				Changes  map[string]any
				Comment  string
				Duration float64
			}
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("cannot read the results: %w: %.500s", err, out)
	}
	for tag, r := range report.Minions[minion].Return {
		if r.Result == nil || !*r.Result || len(r.Changes) > 0 != changes {
			return nil, fmt.Errorf("%s did not end as it should: %.500s", tag, r.Comment)
		}
		all = append(all, time.Duration(r.Duration*float64(time.Millisecond)))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no state ran: %.500s", out)
	}
	return all, nil
}

// several applies an SLS as often as bench has runs, and returns the run whose states took the median of the time.
func (b *bench) several(ctx context.Context, s *stage, sls string) (*applied, error) {
	var runs []*applied
	var sums []time.Duration
	for range b.runs {
		a, err := s.apply(ctx, sls, false)
		if err != nil {
			return nil, err
		}
		runs, sums = append(runs, a), append(sums, a.sum())
	}
	for _, a := range runs {
		if a.sum() == median(sums) {
			return a, nil
		}
	}
	return runs[0], nil
}

// servedFiles is many files whose content masters serve, all as wanted.
func (b *bench) servedFiles(ctx context.Context) error {
	s, err := b.newStage()
	defer os.RemoveAll(s.dir)
	var sls strings.Builder
	for i := range localStates {
		err = errors.Join(err, s.write(fmt.Sprintf("tree/app/file%d.conf", i), strings.Repeat(fmt.Sprintf("listen %d\n", i), 50)))
		fmt.Fprintf(&sls, "/srv/app/%d/file%d.conf:\n  file.managed:\n    - source: salt://app/file%d.conf\n"+
			"    - user: root\n    - group: root\n    - mode: 0644\n    - makedirs: true\n", i/100, i, i)
	}
	if err = errors.Join(err, s.write("tree/many.sls", sls.String())); err != nil {
		return err
	}
	if _, err := s.apply(ctx, "many", true); err != nil {
		return err
	}
	a, err := b.several(ctx, s, "many")
	if err != nil {
		return err
	}
	each := a.sum() / localStates
	b.say("1,000 file.managed from salt://, unchanged, each", fmt.Sprintf("%.3f ms", each.Seconds()*1000), "0.1 ms", each <= 100*time.Microsecond)
	b.say("the same, the whole command", ms(a.whole), "", true)
	return nil
}

// queries applies an SLS on whose host all is as wanted, and tells how often its programs were asked.
func (b *bench) queries(ctx context.Context, s *stage, what string, atMost time.Duration) error {
	a, err := b.several(ctx, s, "many")
	if err != nil {
		return err
	}
	calls, err := s.calls()
	if err != nil {
		return err
	}
	bound := ""
	if atMost > 0 {
		bound = ms(atMost)
	}
	b.say(what+", all states", ms(a.sum()), bound, a.sum() <= atMost)
	b.say("the same, the whole command", ms(a.whole), "", true)
	b.say("the same, commands asked", fmt.Sprintf("%.3g", float64(calls)/float64(b.runs)), "1", calls == b.runs)
	return nil
}

// services is units that run and start with the host. The place of systemctl is taken by a script that works for a while
// before it answers, as the real one does.
func (b *bench) services(ctx context.Context) error {
	const units = 200
	s, err := b.newStage()
	defer os.RemoveAll(s.dir)
	const etc = "root/etc/systemd/system/"
	err = errors.Join(err, os.MkdirAll(s.path("root/run/systemd/system"), 0o755), os.MkdirAll(s.path(etc+"multi-user.target.wants"), 0o755))
	var sls, answer strings.Builder
	for i := range units {
		name := fmt.Sprintf("unit%d.service", i)
		err = errors.Join(err, s.write(etc+name, "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"),
			os.Symlink("../"+name, s.path(etc+"multi-user.target.wants/"+name)))
		fmt.Fprintf(&sls, "unit%d:\n  service.running:\n    - enable: true\n", i)
		fmt.Fprintf(&answer, "%s loaded active running A unit\n", name)
	}
	err = errors.Join(err, s.write("tree/many.sls", sls.String()), s.write("root/run/systemd/systemd-units-load", ""),
		s.program("systemctl", answer.String(), systemctlWorks))
	if err != nil {
		return err
	}
	return b.queries(ctx, s, "200 service.running that run (scripted systemctl)", 100*time.Millisecond)
}

// systemctlWorks is how long the scripted systemctl takes for its answer. That the real one is no slower is assumed here,
// not measured: what counts is how often it is asked.
const systemctlWorks = 20 * time.Millisecond

// packages is packages that are installed, of a host that has many more.
func (b *bench) packages(ctx context.Context) error {
	s, err := b.newStage()
	defer os.RemoveAll(s.dir)
	var sls, answer strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&answer, "ii \tpackage%d\t1.%d-1\tall\n", i, i)
		if i < 100 {
			fmt.Fprintf(&sls, "package%d:\n  pkg.installed\n", i)
		}
	}
	long := time.Now().Add(-time.Hour) // a file that may be written this moment tells nothing
	answer.WriteString("ii \tdpkg\t1.21\tamd64\n")
	err = errors.Join(err, s.write("tree/many.sls", sls.String()), s.write("root/usr/bin/apt-get", ""),
		s.write("root/var/lib/dpkg/status", ""), os.Chtimes(s.path("root/var/lib/dpkg/status"), long, long), s.program("chroot", answer.String(), 0))
	if err != nil {
		return err
	}
	return b.queries(ctx, s, "100 pkg.installed that are there (scripted dpkg-query)", 0)
}
