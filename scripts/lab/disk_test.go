package lab_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"brine/master/client"
	"brine/minion"
	"brine/proto"
	"brine/scripts/lab"
)

// smallDisk names the directory with two small file systems, in the process
// that runs TestOnSmallDisks.
const smallDisk = "BRINE_LAB_SMALL_DISK"

// TestFullDisk runs TestOnSmallDisks in a process that may mount file systems
// of its own: in a user namespace, so that it needs no root.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(smallDisk) != "" {
		t.Skip("this is the process within")
	}
	self, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestOnSmallDisks$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+dir, "TMPDIR="+filepath.Join(dir, "site"))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends that started the process
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) ||
		strings.Contains(string(out), cannotMount) {
		t.Skipf("this system lets nobody mount in a namespace: %v %s", err, out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

const cannotMount = "cannot mount a small disk"

// enterSmallDisk mounts the file systems: one for masters and all else, one for a minion.
func enterSmallDisk(dir string) {
	for name, size := range map[string]string{"site": "64m", "minion": "6m"} {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(path, 0o700)
		if err == nil {
			err = unix.Mount("tmpfs", path, "tmpfs", 0, "size="+size)
		}
		if err != nil {
			fmt.Println(cannotMount, err)
			os.Exit(1)
		}
	}
}

// fillUp leaves not a byte of a file system, and returns the file that holds it.
func fillUp(t *testing.T, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	must(t, err)
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return filler
}

func TestOnSmallDisks(t *testing.T) {
	dir := os.Getenv(smallDisk)
	if dir == "" {
		t.Skip("TestFullDisk runs it")
	}
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	root := filepath.Join(dir, "minion")
	s.AddMinion("web2", func(o *minion.Options) { o.Root = root })
	s.Accept("web2")
	works(t, s, 2)
	t.Run("minion", func(t *testing.T) { fullMinion(t, s, root) })
	t.Run("masters", func(t *testing.T) { fullMasters(t, s, os.Getenv("TMPDIR")) })
}

// fullMinion: jobs run on a full disk, and so the one that cleans up does.
func fullMinion(t *testing.T, s *lab.Site, root string) {
	filler := fillUp(t, root)
	for range 20 {
		works(t, s, 2)
	}
	r := s.Run("web2", "test.echo", strings.Repeat("x", 200<<10)) // its return may find no room
	if got := r.Minions["web2"].Status; got != "ok" && got != "failed" && got != "refused" {
		t.Errorf("a large return: got %v", got)
	}
	// A minion that starts on a full disk.
	s.Stop("web2")
	must(t, s.AddMinion("web2", func(o *minion.Options) { o.Root = root }).WaitLinked(within(t)))
	works(t, s, 2)
	r = s.Run("web2", "cmd.run", "rm "+filler)
	if got := r.Minions["web2"]; got.Status != "ok" {
		t.Fatalf("the job that cleans up: got %v", got)
	}
	works(t, s, 2)
}

// fullMasters: a job that nobody can keep is refused, a return that nobody can
// keep stays with its minion, and both masters live on.
func fullMasters(t *testing.T, s *lab.Site, disk string) {
	c := s.Client
	target := &proto.Target{Syntax: proto.Target_LIST, Expression: "web2"}
	gate := filepath.Join(disk, "gate")
	running, err := c.Submit(within(t), c.NewJob(target, "cmd.run",
		[]*proto.Argument{text("until test -e " + gate + "; do sleep 0.1; done; echo kept")}))
	must(t, err)
	filler := fillUp(t, disk)
	for _, master := range []string{"m1", "m2"} {
		at := s.At(master)
		err := func() (err error) {
			for range 200 { // the database may have some room within
				req := at.NewJob(target, "test.echo", []*proto.Argument{text(strings.Repeat("y", 100<<10))})
				if _, err = at.Submit(within(t), req); err != nil {
					return err
				}
			}
			return nil
		}()
		at.Close()
		if !client.IsCode(err, proto.ApiError_UNAVAILABLE) || !strings.Contains(err.Error(), "full") {
			t.Errorf("a job at %s: got %v", master, err)
		}
	}
	must(t, os.Symlink("/", gate)) // an entry without content needs no room
	for _, master := range []string{"m1", "m2"} {
		at := s.At(master)
		if _, err := at.Show(within(t), running.Job.Jid); err != nil {
			t.Errorf("what is known, at %s: %v", master, err)
		}
		at.Close()
	}
	must(t, os.Remove(filler))
	r, err := c.Watch(within(t), running.Job.Jid, func(*client.Result, []string) {})
	must(t, err)
	if got := r.Minions["web2"]; got.Status != "ok" || string(got.Value) != `"kept"` {
		t.Errorf("the job that ran meanwhile: got %v", got)
	}
	works(t, s, 2)
}
