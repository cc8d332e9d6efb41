package pki

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newMinionKey(t testing.TB) *MinionKey {
	t.Helper()
	k, err := NewMinionKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestMinionKeySurvivesTheDisk(t *testing.T) {
	k := newMinionKey(t)
	path := filepath.Join(t.TempDir(), "deep", "minion.key")
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := LoadMinionKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Signing.Equal(k.Signing) || !got.Sealing.Equal(k.Sealing) || got.Fingerprint() != k.Fingerprint() {
		t.Error("another key came back")
	}
	file, _ := os.Stat(path)
	dir, _ := os.Stat(filepath.Dir(path))
	if file.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
		t.Errorf("got modes %v and %v", file.Mode(), dir.Mode())
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestKeyFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	k := newMinionKey(t)
	if err := k.Save(filepath.Join(dir, "good")); err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(filepath.Join(dir, "good"))
	first, _ := encodeKey(k.Signing)
	write := func(name string, data []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path, want string
	}{
		"missing":   {filepath.Join(dir, "none"), "no such file"},
		"readable":  {write("readable", good, 0o640), "chmod 600"},
		"empty":     {write("empty", nil, 0o600), "want a PEM block"},
		"one key":   {write("one", first, 0o600), "want a PEM block"},
		"swapped":   {write("swapped", append(bytes.Clone(good[len(first):]), first...), 0o600), "want one ed25519 and"},
		"torn":      {write("torn", good[:len(good)-40], 0o600), `want a PEM block "PRIVATE KEY": put it back, or remove it`},
		"more":      {write("more", append(bytes.Clone(good), "x"...), 0o600), "want one ed25519 and"},
		"huge":      {write("huge", make([]byte, maxFile+1), 0o600), "at most"},
		"directory": {dir, "mode"},
	} {
		_, err := LoadMinionKey(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) && name != "directory" {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "cannot read minion key") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := LoadMinionKey(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if _, err := LoadOperatorKey(filepath.Join(dir, "good")); err == nil {
		t.Error("a minion's key was taken for an operator's")
	}
}

func TestOperatorKeySurvivesTheDisk(t *testing.T) {
	key, err := NewOperatorKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "operator.key")
	if err := SaveOperatorKey(path, key); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadOperatorKey(path); err != nil || !got.Equal(key) {
		t.Errorf("got another key, %v", err)
	}
}

func TestOnlyTheMinionOpensWhatIsSealed(t *testing.T) {
	k, other := newMinionKey(t), newMinionKey(t)
	sealed, err := Seal(k.SealingPublic(), []byte("pillar"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(sealed); err != nil || string(got) != "pillar" {
		t.Errorf("got %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("pillar")) {
		t.Error("sealed in clear")
	}
	if _, err := other.Open(sealed); err == nil {
		t.Error("another minion opened it")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Open(bad); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
	}
	for n := range len(sealed) {
		if _, err := k.Open(sealed[:n]); err == nil {
			t.Errorf("opened with %d of %d bytes", n, len(sealed))
		}
	}
	for _, key := range [][]byte{nil, make([]byte, 31), make([]byte, 32)} {
		if _, err := Seal(key, []byte("x")); err == nil {
			t.Errorf("sealed to %x", key)
		}
	}
}

func TestSecretSealsAndProves(t *testing.T) {
	secret, other := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32)
	sealed, err := SealSecret(secret, []byte("kit"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenSecret(secret, sealed); err != nil || string(got) != "kit" {
		t.Errorf("got %q, %v", got, err)
	}
	proof, err := SecretProof(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"other": other, "proof": proof, "short": secret[:31], "none": nil} {
		if _, err := OpenSecret(key, sealed); err == nil {
			t.Errorf("opened with %s", name)
		}
	}
	for n := range len(sealed) {
		if _, err := OpenSecret(secret, sealed[:n]); err == nil {
			t.Errorf("opened with %d of %d bytes", n, len(sealed))
		}
	}
	if _, err := SealSecret([]byte("passphrase"), nil); err == nil {
		t.Error("sealed with a short secret")
	}
}

func FuzzParseKeys(f *testing.F) {
	k := newMinionKey(f)
	signing, _ := encodeKey(k.Signing)
	sealing, _ := encodeKey(k.Sealing)
	f.Add(append(bytes.Clone(signing), sealing...))
	f.Add(signing)
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, err := parseMinionKey(data); err == nil && len(k.Signing) != ed25519.PrivateKeySize {
			t.Errorf("signing key of %d bytes", len(k.Signing))
		}
		if k, err := parseSiteKey(data); err == nil && k.Site().IsZero() {
			t.Error("site key without a site")
		}
	})
}

func FuzzOpen(f *testing.F) {
	k := newMinionKey(f)
	sealed, _ := Seal(k.SealingPublic(), []byte("x"))
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := k.Open(data); err == nil && string(got) != "x" {
			t.Errorf("opened %q", got)
		}
		if _, err := OpenSecret(make([]byte, 32), data); err == nil {
			t.Error("opened without the secret")
		}
	})
}
