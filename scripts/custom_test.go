package scripts_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/minion"
)

// call runs a function of the example of a tree's own modules, without a master.
func call(t *testing.T, root, function string, words ...string) (value any, r *minion.Called) {
	t.Helper()
	r, err := minion.Call(t.Context(), minion.CallOptions{
		Root: root, ID: "web1", FileRoots: []string{filepath.Join(examples, "custom")}, Function: function, Words: words,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(r.Value, &value); err != nil {
		t.Fatal(err)
	}
	return value, r
}

// changed counts the states of a run that changed something, or would.
func changed(t *testing.T, v any) (n int) {
	t.Helper()
	for tag, one := range v.(map[string]any) {
		d := one.(map[string]any)
		if d["result"] == false {
			t.Errorf("%s: %v", tag, d["comment"])
		}
		if len(d["changes"].(map[string]any)) > 0 {
			n++
		}
	}
	return n
}

func TestExampleCustom(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"passwd": "root:x:0:0::/root:/bin/sh\n", "group": "wheel:x:10:bob,ann\n"} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{3, 3, 0} {
		words := []string{"site"}
		if i == 0 {
			words = append(words, "test=True")
		}
		v, r := call(t, root, "state.apply", words...)
		if r.Retcode != 0 || r.NotCompiled {
			t.Fatalf("run %d: %s", i, r.Value)
		}
		if got := changed(t, v); got != want {
			t.Errorf("run %d: %d states changed something, want %d", i, got, want)
		}
		if _, err := os.Stat(filepath.Join(root, "tmp/brine-custom")); (err == nil) != (i > 0) {
			t.Errorf("run %d: is something there: %v", i, err)
		}
	}
	if v, _ := call(t, root, "accounts.members", "wheel"); strings.Join(texts(v), " ") != "ann bob" {
		t.Errorf("members: %v", v)
	}
	if v, _ := call(t, root, "room.enough", "/", "mib=1"); v != true {
		t.Errorf("room: %v", v)
	}
	if v, _ := call(t, root, "grains.get", "rack"); v == "" {
		t.Errorf("rack: %v", v)
	}
}

func texts(v any) (all []string) {
	list, _ := v.([]any)
	for _, item := range list {
		all = append(all, item.(string))
	}
	return all
}
