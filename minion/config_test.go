package minion

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/minion/link/linktest"
	pb "brine/proto"
	"brine/proto/token"
)

const secret = "0123456789abcdef0123456789abcdef"

func enrolToken(t *testing.T, site *linktest.Site, masters ...string) string {
	t.Helper()
	fp := site.Key.Site()
	text, err := token.FormatEnrol(&pb.EnrolToken{CaFingerprint: fp[:], Masters: masters, Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConfigMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"misspelt":   {"id = \"web1\"\nmaster = [\"m1:1\"]\n\n[log]\nlevle = \"info\"\n", []string{`minion.toml:2: unknown key "master" (did you mean "masters"?)`, `minion.toml:5: unknown key "log.levle" (did you mean "log.level"?)`}},
		"syntax":     {"id = \"web1\"\nmasters = [\n", []string{"minion.toml:"}},
		"type":       {"id = \"web1\"\nmasters = \"m1:1\"\n", []string{"minion.toml"}},
		"values":     {"id = \"-x\"\nmasters = [\":1\", \"m1:0\", \"m1:nope\"]\nca_fingerprint = \"ab\"\nlink.ping = \"soon\"\nfiles.keep_days = 0\nlog.level = \"loud\"\nlog.format = \"xml\"\ntemplates.trim_blocks = \"some\"\n", []string{"templates.trim_blocks", "minion.toml: id:", `":1"`, `"m1:0"`, `"nope" is not a port`, "ca_fingerprint:", "link.ping", "files.keep_days", "log.level", "log.format"}},
		"many parts": {"link.ping = \"1ms\"", []string{"100ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, Layout{root}.Config(), c.text)
			_, err := LoadConfig(root, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in:\n%v", want, err)
				}
			}
		})
	}
}

func TestConfigDefaultsAndOverrides(t *testing.T) {
	root := t.TempDir()
	c, err := LoadConfig(root, nil)
	if err != nil || c.ID != "" || c.Link.Ping != "500ms" || c.Log.Level != "info" || c.Files.KeepDays != 30 {
		t.Fatalf("got %+v, %v", c, err)
	}
	write(t, Layout{root}.Config(), "masters = [\"m1\", \"10.0.0.1:99\", \"::1\", \"[::1]:7\"]\n")
	write(t, filepath.Join(Layout{root}.ConfigDir(), "10.toml"), "id = \"a\"\n")
	c, err = LoadConfig(root, []string{"BRINE_ID=b", "BRINE_LINK_PING=1s"})
	if err != nil || c.ID != "b" || c.Link.Ping != "1s" ||
		strings.Join(c.Masters, " ") != "m1:4511 10.0.0.1:99 [::1]:4511 [::1]:7" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestSampleConfig sees that every key of the shipped file exists and has the default it says.
func TestSampleConfig(t *testing.T) {
	sample, err := os.ReadFile("minion.toml")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	var b strings.Builder
	for line := range strings.Lines(string(sample)) {
		if rest, ok := strings.CutPrefix(line, "# "); ok && strings.Contains(rest, " = ") {
			line = rest
		}
		b.WriteString(line)
	}
	write(t, Layout{root}.Config(), b.String())
	got, err := LoadConfig(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := LoadConfig(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != want.ID || len(got.Masters) != 0 || got.Link != want.Link || got.Files != want.Files || got.Log != want.Log || got.Templates != want.Templates {
		t.Errorf("the sample says %+v, the defaults are %+v", got, want)
	}
}

func TestCheckConfig(t *testing.T) {
	root := t.TempDir()
	problems, _ := CheckConfig(t.Context(), root, nil)
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "enrol TOKEN") {
		t.Errorf("got %v", problems)
	}
	write(t, Layout{root}.Config(), "masters = [\""+linktest.FreeAddr(t)+"\"]\n")
	problems, warnings := CheckConfig(t.Context(), root, nil)
	warnings = slices.DeleteFunc(warnings, func(err error) bool { return strings.Contains(err.Error(), "this machine's clock") })
	if len(problems) != 0 || len(warnings) != 1 {
		t.Errorf("got %v, %v", problems, warnings)
	}
	write(t, Layout{root}.Key(), "no key")
	write(t, Layout{root}.Fingerprint(), "no fingerprint")
	if problems, _ = CheckConfig(t.Context(), root, nil); len(problems) != 2 {
		t.Errorf("got %v", problems)
	}
}

func TestIDIsKeptFromTheFirstStart(t *testing.T) {
	l := Layout{t.TempDir()}
	first, err := loadID(l, &Config{})
	if err != nil {
		t.Skipf("this machine's name is no id: %v", err)
	}
	write(t, l.ID(), "other.example.com\n")
	if id, err := loadID(l, &Config{}); err != nil || id != "other.example.com" {
		t.Errorf("got %q, %v, first %q", id, err, first)
	}
	if id, err := loadID(l, &Config{ID: "set"}); err != nil || id != "set" {
		t.Errorf("got %q, %v", id, err)
	}
	write(t, l.ID(), "../x\n")
	if _, err := loadID(l, &Config{}); err == nil {
		t.Error("a bad id, yet no error")
	}
}

func TestDamagedStateIsDoneWithout(t *testing.T) {
	l := Layout{t.TempDir()}
	write(t, l.Bundle(), "garbage")
	write(t, l.Masters(), "garbage")
	warnings := 0
	s, err := loadState(l, &Config{ID: "web1"}, func(string, ...any) { warnings++ })
	if err != nil || warnings != 2 || len(s.masters) != 0 || s.trust.Serial() != 0 {
		t.Errorf("got %+v, %v, %d warnings", s, err, warnings)
	}
	want := []*pb.MasterAddress{{Name: "m1", Bus: "a:1", Files: "a:3"}, {Name: "m2", Bus: "b:1"}}
	if err := saveMasters(l, want); err != nil {
		t.Fatal(err)
	}
	got, err := loadMasters(l)
	if err != nil || len(got) != 2 || got[0].Files != "a:3" || got[1].Name != "m2" {
		t.Errorf("got %v, %v", got, err)
	}
	write(t, l.Key(), "garbage")
	if _, err := loadState(l, &Config{ID: "web1"}, func(string, ...any) {}); err == nil {
		t.Error("a damaged key, yet no error: a new one would need to be accepted again")
	}
}

func TestCall(t *testing.T) {
	root, tree := t.TempDir(), t.TempDir()
	write(t, filepath.Join(root, "etc/brine/minion.toml"), "id = \"web1\"\n")
	write(t, filepath.Join(tree, "web/init.sls"),
		"tool:\n  file.managed:\n    - name: /opt/tool\n    - source: salt://web/tool\n    - makedirs: true\n")
	write(t, filepath.Join(tree, "web/tool"), "content\n")
	write(t, filepath.Join(tree, "bad.sls"), "a:\n  file.nope: []\n")
	call := func(function string, words ...string) (*Called, error) {
		return Call(t.Context(), CallOptions{Root: root, FileRoots: []string{tree}, Function: function, Words: words})
	}
	if r, err := call("test.ping"); err != nil || string(r.Value) != "true" || r.Retcode != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := call("state.apply", "web", "test=True"); err != nil || r.Retcode != 0 || !r.States {
		t.Errorf("got %+v, %v", r, err)
	}
	file := filepath.Join(root, "opt/tool")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("test mode changed something: %v", err)
	}
	if r, err := call("state.apply", "web"); err != nil || r.Retcode != 0 {
		t.Errorf("got %+v, %v: %s", r, err, r.Value)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "content\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if r, err := call("state.apply", "bad"); err != nil || r.Retcode != 1 || !r.NotCompiled {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, c := range [][]string{{"test.pnig"}, {"test.echo"}, {"test.echo", "a", "nope=1"}} {
		if _, err := call(c[0], c[1:]...); err == nil {
			t.Errorf("%v: no error", c)
		}
	}
}
