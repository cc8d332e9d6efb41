package pki

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// NewKeyChange makes the proof that next takes the place of old as the key of
// name. Sealing is the public sealing key that goes with it; nil where there is none.
func NewKeyChange(site Fingerprint, kind pb.Kind, name string, old, next ed25519.PrivateKey, sealing []byte) (*pb.KeyChange, error) {
	body, err := proto.Marshal(&pb.NewKey{
		Name: name, Old: old.Public().(ed25519.PublicKey), Key: next.Public().(ed25519.PublicKey), SealingKey: sealing,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot change the key of %q: %v", name, err)
	}
	return &pb.KeyChange{ByOld: Sign(old, site, kind, body), ByNew: Sign(next, site, kind, body)}, nil
}

// OpenKeyChange returns what a proof says once it is sure that both keys have
// signed it for this site and purpose, and that trust accepts the old one (see Verify).
func OpenKeyChange(c *pb.KeyChange, site Fingerprint, kind pb.Kind, trust func(ed25519.PublicKey) error) (*pb.NewKey, error) {
	k := &pb.NewKey{}
	body, err := Verify(c.GetByOld(), site, kind, trust)
	if err == nil {
		err = proto.Unmarshal(body, k)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take the change of a key: %w", err)
	}
	again, err := Verify(c.GetByNew(), site, kind, func(key ed25519.PublicKey) error {
		if !bytes.Equal(key, k.Key) {
			return fmt.Errorf("not signed by the new key: %w", ErrForged)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot take the change of a key: %w", err)
	case !bytes.Equal(body, again), !bytes.Equal(k.Old, c.ByOld.Key), bytes.Equal(k.Old, k.Key):
		return nil, fmt.Errorf("cannot take the change of a key: the two keys signed different things: %w", ErrForged)
	}
	return k, nil
}

// A master's next key and its certificate lie beside the ones in use, until the
// trust bundle lists it.
const (
	fileNextKey  = "next.key"
	fileNextCert = "next.crt"
)

// NextKey makes the key that a master in dir may use next, and keeps it there.
// One that was made earlier is lost.
func NextKey(dir string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("cannot make master key: %v", err)
	}
	// A certificate of an earlier one must not seem to be of this one.
	if err := removeFiles(dir, fileNextCert); err != nil {
		return nil, err
	}
	return key, saveSigningKey("next master key", filepath.Join(dir, fileNextKey), key)
}

// NextIdentity puts the key that NextKey made last and its certificate (DER)
// together, with the checks of NewIdentity.
func (i *Identity) NextIdentity(dir string, certificate []byte) (*Identity, error) {
	key, err := loadSigningKey("next master key", filepath.Join(dir, fileNextKey))
	if err != nil {
		return nil, err
	}
	return NewIdentity(key, certificate, i.CA.Raw)
}

// SaveNext keeps the certificate of the next key, so that it can be used from then on.
func (i *Identity) SaveNext(dir string) error {
	return saveCertificate(filepath.Join(dir, fileNextCert), i.Certificate)
}

// LoadNext is the identity that a master in dir uses once the trust bundle
// lists it; the error of none wraps fs.ErrNotExist.
func (i *Identity) LoadNext(dir string) (*Identity, error) {
	cert, err := loadCertificate(filepath.Join(dir, fileNextCert))
	if err != nil {
		return nil, err
	}
	return i.NextIdentity(dir, cert.Raw)
}

// UseNext makes the next key and certificate in dir those in use. A crash in
// between leaves what LoadIdentity can read.
func (i *Identity) UseNext(dir string) error {
	if err := i.Save(dir); err != nil {
		return err
	}
	return removeFiles(dir, fileNextCert, fileNextKey)
}

// Renew keeps a newer certificate of the key of an identity in dir, and returns the identity with it.
func (i *Identity) Renew(dir string, certificate []byte) (*Identity, error) {
	i = i.Now()
	next, err := NewIdentity(i.Key, certificate, i.CA.Raw)
	if err != nil {
		return nil, err
	}
	if next.Name != i.Name {
		return nil, fmt.Errorf("cannot use master certificate: it is of %q, want %q", next.Name, i.Name)
	}
	if next.Certificate.NotAfter.Before(i.Certificate.NotAfter) {
		return nil, fmt.Errorf("cannot use master certificate: it ends before the one in use")
	}
	return next, saveCertificate(filepath.Join(dir, fileCert), next.Certificate)
}

// halfUsed is the identity whose key was brought into use, and its certificate not.
func halfUsed(dir string, key ed25519.PrivateKey, ca *x509.Certificate) (*Identity, error) {
	cert, err := loadCertificate(filepath.Join(dir, fileNextCert))
	if err != nil {
		return nil, err
	}
	return NewIdentity(key, cert.Raw, ca.Raw)
}

func saveCertificate(path string, cert *x509.Certificate) error {
	if err := writeFile(path, encodeCertificate(cert.Raw), 0o644); err != nil {
		return fmt.Errorf("cannot write certificate %q: %w", path, err)
	}
	return nil
}

func removeFiles(dir string, names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove a key that is not used: %w", err)
		}
	}
	return nil
}
