package pki

import (
	"crypto/ed25519"
	"fmt"
)

// A login nonce is 11 to 64 base64url characters: nats-server makes 15.
const (
	minNonce = 11
	maxNonce = 64
)

// SignNonce answers a NATS server's login challenge. It signs nothing but a
// nonce, so that no server can have anything else signed with the key.
func SignNonce(key ed25519.PrivateKey, nonce []byte) ([]byte, error) {
	if !isNonce(nonce) {
		return nil, fmt.Errorf("cannot sign login nonce %.80q: want %d to %d base64url characters",
			nonce, minNonce, maxNonce)
	}
	return ed25519.Sign(key, nonce), nil
}

// VerifyNonce checks the answer to a challenge.
func VerifyNonce(key ed25519.PublicKey, nonce, signature []byte) error {
	if len(key) != ed25519.PublicKeySize || !isNonce(nonce) || !ed25519.Verify(key, nonce, signature) {
		return fmt.Errorf("cannot verify login: %w", ErrForged)
	}
	return nil
}

func isNonce(nonce []byte) bool {
	if len(nonce) < minNonce || len(nonce) > maxNonce {
		return false
	}
	for _, c := range nonce {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
