package client

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

// RotateMaster has a master make a new key and take it into use in the place of
// the one it has, which nobody accepts from then on. It returns the new key's
// fingerprint, and who knows of it.
func RotateMaster(ctx context.Context, c *Client, name, passphrase string) (pki.Fingerprint, *proto.BundleSetReply, error) {
	var none pki.Fingerprint
	key, err := c.siteKey(ctx, passphrase)
	if err != nil {
		return none, nil, err
	}
	bundle := pb.CloneOf(c.trust.Bundle()) // the one in force stays as it is until the masters have the next
	old := validKey(bundle, name)
	if old == nil {
		return none, nil, invalid("cannot rotate the key of %q: the site has no such master", name)
	}
	change := &proto.KeyChange{}
	if err := c.Call(ctx, "master.key", &proto.NewKeyRequest{Master: name}, change); err != nil {
		return none, nil, err
	}
	// Whoever passed it on is not believed: the master itself has signed it.
	next, err := pki.OpenKeyChange(change, c.trust.Pin(), proto.Kind_KIND_MASTER_KEY, func(signer ed25519.PublicKey) error {
		if !slices.Equal(signer, old.Key) {
			return fmt.Errorf("not signed by the key of master %q", name)
		}
		return nil
	})
	if err == nil && next.Name != name {
		err = fmt.Errorf("it is of %q", next.Name)
	}
	if err != nil {
		return none, nil, fmt.Errorf("cannot rotate the key of %q: %w", name, err)
	}
	req := &proto.RotateRequest{Master: name}
	if req.Certificate, err = key.IssueMaster(name, next.Key, time.Now()); err != nil {
		return none, nil, invalid("%v", err)
	}
	old.Revoked, old.Rotated = true, true
	bundle.Masters = append(bundle.Masters, &proto.MasterKey{Name: name, Key: next.Key})
	if req.Bundle, err = sign(key, bundle); err != nil {
		return none, nil, err
	}
	reply := &proto.BundleSetReply{}
	return pki.KeyFingerprint(next.Key), reply, c.Call(ctx, "master.rotate", req, reply)
}

// A Renewal is what came of a certificate that was to be renewed.
type Renewal struct {
	Name  string
	Until time.Time
	Err   error
}

// RenewMasters gives masters certificates that last a year from now, for the
// keys that they have. The error is one that keeps it from all of them.
func RenewMasters(ctx context.Context, c *Client, names []string, passphrase string) ([]Renewal, error) {
	key, err := c.siteKey(ctx, passphrase)
	if err != nil {
		return nil, err
	}
	all := make([]Renewal, 0, len(names))
	for _, name := range names {
		r := Renewal{Name: name}
		r.Until, r.Err = c.renew(ctx, key, name)
		all = append(all, r)
	}
	return all, nil
}

func (c *Client) renew(ctx context.Context, key *pki.SiteKey, name string) (until time.Time, err error) {
	known := validKey(c.trust.Bundle(), name)
	if known == nil {
		return until, invalid("cannot renew the certificate of %q: the site has no such master", name)
	}
	der, err := key.IssueMaster(name, known.Key, time.Now())
	if err != nil {
		return until, invalid("%v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return until, err
	}
	return cert.NotAfter, c.Call(ctx, "master.certificate", &proto.CertificateRequest{Master: name, Certificate: der}, &proto.Empty{})
}

// validKey is the entry of a master in a bundle by which it is trusted; nil without one.
func validKey(b *proto.Bundle, name string) *proto.MasterKey {
	for _, m := range b.GetMasters() {
		if m.Name == name && !m.Revoked {
			return m
		}
	}
	return nil
}
