package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/pki"
	"brine/proto"
)

func siteConfig(t *testing.T, more string) string {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	path := filepath.Join(t.TempDir(), "operator.toml")
	text := "ca_fingerprint = \"" + strings.TrimSuffix(strings.Repeat("ab:", 32), ":") + "\"\nmasters = [\"127.0.0.1:1\"]\n" + more
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func keep(t *testing.T, path, name string, until time.Time) {
	t.Helper()
	c, err := LoadSite(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewOperatorKey()
	if err == nil {
		err = c.save(&Session{Name: name, NotAfter: until}, key)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestASessionCountsBeforeTheKeyOfTheConfiguration(t *testing.T) {
	path := siteConfig(t, "name = \"admin\"\nkey = \"admin.key\"\n")
	keep(t, path, "ldap:alice", time.Now().Add(time.Hour))
	keep(t, path, "ldap:bob", time.Now().Add(time.Hour))
	c, err := LoadConfig(path)
	if err != nil || c.Name != "ldap:bob" {
		t.Fatalf("got %q, %v", c.Name, err)
	}
	if _, err := New(c); err != nil {
		t.Errorf("its key is not usable: %v", err)
	}
	if st, err := os.Stat(c.Key); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", st, err)
	}
	if keys, _ := filepath.Glob(filepath.Join(filepath.Dir(c.Key), "*.key")); len(keys) != 1 {
		t.Errorf("keys of earlier sign-ins stay: %q", keys)
	}
	if err := c.Forget(); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadConfig(path); err != nil || c.Name != "admin" {
		t.Errorf("after it was forgotten: got %q, %v", c.Name, err)
	}
}

func TestASessionThatIsOverIsRefusedNotPassedOver(t *testing.T) {
	path := siteConfig(t, "name = \"admin\"\nkey = \"admin.key\"\n")
	keep(t, path, "ldap:alice", time.Now().Add(-time.Minute))
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(c); !IsCode(err, proto.ApiError_NOT_PERMITTED) || !strings.Contains(err.Error(), "your sign-in as ldap:alice ended at ") {
		t.Errorf("got %v", err)
	}
}

func TestAConfigurationWithoutAKeyNeedsASession(t *testing.T) {
	path := siteConfig(t, "")
	if _, err := LoadConfig(path); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("got %v", err)
	}
	other := siteConfig(t, "")
	keep(t, other, "pam:alice", time.Now().Add(time.Hour))
	if _, err := LoadConfig(path); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("the sign-in with another configuration counts: %v", err)
	}
}

func TestASearchEndsWhenNobodyKnowsTheKey(t *testing.T) {
	h := newHunt(2)
	unknown := errLost{ErrUnknownKey}
	for i := range maxUnknown {
		if err := h.over(unknown); err != nil {
			t.Fatalf("ended after %d: %v", i, err)
		}
		h.failed("m1", unknown)
	}
	if err := h.over(unknown); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}
