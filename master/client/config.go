package client

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"brine/pki"
	"brine/proto/config"
)

// Config is an operator's configuration, operator.toml.
type Config struct {
	Name          string   `toml:"name"`           // the operator, as the masters know them
	Key           string   `toml:"key"`            // file of the private key; relative to the configuration's directory
	CAFingerprint string   `toml:"ca_fingerprint"` // of the site
	Masters       []string `toml:"masters"`        // host:port of every master's bus
	ConfirmOver   int      `toml:"confirm_over"`   // ask before a job on more minions than this

	// How the results of states are shown, as Salt's options of the same names.
	StateOutput        string   `toml:"state_output"`         // full, terse, mixed, changes, filter; each also with _id
	StateVerbose       bool     `toml:"state_verbose"`        // show states that succeeded without a change
	StateOutputDiff    bool     `toml:"state_output_diff"`    // of changes show only the diff, where there is one
	StateOutputProfile bool     `toml:"state_output_profile"` // show when states started and how long they took
	StateOutputExclude []string `toml:"state_output_exclude"` // of the form filter: results left out, "True" or "None"
	StateOutputTerse   []string `toml:"state_output_terse"`   // of the form filter: results in a line each

	path    string
	session *Session // of whoever calls; nil without one

	slowAfter time.Duration
	slow      func(masters []string) // nil: nobody is told
}

// defaultPort is that of a master's bus.
const defaultPort = "4511"

// ErrNoConfig says that there is no configuration at the path given.
var ErrNoConfig = errors.New("no such file (name another with --config; brine-master init makes the first one)")

// DefaultConfig is what holds where a configuration says nothing.
func DefaultConfig() *Config {
	return &Config{ConfirmOver: 50, StateOutput: "full", StateVerbose: true, StateOutputProfile: true}
}

// LoadConfig reads an operator.toml, the files of operator.d beside it and
// the environment, as daemons read theirs. Every mistake is reported at once.
// A sign-in counts in the place of name and key; the error of a configuration
// that has neither wraps ErrNotSignedIn.
func LoadConfig(path string) (*Config, error) {
	c, err := LoadSite(path)
	if err != nil {
		return c, err
	}
	s, err := c.Session()
	if err != nil {
		return c, err
	}
	if s != nil {
		c.use(s)
	}
	var errs []error
	switch {
	case c.Name == "" && c.Key == "":
		return c, fmt.Errorf("cannot act: %s has no name and no key, and %w", path, ErrNotSignedIn)
	case c.Name == "":
		errs = append(errs, fmt.Errorf("cannot use %s: name is missing", path))
	case c.Key == "":
		errs = append(errs, fmt.Errorf("cannot use %s: key is missing", path))
	}
	return c, errors.Join(errs...)
}

// LoadSite is LoadConfig for who needs no key: it reads what says where the
// masters are.
func LoadSite(path string) (*Config, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: %w", path, ErrNoConfig)
	}
	c := DefaultConfig()
	c.path = path
	var errs []error
	err := config.Load(c, path, strings.TrimSuffix(path, ".toml")+".d", os.Environ())
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w (each operator has a configuration of their own: brine operator new --help)", err)
	case err != nil && len(c.Masters) == 0 && c.CAFingerprint == "" && c.Name == "" && c.Key == "":
		return nil, err // nothing of it could be read
	case err != nil:
		errs = append(errs, err)
	}
	if len(c.Masters) == 0 {
		errs = append(errs, fmt.Errorf("cannot use %s: masters is empty", path))
	}
	for i, m := range c.Masters {
		if c.Masters[i], err = address(m); err != nil {
			errs = append(errs, fmt.Errorf("cannot use %s: masters: %w", path, err))
		}
	}
	if _, err := pki.ParseFingerprint(c.CAFingerprint); err != nil {
		errs = append(errs, fmt.Errorf("cannot use %s: ca_fingerprint: %w", path, err))
	}
	return c, errors.Join(errs...)
}

// OnSlow has tell called when none of some masters has answered for that long. It must not call the client.
func (c *Config) OnSlow(after time.Duration, tell func(masters []string)) {
	c.slowAfter, c.slow = after, tell
}

// address adds the port of a master's bus to a host that comes without.
func address(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port, err = net.SplitHostPort(net.JoinHostPort(strings.Trim(s, "[]"), defaultPort))
	}
	if err != nil || host == "" || port == "" {
		return s, fmt.Errorf("cannot use %q: want HOST or HOST:PORT", s)
	}
	return net.JoinHostPort(host, port), nil
}

// beside returns a path relative to the configuration's directory.
func (c *Config) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.path), name)
}
