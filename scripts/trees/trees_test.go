package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes the repositories of a test.
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

var repositories = map[string]string{
	"web-formula/web/init.sls":    "web:\n  nosuch.thing:\n    - name: {{ salt['pillar.get']('web:name', 'none') }}\n  file.managed:\n    - name: /etc/web\n    - contents: {{ salt['cmd.run']('date')|json }}\n",
	"web-formula/web/bad.sls":     "web:\n  file.managed:\n    - contnets: x\n",
	"web-formula/web/calls.sls":   "{{ salt['nosuch.function']() }}\n",
	"web-formula/pillar.example":  "web: {name: shop}\n",
	"web-formula/test/in/a.sls":   "not: looked at",
	"own/states/top.sls":          "base:\n  '*': [all]\n",
	"own/states/all.sls":          "#!py\n",
	"own/states/pillar/x.sls":     "x: 1",
	"own/states/lib/down/one.sls": "one: test.nop\n",
}

func report1(t *testing.T) *report {
	t.Helper()
	o := options{dir: write(t, repositories), hosts: []string{"debian12"}, grains: "../../minion/grains/testdata"}
	found, err := findTrees(o.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := readHosts(o.grains, o.hosts)
	if err != nil {
		t.Fatal(err)
	}
	r, err := compileAll(t.Context(), o, found, hosts, &oracle{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEverySLSIsCompiledForEveryPillar(t *testing.T) {
	var got []string
	for _, c := range report1(t).Cases {
		got = append(got, strings.Join([]string{c.Repo, c.SLS, c.Pillar, c.Class, strings.Join(append(c.Unknown, c.Missing...), " ")}, " "))
	}
	want := `own/states all none decided 
own/states lib.down.one none compiled 
web-formula web none compiled nosuch.thing
web-formula web example compiled nosuch.thing
web-formula web.bad none refused 
web-formula web.bad example refused 
web-formula web.calls none missing nosuch.function
web-formula web.calls example missing nosuch.function`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestTheTableCountsAndListsWhatDiffers(t *testing.T) {
	var b strings.Builder
	if err := printTable(&b, report1(t), true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"states that there are none of (cases): nosuch.thing 2",
		"functions that there are none of (cases): nosuch.function 2",
		"web-formula web.bad: refused here alone (debian12/none debian12/example)\n\tweb/bad.sls:3: ",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%s\nwant in it %q", b.String(), want)
		}
	}
}
