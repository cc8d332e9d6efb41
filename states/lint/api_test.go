package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/all"
	"brine/states/lint"
	"brine/states/value"
)

// write makes a directory of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuiltinHosts(t *testing.T) {
	for _, name := range lint.Builtin() {
		h, err := lint.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := h.Grains.Get("id")
		family, _ := h.Grains.Get("os_family")
		if h.Name != name || id != name || family == nil {
			t.Errorf("%s: got name %q, id %v, os_family %v", name, h.Name, id, family)
		}
	}
	if _, err := lint.Named("rhel8"); err == nil || !strings.Contains(err.Error(), `(did you mean "rhel9"?)`) {
		t.Errorf("got %v", err)
	}
}

func TestReadHosts(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"os: Debian\nid: web1\n", "[web1]"},
		{"os: Debian\n", "[file]"},
		{`{"web1": {"os": "Debian"}, "db1": {"os": "RedHat", "id": "db1.example.com"}}`, "[web1 db1.example.com]"},
		{`{"jid": "", "minions": {"web1": {"status": "ok", "return": {"os": "Debian"}}}}`, "[web1]"},
		{`{"local": {"os": "Debian", "id": "web1"}}`, "[web1]"},
		{`{"web1": {"kernel": "Linux"}}`, `cannot read grains of "web1" in file: there is no "os" among them: want what ` +
			`"brine-minion call grains.items --out json" prints`},
		{"", "cannot read grains of file: it is empty"},
		{"[a]", "file: want a dict, got list"},
		{"a: [", "file:2: did not find expected node content"},
	} {
		hosts, err := lint.ReadHosts("file", []byte(tt.text))
		var names []string
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		got := fmt.Sprint(names)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

// Nothing of the machine is looked at: neither by functions, nor by filters, nor by what a file's path leads to.
func TestTouchesNothing(t *testing.T) {
	touched := filepath.Join(t.TempDir(), "touched")
	secret := filepath.Join(write(t, map[string]string{"secret": "a: {test.nop: [{name: told}]}"}), "secret")
	dir := write(t, map[string]string{
		"a.sls": "{% set x = salt['cmd.run']('touch " + touched + "', python_shell=True) %}\n{% do salt['file.touch']('" + touched + "') %}\na: test.nop\n",
		"b.sls": "{{ salt['slsutil.renderer']('" + secret + "') }}",
		"c.sls": "c: {test.nop: [{name: {{ '" + secret + "' | file_hashsum }}}]}",
		"d.sls": "d: {test.nop: [{onlyif: 'touch " + touched + "'}]}",
	})
	r, err := lint.Tree(t.Context(), lint.Roots{"base": {dir}}, lint.Options{Index: all.Index()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(touched); err == nil {
		t.Error("a command was run")
	}
	if text := shown(r); strings.Contains(text, "told") || r.Errors() > 0 || r.Warnings() < 4 {
		t.Errorf("got\n%s", text)
	}
}

func TestOptions(t *testing.T) {
	dir := write(t, map[string]string{
		"a.sls": "a: {file.managed: [{name: /a}, {contents: x}, {mode: {{ salt['cmd.run']('x') }}}]}", "b.sls": "b: test.noop", "test/c.sls": "c: test.noop",
	})
	other := write(t, map[string]string{"a.sls": "never: test.noop", "d.sls": "include: [{dev: e}]"})
	dev := write(t, map[string]string{"e.sls": "e: test.noop"})
	for _, tt := range []struct {
		name  string
		roots lint.Roots
		o     lint.Options
		want  []string
	}{
		{"answers", lint.Roots{"base": {dir}}, lint.Options{Answers: value.NewDict("cmd.run", "rwx"), Exclude: []string{"b*", "test/*"}}, []string{"a.sls:1 error"}},
		{"excluded", lint.Roots{"base": {dir}}, lint.Options{Exclude: []string{"test/*"}}, []string{"a.sls:1 warning", "b.sls:1 error"}},
		{"only", lint.Roots{"base": {dir}}, lint.Options{Only: []string{"test/c.sls"}}, []string{"test/c.sls:1 error"}},
		{"the first root wins", lint.Roots{"base": {dir, other}}, lint.Options{Only: []string{"a.sls"}}, []string{"a.sls:1 warning"}},
		{"environments", lint.Roots{"base": {other}, "dev": {dev}}, lint.Options{}, []string{"a.sls:1 error", "dev:e.sls:1 error"}},
		{"no environment", lint.Roots{"base": {other}}, lint.Options{Only: []string{"d.sls"}}, []string{"d.sls:1 error"}},
	} {
		tt.o.Index = all.Index()
		r, err := lint.Tree(t.Context(), tt.roots, tt.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Severity))
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: got %v, want %v\n%s", tt.name, got, tt.want, shown(r))
		}
	}
}

// What is told for each of several hosts is told once, and names them where it is not all.
func TestHostsAreMerged(t *testing.T) {
	dir := write(t, map[string]string{
		"a.sls": "a: test.noop\n{% if grains.os_family == 'RedHat' %}\nb: test.noop\n{% endif %}\n",
	})
	r, err := lint.Tree(t.Context(), lint.Roots{"base": {dir}}, lint.Options{
		Index: all.Index(), Hosts: hosts(t, []string{"web1=debian12", "db1=rhel9", "db2=alma9"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 2 || fmt.Sprint(r.Findings[0].Hosts, r.Findings[1].Hosts) != "[web1 db1 db2] [db1 db2]" {
		t.Errorf("got %s", shown(r))
	}
}

func TestRunChecksWhatIsAppliedTogether(t *testing.T) {
	dir := write(t, map[string]string{"a.sls": "a: {test.nop: [{require: [{test: b}]}]}", "b.sls": "b: test.nop"})
	for names, want := range map[string]int{"a": 1, "a,b": 0} {
		r, err := lint.Run(t.Context(), lint.Roots{"base": {dir}}, strings.Split(names, ","), lint.Options{Index: all.Index()})
		if err != nil || r.Errors() != want {
			t.Errorf("%s: got %s, %v, want %d errors", names, shown(r), err, want)
		}
	}
}
