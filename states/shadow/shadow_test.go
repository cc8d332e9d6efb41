package shadow_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"brine/states/shadow"
)

func TestHashesAreThoseOfCrypt(t *testing.T) {
	data, err := os.ReadFile("testdata/hashes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			continue
		}
		if got, err := shadow.Hash(f[0], f[1], f[2]); err != nil || got != f[3] {
			t.Errorf("%s %s %q: got %s, %v, want %s", f[0], f[1], f[2], got, err, f[3])
		}
	}
}

func TestSaltsDiffer(t *testing.T) {
	for _, algorithm := range []string{"sha512", "sha256", "md5"} {
		one, err1 := shadow.Hash(algorithm, "", "x")
		two, err2 := shadow.Hash(algorithm, "", "x")
		if err1 != nil || err2 != nil || one == two {
			t.Errorf("%s: got %s and %s, %v, %v", algorithm, one, two, err1, err2)
		}
		_, rest, _ := strings.Cut(one[1:], "$")
		salt, _, _ := strings.Cut(rest, "$")
		if again, err := shadow.Hash(algorithm, salt, "x"); err != nil || again != one {
			t.Errorf("%s: with salt %q got %s, %v, want %s", algorithm, salt, again, err, one)
		}
	}
}

func TestBlowfish(t *testing.T) {
	if before := shadow.SetBlowfishCost(4); before != 12 {
		t.Errorf("got cost %d, want 12", before)
	}
	defer shadow.SetBlowfishCost(12)
	got, err := shadow.Hash("blowfish", "", "secret")
	if err != nil || !strings.HasPrefix(got, "$2b$04$") || bcrypt.CompareHashAndPassword([]byte(got), []byte("secret")) != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ algorithm, salt, password, want string }{
		{"sha3", "", "x", `cannot hash with "sha3": known are sha512, sha256, blowfish, md5`},
		{"sha512", "a:b", "x", `cannot hash with the salt "a:b": a colon, newline or NUL can't be in it`},
		{"sha512", "rounds=9$a", "x", `cannot hash with the salt "rounds=9$a": rounds must be from 1000 to 9999999`},
		{"sha256", "rounds=2000", "x", `cannot hash with the salt "rounds=2000": rounds must be from 1000 to 9999999`},
		{"blowfish", "a", "x", "cannot hash with blowfish and a given salt: it makes its own"},
		{"md5", "", "a\x00b", "cannot hash a password with a NUL character in it"},
		{"sha512", "", strings.Repeat("x", 513), "cannot hash a password of 513 bytes: at most 512 are allowed"},
	} {
		if got, err := shadow.Hash(tt.algorithm, tt.salt, tt.password); err == nil || err.Error() != tt.want {
			t.Errorf("%s %s: got %s, %v, want %s", tt.algorithm, tt.salt, got, err, tt.want)
		}
	}
}

func TestFits(t *testing.T) {
	defer shadow.SetBlowfishCost(shadow.SetBlowfishCost(bcrypt.MinCost))
	for _, algorithm := range shadow.Algorithms {
		hash, err := shadow.Hash(algorithm, "", "geheim")
		if err != nil || !shadow.Fits(hash, "geheim") || shadow.Fits(hash, "Geheim") {
			t.Errorf("%s: %q, %v", algorithm, hash, err)
		}
	}
	rounds, err := shadow.Hash("sha256", "rounds=1000$salt", "geheim")
	if err != nil || !shadow.Fits(rounds, "geheim") {
		t.Errorf("%q, %v", rounds, err)
	}
	for _, hash := range []string{"", "!", "*", "$6$", "$6$x", "$y$j9T$a$b", "$6$$", "!" + rounds, "geheim", "$2b$x"} {
		if shadow.Fits(hash, "geheim") {
			t.Errorf("%q fits", hash)
		}
	}
}
