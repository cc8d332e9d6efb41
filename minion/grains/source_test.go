package grains_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/minion/grains"
	"brine/states/custom"
	"brine/states/host"
	"brine/states/value"
)

// site is a minion's own files.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) site { return site{t, t.TempDir()} }

func (s site) file() string { return filepath.Join(s.dir, "grains") }

func (s site) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		s.t.Fatal(err)
	}
}

func (s site) source(static ...any) *grains.Source {
	s.t.Helper()
	local := &host.Local{}
	s.t.Cleanup(local.Close)
	return grains.New(grains.Options{
		ID: "web1", Machine: machineOf(s.t, "debian12"), File: s.file(), Exec: local.Run, Limit: 2 * time.Second,
		Programs: []string{filepath.Join(s.dir, "synced"), filepath.Join(s.dir, "grains.d")},
		Static:   value.NewDict(static...), Config: "minion.toml",
	})
}

func get(t *testing.T, s *grains.Source, name string) string {
	t.Helper()
	v, ok := s.Now(t.Context()).Get(name)
	if !ok {
		return "-"
	}
	data, err := value.MarshalJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWhatCountsMore(t *testing.T) {
	w := newSite(t)
	w.write("synced/10", "#!/bin/sh\necho '{\"a\": 1, \"b\": 1, \"c\": 1, \"d\": 1, \"os\": \"Mine\"}'\n", 0o755)
	w.write("grains.d/10", "#!/bin/sh\necho '{\"b\": 2, \"c\": 2, \"d\": 2}'\n", 0o755)
	w.write("grains.d/20", "#!/bin/sh\necho '{\"b\": 3}'\n", 0o755)
	w.write("grains.d/README", "no program\n", 0o644)
	w.write("grains", "c: 4\nd: 4\nid: other\n", 0o644)
	s := w.source("d", int64(5))
	for name, want := range map[string]string{"a": "1", "b": "3", "c": "4", "d": "5", "os": `"Mine"`, "os_family": `"Debian"`, "id": `"web1"`} {
		if got := get(t, s, name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := s.Fixed("d") + s.Fixed("c"); got != "minion.toml" {
		t.Errorf("fixed: got %q", got)
	}
	if w := s.Warnings(t.Context()); len(w) != 1 || !strings.Contains(w[0], `cannot use "other" as the id`) {
		t.Errorf("warnings %q", w)
	}
}

func TestProgramsGetTheGrains(t *testing.T) {
	w := newSite(t)
	w.write("grains.d/x", "#!/bin/sh\ngrep -q '\"os\":\"Debian\"' && echo '{\"seen\": true}'\n", 0o755)
	if got := get(t, w.source(), "seen"); got != "true" {
		t.Errorf("got %s", got)
	}
}

// TestBadPrograms has one program of each kind, and a good one that still counts.
func TestBadPrograms(t *testing.T) {
	w := newSite(t)
	for name, body := range map[string]string{
		"list": "echo '[1]'", "text": "echo hello", "hang": "sleep 600", "fail": "echo '{}'; echo no disk >&2; exit 3",
		"long": "head -c 300000 /dev/zero | tr '\\0' ' '", "good": "echo '{\"good\": 1}'", "empty": ":",
	} {
		w.write("grains.d/"+name, "#!/bin/sh\n"+body+"\n", 0o755)
	}
	w.write("grains.d/open", "#!/bin/sh\n", 0o777)
	s := w.source()
	began := time.Now()
	if got := get(t, s, "good"); got != "1" {
		t.Errorf("good: got %s", got)
	}
	if d := time.Since(began); d > 30*time.Second {
		t.Errorf("took %v", d)
	}
	dir := filepath.Join(w.dir, "grains.d")
	want := []string{
		"cannot run " + dir + "/open: others may write to it (chmod go-w)",
		"cannot use grains of " + dir + "/fail: it ended with 3: no disk",
		"cannot use grains of " + dir + "/hang: it took longer than 2s",
		"cannot use grains of " + dir + "/list: want a JSON object, got a list",
		"cannot use grains of " + dir + "/long: it printed more than 262144 bytes",
		"cannot use grains of " + dir + "/text: cannot read JSON: ",
	}
	got := s.Warnings(t.Context())
	if len(got) != len(want) {
		t.Fatalf("got %d warnings: %s", len(got), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %s, want %s", got[i], want[i])
		}
	}
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		"- web\n- db\n":            "grains:1: want names with values such as \"roles: [web]\", got a list",
		"role: web\nrole: db":      "grains:2",
		"a: [1\nb: 2\n":            "grains:",
		"web\n":                    "grains:1: want names with values",
		"a: 1\n7: x\n":             "grains:2: the name of a grain is text, got \"7\"",
		"a: \x01\n":                "grains",
		strings.Repeat("x", 2<<20): "it has 2097152 bytes, the limit is 1048576",
	} {
		w := newSite(t)
		w.write("grains", text, 0o600)
		s := w.source("static", "still here")
		if get(t, s, "os") != `"Debian"` || get(t, s, "static") != `"still here"` {
			t.Errorf("%.20q: the rest does not work", text)
		}
		got := s.Warnings(t.Context())
		if len(got) != 1 || !strings.Contains(got[0], want) || !strings.Contains(got[0], w.file()) {
			t.Errorf("%.20q: got %q, want %s", text, got, want)
		}
		err := s.Edit(t.Context(), func(d, _ *value.Dict) error { d.Put("x", int64(1)); return nil })
		if data, _ := os.ReadFile(w.file()); err == nil || string(data) != text {
			t.Errorf("%.20q: edited all the same: %v", text, err)
		}
		w.write("grains", "role: mended\n", 0o600)
		if get(t, s, "role") != `"mended"` || len(s.Warnings(t.Context())) > 0 {
			t.Errorf("%.20q: mended, but got %s, %q", text, get(t, s, "role"), s.Warnings(t.Context()))
		}
	}
}

func TestNoFileAndEmptyFile(t *testing.T) {
	w := newSite(t)
	s := w.source()
	if got := get(t, s, "role"); got != "-" {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		w.write("grains", text, 0o644)
		if warnings := s.Warnings(t.Context()); len(warnings) > 0 {
			t.Errorf("%q: got %q", text, warnings)
		}
	}
}

// TestEditWritesWhatIsReadBack edits all kinds of values into the file.
func TestEditWritesWhatIsReadBack(t *testing.T) {
	w := newSite(t)
	w.write("grains", "role: web\nkeep: {a: [1, 2]}\n", 0o600)
	s := w.source()
	values := value.NewDict("role", "db", "plain text", "two words", "yes", "yes", "number", "007", "float", 1e20, "inf", 1.5,
		"nothing", nil, "true", true, "date", "2024-01-01", "colon", "a: b", "hash", "a # b", "lines", "a\nb\n", "dash", "- x",
		"quote", `it's "so"`, "empty", "", "blank", " x ", "unicode", "straße \u2028", "tab", "a\tb", "star", "*x", "list",
		value.NewList("a", int64(-3), value.NewList(), value.NewList("x", value.NewList("y")), &value.Dict{},
			value.NewDict("a", int64(1), "b", value.NewList("c", value.NewDict("d", "e")))),
		"map", value.NewDict("x:y", value.NewDict("1", int64(1), "deep", value.NewList(value.NewDict("k", "v")))))
	err := s.Edit(t.Context(), func(d, _ *value.Dict) error {
		for k, v := range values.All() {
			_ = d.Set(k, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other := w.source() // reads the file as a new process does
	for k, v := range values.All() {
		want, _ := value.MarshalJSON(v)
		for _, src := range []*grains.Source{s, other} {
			if got := get(t, src, k.(string)); got != string(want) {
				t.Errorf("%s: got %s, want %s", k, got, want)
			}
		}
	}
	if get(t, s, "keep") != `{"a":[1,2]}` {
		t.Errorf("what was there is %s", get(t, s, "keep"))
	}
	st, err := os.Stat(w.file())
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEditLooksAsPeopleWriteIt(t *testing.T) {
	w := newSite(t)
	err := w.source().Edit(t.Context(), func(d, _ *value.Dict) error {
		d.Put("roles", value.NewList("web", "cache"))
		d.Put("apps", value.NewDict("web", value.NewDict("port", int64(80), "on", true)))
		d.Put("rack", "007")
		return nil
	})
	want := "roles:\n  - web\n  - cache\napps:\n  web:\n    port: 80\n    'on': true\nrack: '007'\n"
	if got, _ := os.ReadFile(w.file()); err != nil || string(got) != want {
		t.Errorf("got %v\n%s", err, got)
	}
}

func TestEditThatFailsChangesNothing(t *testing.T) {
	w := newSite(t)
	w.write("grains", "role: web\n", 0o644)
	s := w.source()
	fail := errors.New("no")
	err := s.Edit(t.Context(), func(d, _ *value.Dict) error { d.Put("role", "db"); return fail })
	if !errors.Is(err, fail) || get(t, s, "role") != `"web"` {
		t.Errorf("got %v, role %s", err, get(t, s, "role"))
	}
	before, _ := os.Stat(w.file())
	if err := s.Edit(t.Context(), func(d, _ *value.Dict) error { d.Put("role", "web"); return nil }); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(w.file()); !os.SameFile(before, after) {
		t.Error("an edit that changes nothing wrote the file")
	}
}

// TestEditsAtTheSameTime edits from several processes, as sources of their own are.
func TestEditsAtTheSameTime(t *testing.T) {
	w := newSite(t)
	const sources, edits = 4, 5
	var wait sync.WaitGroup
	for i := range sources {
		s := w.source()
		wait.Go(func() {
			for j := range edits {
				err := s.Edit(context.Background(), func(d, _ *value.Dict) error {
					d.Put(fmt.Sprintf("g%d-%d", i, j), int64(j))
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	s := w.source()
	for i := range sources {
		for j := range edits {
			if got := get(t, s, fmt.Sprintf("g%d-%d", i, j)); got != fmt.Sprint(j) {
				t.Errorf("g%d-%d: got %s", i, j, got)
			}
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	w := newSite(t)
	s := w.source()
	told := func(want bool, when string) {
		t.Helper()
		select {
		case <-s.Changed():
			if !want {
				t.Errorf("%s: told of a change", when)
			}
		default:
			if want {
				t.Errorf("%s: not told", when)
			}
		}
	}
	first, _, sum := s.JSON(t.Context())
	told(true, "first")
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	told(false, "nothing new")
	w.write("grains", "role: web\n", 0o644)
	again, _, other := s.JSON(t.Context())
	told(true, "edited by hand")
	if sum == other || string(first) == string(again) || !strings.Contains(string(again), `"role":"web"`) {
		t.Errorf("got %s", again)
	}
	w.write("grains", "- x\n", 0o644)
	if _, warnings, _ := s.JSON(t.Context()); len(warnings) != 1 {
		t.Errorf("got %q", warnings)
	}
	told(true, "a warning")
}

func TestACopyIsOnesOwn(t *testing.T) {
	w := newSite(t)
	w.write("grains", "roles: [web]\n", 0o644)
	s := w.source()
	v, _ := s.Copy(t.Context()).Get("roles")
	v.(*value.List).Items[0] = "changed"
	if got := get(t, s, "roles"); got != `["web"]` {
		t.Errorf("got %s", got)
	}
}

func FuzzCustomFile(f *testing.F) {
	for _, text := range []string{"a: 1", "- x", "roles: [web, {a: b}]", "a: &x [1]\nb: *x", "\x00", "? [a]\n: b"} {
		f.Add(text)
	}
	dir := f.TempDir()
	m := grains.NewMachine(grains.MachineOptions{Root: "testdata/debian12", System: recorded("debian12")})
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(dir, "grains")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s := grains.New(grains.Options{ID: "web1", Machine: m, File: file})
		if _, ok := s.Now(t.Context()).Get("os"); !ok && len(s.Warnings(t.Context())) == 0 {
			t.Error("the rest does not work, and nothing tells why")
		}
		before := s.Copy(t.Context())
		if s.Edit(t.Context(), func(d, _ *value.Dict) error { d.Put("zz", "1"); return nil }) != nil {
			return // it says so, and changes nothing
		}
		after := s.Copy(t.Context())
		after.Delete("zz")
		before.Delete("zz")
		if !value.Equal(before, after) {
			t.Errorf("an edit changed other grains: %v, %v", before, after)
		}
	})
}

// TestEditOfAFileThatOthersEdit decides with the grains as the file has them now: between two looks another process edited it.
func TestEditOfAFileThatOthersEdit(t *testing.T) {
	w := newSite(t)
	one, other := w.source(), w.source()
	one.Now(t.Context())
	err := one.Edit(t.Context(), func(custom, grains *value.Dict) error {
		custom.Put("first", "1")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = other.Edit(t.Context(), func(custom, grains *value.Dict) error {
		first, _ := grains.Get("first")
		id, _ := grains.Get("id")
		if first != "1" || id == nil {
			t.Errorf("got %v and %v, want the grains as they are", first, id)
		}
		grains.Put("second", "2") // a copy
		return nil
	})
	if _, there := other.Now(t.Context()).Get("second"); err != nil || there {
		t.Errorf("got %v, %v", err, there)
	}
}

// Programs of the state tree count less than those of the host, and one that can't be run is named.
func TestSyncedPrograms(t *testing.T) {
	w := newSite(t)
	w.write("tree.sh", "#!/bin/sh\necho '{\"a\": 1, \"b\": 1}'\n", 0o755)
	w.write("broken.sh", "#!/bin/sh\necho no json\n", 0o755)
	w.write("grains.d/10", "#!/bin/sh\necho '{\"b\": 2}'\n", 0o755)
	local := &host.Local{}
	t.Cleanup(local.Close)
	s := grains.New(grains.Options{
		ID: "web1", Machine: machineOf(t, "debian12"), Exec: local.Run, Programs: []string{filepath.Join(w.dir, "grains.d")},
		Synced: func() []custom.Program {
			return []custom.Program{
				{Name: "salt://_grains/tree.sh", Path: filepath.Join(w.dir, "tree.sh")},
				{Name: "salt://_grains/broken.sh", Path: filepath.Join(w.dir, "broken.sh")},
				{Name: "salt://_grains/lost.sh", Err: errors.New("cannot use salt://_grains/lost.sh: it is lost")},
			}
		},
	})
	if got := get(t, s, "a") + get(t, s, "b"); got != "12" {
		t.Errorf("got %s", got)
	}
	warnings := strings.Join(s.Warnings(t.Context()), "\n")
	for _, want := range []string{"cannot use salt://_grains/lost.sh: it is lost", "cannot use grains of salt://_grains/broken.sh: "} {
		if !strings.Contains(warnings, want) {
			t.Errorf("%q is not in\n%s", want, warnings)
		}
	}
}
