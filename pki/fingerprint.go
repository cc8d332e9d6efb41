package pki

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"
)

// Fingerprint is the SHA-256 of a public key. The zero value stands for none.
type Fingerprint [sha256.Size]byte

// String is the fingerprint in hex, a colon after each byte, as Salt prints it.
func (f Fingerprint) String() string {
	var b strings.Builder
	for i, c := range f {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(hex.EncodeToString([]byte{c}))
	}
	return b.String()
}

// IsZero tells that f stands for none.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

func (f Fingerprint) hex() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint reads 64 hex digits of either case, with a colon after each
// byte or with none. The zero fingerprint is refused.
func ParseFingerprint(s string) (Fingerprint, error) {
	digits := s
	if strings.Contains(s, ":") {
		groups := strings.Split(s, ":")
		for _, g := range groups {
			if len(g) != 2 {
				return Fingerprint{}, fmt.Errorf("cannot read fingerprint %.100q: want two digits between colons", s)
			}
		}
		digits = strings.Join(groups, "")
	}
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != len(Fingerprint{}) {
		return Fingerprint{}, fmt.Errorf("cannot read fingerprint %.100q: want 64 hex digits", s)
	}
	f := Fingerprint(raw)
	if f.IsZero() {
		return f, fmt.Errorf("cannot read fingerprint %.100q: it is all zero", s)
	}
	return f, nil
}

// SiteFingerprint names the site of a CA certificate: the hash of its ed25519
// public key, so that it stays when the certificate is renewed. It is zero
// for a certificate with another kind of key.
func SiteFingerprint(ca *x509.Certificate) Fingerprint {
	key, ok := ca.PublicKey.(ed25519.PublicKey)
	if !ok {
		return Fingerprint{}
	}
	return KeyFingerprint(key)
}

// KeyFingerprint is the fingerprint of one ed25519 public key.
func KeyFingerprint(key ed25519.PublicKey) Fingerprint { return sha256.Sum256(key) }

// MinionFingerprint covers both public keys of a minion. Both have 32 bytes;
// for other lengths it is zero.
func MinionFingerprint(signing ed25519.PublicKey, sealing []byte) Fingerprint {
	if len(signing) != ed25519.PublicKeySize || len(sealing) != sealingKeySize {
		return Fingerprint{}
	}
	h := sha256.New()
	h.Write([]byte("\x00brine 1 minion key\x00"))
	h.Write(signing)
	h.Write(sealing)
	return Fingerprint(h.Sum(nil))
}

// NKey is the public key as NATS writes a user's: "U" and 55 base32 digits.
func NKey(key ed25519.PublicKey) string {
	s, err := nkeys.Encode(nkeys.PrefixByteUser, key)
	if err != nil {
		panic(fmt.Sprintf("pki: nkey of a public key of %d bytes: %v", len(key), err))
	}
	return string(s)
}

// ParseNKey is the inverse of NKey; the checksum inside is verified, and no
// other spelling of the same key is taken.
func ParseNKey(s string) (ed25519.PublicKey, error) {
	if len(s) != nkeyLen {
		return nil, fmt.Errorf("cannot read nkey %.80q: want %d characters", s, nkeyLen)
	}
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(s))
	if err != nil {
		return nil, fmt.Errorf("cannot read nkey %q: %v", s, err)
	}
	if len(raw) != ed25519.PublicKeySize || NKey(raw) != s {
		return nil, fmt.Errorf("cannot read nkey %q: not a user's public key", s)
	}
	return raw, nil
}

const nkeyLen = 56
