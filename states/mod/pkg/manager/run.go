package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/states/host"
)

const (
	orderLimit = 256 << 10 // how much is kept of what a transaction writes
	tailLimit  = 3 << 10   // how much of that an error tells
	lockPause  = 2 * time.Second
)

// A Failure is a command of the package manager that did not do what it should.
type Failure struct {
	Argv []string
	Code int
	Text string // what it wrote, the end of it
}

func (f *Failure) Error() string {
	text := fmt.Sprintf("%s ended with %d", f.Argv[0], f.Code)
	if f.Text != "" {
		text += ":\n" + f.Text
	}
	return text
}

// ask runs a command that only looks and returns its standard output, whatever its exit status, and what it complained of.
func (s *System) ask(ctx context.Context, argv ...string) (out string, code int, complaint string, err error) {
	o, err := s.host.Exec(ctx, host.Command{Argv: s.inRoot(argv), Env: environment()})
	return string(o.Stdout), o.Code, strings.TrimSpace(string(o.Stderr)), err
}

// tell runs a command that only looks. Another exit status than 0 is a *Failure.
func (s *System) tell(ctx context.Context, argv ...string) (string, error) {
	out, code, complaint, err := s.ask(ctx, argv...)
	if err == nil && code != 0 {
		err = &Failure{argv, code, tail(out + "\n" + complaint)}
	}
	return out, err
}

// about runs a command that only looks at a file of the machine, which is its last argument and need not lie under the
// host's root.
func (s *System) about(ctx context.Context, argv ...string) (string, error) {
	last := len(argv) - 1
	if under, ok := strings.CutPrefix(argv[last], s.host.Path("/")+"/"); ok && !s.host.Real() {
		argv[last] = "/" + under
		argv = s.inRoot(argv)
	}
	o, err := s.host.Exec(ctx, host.Command{Argv: argv, Env: environment()})
	if err == nil && o.Code != 0 {
		err = &Failure{argv, o.Code, tail(string(o.Stderr))}
	}
	return string(o.Stdout), err
}

// carryOut runs a command that changes the host. While someone else holds the lock of the package manager, it is
// tried again, until that has taken too long.
func (s *System) carryOut(ctx context.Context, o order, limit time.Duration) (string, error) {
	for waited := time.Duration(0); ; {
		began := time.Now()
		out, err := s.host.Exec(ctx, host.Command{
			Argv: s.inRoot(o.argv), Env: append(environment(), o.env...), Merge: true, Limit: orderLimit,
		})
		text := string(out.Stdout)
		if err != nil || out.Code == 0 || slices.Contains(o.fine, out.Code) {
			return text, err
		}
		holder := s.locked(text)
		if holder == "" || forbidden(text) {
			return text, &Failure{o.argv, out.Code, tail(text)}
		}
		waited += time.Since(began) + lockPause
		if waited >= limit {
			return text, fmt.Errorf("cannot get the lock of %s, waited %s for it: %s", s.Name(), limit, holder)
		}
		if err := s.Wait(ctx, lockPause); err != nil {
			return text, err
		}
	}
}

// forbidden says whether the lock may not be taken at all, which waiting does not change.
func forbidden(text string) bool {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "lock") && (strings.Contains(line, "Permission denied") || strings.Contains(line, "Read-only file system")) {
			return true
		}
	}
	return false
}

// inRoot lets a command run with the host's root as its own.
func (s *System) inRoot(argv []string) []string {
	if s.host.Real() {
		return argv
	}
	return append([]string{"chroot", s.host.Path("/")}, argv...)
}

func environment() []string {
	return []string{
		"LC_ALL=C", "LANGUAGE=C", "TERM=dumb", "COLUMNS=200",
		"DEBIAN_FRONTEND=noninteractive", "DEBIAN_PRIORITY=critical", "DEBCONF_NONINTERACTIVE_SEEN=true",
		"ZYPP_LOCK_TIMEOUT=600", "APT_LISTCHANGES_FRONTEND=none", "APT_LISTBUGS_FRONTEND=none", "UCF_FORCE_CONFFOLD=1",
	}
}

// tail is the end of a text, by whole lines, without what only tells of progress.
func tail(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if i := strings.LastIndexByte(strings.TrimRight(line, "\r\n"), '\r'); i >= 0 {
			line = line[i+1:]
		}
		if line = strings.TrimRight(line, "\r\n\t "); line != "" && !progress(line) {
			lines = append(lines, line)
		}
	}
	size := 0
	for i := len(lines) - 1; i >= 0; i-- {
		if size += len(lines[i]) + 1; size > tailLimit {
			lines = append([]string{"..."}, lines[i+1:]...)
			break
		}
	}
	return strings.Join(lines, "\n")
}

func progress(line string) bool {
	for _, start := range [...]string{
		"(Reading database ...", "Reading package lists", "Building dependency tree", "Reading state information",
		"Get:", "Need to get ", "After this operation", "Selecting previously unselected", "Preparing to unpack", "Unpacking ",
		"debconf: delaying package configuration",
		"====", "Last metadata expiration check", "Dependencies resolved.", "Transaction Summary", "Total size:", "Installed size:",
		"Total download size:", "Downloading Packages:", "Running transaction", "Transaction check", "Transaction test",
		"  Preparing ", "  Verifying ", " Package  ",
		"Loading repository data...", "Reading installed packages...", "Resolving package dependencies...", "Overall download size",
		"Retrieving package", "Checking for file conflicts", "Continue? [y/n", "Choose from above solutions",
	} {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}

// Brief is in a line or two what a transaction complained of: the packages at fault where it names them.
func Brief(err error) string {
	failure := (*Failure)(nil)
	if !errors.As(err, &failure) {
		return err.Error()
	}
	const named = "Errors were encountered while processing:"
	if _, rest, ok := strings.Cut(failure.Text, named); ok {
		return named + strings.Join(indented(rest), ",")
	}
	if i := strings.Index(failure.Text, "Error in "); i >= 0 { // of a script of a package of rpm
		line, _, _ := strings.Cut(failure.Text[i:], "\n")
		return line
	}
	return failure.Text[strings.LastIndexByte(failure.Text, '\n')+1:]
}

// indented are the lines at the beginning of a text that begin with a blank.
func indented(text string) (all []string) {
	for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
		if !strings.HasPrefix(line, " ") {
			break
		}
		all = append(all, strings.TrimRight(line, "\n"))
	}
	return all
}

// complaints are the lines of a refresh that succeeded which tell of what it could not do. apt tries one form of an
// index after the other: only the last attempt at it counts.
func complaints(text string) string {
	var all []string
	failed := map[string]int{} // by number of the index: where its complaint is
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		kind, rest, _ := strings.Cut(line, ":")
		number, _, _ := strings.Cut(rest, " ")
		at, again := failed[number]
		switch {
		case kind == "W", kind == "E":
			all = append(all, line)
		case kind == "Err" && !again:
			failed[number] = len(all)
			all = append(all, line)
		case kind == "Err":
			all[at] = line
		case (kind == "Get" || kind == "Hit") && again:
			all[at] = ""
		}
	}
	all = slices.DeleteFunc(all, func(line string) bool { return line == "" })
	return tail(strings.Join(all, "\n"))
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// lineWith is the first line of a text that holds one of these marks.
func lineWith(text string, marks ...string) string {
	for line := range strings.Lines(text) {
		for _, mark := range marks {
			if strings.Contains(line, mark) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}
