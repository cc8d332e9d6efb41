package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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

	path string
}

// ErrNoConfig says that there is no configuration at the path given.
var ErrNoConfig = errors.New("no such file (name another with --config; brine-master init makes the first one)")

// LoadConfig reads an operator.toml, the files of operator.d beside it and
// the environment, as daemons read theirs. Every mistake is reported at once.
func LoadConfig(path string) (*Config, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: %w", path, ErrNoConfig)
	}
	c := &Config{ConfirmOver: 50, path: path}
	var errs []error
	if err := config.Load(c, path, strings.TrimSuffix(path, ".toml")+".d", os.Environ()); err != nil {
		errs = append(errs, err)
	}
	if c.Name == "" {
		errs = append(errs, fmt.Errorf("cannot use %s: name is missing", path))
	}
	if c.Key == "" {
		errs = append(errs, fmt.Errorf("cannot use %s: key is missing", path))
	}
	if len(c.Masters) == 0 {
		errs = append(errs, fmt.Errorf("cannot use %s: masters is empty", path))
	}
	if _, err := pki.ParseFingerprint(c.CAFingerprint); err != nil {
		errs = append(errs, fmt.Errorf("cannot use %s: ca_fingerprint: %w", path, err))
	}
	return c, errors.Join(errs...)
}

// beside returns a path relative to the configuration's directory.
func (c *Config) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.path), name)
}
