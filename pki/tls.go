package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// ServerTLS is for listeners whose clients prove themselves in another way:
// the bus of minions and operators. Each handshake shows the certificate that
// id has then.
func ServerTLS(id *Identity) *tls.Config {
	c := base()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return new(id.TLS()), nil }
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return new(id.TLS()), nil }
	return c
}

// FilesTLS is for the HTTPS listener: minions come without a certificate, and
// one that is shown must be that of a master that t trusts. MasterName tells
// them apart.
func FilesTLS(id *Identity, t *Trust) *tls.Config {
	c := ServerTLS(id)
	c.ClientAuth = tls.RequestClientCert
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return nil
		}
		return verifyMaster(t, cs, x509.ExtKeyUsageClientAuth)
	}
	return c
}

// PeerTLS is for connections between masters, for both sides: each shows its
// certificate, and refuses a peer that t does not trust.
func PeerTLS(id *Identity, t *Trust) *tls.Config {
	c := ServerTLS(id)
	c.ClientAuth = tls.RequireAnyClientCert // judged by VerifyConnection
	c.InsecureSkipVerify = true             // likewise, for the side that dials
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		// crypto/tls does not tell which side this is; masters' certificates serve for both.
		return verifyMaster(t, cs, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	}
	return c
}

// ClientTLS is for minions and operators: whoever answers must be a master of
// the pinned site, and not revoked by the bundle that t holds. The address it
// was reached at does not matter. A master that the bundle does not list may
// have joined since: only it may be left to tell of that, so it is let in, and
// what it signs counts when t holds a bundle that lists it.
func ClientTLS(t *Trust) *tls.Config {
	c := base()
	c.InsecureSkipVerify = true // VerifyConnection does it, without a host name
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		err := verifyMaster(t, cs, x509.ExtKeyUsageServerAuth)
		if errors.Is(err, ErrUnknownMaster) {
			return nil
		}
		return err
	}
	return c
}

// MasterName is the name of the master at the other end of a connection that
// was verified by one of the configurations above.
func MasterName(cs tls.ConnectionState) (string, error) {
	if !cs.HandshakeComplete || len(cs.PeerCertificates) < 2 {
		return "", fmt.Errorf("cannot name the peer: it showed no master's certificate")
	}
	ca := cs.PeerCertificates[len(cs.PeerCertificates)-1]
	name, err := nameInCertificate(cs.PeerCertificates[0], SiteFingerprint(ca))
	if err != nil {
		return "", fmt.Errorf("cannot name the peer by its certificate: %v", err)
	}
	return name, nil
}

// base has what all sides share. Both ends are brine, so the choices are few:
// X25519 alone costs a third less at a storm of connections than the default,
// and tickets would let a revoked master skip its certificate.
func base() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519},
		SessionTicketsDisabled: true,
	}
}

// verifyMaster checks the peer's certificates: leaf and CA, as Identity.TLS
// shows them. The CA's own signature proves nothing and is not checked: what
// counts is that its key is the pinned one and has signed the leaf.
func verifyMaster(t *Trust, cs tls.ConnectionState, usages ...x509.ExtKeyUsage) error {
	if len(cs.PeerCertificates) != 2 {
		return fmt.Errorf("cannot trust the peer: it showed %d certificates, want its own and the site's",
			len(cs.PeerCertificates))
	}
	leaf, ca := cs.PeerCertificates[0], cs.PeerCertificates[1]
	site := SiteFingerprint(ca)
	if site.IsZero() {
		return fmt.Errorf("cannot trust the peer: its CA's key is not ed25519")
	}
	if pin := t.Pin(); !pin.IsZero() && site != pin {
		return fmt.Errorf("cannot trust the peer: it is of site %v, want %v", site, pin)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, usage := range usages {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}})
		if err != nil {
			return fmt.Errorf("cannot trust the peer's certificate: %s", strings.TrimPrefix(err.Error(), "x509: "))
		}
	}
	name, err := nameInCertificate(leaf, site)
	if err != nil {
		return fmt.Errorf("cannot trust the peer's certificate: %v", err)
	}
	key, ok := leaf.PublicKey.(ed25519.PublicKey)
	if !ok {
		return fmt.Errorf("cannot trust the certificate of %q: its key is not ed25519", name)
	}
	if err := t.meet(site, name, key); err != nil { // last: ClientTLS passes over one of its errors
		return fmt.Errorf("cannot trust the certificate of %q: %w", name, err)
	}
	return nil
}
