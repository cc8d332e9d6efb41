package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// floors says what the packages under a path may import of ours, besides
// what is under that path itself. The longest matching path counts.
var floors = []struct {
	path string
	from []string
}{
	{"proto", nil},
	{"proto/subject", nil},
	{"proto/jid", nil},
	{"proto/spell", nil},
	{"proto/config", []string{"proto/spell"}},
	{"proto/target", []string{"proto", "proto/subject"}},
	{"proto/token", []string{"proto"}},
	{"proto/moment", []string{"proto/jid"}},
	{"proto/role", []string{"proto", "proto/target"}},
	{"pki", []string{"proto/..."}},
	{"states", []string{"proto/...", "pki"}},

	{"minion", []string{"minion/...", "states/...", "proto/...", "pki"}},
	{"minion/cmd", []string{"minion/...", "states/...", "proto/...", "pki"}},
	{"minion/link", []string{"states/...", "proto/...", "pki"}},
	{"minion/job", []string{"states/...", "proto/...", "pki"}},
	{"minion/files", []string{"states/...", "proto/...", "pki"}},
	{"minion/agentmod", []string{"states/...", "proto/...", "pki"}},
	{"minion/grains", []string{"states/..."}},
	{"minion/outbox", []string{"proto/..."}},

	{"master", []string{"master/...", "states/...", "proto/...", "pki"}},
	{"master/cmd", []string{"master/...", "states/...", "proto/...", "pki"}},
	// The operators' command starts fast and stays small: no server, no database.
	{"master/cmd/brine", []string{"master/client", "master/orchestrate", "master/reactor/...", "master/runner", "states/...", "proto/...", "pki"}},
	{"master/broker", []string{"proto/...", "pki"}},
	{"master/client", []string{"proto/...", "pki"}},
	{"master/store", []string{"proto/...", "pki"}},
	{"master/peer", []string{"master/store", "proto/...", "pki"}},
	{"master/keys", []string{"master/store", "proto/...", "pki"}},
	{"master/job", []string{"master/store", "master/client", "proto/...", "pki"}},
	{"master/grains", []string{"master/store", "proto/...", "pki"}},
	{"master/event", []string{"master/store", "states/...", "proto/..."}},
	{"master/orchestrate", []string{"states/...", "proto/..."}},
	{"master/runner", []string{"states/...", "proto/..."}},
	{"master/pillar", []string{"states/...", "proto/..."}},
	{"master/reactor", []string{"states/...", "proto/..."}},
	{"master/hook", []string{"master/store", "proto/..."}},
	{"master/notify", []string{"master/store", "proto/..."}},
	{"master/returner", []string{"master/store", "states/host", "proto/..."}},
	{"master/gitfs", []string{"proto/..."}},
	{"master/signin", []string{"proto/..."}},
	{"master/fileserver", []string{"master/store", "proto/...", "pki"}},

	{"scripts", []string{"master/...", "minion/...", "states/...", "proto/...", "pki"}},
}

func TestArrowsPointDown(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkg := strings.TrimPrefix(f[0], "brine/")
		path, from := floor(pkg)
		if path == "" {
			t.Errorf("%s has no floor: add it to the floor plan or put it where it belongs", pkg)
			continue
		}
		for _, imp := range f[1:] {
			to, ours := strings.CutPrefix(imp, "brine/")
			if ours && !under(to, path) && !allowed(to, from) {
				t.Errorf("%s must not import %s", pkg, to)
			}
		}
	}
}

// floor finds the longest path that pkg is under.
func floor(pkg string) (path string, from []string) {
	for _, f := range floors {
		if under(pkg, f.path) && len(f.path) > len(path) {
			path, from = f.path, f.from
		}
	}
	return path, from
}

func under(pkg, path string) bool { return pkg == path || strings.HasPrefix(pkg, path+"/") }

func allowed(pkg string, from []string) bool {
	for _, f := range from {
		if tree, all := strings.CutSuffix(f, "/..."); all && under(pkg, tree) || pkg == f {
			return true
		}
	}
	return false
}

func TestTheLongestPathCounts(t *testing.T) {
	for pkg, want := range map[string]string{
		"master/client": "master/client", "master/api": "master", "master": "master", "masters": "", "proto/jid": "proto/jid",
	} {
		if got, _ := floor(pkg); got != want {
			t.Errorf("floor(%q) = %q, want %q", pkg, got, want)
		}
	}
	if allowed("master/store", []string{"master/client", "proto/..."}) {
		t.Error("a sibling that is not named is allowed")
	}
}

func TestNothingElseAtTheTop(t *testing.T) {
	card := []string{"master", "minion", "proto", "states", "pki", "scripts", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "CHANGELOG.md"}
	out, err := exec.Command("git", "-C", "..", "ls-files").Output()
	if err != nil {
		entries, err := os.ReadDir("..")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name()+"\n"...)
		}
	}
	for name := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(filepath.ToSlash(strings.TrimSpace(name)), "/")
		if !strings.HasPrefix(top, ".") && !slices.Contains(card, top) && top != "bin" {
			t.Errorf("%s does not belong at the top level", top)
		}
	}
}

func TestReadmeHasNoPlaceholders(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`@[A-Z]+@`).FindAll(text, -1); found != nil {
		t.Errorf("README.md has placeholders: %s", found)
	}
}
