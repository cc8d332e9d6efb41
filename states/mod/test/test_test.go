package test_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"brine/states/host/hosttest"
	"brine/states/mod/test"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) {
	moduletest.Run(t, test.Module, moduletest.Options{
		Repeats: []string{"succeed_with_changes"},
		Fails:   []string{"fail_with_changes", "fail_without_changes"},
	})
}

func call(t *testing.T, ctx context.Context, name string, words ...string) (module.Returned, error) {
	t.Helper()
	f, err := module.NewIndex(test.Module).Func(name)
	if err != nil {
		t.Fatal(err)
	}
	return f.Call(ctx, hosttest.New(t).Host, module.Words(words...))
}

func TestFunctions(t *testing.T) {
	for _, tt := range []struct {
		line, json string
		retcode    int
	}{
		{"test.ping", "true", 0},
		{"test.true", "true", 0},
		{"test.false", "false", 0},
		{"test.echo 0644", "644", 0},
		{"test.echo '0644'", `"0644"`, 0},
		{"test.echo yes", "true", 0},
		{"test.echo text=[1,a]", `[1,"a"]`, 0},
		{"test.arg 1 two=2 [three]", `{"args":[1,["three"]],"kwargs":{"two":2}}`, 0},
		{"test.arg", `{"args":[],"kwargs":{}}`, 0},
		{"test.kwarg b=1 a=2", `{"b":1,"a":2}`, 0},
		{"test.kwarg", "{}", 0},
		{"test.retcode", "true", 42},
		{"test.retcode 3", "true", 3},
		{"test.sleep 0", "true", 0},
		{"test.rand_str 0", `""`, 0},
	} {
		words := strings.Fields(tt.line)
		got, err := call(t, t.Context(), words[0], words[1:]...)
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		json, err := value.MarshalJSON(got.Value)
		if err != nil || string(json) != tt.json || got.Retcode != tt.retcode {
			t.Errorf("%s: got %s, %d, %v, want %s, %d", tt.line, json, got.Retcode, err, tt.json, tt.retcode)
		}
	}
}

func TestRefusals(t *testing.T) {
	for line, want := range map[string]string{
		"test.exception oops":     "oops",
		"test.exception":          "Test Exception",
		"test.sleep":              `cannot call test.sleep: argument "length" is missing`,
		"test.sleep soon":         `cannot call test.sleep: argument "length": want a number of seconds, got "soon"`,
		"test.sleep -1":           `cannot call test.sleep: argument "length": want a number of seconds, got "-1"`,
		"test.retcode 3000000000": `cannot call test.retcode: argument "code": 3000000000 is out of range`,
		"test.rand_str -1":        "cannot make random text: size must be between 0 and 1048576",
		"test.ping 1 2":           "cannot call test.ping: got 2 positional arguments, want at most 0",
		"test.kwarg 1":            "cannot call test.kwarg: got 1 positional arguments, want at most 0",
		"test.arg a=1 a=2":        `cannot call test.arg: argument "a" is given twice`,
	} {
		words := strings.Fields(line)
		if _, err := call(t, t.Context(), words[0], words[1:]...); err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", line, err, want)
		}
	}
}

func TestSleepEndsWithItsJob(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("cancelled by ann")
	cancel(why)
	started := time.Now()
	if _, err := call(t, ctx, "test.sleep", "3600"); !errors.Is(err, why) {
		t.Errorf("got error %v, want %v", err, why)
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func state(t *testing.T, name string, words ...string) *module.Bound {
	t.Helper()
	s, err := module.NewIndex(test.Module).State(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(append([]string{"name=x"}, words...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func outcome(r module.Result) string {
	switch {
	case r.Result == nil:
		return "none"
	case *r.Result:
		return "true"
	}
	return "false"
}

func TestStates(t *testing.T) {
	for _, tt := range []struct {
		name, args            string
		real, inTest, comment string
		changes               int
	}{
		{"test.nop", "anything=1", "true", "true", "Success!", 0},
		{"test.succeed_without_changes", "", "true", "true", "Success!", 0},
		{"test.succeed_with_changes", "", "true", "none", "Success!", 1},
		{"test.fail_without_changes", "", "false", "false", "Failure!", 0},
		{"test.fail_without_changes", "comment=mine", "false", "false", "mine", 0},
		{"test.fail_with_changes", "", "false", "none", "Failure!", 1},
		{"test.show_notification", "text=hi", "true", "true", "hi", 0},
		{"test.configurable_test_state", "comment=c", "true", "none", "c", 1},
		{"test.configurable_test_state", "comment=c changes=False", "true", "true", "c", 0},
		{"test.configurable_test_state", "comment=c result=False", "false", "none", "c", 1},
		{"test.configurable_test_state", "comment=c result=False changes=False", "false", "none", "c", 0},
		{"test.configurable_test_state", "comment=c result=False allow_test_mode_failure=True", "false", "false", "c", 0},
	} {
		b := state(t, tt.name, strings.Fields(tt.args)...)
		h := hosttest.New(t).Host
		r := b.Run(t.Context(), h, false)
		if got := outcome(r); got != tt.real || r.Comment != tt.comment || r.Changes.Len() != tt.changes {
			t.Errorf("%s %s: got %s, %q, %d changes, want %s, %q, %d",
				tt.name, tt.args, got, r.Comment, r.Changes.Len(), tt.real, tt.comment, tt.changes)
		}
		if got := outcome(b.Run(t.Context(), h, true)); got != tt.inTest {
			t.Errorf("%s %s in test mode: got %s, want %s", tt.name, tt.args, got, tt.inTest)
		}
	}
}

func TestRandomIsEither(t *testing.T) {
	b := state(t, "test.configurable_test_state", "changes=Random", "result=random")
	seen := map[string]bool{}
	for range 200 {
		r := b.Run(t.Context(), hosttest.New(t).Host, false)
		seen[outcome(r)] = true
		seen[map[bool]string{true: "changed", false: "same"}[r.Changes.Len() > 0]] = true
	}
	if len(seen) != 4 {
		t.Errorf("got %v, want both results and both kinds of changes", seen)
	}
}

func TestWatchSaysWhatChanged(t *testing.T) {
	r := state(t, "test.nop").RunWatch(t.Context(), hosttest.New(t).Host, []string{"file: a", "pkg: b"}, false)
	json, err := value.MarshalJSON(r.Changes)
	if err != nil || string(json) != `{"Requisites with changes":["file: a","pkg: b"]}` {
		t.Errorf("got %s, %v", json, err)
	}
}
