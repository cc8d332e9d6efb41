package cmd_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/value"
)

func TestScript(t *testing.T) {
	words := module.Data(value.NewList("a b", "$HOME", int64(7)))
	for _, tt := range []struct {
		content string
		args    []module.Arg
		want    string
		retcode int
	}{
		{"#!/bin/sh\necho $1 $2; exit 5\n", typed("args=one 'two'"), "one two", 5},
		{"echo \"$1|$2\"\n", typed(`args='a b' $HOME*`), "a b|$HOME*", 0},
		{"echo \"$1|$2|$3\"\n", []module.Arg{{Name: "args", Value: words}}, "a b|$HOME|7", 0},
		{"echo $#\n", nil, "0", 0},
		{"#!/usr/bin/env cat\nx\n", nil, "#!/usr/bin/env cat\nx", 0},
		{"", nil, "", 0},
		{"cat; pwd\n", typed("stdin=in;", "cwd=/"), "in;ROOT", 0},
		{"echo \"$A\"; exit 3\n", typed("env={A: b}", "success_retcodes=3"), "b", 0},
		{"echo x; exit 3\n", typed("ignore_retcode=True", "hide_output=True"), "", 0},
	} {
		h := scratchHost(t)
		h.Files.Serve("salt://a/s.sh", tt.content, 0o644)
		got, err := call(t.Context(), t, h.Host, "script", append(typed("salt://a/s.sh"), tt.args...)...)
		if err != nil || got.Retcode != tt.retcode {
			t.Errorf("%q: got %v, %v, want retcode %d", tt.content, got, err, tt.retcode)
			continue
		}
		out, _ := got.Value.(*value.Dict).Get("stdout")
		if want := strings.ReplaceAll(tt.want, "ROOT", h.Root); out != want {
			t.Errorf("%q: got %q, want %q", tt.content, out, want)
		}
		if left, _ := os.ReadDir(h.Path("/tmp")); len(left) != 0 {
			t.Errorf("left behind %v", left)
		}
	}
}

func scratchHost(t *testing.T) *hosttest.Host {
	t.Helper()
	h := hosttest.New(t).Real()
	if err := os.MkdirAll(h.Path("/tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestScriptKeepsItsName(t *testing.T) {
	h := scratchHost(t)
	h.Write("/opt/check.sh", "#!/bin/sh\necho $0\n")
	got, err := call(t.Context(), t, h.Host, "script", typed("/opt/check.sh")...)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := got.Value.(*value.Dict).Get("stdout")
	name := out.(string)
	if !strings.HasPrefix(name, h.Path("/tmp/brine-script-")) || !strings.HasSuffix(name, "/check.sh") {
		t.Errorf("got %q", name)
	}
	if got, err := call(t.Context(), t, h.Host, "script_retcode", typed("/opt/check.sh")...); err != nil || got.Value != int64(0) {
		t.Errorf("got %v, %v", got.Value, err)
	}
}

// A script in the background is there as long as it runs, and takes its copy away itself.
func TestScriptInTheBackground(t *testing.T) {
	h := scratchHost(t)
	for _, name := range []string{"/go", "/done"} {
		if err := syscall.Mkfifo(h.Path(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.Write("/s.sh", "read line <go; cat \"$0\" >copy; ls tmp/*/s.sh >seen; (while [ -e \"$0\" ]; do sleep 0.01; done; echo >done) &\n")
	got, err := call(t.Context(), t, h.Host, "script", typed("/s.sh", "bg=True", "cwd=/")...)
	if err != nil {
		t.Fatal(err)
	}
	if pid, _ := got.Value.(*value.Dict).Get("pid"); pid.(int64) <= 1 {
		t.Errorf("got pid %v", pid)
	}
	if err := os.WriteFile(h.Path("/go"), []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	_, _ = os.ReadFile(h.Path("/done"))
	if h.Read("/copy") != h.Read("/s.sh") || !strings.HasSuffix(h.Read("/seen"), "/s.sh\n") {
		t.Errorf("saw %q of %q", h.Read("/copy"), h.Read("/seen"))
	}
	if _, err := os.Stat(h.Path("/" + strings.TrimSpace(h.Read("/seen")))); !os.IsNotExist(err) {
		t.Errorf("the copy is still there: %v", err)
	}
}

func TestExecCode(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		want    string
		retcode int
	}{
		{"exec_code", []string{"sh", "echo $#-$1-$2; exit 4", "args=[a b, c]"}, "2-a b-c", 4},
		{"exec_code", []string{"sh", "echo $#-$1", "args=a b"}, "1-a b", 0},
		{"exec_code", []string{"sh", "pwd", "/"}, "ROOT", 0},
		{"exec_code", []string{"sh", "cat; echo $A", "stdin=x", "env={A: y}"}, "xy", 0},
		{"exec_code_all", []string{"sh", "echo out; echo err >&2; exit 2"}, `{"retcode":2,"stdout":"out","stderr":"err"}`, 2},
	} {
		h := scratchHost(t)
		got, err := call(t.Context(), t, h.Host, tt.name, typed(tt.args...)...)
		text, ok := got.Value.(string)
		if d, all := got.Value.(*value.Dict); all {
			d.Delete("pid")
			json, _ := value.MarshalJSON(d)
			text, ok = string(json), true
		}
		if want := strings.ReplaceAll(tt.want, "ROOT", h.Root); err != nil || !ok || text != want || got.Retcode != tt.retcode {
			t.Errorf("%q: got %v, %v, want %s, %d", tt.args, got, err, want, tt.retcode)
		}
		if left, _ := os.ReadDir(h.Path("/tmp")); len(left) != 0 {
			t.Errorf("left behind %v", left)
		}
	}
}
