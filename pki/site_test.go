package pki

import (
	"crypto/ed25519"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "brine/proto"
)

func newSite(t testing.TB) *SiteKey {
	t.Helper()
	k, err := NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newIdentity(t testing.TB, site *SiteKey, name string, now time.Time) *Identity {
	t.Helper()
	key, err := NewOperatorKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := site.IssueMaster(name, key.Public().(ed25519.PublicKey), now)
	if err != nil {
		t.Fatal(err)
	}
	id, err := NewIdentity(key, der, site.CA().Raw)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func bundleOf(t testing.TB, site *SiteKey, serial uint64, masters ...*pb.MasterKey) *pb.Envelope {
	t.Helper()
	env, err := site.SignBundle(&pb.Bundle{Serial: serial, IssuedAt: 1, Masters: masters})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func entry(id *Identity, revoked bool) *pb.MasterKey {
	return &pb.MasterKey{Name: id.Name, Key: id.Public(), Revoked: revoked}
}

func TestSiteKeyOpensWithItsPassphraseOnly(t *testing.T) {
	site := newSite(t)
	data, err := site.Encrypt("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecryptSiteKey(data, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if got.Site() != site.Site() || !got.key.Equal(site.key) || !got.CA().Equal(site.CA()) {
		t.Error("another site came back")
	}
	if _, err := DecryptSiteKey(data, "wrong"); err == nil || !strings.Contains(err.Error(), "wrong passphrase") {
		t.Errorf("got %v", err)
	}
	for _, bad := range [][]byte{nil, []byte("garbage"), data[:len(data)/2]} {
		if _, err := DecryptSiteKey(bad, "correct horse"); err == nil {
			t.Errorf("%.20q was decrypted", bad)
		}
	}
	if _, err := site.Encrypt(""); err == nil {
		t.Error("encrypted with an empty passphrase")
	}
}

func TestMasterCertificate(t *testing.T) {
	site, now := newSite(t), time.Now()
	id := newIdentity(t, site, "m1", now)
	c := id.Certificate
	if id.Name != "m1" || c.IsCA || now.Sub(c.NotBefore) < 59*time.Minute || c.NotAfter.Sub(now) < 364*24*time.Hour {
		t.Errorf("got name %q, CA %v, %v to %v", id.Name, c.IsCA, c.NotBefore, c.NotAfter)
	}
	for _, name := range []string{"", "a/b", "a b", "../x", strings.Repeat("a", 129)} {
		if _, err := site.IssueMaster(name, id.Public(), now); err == nil {
			t.Errorf("issued for %q", name)
		}
	}
	if _, err := site.IssueMaster("m2", nil, now); err == nil {
		t.Error("issued without a key")
	}
	if _, err := NewSite("a b", now); err == nil {
		t.Error("made a site with a bad name")
	}
	name := strings.Repeat("a", 124) + ".@+_"
	if got := newIdentity(t, site, name, now).Name; got != name {
		t.Errorf("got %q", got)
	}
}

func TestIdentitySurvivesTheDisk(t *testing.T) {
	site := newSite(t)
	id, dir := newIdentity(t, site, "m1", time.Now()), t.TempDir()
	if err := id.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "m1" || !got.Key.Equal(id.Key) || got.Site() != site.Site() {
		t.Errorf("another identity came back: %v", got.Name)
	}

	other := newIdentity(t, newSite(t), "m1", time.Now())
	sibling := newIdentity(t, site, "m2", time.Now())
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"key of another":   {func(d string) error { return SaveOperatorKey(filepath.Join(d, fileKey), sibling.Key) }, "another key"},
		"CA of another":    {func(d string) error { return copyCert(filepath.Join(d, fileCA), other.CA) }, "did not sign"},
		"leaf as CA":       {func(d string) error { return copyCert(filepath.Join(d, fileCA), id.Certificate) }, "did not sign"},
		"CA as leaf":       {func(d string) error { return copyCert(filepath.Join(d, fileCert), id.CA) }, "another key"},
		"no certificate":   {func(d string) error { return os.Remove(filepath.Join(d, fileCert)) }, "no such file"},
		"torn certificate": {func(d string) error { return os.Truncate(filepath.Join(d, fileCert), 100) }, "PEM"},
	} {
		dir := t.TempDir()
		if err := id.Save(dir); err != nil {
			t.Fatal(err)
		}
		if err := c.change(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadIdentity(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func copyCert(path string, c *x509.Certificate) error {
	return writeFile(path, encodeCertificate(c.Raw), 0o644)
}
