package client

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/BurntSushi/toml"

	"brine/pki"
	"brine/proto"
)

// ErrNotSignedIn says that a configuration has no key, and nobody has signed in with it.
var ErrNotSignedIn = errors.New("nobody has signed in: brine login")

// A Session is what a sign-in with an operator's configuration left: a key, the operator that it is of, and when it
// ends. It lies in the home of whoever signed in, and counts before the name and key of the configuration.
type Session struct {
	Name     string    `toml:"name"`
	Key      string    `toml:"key"` // file beside this one
	NotAfter time.Time `toml:"not_after"`
	Config   string    `toml:"config"` // for whoever looks at the file

	path string
}

// sessionPath is where the sign-in with a configuration of a site is kept.
func sessionPath(config, site string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("cannot keep a sign-in: %w", err)
	}
	absolute, err := filepath.Abs(config)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(absolute + "\n" + site))
	return filepath.Join(dir, "brine", "signin-"+hex.EncodeToString(sum[:8])+".toml"), nil
}

// Session is the sign-in of whoever calls; nil when there is none.
func (c *Config) Session() (*Session, error) {
	path, err := sessionPath(c.path, c.CAFingerprint)
	if err != nil {
		return nil, nil // without a home there is none
	}
	s := &Session{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = toml.Unmarshal(data, s)
	}
	if err == nil && (s.Name == "" || s.Key == "" || s.NotAfter.IsZero() || filepath.Base(s.Key) != s.Key) {
		err = errors.New("it is not whole")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the sign-in %s: %w (brine logout --forget removes it)", path, err)
	}
	return s, nil
}

// use has the session count in the place of the configuration's name and key.
func (c *Config) use(s *Session) {
	c.Name, c.Key, c.session = s.Name, filepath.Join(filepath.Dir(s.path), s.Key), s
}

// Over tells whether the session has ended, as a refusal that says what to do.
func (s *Session) Over(now time.Time) error {
	if now.Before(s.NotAfter) {
		return nil
	}
	return &Error{Code: proto.ApiError_NOT_PERMITTED, Message: fmt.Sprintf("your sign-in as %s ended at %s: brine login",
		s.Name, s.NotAfter.Local().Format("2006-01-02 15:04:05 MST"))}
}

// save keeps a new session and its key, in place of the one before.
func (c *Config) save(s *Session, key ed25519.PrivateKey) error {
	path, err := sessionPath(c.path, c.CAFingerprint)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot keep the sign-in: %w", err)
	}
	before, err := c.Session() // one that can't be read is replaced too
	if err != nil {
		before = nil
	}
	public := key.Public().(ed25519.PublicKey)
	s.path, s.Key, s.Config = path, filepath.Base(path)+"."+hex.EncodeToString(public[:4])+".key", c.path
	if err := pki.SaveOperatorKey(filepath.Join(filepath.Dir(path), s.Key), key); err != nil {
		return err
	}
	data, err := toml.Marshal(s)
	if err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("cannot keep the sign-in: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("cannot keep the sign-in: %w", err)
	}
	if before != nil && before.Key != s.Key {
		_ = os.Remove(filepath.Join(filepath.Dir(path), before.Key)) // nothing needs it any more
	}
	return nil
}

// Forget removes a sign-in and its key from this machine, whatever masters know.
func (c *Config) Forget() error {
	path, err := sessionPath(c.path, c.CAFingerprint)
	if err != nil {
		return err
	}
	keys, err := filepath.Glob(path + ".*.key")
	if err != nil {
		return err
	}
	for _, file := range append(keys, path, path+".bundle", path+".masters") {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot remove the sign-in: %w", err)
		}
	}
	return nil
}

// state is beside which file is kept what masters tell: the configuration may be everybody's, and not to be written.
func (c *Config) state() string {
	if c.session != nil {
		return c.session.path
	}
	return c.path
}
