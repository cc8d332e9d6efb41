package scripts_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/states/all"
	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/plan"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

const examples = "examples"

// apply runs SLS files of the examples and returns the results by state: true, false or nil, and whether it changed.
func apply(t *testing.T, h *host.Host, test bool, mods ...string) map[string]string {
	t.Helper()
	p := compileExamples(t, mods...)
	results, _ := run.Run(t.Context(), p, h, run.Options{Test: test})
	got := map[string]string{}
	for tag, v := range results.All() {
		d := v.(*value.Dict)
		result, _ := d.Get("result")
		changes, _ := d.Get("changes")
		text := map[any]string{true: "ok", false: "failed", nil: "would"}[result]
		if changes.(*value.Dict).Len() > 0 {
			text += ", changes"
		}
		got[tag.(string)] = text
		if result == false {
			comment, _ := d.Get("comment")
			t.Errorf("%s failed: %v", tag, comment)
		}
	}
	return got
}

func compileExamples(t *testing.T, mods ...string) *plan.Plan {
	t.Helper()
	h := *hosttest.New(t).Host
	h.Modules = all.Index()
	h.Grains = value.NewDict("id", "web1", "os_family", "Debian")
	p, errs := sls.Compile(t.Context(), sls.Dir(os.DirFS(examples)), mods, sls.Options{Index: all.Index(), Host: &h})
	for _, e := range errs {
		t.Error(e)
	}
	if p == nil {
		t.FailNow()
	}
	return p
}

// every gives each state of web the same text.
func every(text string) map[string]string {
	got := map[string]string{}
	for _, tag := range []string{
		"file_|-/tmp/brine-example/etc_|-/tmp/brine-example/etc_|-directory",
		"file_|-/tmp/brine-example/etc/site.conf_|-/tmp/brine-example/etc/site.conf_|-managed",
		"file_|-/tmp/brine-example/www_|-/tmp/brine-example/www_|-directory",
		"file_|-/tmp/brine-example/www/index.html_|-/tmp/brine-example/www/index.html_|-managed",
		"cmd_|-list of files_|-ls -1 > files.txt_|-run",
	} {
		got[tag] = text
	}
	return got
}

func expect(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for tag := range want {
		// In test mode a state tells its changes, or only that it depends on another's.
		if text, _ := strings.CutSuffix(got[tag], ", changes"); got[tag] != want[tag] && !(text == "would" && want[tag] == text) {
			t.Errorf("%s: %s: got %q, want %q", when, tag, got[tag], want[tag])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: got %d states, want %d", when, len(got), len(want))
	}
}

func TestExampleWeb(t *testing.T) {
	h := hosttest.New(t).Real()
	serve(t, h)
	before := h.Snapshot()
	expect(t, "test mode", apply(t, h.Host, true, "web"), every("would"))
	if after := h.Snapshot(); !slices.Equal(before, after) {
		t.Errorf("test mode changed the host: got %v, want %v", after, before)
	}
	expect(t, "first run", apply(t, h.Host, false, "web"), every("ok, changes"))
	expect(t, "second run", apply(t, h.Host, false, "web"), every("ok"))
	expect(t, "test mode again", apply(t, h.Host, true, "web"), every("ok"))
	if got, want := h.Read("/tmp/brine-example/www/files.txt"), "files.txt\nindex.html\n"; got != want {
		t.Errorf("files.txt: got %q, want %q", got, want)
	}
	apply(t, h.Host, false, "web.absent")
	if _, err := os.Stat(filepath.Join(h.Root, "tmp/brine-example")); !os.IsNotExist(err) {
		t.Errorf("after web.absent: got %v, want no such file", err)
	}
}

// serve gives the host the files of the examples as masters would.
func serve(t *testing.T, h *hosttest.Host) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(examples), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path.Join(examples, name))
		h.Files.Serve("salt://"+name, string(data), 0o644)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestExamplesCompile keeps every SLS of the examples free of mistakes.
func TestExamplesCompile(t *testing.T) {
	for _, name := range sls.Dir(os.DirFS(examples)).Paths() {
		if mod, ok := strings.CutSuffix(name, ".sls"); ok && !strings.HasPrefix(name, "custom/") { // a tree of its own
			compileExamples(t, strings.ReplaceAll(strings.TrimSuffix(mod, "/init"), "/", "."))
		}
	}
}
