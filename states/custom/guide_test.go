package custom_test

import (
	"os"
	"strings"
	"testing"
)

// The example of the guide is carried out as it stands there.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "## Write a module in any language")
	_, after, _ = strings.Cut(after, "```sh\n")
	example, _, ok := strings.Cut(after, "```\n")
	if !ok {
		t.Fatal("there is no example")
	}
	b := newBench(t)
	b.write("_states/notice.sh", "-x\n"+example)
	for _, step := range []struct{ line, want string }{
		{"test notice.posted /n text=hi", `null {"notice":"posted"} would change: notice`},
		{"cat /n", "not there"},
		{"apply notice.posted /n text=hi", `true {"notice":"posted"} the notice is posted`},
		{"cat /n", "hi\n"},
		{"apply notice.posted /n text=hi", "true {} the notice is there"},
	} {
		if got := b.do(step.line); got != step.want {
			t.Errorf("%s: got %q, want %q", step.line, got, step.want)
		}
	}
}

// What plan writes is not there after a test run, where the system lets the minion see to that.
func TestPlanCannotWrite(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	b := newBench(t)
	b.write("_states/liar.sh", `#!/bin/sh
case "$1" in
describe) echo '{"states": {"lies": {}}}' ;;
plan) mktemp >/dev/null && echo x > "$BRINE_ROOT/file" && echo '{"same": "nothing is changed"}' ;;
esac
`)
	got := b.do("test liar.lies x")
	there := b.do("cat /file") != "not there"
	kept := strings.HasPrefix(got, "false {}") && strings.Contains(strings.ToLower(got), "read-only file system")
	if there == kept {
		t.Errorf("got %s; the file is there: %v", got, there)
	}
}
