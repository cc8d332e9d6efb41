//go:build e2e

// Package e2e runs the commands as an operator types them, on sites of real
// processes: one script of testdata each. The scripts know what
// commands_test.go lists, besides what testscript gives.
package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var programs = flag.String("bin", "../../bin", "directory of the programs")

func TestScripts(t *testing.T) {
	bin, err := filepath.Abs(*programs)
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Cmds:                commands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("LAB", filepath.Join(env.WorkDir, "lab"))
			env.Setenv("PASS", filepath.Join(env.WorkDir, "lab", "passphrase"))
			env.Setenv("EXAMPLES", examples)
			b := &background{running: map[string]*process{}}
			env.Values[backgroundKey{}] = b
			env.Defer(b.end)
			return nil
		},
	})
}
