package master

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMistakesInWhatIsSaidOfPillar(t *testing.T) {
	root := t.TempDir()
	l := Layout{root}
	file := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.MkdirAll(filepath.Dir(l.Config()), 0o755); err != nil {
		t.Fatal(err)
	}
	open, empty := file("open", 0o644, "AGE-SECRET-KEY-1"), file("empty", 0o600, "AGE-SECRET-KEY-1s3cret")
	text, loose, fine := file("text", 0o600, ""), file("loose", 0o775, "#!/bin/sh"), file("fine", 0o755, "#!/bin/sh")
	home := filepath.Join(root, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	config := `name = "m1"
[pillar_roots]
__env__ = ["/nowhere/__env__"]
[pillar]
merging = "smrat"
age_identities = ["/none", "` + open + `", "` + empty + `"]
gpg_home = "` + home + `"
`
	for _, x := range []string{`["cmdb"]`, `[]`, `["/none"]`, `["` + text + `"]`, `["` + loose + `"]`, `["` + fine + `", "a"]` + "\ntimeout = \"2m\"", `["` + fine + `"]` + "\ntimeout = \"10s\""} {
		config += "[[pillar.external]]\ncommand = " + x + "\n"
	}
	if err := os.WriteFile(l.Config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadConfig(root, nil)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		`pillar.merging: unknown merging strategy "smrat" (did you mean "smart"?)`, "cannot read keys of age: open /none:",
		open + " can be read by others (mode 0644): chmod 600 it", "cannot read keys of age in " + empty, home + " can be read by others (mode 0755): chmod 700 it",
		`pillar.external[1].command: want a program by its whole path`, "pillar.external[2].command: want a program", "pillar.external[3].command: stat /none",
		"pillar.external[4].command: " + text + " is not executable", "pillar.external[5].command: " + loose + " can be changed by others (mode 0775): chmod go-w it",
		`pillar.external[6].timeout = "2m": want a duration of up to 50s`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if text := err.Error(); strings.Contains(text, "external[7]") || strings.Contains(text, "__env__") || strings.Contains(text, "s3cret") {
		t.Errorf("got %v", err)
	}
}
