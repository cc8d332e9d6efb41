package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/token"
)

// Invite makes a token with which a host becomes the further master name. The
// new master's key and certificate are made here, where the passphrase is;
// the masters get only what the token's secret opens.
func Invite(ctx context.Context, c *Client, name, passphrase string, ttl time.Duration) (string, error) {
	key, err := c.siteKey(ctx, passphrase)
	if err != nil {
		return "", err
	}
	bundle := pb.CloneOf(c.trust.Bundle()) // the one in force stays as it is until the masters have the next
	for _, m := range bundle.Masters {
		if m.Name == name && !m.Revoked {
			return "", invalid("cannot invite %q: a master of that name exists or was invited (brine master revoke %s ends it)", name, name)
		}
	}
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := key.IssueMaster(name, pub, time.Now())
	if err != nil {
		return "", invalid("%v", err)
	}
	bundle.Masters = append(bundle.Masters, &proto.MasterKey{Name: name, Key: pub})
	env, err := sign(key, bundle)
	if err != nil {
		return "", err
	}
	masters := &proto.MasterListReply{} // asked before: once the bundle is out, nothing may keep the token back
	if err := c.Call(ctx, "master.list", &proto.Empty{}, masters); err != nil {
		return "", err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, says its documentation
	req := &proto.InviteRequest{Name: name, Ttl: ttl.Microseconds(), Bundle: env}
	if req.Kit, req.SecretSha256, err = sealKit(secret, private, der); err != nil {
		return "", err
	}
	if err := c.Call(ctx, "master.invite", req, &proto.Empty{}); err != nil {
		return "", err
	}
	site := key.Site()
	t := &proto.JoinToken{Name: name, CaFingerprint: site[:], Secret: secret}
	for _, m := range masters.Masters {
		if m.State == "live" && m.Files != "" {
			t.Masters = append(t.Masters, m.Files)
		}
	}
	return token.FormatJoin(t)
}

// sealKit seals the new master's key and certificate with the token's
// secret, and hashes the proof of it that the new master will show.
func sealKit(secret []byte, key ed25519.PrivateKey, certificate []byte) (kit, hash []byte, err error) {
	plain, err := pb.Marshal(&proto.JoinKit{Seed: key.Seed(), Certificate: certificate})
	if err != nil {
		return nil, nil, err
	}
	if kit, err = pki.SealSecret(secret, plain); err != nil {
		return nil, nil, err
	}
	proof, err := pki.SecretProof(secret)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(proof)
	return kit, sum[:], nil
}

// RevokeMaster ends the trust in a master, for ever, and tells who knows it.
func RevokeMaster(ctx context.Context, c *Client, name, passphrase string) (*proto.BundleSetReply, error) {
	key, err := c.siteKey(ctx, passphrase)
	if err != nil {
		return nil, err
	}
	bundle := pb.CloneOf(c.trust.Bundle()) // the one in force stays as it is until the masters have the next
	found, left := false, 0
	for _, m := range bundle.Masters {
		switch {
		case m.Revoked:
		case m.Name == name:
			m.Revoked, found = true, true
		default:
			left++
		}
	}
	if !found {
		return nil, invalid("cannot revoke %q: the site has no such master", name)
	}
	if left == 0 {
		return nil, invalid("cannot revoke %q: it is the only master", name)
	}
	env, err := sign(key, bundle)
	if err != nil {
		return nil, err
	}
	reply := &proto.BundleSetReply{}
	return reply, c.Call(ctx, "master.bundle", &proto.BundleSet{Bundle: env}, reply)
}

func invalid(format string, args ...any) error {
	return &Error{Code: proto.ApiError_INVALID, Message: fmt.Sprintf(format, args...)}
}

// siteKey fetches the encrypted site key and opens it here. It brings the
// trust bundle up to date too.
func (c *Client) siteKey(ctx context.Context, passphrase string) (*pki.SiteKey, error) {
	site := &proto.SiteReply{}
	if err := c.Call(ctx, "master.site", &proto.Empty{}, site); err != nil {
		return nil, err
	}
	if err := c.SaveBundle(site.Bundle); err != nil {
		return nil, err
	}
	key, err := pki.DecryptSiteKey(site.SiteKey, passphrase)
	if err != nil {
		return nil, &Error{Code: proto.ApiError_NOT_PERMITTED, Message: err.Error()}
	}
	return key, nil
}

func sign(key *pki.SiteKey, b *proto.Bundle) (*proto.Envelope, error) {
	b.Serial++
	b.IssuedAt = time.Now().UnixMicro()
	return key.SignBundle(b)
}
