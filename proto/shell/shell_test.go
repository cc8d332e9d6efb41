package shell_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"brine/proto/shell"
)

func run(args ...string) (string, error) {
	root := &cobra.Command{Use: "tool", Short: "A tool", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(&cobra.Command{Use: "do", Short: "Do it", Run: func(*cobra.Command, []string) {}})
	shell.Add(root, "8", func(format string, args ...any) error { return fmt.Errorf("usage: "+format, args...) })
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.Execute()
	return out.String(), err
}

func TestEachShellHasItsCompletion(t *testing.T) {
	for name, want := range map[string]string{"bash": "__start_tool", "fish": "complete -c tool", "zsh": "#compdef tool"} {
		if out, err := run("completion", name); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %.80q, %v, want %s", name, out, err, want)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "powershell"}, {"completion", "bash", "zsh"}, {"man", "a", "b"}} {
		if _, err := run(args...); err == nil || !strings.HasPrefix(err.Error(), "usage: ") {
			t.Errorf("%v: got %v, want a mistake on the command line", args, err)
		}
	}
}

func TestEachCommandHasAPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man8")
	if _, err := run("man", dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tool.8", "tool-do.8", "tool-man.8", "tool-completion.8"} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(page), `.TH "TOOL`) {
			t.Errorf("%s: got %.60q, %v", name, page, err)
		}
	}
}
