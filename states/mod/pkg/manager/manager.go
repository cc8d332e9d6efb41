// Package manager drives the package manager of a host, whichever it is: what is installed, what could be, what a
// transaction would change, and the transaction itself.
package manager

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// A System is the package manager of one host during one job. Safe for concurrent use; transactions run one at a time.
type System struct {
	// Wait waits between two tries to get the package manager's lock.
	Wait func(ctx context.Context, d time.Duration) error

	host *host.Host
	driver

	changing sync.Mutex // held by one transaction, before mu

	mu        sync.Mutex // guards the fields below
	list      *List
	provided  map[string]string // what installed packages provide, and which does
	allKnown  bool              // nothing else is provided
	stamp     string            // of both
	refreshed bool
	refusal   string // what the last refresh could not do
	said      string // by the last transaction
}

// A driver knows one package manager. Its methods only look, but those that return an Order, which is carried out.
type driver interface {
	// Name is that of the program.
	Name() string
	// Compare compares two versions.
	Compare(a, b string) int
	// Canonical is the name under which the list has a package: native architectures are left out.
	Canonical(name string, l *List) string

	// LeavesConfig says whether a removal leaves configuration behind that a purge takes away.
	LeavesConfig() bool
	// RefreshesApart says whether what a new repository has is only known after a refresh.
	RefreshesApart() bool
	// HoldsInstalled says that only what is installed can be put on hold.
	HoldsInstalled() bool
	// Downloaded says whether a version of a package lies in the cache.
	Downloaded(name, version string) bool

	database() []string // files that change with what is installed
	read(ctx context.Context) (*List, error)
	// provides maps what packages provide to one that does: of name alone, or all there is.
	provides(ctx context.Context, name string) (provided map[string]string, all bool, err error)
	versions(ctx context.Context, names []string, o Options) (map[string]Versions, error)
	change(t Transaction) ([]order, error)
	foresee(ctx context.Context, t Transaction, l *List) (Changes, error)
	refresh(r Refresh) []order
	refreshedAt() time.Time
	hold(names []string, on bool) []order
	mustRelease() bool         // packages on hold must be let go before they can be changed
	locked(text string) string // the line that says that someone else has the lock
	repositories() string      // in words, what it knows packages of

	owner(ctx context.Context, path string) (string, error)
	files(ctx context.Context, name string) ([]string, error)
	info(ctx context.Context, names []string) (*value.Dict, error)
	fileInfo(ctx context.Context, path string) (name, version string, err error)
	upgrades(ctx context.Context, o Options, full bool) (Changes, error)
	group(ctx context.Context, name string, o Options) (Group, error)
}

// A Group is packages that repositories call by one name.
type Group struct{ Mandatory, Default, Optional []string }

// errNoGroups is that of package managers without groups.
func errNoGroups(program string) error {
	return fmt.Errorf("cannot tell the packages of a group: %s has no groups", program)
}

// Group returns the packages of a group.
func (s *System) Group(ctx context.Context, name string, o Options) (Group, error) {
	return s.group(ctx, name, o)
}

// An order is a command that changes the host. Of its exit statuses those in fine are no failure too.
type order struct {
	argv []string
	env  []string
	fine []int
}

// Versions are the versions of a package that repositories have.
type Versions struct {
	Candidate string   // what an installation without a version would take; "" for none
	All       []string // the newest first
	Local     []string // of these, what lies in a directory of the host and is not fetched
	Known     bool     // it is known by this name, if only as what others provide
}

type memoKey struct{}

type found struct {
	system *System
	err    error
}

// Of returns the package manager of a host: that of its family of systems, else the first that is there. What it
// knows is kept for the job.
func Of(h *host.Host) (*System, error) {
	f := h.Memo.Keep(memoKey{}, func() any {
		s, err := find(h)
		return found{s, err}
	}).(found)
	return f.system, f.err
}

// A kind is a package manager that a host may have.
type kind struct {
	program string
	family  string
	make    func(*System) driver
}

func kinds() []kind {
	return []kind{
		{"apt-get", "Debian", newApt},
		{"dnf5", "RedHat", newDnf5},
		{"dnf", "RedHat", newDnf},
		{"yum", "RedHat", newYum},
		{"zypper", "Suse", newZypper},
		{"pacman", "Arch", newPacman},
		{"apk", "Alpine", newApk},
	}
}

func find(h *host.Host) (*System, error) {
	family, _ := h.Grains.Get("os_family")
	var first *kind
	var names []string
	for _, k := range kinds() {
		names = append(names, k.program)
		if !has(h, k.program) {
			continue
		}
		if k.family == family {
			return system(h, k), nil
		}
		if first == nil {
			first = &k
		}
	}
	if first == nil {
		return nil, fmt.Errorf("cannot manage packages: this host has none of %s", strings.Join(names, ", "))
	}
	return system(h, *first), nil
}

func system(h *host.Host, k kind) *System {
	s := &System{host: h, Wait: wait}
	s.driver = k.make(s)
	return s
}

// has says whether a program of the system's own directories is there.
func has(h *host.Host, program string) bool {
	for _, dir := range []string{"/usr/bin/", "/bin/", "/sbin/", "/usr/sbin/"} {
		if st, err := os.Stat(h.Path(dir + program)); err == nil && st.Mode().IsRegular() {
			return true
		}
	}
	return false
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Installed returns what is installed. It is read once, and again when the database has changed since.
func (s *System) Installed(ctx context.Context) (*List, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.installed(ctx)
}

func (s *System) installed(ctx context.Context) (*List, error) {
	stamp := s.stampNow()
	if s.list != nil && stamp != "" && s.stamp == stamp {
		return s.list, nil
	}
	s.list, s.provided, s.allKnown = nil, nil, false
	list, err := s.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list packages: %w", err)
	}
	s.list, s.stamp = list, stamp
	return list, nil
}

// stampNow tells one content of the database from another; "" when there is no database.
func (s *System) stampNow() string {
	var b strings.Builder
	for _, name := range s.database() {
		if st, err := os.Stat(s.host.Path(name)); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", name, st.ModTime().UnixNano(), st.Size())
		}
	}
	return b.String()
}

// Provider returns the installed package that provides name; "" when none does.
func (s *System) Provider(ctx context.Context, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.installed(ctx); err != nil {
		return "", err
	}
	if by, known := s.provided[name]; known || s.allKnown {
		return by, nil
	}
	provided, all, err := s.provides(ctx, name)
	if err != nil {
		return "", fmt.Errorf("cannot list what packages provide: %w", err)
	}
	if s.provided == nil {
		s.provided = map[string]string{}
	}
	maps.Copy(s.provided, provided)
	s.provided[name], s.allKnown = provided[name], all
	return provided[name], nil
}

// Available returns the versions of packages that repositories have. Names that are not known are missing.
func (s *System) Available(ctx context.Context, names []string, o Options) (map[string]Versions, error) {
	names = slices.DeleteFunc(slices.Clone(names), isOption)
	if len(names) == 0 {
		return nil, nil
	}
	return s.versions(ctx, names, o)
}

// isOption says whether the program would take a name for one of its options. No package is called so.
func isOption(name string) bool { return name == "" || strings.HasPrefix(name, "-") }

// KnowsNothing says that it was never asked what repositories have, so that only a refresh can tell.
func (s *System) KnowsNothing() bool {
	return s.RefreshesApart() && !s.Refreshed() && s.refreshedAt().IsZero()
}

// Owner returns the package that a file belongs to; "" when none does.
func (s *System) Owner(ctx context.Context, path string) (string, error) { return s.owner(ctx, path) }

// Files returns the paths that belong to an installed package.
func (s *System) Files(ctx context.Context, name string) ([]string, error) { return s.files(ctx, name) }

// Info returns by name what is known of installed packages.
func (s *System) Info(ctx context.Context, names []string) (*value.Dict, error) {
	return s.info(ctx, names)
}

// FileInfo returns name and version of a package in a file, whose path is the machine's.
func (s *System) FileInfo(ctx context.Context, path string) (name, version string, err error) {
	return s.fileInfo(ctx, path)
}

// Upgrades returns what an upgrade of everything would change, as far as is known now. Full ones also install and
// remove what that needs.
func (s *System) Upgrades(ctx context.Context, o Options, full bool) (Changes, error) {
	return s.upgrades(ctx, o, full)
}
