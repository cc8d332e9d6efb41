package pki

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"brine/proto"
)

// ErrForged is in the error of Verify when a message is not what its signer
// signed for this site and purpose: nobody needs an answer to it.
var ErrForged = errors.New("the signature does not fit")

// kinds names each kind in its label. Names are part of the wire format.
var kinds = map[proto.Kind]string{
	proto.Kind_KIND_JOB:          "job",
	proto.Kind_KIND_CANCEL:       "cancel",
	proto.Kind_KIND_NOTICE:       "notice",
	proto.Kind_KIND_LINK_ORDER:   "link order",
	proto.Kind_KIND_BUNDLE:       "bundle",
	proto.Kind_KIND_JOB_REQUEST:  "job request",
	proto.Kind_KIND_API_REQUEST:  "api request",
	proto.Kind_KIND_PEER:         "peer",
	proto.Kind_KIND_FILE_TOKEN:   "file token",
	proto.Kind_KIND_PILLAR:       "pillar",
	proto.Kind_KIND_MINE:         "mine",
	proto.Kind_KIND_MINION_KEY:   "minion key",
	proto.Kind_KIND_MASTER_KEY:   "master key",
	proto.Kind_KIND_OPERATOR_KEY: "operator key",
	proto.Kind_KIND_SIGN_IN:      "sign in",
}

// labelled is what is signed: the label of kind at site, then the body.
func labelled(site Fingerprint, kind proto.Kind, body []byte) ([]byte, bool) {
	name, ok := kinds[kind]
	if !ok || site.IsZero() {
		return nil, false
	}
	label := "\x00brine 1 " + name + " " + site.hex() + "\x00"
	return append(append(make([]byte, 0, len(label)+len(body)), label...), body...), true
}

// Sign makes the envelope of body. The envelope keeps body; don't change it
// afterwards. It panics without a site or a known kind.
func Sign(key ed25519.PrivateKey, site Fingerprint, kind proto.Kind, body []byte) *proto.Envelope {
	message, ok := labelled(site, kind, body)
	if !ok {
		panic(fmt.Sprintf("pki: signature of %v at site %v", kind, site))
	}
	return &proto.Envelope{
		Kind:      kind,
		Body:      body,
		Key:       key.Public().(ed25519.PublicKey),
		Signature: ed25519.Sign(key, message),
	}
}

// Verify returns the body of env once it is sure that env is of kind, that
// trust accepts its key (nil accepts every key; asked first, its error is
// wrapped), and that the key signed it for this kind and site. env may be nil.
func Verify(env *proto.Envelope, site Fingerprint, kind proto.Kind,
	trust func(ed25519.PublicKey) error) ([]byte, error) {
	if env == nil {
		return nil, fmt.Errorf("cannot verify message: there is none: %w", ErrForged)
	}
	if env.Kind != kind {
		return nil, fmt.Errorf("cannot verify message: want kind %v, got %v: %w", kind, env.Kind, ErrForged)
	}
	message, ok := labelled(site, kind, env.Body)
	if !ok {
		return nil, fmt.Errorf("cannot verify %v: its site is not known yet", kind)
	}
	if len(env.Key) != ed25519.PublicKeySize || len(env.Signature) != ed25519.SignatureSize {
		return nil, fmt.Errorf("cannot verify %v: key or signature has a wrong length: %w", kind, ErrForged)
	}
	if trust != nil {
		if err := trust(env.Key); err != nil {
			return nil, fmt.Errorf("cannot verify %v: %w", kind, err)
		}
	}
	if !ed25519.Verify(env.Key, message, env.Signature) {
		return nil, fmt.Errorf("cannot verify %v: %w", kind, ErrForged)
	}
	return env.Body, nil
}
