package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
)

// The files of an Identity.
const (
	fileCA   = "ca.crt"
	fileKey  = "master.key"
	fileCert = "master.crt"
)

// Identity is what a master is: its name, its key and the site's word for it.
// Another may take its place while it is in use: Now, Public and TLS tell the latest.
type Identity struct {
	Name        string
	Key         ed25519.PrivateKey // signs jobs, and is the key of Certificate
	Certificate *x509.Certificate
	CA          *x509.Certificate

	latest atomic.Pointer[Identity]
}

// Now is the identity that has taken the place of i, or i itself.
func (i *Identity) Now() *Identity {
	if latest := i.latest.Load(); latest != nil {
		return latest
	}
	return i
}

// Replace has next take the place of i for all who hold i: a newer certificate, or
// another key. It must be of the same name and site.
func (i *Identity) Replace(next *Identity) error {
	if next.Name != i.Name || next.Site() != i.Site() {
		return fmt.Errorf("cannot be master %q of site %v: this is %q of site %v", next.Name, next.Site(), i.Name, i.Site())
	}
	i.latest.Store(next)
	return nil
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
		if half, e := halfUsed(dir, key, ca); e == nil {
			return half, nil
		}
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
		if err := saveCertificate(filepath.Join(dir, c.name), c.cert); err != nil {
			return err
		}
	}
	return nil
}

// Site is the fingerprint of the site.
func (i *Identity) Site() Fingerprint { return SiteFingerprint(i.CA) }

// Public is the master's public key, as the trust bundle lists it.
func (i *Identity) Public() ed25519.PublicKey { return i.Now().Key.Public().(ed25519.PublicKey) }

// TLS is the certificate to show: with the CA's, so that a minion that knows
// only the site's fingerprint can check it.
func (i *Identity) TLS() tls.Certificate {
	i = i.Now()
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
