//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"brine/scripts/lab"
)

// TestReadme types every command of README's table for those who come from Salt. What each is expected to do stands in
// testdata/readme.expect, in which order is that of typing:
//
//	COMMAND
//		EXIT CODE, REGULAR EXPRESSION of what it prints
//
// Lines that begin with $ are typed before, and must end well; those with ~ again and again until they do; settled waits
// until it is all the same which master is asked. JID is the last job's id. The files are in the directory where all of it
// is typed; those of site are for the masters.
func TestReadme(t *testing.T) {
	t.Parallel()
	a, err := txtar.ParseFile(filepath.Join("testdata", "readme.expect"))
	if err != nil {
		t.Fatal(err)
	}
	expected := expectations(t, string(a.Comment))
	typed := tableCommands(t)
	for _, c := range typed {
		if !slices.ContainsFunc(expected, func(x expectation) bool { return x.command == c }) {
			t.Errorf("README.md: nothing is expected of %q", c)
		}
	}
	s := newShell(t, a)
	for _, x := range expected {
		if !slices.Contains(typed, x.command) {
			t.Errorf("testdata/readme.expect: README.md has no %q", x.command)
			continue
		}
		s.check(x)
	}
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// tableCommands are the commands in the right column of the table.
func tableCommands(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(data), "| you typed in Salt | you type in brine |\n|---|---|\n")
	if !ok {
		t.Fatal("README.md has no table for those who come from Salt")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var all []string
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if len(cells) != 4 {
			t.Fatalf("README.md: %q is no line of two cells", line)
		}
		spans := codeSpan.FindAllStringSubmatch(cells[2], -1)
		if len(spans) == 0 {
			t.Errorf("README.md: %q has no command", line)
		}
		for _, m := range spans {
			all = append(all, strings.ReplaceAll(m[1], "\x00", "|"))
		}
	}
	return all
}

type expectation struct {
	before  []string
	command string
	code    int
	prints  *regexp.Regexp
}

func expectations(t *testing.T, text string) []expectation {
	t.Helper()
	var all []expectation
	var x expectation
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		want, indented := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line[0] == '$' || line[0] == '~' || line == "settled":
			x.before = append(x.before, line)
		case !indented:
			x.command = line
		default:
			code, re, _ := strings.Cut(want, " ")
			n, err := strconv.Atoi(code)
			if err != nil || re == "" || x.command == "" {
				t.Fatalf("testdata/readme.expect: cannot read %q", line)
			}
			x.code, x.prints = n, regexp.MustCompile("(?s)"+re)
			all = append(all, x)
			x = expectation{}
		}
	}
	return all
}

// A shell is where an operator types.
type shell struct {
	t   *testing.T
	dir string
	env []string
	jid string
	lab *lab.Lab
}

func newShell(t *testing.T, a *txtar.Archive) *shell {
	t.Helper()
	dir := t.TempDir()
	labDir := filepath.Join(dir, "lab")
	for _, f := range a.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(f.Data), "$WORK", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := lab.Up(t.Context(), lab.UpOptions{Dir: labDir, Bin: *programs, Masters: 2, Minions: 3, FileRoot: filepath.Join(dir, "tree")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	s := &shell{t: t, dir: dir, lab: l, env: append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "NO_COLOR=1")}
	s.alias("brine", "--config", l.Operator)
	s.alias("brine-minion", "--root", filepath.Join(dir, "local"))
	for _, m := range []string{"m1", "m2"} {
		s.must("mkdir -p lab/" + m + "/etc/brine/master.d && cp site/master.toml lab/" + m + "/etc/brine/master.d/50-site.toml")
		if err := l.Kill(m, 15); err != nil {
			t.Fatal(err)
		}
		if err := l.Restart(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	s.settled()
	s.must("brine run '*' saltutil.refresh_pillar")
	return s
}

// settled waits until it is all the same which master is asked.
func (s *shell) settled() {
	s.t.Helper()
	if err := s.lab.Settled(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// alias makes a program that is one of ours with flags.
func (s *shell) alias(name, flag, value string) {
	path := filepath.Join(s.dir, "bin", name)
	text := fmt.Sprintf("#!/bin/sh\nexec '%s' %s '%s' \"$@\"\n", program(name), flag, value)
	if err := cmp.Or(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
		s.t.Fatal(err)
	}
}

var jidInOutput = regexp.MustCompile(`\b[0-9]{20}\b`)

// run types a line, and returns what it printed and its exit code.
func (s *shell) run(line string) (string, int) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(line, "JID", s.jid))
	c.Dir, c.Env = s.dir, s.env
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	if jid := jidInOutput.FindString(string(out)); jid != "" {
		s.jid = jid
	}
	return string(out), c.ProcessState.ExitCode()
}

func (s *shell) must(line string) {
	s.t.Helper()
	if out, code := s.run(line); code != 0 {
		s.t.Fatalf("%s: exit code %d:\n%s", line, code, out)
	}
}

func (s *shell) check(x expectation) {
	s.t.Helper()
	for _, line := range x.before {
		if line == "settled" {
			s.settled()
			continue
		}
		again, line := line[0] == '~', line[1:]
		if again && !wait(func() bool { _, code := s.run(line); return code == 0 }) {
			s.t.Fatalf("%s: it never ends well", line)
		}
		if !again {
			s.must(line)
		}
	}
	out, code := s.run(x.command)
	if code != x.code {
		s.t.Errorf("%s: exit code %d, want %d:\n%s", x.command, code, x.code, out)
	}
	if !x.prints.MatchString(out) {
		s.t.Errorf("%s: no %q in\n%s", x.command, x.prints, out)
	}
}
