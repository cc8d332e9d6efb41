// Package host is everything a module may touch of the machine it works on:
// commands, files, facts, the files that masters serve, and the agent itself.
package host

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"brine/states/value"
	"golang.org/x/sys/unix"
)

// A Host is one machine. Its fields are set before it is used and then only read,
// so that it may be used from many goroutines. A field that is nil is something
// that is not there; the functions that need it say so.
type Host struct {
	Root    string      // all paths lie under it; "" is the real root directory
	Grains  *value.Dict // facts, collected before any module runs
	Config  *value.Dict // the minion's configuration, by Salt's names; nil for nothing
	Pillar  *value.Dict // what masters tell this minion alone; nil for nothing
	Missing error       // why Pillar is not known, so that it stands empty; nil where it is known
	Facts   Facts       // the same as they are now, and how to change them; nil where only Grains are known
	Exec    Exec        // runs commands; (*Local).Run on a real machine
	Files   Files       // what masters serve under salt://
	Modules Modules     // what can be called by name
	Agent   Agent       // the running minion; nil outside of one
	Log     Log         // writes to the minion's log; nil where there is none
	Event   Event       // sends events to masters; nil where no one listens
	Render  Renderer    // evaluates templates
	HTTP    HTTP        // fetches what neither masters nor the host have
	Last    Last        // has something done after the job; nil: there is no job that would have to end first
	Disk    *Disk       // notes what has to reach the disk; nil: each change is brought there at once
	Mine    Mine        // what minions tell each other; nil where no one is there to tell
	Beacons Beacons     // what the minion watches; nil where none runs
	Custom  Custom      // keeps what trees bring along; nil where nothing is kept
	Rekey   Rekey       // gives the minion a new key; nil where none runs
	Statfs  Statfs      // describes file systems; nil is statfs(2)
	Memo    *Memo       // what modules found out during this job; nil: nothing is kept

	Schedule Schedule // what the minion runs at certain times; nil where none runs
}

// Log writes a message to the minion's log; level is debug, info, warn or error. Safe for concurrent use.
type Log func(level, message string)

// Event sends an event to masters under a tag such as "web/deployed". It returns when the event is on its way.
type Event func(ctx context.Context, tag string, data *value.Dict) error

// Last has something done once the job has ended and its return is safe: what ends this process itself, such as the
// restart of its own service. Safe for concurrent use.
type Last func(do func(context.Context) error)

// Rekey gives the minion a new key in the place of the one that it has, and returns the fingerprints of both.
type Rekey func(ctx context.Context) (from, to string, err error)

// Statfs describes the file system that a path of the machine, not of the host, lies on. Safe for concurrent use.
type Statfs func(path string, into *unix.Statfs_t) error

// Path returns where the absolute path name lies under the host's root.
// Nothing in name leads out of the root but symbolic links.
func (h *Host) Path(name string) string {
	if h.Root == "" {
		return filepath.Clean(name)
	}
	return filepath.Join(h.Root, filepath.Join("/", name))
}

// Real says whether the host's root is the machine's own.
func (h *Host) Real() bool { return h.Root == "" || filepath.Clean(h.Root) == "/" }

// Run runs a command with the C locale and returns its standard output without the newline at its
// end. A command that ends with another status than 0 is an *ExitError.
func (h *Host) Run(ctx context.Context, argv ...string) (string, error) {
	out, err := h.Exec(ctx, Command{Argv: argv, Env: []string{"LC_ALL=C"}})
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(out.Stdout), "\n"), out.Failed(argv)
}

// Failed is the *ExitError of a command that ended with another status than 0, nil with 0.
func (o *Output) Failed(argv []string) error {
	if o.Code == 0 {
		return nil
	}
	return &ExitError{Argv: argv, Code: o.Code, Stderr: strings.TrimSpace(string(o.Stderr))}
}

// An ExitError says that a command ran and did not end with status 0.
type ExitError struct {
	Argv   []string
	Code   int
	Stderr string
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("command %q ended with %d", strings.Join(e.Argv, " "), e.Code)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// HTTP sends a request and returns the answer, whose body the caller closes. *http.Client implements it.
type HTTP interface {
	Do(*http.Request) (*http.Response, error)
}

// Files gives modules the files that masters serve. A url is salt://PATH, with ?saltenv=NAME for
// another environment than the job's. Safe for concurrent use.
type Files interface {
	// Stat describes a file; errors.Is(err, fs.ErrNotExist) when there is none.
	Stat(ctx context.Context, url string) (File, error)
	// Fetch returns the path of a local copy, which only may be read; it is verified against File.SHA256.
	Fetch(ctx context.Context, url string) (path string, err error)
	// List returns the paths of all files below a directory, relative to it, sorted; none when there is no such
	// directory. Directories without files are not known.
	List(ctx context.Context, url string) ([]string, error)
}

// A Pourer is Files that may bring a file straight to where it belongs: what is large is written once then.
type Pourer interface {
	// Pour writes the file that a url means to f, which is new, and verifies it. After an error it is of no use.
	Pour(ctx context.Context, url string, f *os.File) error
}

// Pour writes a served file to w, verified, by way of a local copy where there is no better one. After an error what was
// written is of no use.
func Pour(ctx context.Context, files Files, url string, w io.Writer) error {
	p, ok := files.(Pourer)
	if f, isFile := w.(*os.File); ok && isFile {
		return p.Pour(ctx, url, f)
	}
	name, err := files.Fetch(ctx, url)
	if err != nil {
		return err
	}
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close() // it was only read
	_, err = io.Copy(w, from)
	return err
}

// File is what is known of a served file without its content.
type File struct {
	SHA256 string // lower-case hex
	Size   int64
	Mode   fs.FileMode
}
