package pki

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"
)

const (
	sealingKeySize = 32 // X25519
	secretSize     = 32
)

// What binds a sealed message to its purpose (RFC 9180, info).
const (
	sealInfo     = "brine 1 sealed to a minion"
	passwordInfo = "brine 1 password sealed to a master"
)

// Seal encrypts data so that only the minion with this X25519 key can read it
// (HPKE: X25519, HKDF-SHA256, ChaCha20-Poly1305). It does not tell who sealed:
// send it inside something signed.
func Seal(to, data []byte) ([]byte, error) { return seal(to, sealInfo, data) }

// SealPassword encrypts data so that only the master with this X25519 key, which it must have signed, can read it.
func SealPassword(to, data []byte) ([]byte, error) { return seal(to, passwordInfo, data) }

func seal(to []byte, info string, data []byte) ([]byte, error) {
	key, err := ecdh.X25519().NewPublicKey(to)
	if err != nil {
		return nil, fmt.Errorf("cannot seal: %v", err)
	}
	recipient, err := hpke.NewDHKEMPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot seal: %v", err)
	}
	sealed, err := hpke.Seal(recipient, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), data)
	if err != nil {
		return nil, fmt.Errorf("cannot seal: %v", err)
	}
	return sealed, nil
}

// Open is the inverse of Seal.
func (k *MinionKey) Open(sealed []byte) ([]byte, error) { return open(k.Sealing, sealInfo, sealed) }

// OpenPassword is the inverse of SealPassword.
func OpenPassword(key *ecdh.PrivateKey, sealed []byte) ([]byte, error) {
	return open(key, passwordInfo, sealed)
}

func open(private *ecdh.PrivateKey, info string, sealed []byte) ([]byte, error) {
	key, err := hpke.NewDHKEMPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("cannot open sealed message: %v", err)
	}
	data, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), sealed)
	if err != nil {
		return nil, fmt.Errorf("cannot open sealed message: it is damaged or meant for another key")
	}
	return data, nil
}

// SealSecret encrypts data with a random secret of 32 bytes, such as that of
// a join token.
func SealSecret(secret, data []byte) ([]byte, error) {
	box, err := secretBox(secret)
	if err != nil {
		return nil, fmt.Errorf("cannot seal: %v", err)
	}
	return box.Seal(nil, nil, data, nil), nil
}

// OpenSecret is the inverse of SealSecret.
func OpenSecret(secret, sealed []byte) ([]byte, error) {
	box, err := secretBox(secret)
	if err != nil {
		return nil, fmt.Errorf("cannot open: %v", err)
	}
	data, err := box.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot open: it is damaged or sealed with another secret")
	}
	return data, nil
}

// SecretProof is shown to a master instead of the secret: it proves that the
// sender holds the secret, and opens nothing that the secret has sealed.
func SecretProof(secret []byte) ([]byte, error) { return derive(secret, "brine 1 proof of secret") }

func secretBox(secret []byte) (cipher.AEAD, error) {
	key, err := derive(secret, "brine 1 sealed with a secret")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func derive(secret []byte, purpose string) ([]byte, error) {
	if len(secret) != secretSize {
		return nil, fmt.Errorf("the secret has %d bytes, want %d", len(secret), secretSize)
	}
	return hkdf.Expand(sha256.New, secret, purpose, 32)
}
