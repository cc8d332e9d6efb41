package sys_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/sys"
	"brine/states/mod/test"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, sys.Module, moduletest.Options{}) }

func call(t *testing.T, index *module.Index, line string) (string, error) {
	t.Helper()
	words := strings.Fields(line)
	f, err := module.NewIndex(sys.Module).Func("sys." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t).Host
	if index != nil {
		h.Modules = index
	}
	r, err := f.Call(t.Context(), h, module.Words(words[1:]...))
	json, jsonErr := value.MarshalJSON(r.Value)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return string(json), err
}

func TestFunctions(t *testing.T) {
	index := module.NewIndex(test.Module, sys.Module)
	for line, want := range map[string]string{
		"list_modules":                            `["sys","test"]`,
		"list_state_modules":                      `["test"]`,
		"list_functions test.r* test.echo":        `["test.echo","test.rand_sleep","test.rand_str","test.retcode"]`,
		"list_functions nosuch":                   `[]`,
		"list_state_functions test.succeed*":      `["test.succeed_with_changes","test.succeed_without_changes"]`,
		"argspec test.retcode":                    `{"test.retcode":{"args":["code"],"varargs":null,"keywords":null,"defaults":[42]}}`,
		"argspec test.arg":                        `{"test.arg":{"args":[],"varargs":"args","keywords":"kwargs","defaults":null}}`,
		"state_argspec test.fail_without_changes": `{"test.fail_without_changes":{"args":["name","comment"],"varargs":null,"keywords":null,"defaults":[null]}}`,
		"doc test.echo": `{"test.echo":"test.echo (function)\n\n    Return the text.\n\n    Arguments:\n` +
			`        text (anything, required)\n            what to return; a value that is no text stays what it is\n\n` +
			`    Example:\n        brine run '*' test.echo 'hello there'\n"}`,
		"state_doc test.nop": `{"test.nop":"test.nop (state)\n\n    Do nothing, whatever the arguments: a place for requisites.\n\n` +
			`    Arguments:\n        name (text, required)\n            any text\n` +
			`        kwargs (map, all others by name)\n            anything; it is ignored\n\n` +
			`    Example:\n        all-done:\n          test.nop\n"}`,
		"doc test.nop": `{"test.nop":"test.nop (state)\n\n    Do nothing, whatever the arguments: a place for requisites.\n\n` +
			`    Arguments:\n        name (text, required)\n            any text\n` +
			`        kwargs (map, all others by name)\n            anything; it is ignored\n\n` +
			`    Example:\n        all-done:\n          test.nop\n"}`,
	} {
		if got, err := call(t, index, line); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", line, got, err, want)
		}
	}
	if got, err := call(t, index, "list_functions"); err != nil || !strings.Contains(got, `"sys.argspec"`) {
		t.Errorf("everything: got %s, %v", got, err)
	}
}

func TestWithoutIndex(t *testing.T) {
	for _, line := range []string{"doc", "list_modules"} {
		if _, err := call(t, nil, line); err == nil || !strings.HasPrefix(err.Error(), "cannot tell what can be called") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}
