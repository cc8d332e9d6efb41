//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"brine/scripts/lab"
)

// commands are what the scripts have besides testscript's own:
//
//	up [FLAG...]              make a lab in $LAB, start it, and wait until it has settled; it ends with the script
//	lab VERB [ARG...]         brine-lab VERB --dir $LAB
//	settled [CONFIG]          wait until all that runs of the lab is connected as it is to be, and masters have read each other's
//	                          logs; asked for by the operator of another configuration
//	brine ARG...              brine --config $LAB/operator.toml; it must exit with 0
//	exits N PROGRAM ARG...    run PROGRAM (brine as above); it must exit with N
//	until RE PROGRAM ARG...   run it again and again until its output matches
//	begin NAME PROGRAM ARG... start it in the background
//	shows NAME RE             wait until what NAME printed matches
//	connects NAME             wait until it has a connection, when it has long taken signals
//	signal NAME SIGNAL        send it a signal
//	ends NAME N               wait for its end; it must exit with N. Its output is the output now
//	json PATH WANT            the output is JSON and has WANT at PATH (a.b.c)
//	jid VAR                   put the job id of the output into $VAR
//	capture VAR RE            put what the group of RE matches in the output into $VAR
//	unique RE                 what the group of RE matches in the output is each time another text
//	config FILE DEST          copy a file, with $VARIABLES in it replaced
//	damage FILE...            write rubbish over every other 8 KiB of a file
//	found TEXT DIR...         look for TEXT in all files below directories
//	saslauthd SOCKET U=P...   answer on a socket, as saslauthd does, for users and passwords
//	directory FILE VAR        serve entries over LDAP, and put the address into $VAR
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"up":      up,
	"settled": settled,
	"lab":     func(ts *testscript.TestScript, _ bool, args []string) { exits(ts, 0, labLine(ts, args)) },
	"brine": func(ts *testscript.TestScript, _ bool, args []string) {
		exits(ts, 0, append([]string{"brine"}, args...))
	},
	"exits":    exitsCommand,
	"until":    until,
	"begin":    begin,
	"shows":    shows,
	"connects": connects,
	"signal":   signal,
	"ends":     ends,
	"json":     jsonCommand,
	"jid":      jidCommand,
	"capture":  capture,
	"unique":   unique,
	"config":   configCommand,
	"damage":   damage,
	"found":    found,

	"saslauthd": saslauthd,
	"directory": directory,
	"sink":      sink,
}

const patience = 60 * time.Second // for what a script waits for

func want(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func up(ts *testscript.TestScript, neg bool, args []string) {
	ts.Defer(func() {
		if out, err := exec.Command(program("brine-lab"), "down", "--dir", ts.Getenv("LAB")).CombinedOutput(); err != nil {
			ts.Logf("brine-lab down: %v\n%s", err, out)
		}
	})
	exits(ts, 0, labLine(ts, append([]string{"up"}, args...)))
	settled(ts, false, nil)
}

func settled(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "settled [CONFIG]")
	l, err := lab.Open(ts.Getenv("LAB"), *programs)
	ts.Check(err)
	if len(args) > 0 {
		l.Operator = ts.MkAbs(args[0])
	}
	ts.Check(l.Settled(context.Background()))
}

// program names a program of ours by its whole path: a cleanup has no script
// environment. Another one is the system's.
func program(name string) string {
	path, err := filepath.Abs(filepath.Join(*programs, name))
	if err != nil || !strings.HasPrefix(name, "brine") {
		return name
	}
	return path
}

func labLine(ts *testscript.TestScript, args []string) []string {
	if len(args) == 0 {
		ts.Fatalf("usage: lab VERB [ARG...]")
	}
	return append([]string{"brine-lab", args[0], "--dir", ts.Getenv("LAB")}, args[1:]...)
}

// line gives brine the lab's configuration, unless it is given one.
func line(ts *testscript.TestScript, args []string) []string {
	if args[0] != "brine" || len(args) > 1 && args[1] == "--config" {
		return args
	}
	return append([]string{"brine", "--config", filepath.Join(ts.Getenv("LAB"), "operator.toml")}, args[1:]...)
}

func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "exits N PROGRAM ARG...")
	exits(ts, number(ts, args[0]), args[1:])
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		ts.Fatalf("%q is no exit code", s)
	}
	return n
}

func exits(ts *testscript.TestScript, code int, args []string) {
	args = line(ts, args)
	// One that hangs ends with 124, and shows what it printed.
	if got := exitCode(ts, ts.Exec("timeout", append([]string{"60"}, args...)...)); got != code {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args, " "), got, code)
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("%v", err)
	return -1
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "until RE PROGRAM ARG...")
	re := pattern(ts, args[0])
	cmd := line(ts, args[1:])
	var all, out, errs stream
	ok := wait(func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		all, out, errs = stream{}, stream{}, stream{}
		c := exec.CommandContext(ctx, program(cmd[0]), cmd[1:]...)
		c.Dir, c.Stdout, c.Stderr = ts.MkAbs("."), io.MultiWriter(&all, &out), io.MultiWriter(&all, &errs)
		_ = c.Run() // an exit code is no matter here
		return re.Match(all.Bytes())
	})
	if !ok {
		ts.Fatalf("%s: no %q within %v in\n%s", strings.Join(cmd, " "), re, patience, all.Bytes())
	}
	_, _ = ts.Stdout().Write(out.Bytes())
	_, _ = ts.Stderr().Write(errs.Bytes())
}

func pattern(ts *testscript.TestScript, s string) *regexp.Regexp {
	re, err := regexp.Compile("(?m)" + s)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	return re
}

// wait asks again and again, and tells whether it came true.
func wait(check func() bool) bool {
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
}

func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "json PATH WANT")
	var at any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &at); err != nil {
		ts.Fatalf("the output is no JSON: %v", err)
	}
	for _, step := range strings.Split(args[0], ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				ts.Fatalf("%s: no item %s of %d", args[0], step, len(v))
			}
			at = v[i]
		default:
			ts.Fatalf("%s: there is no %s in %v", args[0], step, at)
		}
	}
	got, err := json.Marshal(at)
	ts.Check(err)
	if text := strings.Trim(string(got), `"`); text != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], text, args[1])
	}
}

var jidPattern = regexp.MustCompile(`\b[0-9]{20}\b`)

func jidCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "jid VAR")
	id := jidPattern.FindString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if id == "" {
		ts.Fatalf("no job id in the output")
	}
	ts.Setenv(args[0], id)
}

func unique(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "unique RE")
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(args[0]).FindAllStringSubmatch(ts.ReadFile("stdout"), -1) {
		if seen[m[1]] {
			ts.Fatalf("%s is there twice", m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) == 0 {
		ts.Fatalf("nothing matches %s", args[0])
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "capture VAR RE")
	m := pattern(ts, args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("no match for %q in the output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func configCommand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "config FILE DEST")
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// found tells whether a text stands in any file, also in one that is compressed no further.
func found(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: found TEXT DIR...")
	}
	var where []string
	for _, dir := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if bytes.Contains(data, []byte(args[0])) {
				where = append(where, path)
			}
			return err
		}))
	}
	if found := len(where) > 0; found == neg {
		ts.Fatalf("%q found: %v, in %v", args[0], found, where)
	}
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "damage FILE...")
	for _, name := range args {
		path := ts.MkAbs(name)
		data, err := os.ReadFile(path)
		ts.Check(err)
		rubbish := bytes.Repeat([]byte("rubbish "), 1024)
		for at := 0; at < len(data); at += 2 * len(rubbish) {
			copy(data[at:], rubbish)
		}
		ts.Check(os.WriteFile(path, data, 0o600))
	}
}
