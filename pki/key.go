package pki

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

const (
	pemKey         = "PRIVATE KEY"
	pemCertificate = "CERTIFICATE"
)

// MinionKey is the pair of private keys that makes a minion what it is.
type MinionKey struct {
	Signing ed25519.PrivateKey // signs in at the bus
	Sealing *ecdh.PrivateKey   // X25519: opens what was sealed to the minion
}

// NewMinionKey makes a random key.
func NewMinionKey() (*MinionKey, error) {
	_, signing, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make minion key: %v", err)
	}
	sealing, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make minion key: %v", err)
	}
	return &MinionKey{Signing: signing, Sealing: sealing}, nil
}

// LoadMinionKey reads what Save wrote. A file that others may read is
// refused; the error of a missing one wraps fs.ErrNotExist.
func LoadMinionKey(path string) (*MinionKey, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read minion key %q: %w", path, err)
	}
	k, err := parseMinionKey(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read minion key %q: %v: put it back, or remove it (a new one is made, and has to be accepted)", path, err)
	}
	return k, nil
}

// Save writes the key to path, for its owner only, replacing what is there
// as a whole.
func (k *MinionKey) Save(path string) error {
	signing, err := encodeKey(k.Signing)
	if err != nil {
		return fmt.Errorf("cannot write minion key %q: %v", path, err)
	}
	sealing, err := encodeKey(k.Sealing)
	if err != nil {
		return fmt.Errorf("cannot write minion key %q: %v", path, err)
	}
	if err := writeFile(path, append(signing, sealing...), 0o600); err != nil {
		return fmt.Errorf("cannot write minion key %q: %w", path, err)
	}
	return nil
}

// Public is the key that the bus and the masters know the minion by.
func (k *MinionKey) Public() ed25519.PublicKey { return k.Signing.Public().(ed25519.PublicKey) }

// SealingPublic is the key that Seal takes.
func (k *MinionKey) SealingPublic() []byte { return k.Sealing.PublicKey().Bytes() }

// Fingerprint covers both public keys.
func (k *MinionKey) Fingerprint() Fingerprint {
	return MinionFingerprint(k.Public(), k.SealingPublic())
}

// NKey is the public signing key as NATS writes it.
func (k *MinionKey) NKey() string { return NKey(k.Public()) }

func parseMinionKey(data []byte) (*MinionKey, error) {
	signing, rest, err := decodeKey(data)
	if err != nil {
		return nil, err
	}
	sealing, rest, err := decodeKey(rest)
	if err != nil {
		return nil, err
	}
	sign, ok1 := signing.(ed25519.PrivateKey)
	seal, ok2 := sealing.(*ecdh.PrivateKey)
	if !ok1 || !ok2 || seal.Curve() != ecdh.X25519() || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("want one ed25519 and one X25519 key")
	}
	return &MinionKey{Signing: sign, Sealing: seal}, nil
}

// NewOperatorKey makes a random key.
func NewOperatorKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make operator key: %v", err)
	}
	return key, nil
}

// LoadOperatorKey reads what SaveOperatorKey wrote. A file that others may
// read is refused; the error of a missing one wraps fs.ErrNotExist.
func LoadOperatorKey(path string) (ed25519.PrivateKey, error) {
	return loadSigningKey("operator key", path)
}

// SaveOperatorKey writes the key to path, for its owner only (PEM, PKCS #8).
func SaveOperatorKey(path string, key ed25519.PrivateKey) error {
	return saveSigningKey("operator key", path, key)
}

func loadSigningKey(what, path string) (ed25519.PrivateKey, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s %q: %w", what, path, err)
	}
	key, rest, err := decodeKey(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s %q: %v", what, path, err)
	}
	signing, ok := key.(ed25519.PrivateKey)
	if !ok || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("cannot read %s %q: want one ed25519 key", what, path)
	}
	return signing, nil
}

func saveSigningKey(what, path string, key ed25519.PrivateKey) error {
	data, err := encodeKey(key)
	if err != nil {
		return fmt.Errorf("cannot write %s %q: %v", what, path, err)
	}
	if err := writeFile(path, data, 0o600); err != nil {
		return fmt.Errorf("cannot write %s %q: %w", what, path, err)
	}
	return nil
}

func encodeKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}

func decodeKey(data []byte) (key any, rest []byte, err error) {
	der, rest, err := nextBlock(data, pemKey)
	if err != nil {
		return nil, nil, err
	}
	key, err = x509.ParsePKCS8PrivateKey(der)
	return key, rest, err
}
