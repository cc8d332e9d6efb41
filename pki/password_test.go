package pki_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"testing"

	"brine/pki"
)

func TestAPasswordIsForOneMasterAndOnePurpose(t *testing.T) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := pki.SealPassword(key.PublicKey().Bytes(), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := pki.OpenPassword(key, sealed); err != nil || string(plain) != "secret" {
		t.Errorf("got %q, %v", plain, err)
	}
	other, err := pki.NewMinionKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.OpenPassword(other.Sealing, sealed); err == nil {
		t.Error("another key opens it")
	}
	if sealed, err = pki.Seal(other.SealingPublic(), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.OpenPassword(other.Sealing, sealed); err == nil {
		t.Error("what is sealed for another purpose is opened")
	}
}
