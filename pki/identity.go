package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
)

// The files of an Identity.
const (
	fileCA   = "ca.crt"
	fileKey  = "master.key"
	fileCert = "master.crt"
)

// Identity is what a master is: its name, its key and the site's word for it.
type Identity struct {
	Name        string
	Key         ed25519.PrivateKey // signs jobs, and is the key of Certificate
	Certificate *x509.Certificate
	CA          *x509.Certificate
}

// NewIdentity puts an identity together from key, the certificate issued for
// it and the site's CA certificate (both DER), and checks that they belong
// together. It has no clock: an expired certificate is an identity too.
func NewIdentity(key ed25519.PrivateKey, certificate, ca []byte) (*Identity, error) {
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("cannot read master certificate: %v", err)
	}
	root, err := x509.ParseCertificate(ca)
	if err != nil {
		return nil, fmt.Errorf("cannot read CA certificate: %v", err)
	}
	i := &Identity{Key: key, Certificate: leaf, CA: root}
	if i.Site().IsZero() {
		return nil, fmt.Errorf("cannot use CA certificate: its key is not ed25519")
	}
	if err := leaf.CheckSignatureFrom(root); err != nil {
		return nil, fmt.Errorf("cannot use master certificate: this site did not sign it: %v", err)
	}
	if !key.Public().(ed25519.PublicKey).Equal(leaf.PublicKey) {
		return nil, fmt.Errorf("cannot use master certificate: it is for another key")
	}
	if i.Name, err = nameInCertificate(leaf, i.Site()); err != nil {
		return nil, fmt.Errorf("cannot use master certificate: %v", err)
	}
	return i, nil
}

// LoadIdentity reads ca.crt, master.key and master.crt in dir, and checks as
// NewIdentity does.
func LoadIdentity(dir string) (*Identity, error) {
	key, err := loadSigningKey("master key", filepath.Join(dir, fileKey))
	if err != nil {
		return nil, err
	}
	leaf, err := loadCertificate(filepath.Join(dir, fileCert))
	if err != nil {
		return nil, err
	}
	ca, err := loadCertificate(filepath.Join(dir, fileCA))
	if err != nil {
		return nil, err
	}
	i, err := NewIdentity(key, leaf.Raw, ca.Raw)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, dir)
	}
	return i, nil
}

// Save writes the files that LoadIdentity reads. The key comes first: a
// certificate is of no use without it.
func (i *Identity) Save(dir string) error {
	if err := saveSigningKey("master key", filepath.Join(dir, fileKey), i.Key); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		cert *x509.Certificate
	}{{fileCA, i.CA}, {fileCert, i.Certificate}} {
		path := filepath.Join(dir, c.name)
		if err := writeFile(path, encodeCertificate(c.cert.Raw), 0o644); err != nil {
			return fmt.Errorf("cannot write certificate %q: %w", path, err)
		}
	}
	return nil
}

// Site is the fingerprint of the site.
func (i *Identity) Site() Fingerprint { return SiteFingerprint(i.CA) }

// Public is the master's public key, as the trust bundle lists it.
func (i *Identity) Public() ed25519.PublicKey { return i.Key.Public().(ed25519.PublicKey) }

// TLS is the certificate to show: with the CA's, so that a minion that knows
// only the site's fingerprint can check it.
func (i *Identity) TLS() tls.Certificate {
	return tls.Certificate{
		Certificate: [][]byte{i.Certificate.Raw, i.CA.Raw},
		PrivateKey:  i.Key,
		Leaf:        i.Certificate,
	}
}

func loadCertificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate %q: %w", path, err)
	}
	cert, err := decodeCertificate(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate %q: %v", path, err)
	}
	return cert, nil
}
