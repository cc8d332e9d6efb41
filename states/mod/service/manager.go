package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"brine/states/host"
)

// A manager is an init system: what starts services, and knows how they are.
type manager interface {
	// look tells how services are now. Each of the names is a key of the result.
	look(ctx context.Context, names []string) (map[string]*facts, error)
	// enabled tells which of known services start with the host, by what look found.
	enabled(ctx context.Context, services []*facts) error
	// act does what a verb says: start, stop, restart, reload, force-reload.
	act(ctx context.Context, f *facts, verb string, o actOptions) error
	// enable makes a service start with the host, or not.
	enable(ctx context.Context, f *facts, on bool) error
	// list returns all services there are, names only what they are called, without asking anyone.
	list(ctx context.Context) ([]listed, error)
	names() []string
}

// facts are what is known of a service.
type facts struct {
	name string // as it was asked for
	unit string // what the manager calls it
	bad  error  // why it can't be the name of a service

	known    bool
	active   bool
	changing bool // it starts or stops just now

	asked   bool   // enabled and fixed are known
	enabled bool   // it starts with the host
	fixed   string // why nothing enables or disables it, such as "static"

	masked, maskedRuntime bool // systemd alone
	stale                 bool // files were changed that the manager has not read
}

type actOptions struct {
	noBlock bool
	timeout time.Duration // 0 is the manager's own
	check   bool          // say no success before it is known that the service stays up
}

// listed is one service of all.
type listed struct {
	name    string
	state   string // enabled, disabled, static, ...
	running bool
}

// managerOf finds the init system that runs on the host.
func managerOf(h *host.Host) (manager, error) {
	exists := func(name string) bool {
		_, err := os.Stat(h.Path(name))
		return err == nil
	}
	switch {
	case exists("/run/systemd/system"):
		return systemd{h}, nil
	case exists("/run/openrc/softlevel"):
		return openRC{h}, nil
	case (exists("/lib/systemd/systemd") || exists("/usr/lib/systemd/systemd")) && !otherInit(h):
		return nil, errors.New("cannot manage services: systemd is installed but does not run on this host (there is no /run/systemd/system)")
	case exists("/etc/init.d"):
		return sysv{h}, nil
	}
	return nil, errors.New("cannot manage services: this host runs neither systemd nor OpenRC and has no /etc/init.d")
}

// otherInit says that this host starts with another init than systemd, which may be installed beside it.
func otherInit(h *host.Host) bool {
	const init = "/sbin/init" // a link to systemd where that is the init; a container has none at all
	if to, err := os.Readlink(h.Path(init)); err == nil {
		return filepath.Base(to) != "systemd"
	}
	_, err := os.Lstat(h.Path(init))
	return err == nil
}

// masker is a manager that can keep services from being started at all.
type masker interface {
	// mask masks a service or unmasks it, for good or until the next boot.
	mask(ctx context.Context, f *facts, on, runtime bool) error
}

var errNoMasks = errors.New("cannot mask services: only systemd can")
