//go:build e2e

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"brine/scripts/lab"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

// TestFields compares the fields of every command's JSON with a golden file:
// others read them, so to change one is a decision.
func TestFields(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := lab.Up(t.Context(), lab.UpOptions{
		Dir: dir, Bin: *programs, Masters: 2, Minions: 2, FileRoot: "../examples",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	s := &shapes{t: t, lab: l, fields: map[string]map[string]string{}}
	s.settled()
	s.addUntil("master ls", "tells nobody")
	pass := "--passphrase-file=" + filepath.Join(dir, "passphrase")
	tree := checkedTree(t)
	for _, line := range []string{
		"states lint " + tree + " --grains web1=debian12", "states top " + tree, "states tree " + tree,
		"states show good --low --tree " + tree, "states show good --rendered --tree " + tree,
		"version", "doc test.ping", "minion ls", "minion show minion1",
		"operator ls", "operator show", "operator site", "audit --limit 1", "target *", "event send site/x n=1", "settled", "event ls site/x", "key ls", "key fingerprint minion1", "key site", "key token", "run * test.ping", "apply * web --test",
	} {
		if line == "settled" {
			s.settled()
			continue
		}
		s.add(line)
	}
	if err := os.WriteFile(filepath.Join(tree, "minion"), []byte("id: web1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.add("import-salt " + tree + " --to " + filepath.Join(dir, "new"))
	s.add("master invite m3 " + pass)
	if err := l.Kill("minion2", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.settled()
	s.add("run * test.ping") // one is offline now
	s.settled()
	s.add("job ls")
	id := jidPattern.FindString(s.add("run minion1 test.sleep 30 --async"))
	s.add("job show " + id)
	s.add("job cancel " + id)
	s.add("job watch " + id)
	s.settled()
	s.add("job rerun --failed --async " + id)
	for _, verb := range []string{"reject", "accept", "revoke", "delete"} {
		s.add("key " + verb + " minion2")
		s.settled()
	}
	s.add("master revoke m3 " + pass)
	s.add("master drain m2")
	s.addUntil("status", "master m2 is ", "tells nobody")

	golden := filepath.Join("testdata", "fields.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	have, wanted := strings.Split(s.String(), "\n"), strings.Split(string(want), "\n")
	for _, line := range have {
		if !slices.Contains(wanted, line) {
			t.Errorf("not in %s (go test -update writes it): %s", golden, line)
		}
	}
	for _, line := range wanted {
		if !slices.Contains(have, line) {
			t.Errorf("in %s, but gone: %s", golden, line)
		}
	}
}

// checkedTree makes a tree of state files with something of everything that states commands show.
func checkedTree(t *testing.T) string {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"top.sls":  "base:\n  '*': [good]\n  'mail*': [wrong]\n",
		"good.sls": "include: [other]\ngood: {test.nop: [{name: a}]}\n", "other.sls": "{}\n",
		"wrong.sls": "wrong: test.noop\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shapes collects, for each command, the paths of its fields and their types.
type shapes struct {
	t      *testing.T
	lab    *lab.Lab
	fields map[string]map[string]string
}

// settled waits until it is all the same which master is asked.
func (s *shapes) settled() {
	s.t.Helper()
	if err := s.lab.Settled(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// addUntil adds a command again and again until it tells all of this: what a master warns of comes with its heartbeats.
func (s *shapes) addUntil(line string, texts ...string) {
	s.t.Helper()
	told := ""
	lacks := func(text string) bool { return !strings.Contains(told, text) }
	if !wait(func() bool { told = s.add(line); return !slices.ContainsFunc(texts, lacks) }) {
		s.t.Fatalf("%s does not tell of %q: %s", line, texts, told)
	}
}

// add runs a command and takes its fields in. An exit code is no matter here.
func (s *shapes) add(line string) string {
	words := strings.Fields(line)
	name := words[0]
	if slices.Contains([]string{"key", "job", "master", "minion", "states"}, name) {
		name += " " + words[1]
	}
	if slices.Contains(words, "--async") {
		name += " --async"
	}
	out, err := s.lab.Brine(s.t.Context(), append(words, "--out", "json")...)
	var v any
	if json.Unmarshal([]byte(out), &v) != nil {
		s.t.Errorf("%s: no JSON but %q, %v", line, out, err)
		return out
	}
	if s.fields[name] == nil {
		s.fields[name] = map[string]string{}
	}
	s.walk(name, "", v)
	return out
}

func (s *shapes) walk(name, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if path == ".minions" && name != "status" {
				key = "ID"
			}
			if path == ".minions.ID" && key == "return" || key == "grains" {
				s.note(name, path+"."+key, "any")
				continue
			}
			s.walk(name, path+"."+key, value)
		}
	case []any:
		s.note(name, path, "list")
		for _, value := range v {
			s.walk(name, path+"[]", value)
		}
	case string:
		s.note(name, path, "string")
	case float64:
		s.note(name, path, "number")
	case bool:
		s.note(name, path, "boolean")
	case nil:
		s.note(name, path, "null")
	}
}

// note adds a type to those of a field.
func (s *shapes) note(name, path, kind string) {
	kinds := strings.Split(s.fields[name][path], " | ")
	if kinds[0] == "" {
		kinds = nil
	}
	if !slices.Contains(kinds, kind) {
		kinds = append(kinds, kind)
		slices.Sort(kinds)
	}
	s.fields[name][path] = strings.Join(kinds, " | ")
}

func (s *shapes) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		for _, path := range slices.Sorted(maps.Keys(s.fields[name])) {
			fmt.Fprintf(&b, "%s: %s  %s\n", name, strings.TrimPrefix(path, "."), s.fields[name][path])
		}
	}
	return b.String()
}
