package pki

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// A file token is good for tokenLife by the minion's clock. The master takes
// one up to maxTokenLife ahead, so that clocks may differ by a quarter hour.
const (
	tokenLife    = 20 * time.Minute
	maxTokenLife = 35 * time.Minute
	maxToken     = 1024
)

// NewFileToken makes what the minion called id shows to a master's HTTPS
// listener. Make a new one for every run; it is good for some minutes.
func NewFileToken(k *MinionKey, site Fingerprint, id string, now time.Time) (string, error) {
	if err := subject.CheckID(id); err != nil {
		return "", fmt.Errorf("cannot make file token: %w", err)
	}
	if site.IsZero() {
		return "", fmt.Errorf("cannot make file token: the site is not known yet")
	}
	body, err := proto.Marshal(&pb.FileToken{Minion: id, NotAfter: now.Add(tokenLife).UnixMicro()})
	if err != nil {
		return "", fmt.Errorf("cannot make file token: %v", err)
	}
	token, err := proto.Marshal(Sign(k.Signing, site, pb.Kind_KIND_FILE_TOKEN, body))
	if err != nil {
		return "", fmt.Errorf("cannot make file token: %v", err)
	}
	return base64.RawURLEncoding.EncodeToString(token), nil
}

// VerifyFileToken returns the minion that token speaks for. key gives the
// accepted signing key of a minion.
func VerifyFileToken(token string, site Fingerprint, now time.Time,
	key func(minion string) (ed25519.PublicKey, bool)) (minion string, err error) {
	if len(token) > maxToken {
		return "", fmt.Errorf("cannot read file token: it has %d bytes", len(token))
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", fmt.Errorf("cannot read file token: %v", err)
	}
	env, t := &pb.Envelope{}, &pb.FileToken{}
	if err := proto.Unmarshal(raw, env); err != nil {
		return "", fmt.Errorf("cannot read file token: %v", err)
	}
	// Read before it is verified, only to learn whose key must have signed it.
	if err := proto.Unmarshal(env.Body, t); err != nil {
		return "", fmt.Errorf("cannot read file token: %v", err)
	}
	if err := subject.CheckID(t.Minion); err != nil {
		return "", fmt.Errorf("cannot read file token: %w", err)
	}
	_, err = Verify(env, site, pb.Kind_KIND_FILE_TOKEN, func(signer ed25519.PublicKey) error {
		if want, ok := key(t.Minion); !ok || !bytes.Equal(want, signer) {
			return fmt.Errorf("not signed by an accepted key of minion %q", t.Minion)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("cannot accept file token: %w", err)
	}
	left := time.UnixMicro(t.NotAfter).Sub(now)
	if left < 0 {
		return "", fmt.Errorf("cannot accept file token of %q: it ended %v ago: check NTP", t.Minion, -left)
	}
	if left > maxTokenLife {
		return "", fmt.Errorf("cannot accept file token of %q: it lasts for %v: check NTP", t.Minion, left)
	}
	return t.Minion, nil
}
