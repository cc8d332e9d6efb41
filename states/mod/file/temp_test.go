package file_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

// rootOfWriter tells the test program that it is to write in this root until it is killed.
const rootOfWriter = "BRINE_TEST_WRITE_IN"

// TestWriter is what startWriter starts; in any other run it does nothing.
func TestWriter(t *testing.T) {
	root := os.Getenv(rootOfWriter)
	if root == "" {
		return
	}
	h := &host.Host{Root: root, HTTP: endless{}}
	fmt.Println("ended:", show(bind(t, writerState).Run(t.Context(), h, false)))
}

const part = "the first part of much more"

var writerState = fmt.Sprintf("managed name=/d/f show_changes=false source=http://there/f source_hash=sha256=%x", sha256.Sum256([]byte(part)))

// endless answers with content of which only the first part ever comes, and tells when that was written.
type endless struct{}

func (endless) Do(*http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader(part), told{})
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
}

type told struct{}

func (told) Read([]byte) (int, error) {
	fmt.Println("written")
	_, err := os.Stdin.Read(make([]byte, 1)) // which nobody writes
	return 0, err
}

// startWriter starts the test program as a writer, and returns when it has written a part.
func startWriter(t *testing.T, root string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
	cmd.Env = append(os.Environ(), rootOfWriter+"="+root)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		t.Fatal("cannot start the writer:", err1, err2)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "written\n" {
		t.Fatalf("the writer said %q, %v", line, err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		in.Close()
	}
	t.Cleanup(kill)
	return kill
}

func leftovers(t *testing.T, h *hosttest.Host, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(h.Path(dir) + "/.brine-*.tmp")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What a run that was killed left of a file goes when the file is written the next time, and not while its writer lives.
func TestLeftoverOfAKilledRunIsRemoved(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old\n")
	kill := startWriter(t, h.Root)
	left := leftovers(t, h, "/d")
	if len(left) != 1 {
		t.Fatalf("the writer made %v", left)
	}
	run := func(contents string) {
		t.Helper()
		if r := bind(t, "managed name=/d/f contents="+contents).Run(t.Context(), h.Host, false); !*r.Result {
			t.Fatal(show(r))
		}
	}
	run("meanwhile")
	if data, err := os.ReadFile(left[0]); string(data) != part || h.Read("/d/f") != "meanwhile\n" {
		t.Errorf("while its writer lives: %q, %v", data, err)
	}
	kill()
	if !slices.Equal(leftovers(t, h, "/d"), left) {
		t.Errorf("killed, it left %v", leftovers(t, h, "/d"))
	}
	run("afterwards")
	if now := leftovers(t, h, "/d"); len(now) > 0 || h.Read("/d/f") != "afterwards\n" {
		t.Errorf("left %v, file holds %q", now, h.Read("/d/f"))
	}
}

// What bears such a name and is not a killed run's stays, and nothing of it gets in the way.
func TestWhatIsNoLeftoverStays(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old\n")
	startWriter(t, h.Root)()
	name := leftovers(t, h, "/d")[0]
	ago := unix.NsecToTimespec(time.Now().Add(-time.Hour).UnixNano())
	for _, tt := range []struct {
		what  string
		make  func() error
		stays bool
	}{
		{"a directory", func() error { return os.MkdirAll(name+"/sub", 0o700) }, true},
		{"a new link", func() error { return os.Symlink("f", name) }, true},
		{"an old link", func() error {
			err := os.Symlink("f", name)
			if err == nil {
				err = unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{ago, ago}, unix.AT_SYMLINK_NOFOLLOW)
			}
			return err
		}, false},
		{"a new name of a file", func() error { return os.Link(h.Path("/etc/group"), name) }, true},
	} {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
		if err := tt.make(); err != nil {
			t.Fatal(err)
		}
		r := bind(t, "managed name=/d/f", text("contents", tt.what)).Run(t.Context(), h.Host, false)
		if !*r.Result || h.Read("/d/f") != tt.what+"\n" || len(leftovers(t, h, "/d")) > 1 {
			t.Errorf("%s: %s, left %v", tt.what, show(r), leftovers(t, h, "/d"))
		}
		if _, err := os.Lstat(name); (err == nil) != tt.stays {
			t.Errorf("%s: stays %v", tt.what, err == nil)
		}
	}
}

// Many that write the same file at once don't take one another's.
func TestManyWritersOfOneFile(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old\n")
	results := make(chan module.Result)
	for i := range 30 {
		b := bind(t, fmt.Sprintf("managed name=/d/f contents=writer%d", i))
		go func() { results <- b.Run(t.Context(), h.Host, false) }()
	}
	for range 30 {
		if r := <-results; !*r.Result {
			t.Error(show(r))
		}
	}
	if left := leftovers(t, h, "/d"); len(left) > 0 || !strings.HasPrefix(h.Read("/d/f"), "writer") {
		t.Errorf("left %v, file holds %q", left, h.Read("/d/f"))
	}
}
