package pki

import (
	"crypto/ed25519"
	"strings"
	"testing"
)

func TestFingerprintReadsWhatItPrints(t *testing.T) {
	f := KeyFingerprint(fixedKey(1).Public().(ed25519.PublicKey))
	s := f.String()
	if len(s) != 95 || s[2] != ':' {
		t.Errorf("got %q", s)
	}
	for _, spelling := range []string{s, strings.ReplaceAll(s, ":", ""), strings.ToUpper(s)} {
		if got, err := ParseFingerprint(spelling); err != nil || got != f {
			t.Errorf("%q: got %v, %v", spelling, got, err)
		}
	}
	digits := strings.ReplaceAll(s, ":", "")
	for _, bad := range []string{"", ":", s[1:], s + ":", s + ":00", digits + "00", digits[2:], "x" + digits[1:],
		digits[:2] + ":" + digits[2:], strings.Repeat("0", 64), " " + s} {
		if got, err := ParseFingerprint(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestMinionFingerprintCoversBothKeys(t *testing.T) {
	a, b := fixedKey(1).Public().(ed25519.PublicKey), fixedKey(2).Public().(ed25519.PublicKey)
	if MinionFingerprint(a, b) == MinionFingerprint(a, a) || MinionFingerprint(a, b) == MinionFingerprint(b, b) {
		t.Error("a key does not count")
	}
	if !MinionFingerprint(a, b[:31]).IsZero() || !MinionFingerprint(nil, b).IsZero() {
		t.Error("a key of a wrong length has a fingerprint")
	}
}

func TestNKeyReadsWhatItPrints(t *testing.T) {
	key := fixedKey(1).Public().(ed25519.PublicKey)
	s := NKey(key)
	if got, err := ParseNKey(s); err != nil || !got.Equal(key) || s[0] != 'U' {
		t.Errorf("%q: got %x, %v", s, got, err)
	}
	for _, bad := range []string{"", "U", s[:55], s + "A", strings.ToLower(s), "A" + s[1:], s[:55] + "!",
		"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"} {
		if got, err := ParseNKey(bad); err == nil {
			t.Errorf("%q: got %x, want an error", bad, got)
		}
	}
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add(siteA.String())
	f.Add("00")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFingerprint(s)
		if err != nil {
			return
		}
		if again, err := ParseFingerprint(got.String()); err != nil || again != got {
			t.Errorf("%q: %v, %v", s, again, err)
		}
	})
}

func FuzzParseNKey(f *testing.F) {
	f.Add(NKey(fixedKey(1).Public().(ed25519.PublicKey)))
	f.Add("U")
	f.Fuzz(func(t *testing.T, s string) {
		if key, err := ParseNKey(s); err == nil && NKey(key) != s {
			t.Errorf("%q has another spelling %q", s, NKey(key))
		}
	})
}
