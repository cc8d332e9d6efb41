package pki

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

const (
	caLife     = 30 * 365 * 24 * time.Hour
	masterLife = 365 * 24 * time.Hour
	early      = time.Hour // how far back certificates begin, for clocks that are late
)

// SiteKey is the root of a site. It signs masters' certificates and trust
// bundles and nothing else, and is kept encrypted with a passphrase.
type SiteKey struct {
	key ed25519.PrivateKey
	ca  *x509.Certificate
}

// NewSite makes the key of a new site and its CA certificate.
func NewSite(name string, now time.Time) (*SiteKey, error) {
	if err := subject.CheckID(name); err != nil {
		return nil, fmt.Errorf("cannot make site: %w", err)
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make site key: %v", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, fmt.Errorf("cannot make site key: %v", err)
	}
	site := KeyFingerprint(public)
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"brine"}, CommonName: "site " + name},
		NotBefore:             now.Add(-early),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          site[:20],
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make CA certificate: %v", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot make CA certificate: %v", err)
	}
	return &SiteKey{key: key, ca: ca}, nil
}

// CA is the site's CA certificate.
func (k *SiteKey) CA() *x509.Certificate { return k.ca }

// Site is the site's fingerprint.
func (k *SiteKey) Site() Fingerprint { return SiteFingerprint(k.ca) }

// Encrypt returns the key and the CA certificate as an age file, armoured,
// that passphrase opens. It takes about a second on purpose.
func (k *SiteKey) Encrypt(passphrase string) ([]byte, error) {
	if passphrase == "" {
		return nil, fmt.Errorf("cannot encrypt site key: the passphrase is empty")
	}
	plain, err := encodeKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt site key: %v", err)
	}
	plain = append(plain, encodeCertificate(k.ca.Raw)...)
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt site key: %v", err)
	}
	recipient.SetWorkFactor(work)
	var out bytes.Buffer
	armoured := armor.NewWriter(&out)
	w, err := age.Encrypt(armoured, recipient)
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt site key: %v", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("cannot encrypt site key: %v", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot encrypt site key: %v", err)
	}
	if err := armoured.Close(); err != nil {
		return nil, fmt.Errorf("cannot encrypt site key: %v", err)
	}
	return out.Bytes(), nil
}

// DecryptSiteKey is the inverse of Encrypt.
func DecryptSiteKey(data []byte, passphrase string) (*SiteKey, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt site key: %v", err)
	}
	identity.SetMaxWorkFactor(maxWork)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), identity)
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt site key: wrong passphrase or damaged file: %v", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt site key: %v", err)
	}
	k, err := parseSiteKey(plain)
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt site key: %v", err)
	}
	return k, nil
}

// CheckSiteKey tells what can be seen to be wrong with an encrypted site key
// without its passphrase.
func CheckSiteKey(data []byte) error {
	plain, err := io.ReadAll(io.LimitReader(armor.NewReader(bytes.NewReader(data)), maxFile))
	if err == nil && !bytes.HasPrefix(plain, []byte("age-encryption.org/")) {
		err = fmt.Errorf("it is not a file of age")
	}
	if err != nil {
		return fmt.Errorf("cannot read the encrypted site key: %v", err)
	}
	return nil
}

// maxWork bounds what a foreign file can cost: 2^20 is 1 GiB of memory.
const maxWork = 20

func parseSiteKey(plain []byte) (*SiteKey, error) {
	key, rest, err := decodeKey(plain)
	if err != nil {
		return nil, err
	}
	signing, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("want an ed25519 key")
	}
	ca, err := decodeCertificate(rest)
	if err != nil {
		return nil, err
	}
	if !signing.Public().(ed25519.PublicKey).Equal(ca.PublicKey) {
		return nil, fmt.Errorf("key and CA certificate do not belong together")
	}
	return &SiteKey{key: signing, ca: ca}, nil
}

// IssueMaster makes the certificate (DER) of the master called name, whose
// public key is key. It is valid for a year.
func (k *SiteKey) IssueMaster(name string, key ed25519.PublicKey, now time.Time) ([]byte, error) {
	if err := subject.CheckID(name); err != nil {
		return nil, fmt.Errorf("cannot issue certificate: %w", err)
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("cannot issue certificate of %q: the key has %d bytes", name, len(key))
	}
	serial, err := newSerial()
	if err != nil {
		return nil, fmt.Errorf("cannot issue certificate of %q: %v", name, err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"brine"}, CommonName: "master"},
		NotBefore:             now.Add(-early),
		NotAfter:              now.Add(masterLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{masterURI(k.Site(), name)},
		DNSNames:              []string{name}, // for what knows no more of the site than its CA, and verifies a name
	}
	der, err := x509.CreateCertificate(rand.Reader, template, k.ca, key, k.key)
	if err != nil {
		return nil, fmt.Errorf("cannot issue certificate of %q: %v", name, err)
	}
	return der, nil
}

// SignBundle signs a trust bundle, after the checks that everyone who
// receives it makes.
func (k *SiteKey) SignBundle(b *pb.Bundle) (*pb.Envelope, error) {
	if err := checkBundle(b); err != nil {
		return nil, fmt.Errorf("cannot sign trust bundle: %w", err)
	}
	body, err := proto.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("cannot sign trust bundle: %v", err)
	}
	return Sign(k.key, k.Site(), pb.Kind_KIND_BUNDLE, body), nil
}

// masterURI is the name of a master in its certificate. The fingerprint is
// not the host, as crypto/x509 has at times refused labels above 63 bytes.
func masterURI(site Fingerprint, name string) *url.URL {
	return &url.URL{Scheme: "brine", Host: "site", Path: "/" + site.hex() + "/master/" + name}
}

// nameInCertificate is the master's name that cert gives, for this site.
func nameInCertificate(cert *x509.Certificate, site Fingerprint) (string, error) {
	if len(cert.URIs) != 1 {
		return "", fmt.Errorf("it is not a master's: it has %d URIs", len(cert.URIs))
	}
	got := cert.URIs[0].String()
	name, ok := strings.CutPrefix(got, masterURI(site, "").String())
	if !ok {
		return "", fmt.Errorf("it is not a master's of site %v: %q", site, got)
	}
	if err := subject.CheckID(name); err != nil {
		return "", fmt.Errorf("it is not a master's: %v", err)
	}
	return name, nil
}

func newSerial() (*big.Int, error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return nil, err
	}
	raw[0] = raw[0]&0x7f | 0x40 // positive, and always 16 bytes
	return new(big.Int).SetBytes(raw[:]), nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})
}

func decodeCertificate(data []byte) (*x509.Certificate, error) {
	der, rest, err := nextBlock(data, pemCertificate)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("want one certificate, found something after it")
	}
	return x509.ParseCertificate(der)
}
