package file

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

// A directory above what is managed becomes a link to another one between the look and the change.
func TestASwappedDirectoryIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan func(context.Context, *host.Host) (module.Plan, error)
	}{
		{"new file", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planManaged(ctx, h, managedArgs{Name: "/d/new", contentsArgs: text1("x"), Create: true, Replace: true})
		}},
		{"changed file", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planManaged(ctx, h, managedArgs{Name: "/d/f", contentsArgs: text1("x"), Create: true, Replace: true, Follow: true})
		}},
		{"mode of a file", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planManaged(ctx, h, managedArgs{Name: "/d/f", Mode: modeOf(0o711), Create: true, Replace: true})
		}},
		{"file with directories", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planManaged(ctx, h, managedArgs{Name: "/d/n/e/w", Makedirs: true, Create: true, Replace: true})
		}},
		{"directory", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planDirectory(ctx, h, directoryArgs{Name: "/d/new"})
		}},
		{"mode of a directory", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planDirectory(ctx, h, directoryArgs{Name: "/d/sub", Mode: modeOf(0o711)})
		}},
		{"clean", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planDirectory(ctx, h, directoryArgs{Name: "/d/sub", Clean: true})
		}},
		{"absent", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planAbsent(ctx, h, absentArgs{Name: "/d/f"})
		}},
		{"symlink", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planSymlink(ctx, h, symlinkArgs{Name: "/d/l", Target: "x"})
		}},
		{"touch", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planTouch(ctx, h, touchArgs{Name: "/d/f"})
		}},
		{"append", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planAppend(ctx, h, appendArgs{textArgs{Name: "/d/f", Text: text{"x"}}})
		}},
		{"copy", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planCopy(ctx, h, copiedArgs{Name: "/d/new", Source: "/etc/group"})
		}},
		{"copy of a directory over another", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planCopy(ctx, h, copiedArgs{Name: "/d/sub", Source: "/etc", Force: true})
		}},
		{"source of a copy", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planCopy(ctx, h, copiedArgs{Name: "/new", Source: "/d/sub"})
		}},
		{"rename", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planRename(ctx, h, renamedArgs{Name: "/d/sub", Source: "/etc", Force: true})
		}},
		{"source of a rename", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planRename(ctx, h, renamedArgs{Name: "/new", Source: "/d/f"})
		}},
		{"hard link", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planHardlink(ctx, h, hardlinkArgs{Name: "/d/f", Target: "/etc/group", Force: true})
		}},
		{"target of a hard link", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planHardlink(ctx, h, hardlinkArgs{Name: "/new", Target: "/d/f"})
		}},
		{"decode", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planDecode(ctx, h, decodeArgs{Name: "/d/f", Data: "YQ==", Checksum: "md5"})
		}},
		{"tidied", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planTidied(ctx, h, tidiedArgs{Name: "/d/sub"})
		}},
		{"pruned", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			if err := os.Mkdir(h.Path("/d/empty"), 0o755); err != nil {
				return module.Plan{}, err
			}
			return planPruned(ctx, h, prunedArgs{Name: "/d/empty"})
		}},
		{"mknod", func(ctx context.Context, h *host.Host) (module.Plan, error) {
			return planMknod(ctx, h, mknodArgs{Name: "/d/p", Type: nodeType{unix.S_IFIFO, "Fifo pipe"}})
		}},
	} {
		h := hosttest.New(t)
		for _, name := range []string{"/d/f", "/d/sub/f", "/other/f", "/other/sub/f"} {
			h.Write(name, "old\n")
		}
		plan, err := tt.plan(t.Context(), h.Host)
		if err != nil || len(plan.Steps) != 1 {
			t.Fatalf("%s: got %d steps, %v", tt.name, len(plan.Steps), err)
		}
		if err := os.Rename(h.Path("/d"), h.Path("/d.old")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("other", h.Path("/d")); err != nil {
			t.Fatal(err)
		}
		before := h.Snapshot()
		_, err = plan.Steps[0].Do(t.Context())
		if err == nil || !strings.Contains(err.Error(), "cannot enter /d") {
			t.Errorf("%s: got error %v", tt.name, err)
		}
		if !slices.Equal(before, h.Snapshot()) {
			t.Errorf("%s: something was changed all the same", tt.name)
		}
	}
}

func text1(s string) contentsArgs {
	return contentsArgs{Contents: contents{parts: []string{s}}, Newline: true, Empty: true, Errors: "strict"}
}

// The directory is replaced by another one, which is no link.
// Of a file that takes hours to read no more is read when the job is cancelled.
func TestReadingEndsWithTheJob(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/huge", "")
	if err := os.Truncate(h.Path("/huge"), 1<<42); err != nil {
		t.Skip("the file system has no files as large:", err)
	}
	for name, read := range map[string]func(ctx context.Context) error{
		"hash": func(ctx context.Context) error {
			_, err := getHash(ctx, h.Host, getHashArgs{onePath: onePath{"/huge"}, Form: "sha256"})
			return err
		},
		"source": func(ctx context.Context) error {
			_, err := local(ctx, h.Host, "/huge")
			return err
		},
	} {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", name, err)
		}
		stop()
	}
}

func TestErrorsDoNotNameTemporaryFiles(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old")
	s, err := find(h.Host, "/d/f", true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.leave()
	err = s.put(nil, anyone, func(to io.Writer) error {
		return &os.PathError{Op: "write", Path: to.(*os.File).Name(), Err: unix.ENOSPC}
	})
	if err == nil || strings.Contains(err.Error(), ".tmp") || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(h.Path("/d")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAnotherDirectoryIsRefused(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "")
	plan, err := planAbsent(t.Context(), h.Host, absentArgs{Name: "/d/f"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.Path("/d"), h.Path("/d.old")); err != nil {
		t.Fatal(err)
	}
	h.Write("/d/f", "another's")
	const want = "cannot enter /d: it was replaced meanwhile"
	if _, err := plan.Steps[0].Do(t.Context()); err == nil || err.Error() != want || h.Read("/d/f") == "" {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Whoever may write in a directory swaps a name for a link again and again while it is managed: what the link leads to
// outside of the root, or elsewhere in it, never changes.
func TestLinksThatComeAndGo(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/other/f", "other\n")
	h.Write("/d/sub/f", "old\n")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(h.Path("/d/sub"), h.Path("/d/aside"))
			_ = os.Symlink(h.Path("/other"), h.Path("/d/sub"))
			_ = os.Remove(h.Path("/d/sub"))
			_ = os.Rename(h.Path("/d/aside"), h.Path("/d/sub"))
		}
	}()
	for range 300 {
		plan, err := planDirectory(t.Context(), h.Host, directoryArgs{
			Name: "/d", Mode: modeOf(0o700), FileMode: modeOf(0o600), Recurse: recurse{mode: true}, Links: true,
		})
		if err == nil {
			for _, step := range plan.Steps {
				_, _ = step.Do(t.Context())
			}
		}
		plan, err = planManaged(t.Context(), h.Host, managedArgs{
			Name: "/d/sub/f", contentsArgs: text1("new"), Create: true, Replace: true, Follow: true,
		})
		if err == nil {
			for _, step := range plan.Steps {
				_, _ = step.Do(t.Context())
			}
		}
		_ = os.Chmod(h.Path("/d"), 0o755)
	}
	close(stop)
	<-stopped
	st, err := os.Stat(h.Path("/other/f"))
	if err != nil || st.Mode().Perm() != 0o644 || h.Read("/other/f") != "other\n" {
		t.Errorf("the other file has %q, mode %v, %v", h.Read("/other/f"), st.Mode(), err)
	}
}
