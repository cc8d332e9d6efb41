package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/proto/config"
)

type settings struct {
	Name   string `toml:"name"`
	Listen struct {
		Bus   string `toml:"bus"`
		Peers int    `toml:"peers"`
	} `toml:"listen"`
	Masters []string            `toml:"masters"`
	Roots   map[string][]string `toml:"file_roots"`
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterFilesAndEnvironmentWin(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "m.toml", "name = \"a\"\n[listen]\nbus = \"one\"\npeers = 1\n[file_roots]\nbase = [\"/srv\"]\n")
	write(t, dir, "m.d/20.toml", "name = \"c\"\n")
	write(t, dir, "m.d/10.toml", "name = \"b\"\nlisten.bus = \"two\"\n")
	var s settings
	env := []string{"BRINE_LISTEN_PEERS=7", "BRINE_MASTERS=x:1, y:2", "OTHER=1"}
	if err := config.Load(&s, path, filepath.Join(dir, "m.d"), env); err != nil {
		t.Fatal(err)
	}
	if s.Name != "c" || s.Listen.Bus != "two" || s.Listen.Peers != 7 || strings.Join(s.Masters, "|") != "x:1|y:2" ||
		s.Roots["base"][0] != "/srv" {
		t.Errorf("got %+v", s)
	}
}

func TestMistakesAreReportedAtOnceWithLineAndNearestName(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "m.toml", "# comment\nnmae = \"a\"\n[listen]\nbuss = \"one\"\n\n[zzzzzzzzzz]\nx = 1\n")
	err := config.Load(&settings{}, path, "", []string{"BRINE_LISTEN_PEERS=many"})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		path + `:2: unknown key "nmae" (did you mean "name"?)`,
		path + `:4: unknown key "listen.buss" (did you mean "listen.bus"?)`,
		path + `:6: unknown key "zzzzzzzzzz"`,
		`BRINE_LISTEN_PEERS="many": want int`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to contain %q", err, want)
		}
	}
}

func TestSyntaxErrorNamesTheLine(t *testing.T) {
	path := write(t, t.TempDir(), "m.toml", "name = \"a\"\nlisten = [\n")
	err := config.Load(&settings{}, path, "", nil)
	if err == nil || !strings.Contains(err.Error(), path+":") {
		t.Errorf("got %v, want the file and the line", err)
	}
}

func TestADirectoryThatCannotBeReadIsAMistake(t *testing.T) {
	dir := t.TempDir()
	path, file := write(t, dir, "m.toml", "name = \"a\"\n"), write(t, dir, "file", "")
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, dropins := range []string{loop, file} {
		err := config.Load(&settings{}, path, dropins, nil)
		if err == nil || !strings.Contains(err.Error(), "cannot read configuration: open "+dropins) {
			t.Errorf("got %v, want it to name %s", err, dropins)
		}
	}
	if err := config.Load(&settings{}, path, filepath.Join(dir, "none"), nil); err != nil {
		t.Error(err)
	}
}

func TestWhereTellsTheFileAndLineThatCount(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "m.toml", "name = \"a\"\n[listen]\nbus = \"one\"\n[file_roots]\nbase = [\"/srv\"]\n")
	later := write(t, dir, "m.d/10.toml", "\n[file_roots]\n\"a b\" = []\nbase = [\"/x\"]\n"+
		"[a] # ]\nlist = [ # [\n  [\"[x]\"],\n  ['listen']\n]\nafter = 1\n[[ b.c ]]\nx = 1\n[[b.c]]\nx = 2\n[b.c.sub]\nz = 1\n[[b.c]]\ny = 3\n")
	for want, key := range map[string][]string{
		path + ":1": {"name"}, path + ":3": {"listen", "bus"}, later + ":4": {"file_roots", "base"}, later + ":3": {"file_roots", "a b"},
		path: {"masters"}, path + ":2": {"listen", "route"}, later + ":10": {"a", "after"}, later + ":11": {"b", "c[1]"},
		later + ":12": {"b", "c[1]", "x"}, later + ":14": {"b", "c[2]", "x"}, later + ":13": {"b", "c[2]", "y"}, later + ":17": {"b", "c[3]", "x"}, later + ":18": {"b", "c[3]", "y"},
		later + ":16": {"b", "c[2]", "sub", "z"},
	} {
		if got := config.Where(path, filepath.Join(dir, "m.d"), key...); got != want {
			t.Errorf("%v: got %s, want %s", key, got, want)
		}
	}
}
