package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"

	"brine/pki"
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

// LoadConfig reads an operator.toml. Every mistake in it is reported at once.
func LoadConfig(path string) (*Config, error) {
	c := &Config{ConfirmOver: 50, path: path}
	meta, err := toml.DecodeFile(path, c)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: no such file (name another with --config; "+
			"brine-master init makes the first one)", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	var errs []error
	for _, key := range meta.Undecoded() {
		errs = append(errs, fmt.Errorf("cannot read %s: unknown key %q "+
			"(known: name, key, ca_fingerprint, masters, confirm_over)", path, key))
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
