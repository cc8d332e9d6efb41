package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Want is a package to install.
type Want struct {
	Name    string
	Version string // "" is the newest that there is
	File    string // the package itself, in a file of the host; "" takes it from a repository
}

// A Transaction is what is done to packages at once. Downgrades and reinstallations are named apart, as package managers
// want to be told.
type Transaction struct {
	Install   []Want
	Downgrade []Want
	Reinstall []Want
	Remove    []string
	Purge     bool // what is removed goes with its configuration
	Upgrade   bool // everything
	Unneeded  bool // remove what was installed for others that are gone
	Full      bool // an upgrade may install and remove what it needs
	Options
}

// Options say how a transaction is done. Each package manager heeds those that it knows of.
type Options struct {
	FromRepo        string // release, repository or section that packages are taken from
	Enable, Disable []string
	DisableExcludes string
	SetOpt          []string
	SkipVerify      bool  // take packages without a valid signature
	Recommends      *bool // install too what is recommended; nil is as configured
	OnlyUpgrade     bool
	NewConf         bool // configuration files of packages replace changed ones
	Held            bool // change packages on hold too
	DownloadOnly    bool
	LockTimeout     time.Duration // how long to wait for the lock; 0 is DefaultLockTimeout
}

// DefaultLockTimeout is how long the lock of a package manager is waited for: a first boot or a nightly upgrade takes minutes.
const DefaultLockTimeout = 10 * time.Minute

func (o Options) lockTimeout() time.Duration {
	if o.LockTimeout > 0 {
		return o.LockTimeout
	}
	return DefaultLockTimeout
}

// Apply carries a transaction out and returns what changed, also beside an error.
func (s *System) Apply(ctx context.Context, t Transaction) (Changes, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	before, err := s.Installed(ctx)
	if err != nil {
		return nil, err
	}
	orders, err := s.change(t)
	if err != nil {
		return nil, err
	}
	if t.Held {
		orders = append(s.releases(t, before), orders...)
	}
	var failed error
	var said strings.Builder
	for _, o := range orders {
		var text string
		if text, failed = s.carryOut(ctx, o, t.lockTimeout()); failed != nil {
			break
		}
		said.WriteString(text)
	}
	s.forget()
	s.mu.Lock()
	s.said = tail(said.String())
	s.mu.Unlock()
	after, err := s.Installed(context.WithoutCancel(ctx))
	if err != nil {
		return nil, errors.Join(failed, err)
	}
	return Difference(before, after), failed
}

// Said is the end of what the package manager wrote during the last transaction, which tells why something was left
// out where it ended without an error.
func (s *System) Said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said
}

// releases lets the packages of a transaction go that are on hold, where the package manager would leave them out.
func (s *System) releases(t Transaction, l *List) []order {
	if !s.mustRelease() {
		return nil
	}
	var names []string
	for _, w := range slices.Concat(t.Install, t.Downgrade, t.Reinstall) {
		if name := s.Canonical(w.Name, l); l.Get(name).Held {
			names = append(names, name)
		}
	}
	if t.Upgrade {
		names = l.held()
	}
	if len(names) == 0 {
		return nil
	}
	return s.hold(names, false)
}

// Foresee returns what a transaction would change. It changes nothing, and knows no more than the last refresh told.
func (s *System) Foresee(ctx context.Context, t Transaction) (Changes, error) {
	list, err := s.Installed(ctx)
	if err != nil {
		return nil, err
	}
	return s.foresee(ctx, t, list)
}

// forget lets the next one read the database again.
func (s *System) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.provided, s.allKnown = nil, nil, false
}

// A Refresh says when what is known of repositories is brought up to date.
type Refresh struct {
	Force       bool          // also what is said to be new enough
	ValidFor    time.Duration // not when that was done no longer ago
	ImportKeys  bool          // trust keys that repositories come with (zypper)
	LockTimeout time.Duration
}

// RefreshOnce brings what is known of repositories up to date, the first time in a job. What could not be had is no
// error, and told by Repositories.
func (s *System) RefreshOnce(ctx context.Context, r Refresh) error {
	if s.Refreshed() {
		return nil
	}
	_, err := s.Refresh(ctx, r)
	return err
}

// Refreshes says whether RefreshOnce would.
func (s *System) Refreshes(r Refresh) bool { return !s.Refreshed() && !s.valid(r) }

func (s *System) valid(r Refresh) bool {
	return r.ValidFor > 0 && time.Since(s.refreshedAt()) < r.ValidFor
}

// Refreshed says whether that was done in this job.
func (s *System) Refreshed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refreshed
}

// Outdated says that repositories were changed: the next that wants to know of them refreshes.
func (s *System) Outdated() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshed = false
}

// Refresh brings what is known of repositories up to date. It returns what the package manager wrote; the error is of
// one that could not be run or ended by ctx. That it failed is told by Repositories.
func (s *System) Refresh(ctx context.Context, r Refresh) (text string, err error) {
	if s.valid(r) {
		return "", nil
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	refusal := ""
	for _, o := range s.driver.refresh(r) {
		out, err := s.carryOut(ctx, o, Options{LockTimeout: r.LockTimeout}.lockTimeout())
		text += out
		if failure := (*Failure)(nil); errors.As(err, &failure) {
			refusal = failure.Text
			break
		} else if err != nil {
			return text, fmt.Errorf("cannot refresh packages: %w", err)
		}
		refusal += complaints(out)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshed, s.refusal = true, refusal
	return text, nil
}

// Refusal is what the last refresh of this job could not do; "" when it could.
func (s *System) Refusal() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// Repositories tells in words what is known of repositories, and since when.
func (s *System) Repositories() string {
	text := s.repositories()
	switch at := s.refreshedAt(); {
	case s.Refreshed():
		text += ", refreshed in this run"
	case at.IsZero():
		text += ", never refreshed"
	default:
		text += ", refreshed " + at.UTC().Format("2006-01-02 15:04 MST")
	}
	if refusal := s.Refusal(); refusal != "" {
		text += "; the refresh failed: " + refusal
	}
	return text
}

// CanHold says why no package can be put on hold; nil when some can.
func (s *System) CanHold() error {
	why := ""
	if len(s.hold([]string{"x"}, true)) == 0 {
		why = s.Name() + " has no command for that"
	} else if d, ok := s.driver.(dnf); ok {
		why = d.holdless()
	}
	if why != "" {
		return fmt.Errorf("cannot put packages on hold: %s", why)
	}
	return nil
}

// Hold keeps packages from being changed, or lets them be.
func (s *System) Hold(ctx context.Context, names []string, on bool) error {
	if len(names) == 0 {
		return nil
	}
	if i := slices.IndexFunc(names, isOption); i >= 0 {
		return fmt.Errorf("cannot put %q on hold: it is no package", names[i])
	}
	if err := s.CanHold(); err != nil {
		return err
	}
	orders := s.hold(names, on)
	s.changing.Lock()
	defer s.changing.Unlock()
	defer s.forget()
	for _, o := range orders {
		if _, err := s.carryOut(ctx, o, DefaultLockTimeout); err != nil {
			return err
		}
	}
	return nil
}
