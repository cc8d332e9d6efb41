package signin

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"
)

// Config is what master.toml says about signing in.
type Config struct {
	ExternalAuth ExternalAuth
	Auth         Auth
}

// ExternalAuth is [external_auth]: who may sign in by what, and what they may do then.
type ExternalAuth struct {
	Valid string         `toml:"valid"` // how long a sign-in lasts
	PAM   map[string]any `toml:"pam"`   // user, or group and "%" -> rights
	LDAP  map[string]any `toml:"ldap"`  // likewise
}

// Auth is [auth]: how the backends are asked.
type Auth struct {
	PAM  PAM  `toml:"pam"`
	LDAP LDAP `toml:"ldap"`
}

// The backends.
const (
	pamName  = "pam"
	ldapName = "ldap"
)

const (
	defaultValid  = 12 * time.Hour
	shortestValid = time.Minute
	longestValid  = 31 * 24 * time.Hour
)

// tables are the rights of the backends that are in use.
func (c *Config) tables() map[string]map[string]any {
	all := map[string]map[string]any{pamName: c.ExternalAuth.PAM, ldapName: c.ExternalAuth.LDAP}
	for name, table := range all {
		if len(table) == 0 {
			delete(all, name)
		}
	}
	return all
}

func (c *Config) valid() time.Duration {
	if d, err := time.ParseDuration(c.ExternalAuth.Valid); err == nil {
		return d
	}
	return defaultValid
}

// Problems are all mistakes in the configuration. verbs are the rights of brine's own, "@key.list" ...
func (c *Config) Problems(verbs []string) (errs []error) {
	if v := c.ExternalAuth.Valid; v != "" {
		if d, err := time.ParseDuration(v); err != nil || d < shortestValid || d > longestValid {
			errs = append(errs, fmt.Errorf("external_auth.valid = %q: want a time from %v to %v", v, shortestValid, longestValid))
		}
	}
	tables := c.tables()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		r, err := readRights(name, tables[name])
		errs = append(append(errs, err), r.unknownVerbs(verbs)...)
		_, err = c.backend(name, r.places())
		errs = append(errs, err)
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// backend makes one of them.
func (c *Config) backend(name string, places []string) (Backend, error) {
	if name == pamName {
		return newPAM(c.Auth.PAM)
	}
	return newLDAP(c.Auth.LDAP, places)
}

// secretFile checks a file that holds a password.
func secretFile(key, path string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s = %q: this user may not read it", key, path)
	case err != nil:
		return fmt.Errorf("%s = %q: %w", key, path, err)
	case !st.Mode().IsRegular():
		return fmt.Errorf("%s = %q: it is no file", key, path)
	case st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s = %q: others can read it (mode %04o): chmod 600 it", key, path, st.Mode().Perm())
	}
	return nil
}
