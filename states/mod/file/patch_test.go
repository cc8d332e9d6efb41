package file_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
)

func TestPatchTellsThatTheProgramIsMissing(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "a\n")
	h.Files.Serve("salt://p", "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n", 0o644)
	h.Exec = func(context.Context, host.Command) (host.Output, error) {
		return host.Output{}, fmt.Errorf("cannot run: %w", os.ErrNotExist)
	}
	const want = "false {} cannot patch: there is no program patch on this host (the package patch has it)"
	if got := show(bind(t, "patch name=/f source=salt://p").Run(t.Context(), h.Host, true)); got != want {
		t.Errorf("got %s", got)
	}
}

func TestPatchLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h := hosttest.New(t).Real()
	h.Write("/f", "a\n")
	h.Files.Serve("salt://p", "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n", 0o644)
	h.Files.Serve("salt://q", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+b\n", 0o644)
	for _, line := range []string{"patch name=/f source=salt://p", "patch name=/f source=salt://q"} {
		bind(t, line).Run(t.Context(), h.Host, false)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 || h.Read("/f") != "b\n" {
		t.Errorf("got %v, %v, %q", left, err, h.Read("/f"))
	}
}
