package pki

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// What callers act on in errors of Trust.
var (
	ErrOlderBundle    = errors.New("a newer trust bundle is in force")
	ErrBundleConflict = errors.New("the site key signed two trust bundles of one serial")
	ErrUnknownMaster  = errors.New("the trust bundle does not list the key")
	ErrRevokedMaster  = errors.New("the master is revoked")
)

const maxMasters = 1000

// Trust is what its holder believes about the site: the pinned fingerprint
// and the trust bundle in force. It is safe for concurrent use.
type Trust struct {
	mu       sync.RWMutex
	pin      Fingerprint
	envelope *pb.Envelope // nil before the first bundle
	bundle   *pb.Bundle
	masters  map[string]*pb.MasterKey // by key
}

// NewTrust trusts the site with this fingerprint. With the zero fingerprint
// it trusts on first use: the first site to show a valid certificate in a
// handshake is pinned.
func NewTrust(site Fingerprint) *Trust { return &Trust{pin: site} }

// Pin is the site's fingerprint, zero while none is pinned.
func (t *Trust) Pin() Fingerprint {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.pin
}

// Update takes a bundle that the site key signed. It tells whether it is a
// newer one; the one in force again is no error. The bundle in force stays on
// any error: a lower serial (ErrOlderBundle), other content under the same
// serial (ErrBundleConflict), a revoked key that is valid again or gone.
func (t *Trust) Update(env *pb.Envelope) (changed bool, err error) {
	site := t.Pin()
	body, err := Verify(env, site, pb.Kind_KIND_BUNDLE, func(key ed25519.PublicKey) error {
		if KeyFingerprint(key) != site {
			return fmt.Errorf("not signed by the key of site %v: %w", site, ErrForged)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("cannot take trust bundle: %w", err)
	}
	b := &pb.Bundle{}
	if err := proto.Unmarshal(body, b); err != nil {
		return false, fmt.Errorf("cannot take trust bundle: %v", err)
	}
	if err := checkBundle(b); err != nil {
		return false, fmt.Errorf("cannot take trust bundle: %w", err)
	}
	return t.replace(proto.CloneOf(env), b)
}

func (t *Trust) replace(env *pb.Envelope, b *pb.Bundle) (changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bundle != nil {
		switch {
		case b.Serial < t.bundle.Serial:
			return false, fmt.Errorf("cannot take trust bundle %d: %w: %d", b.Serial, ErrOlderBundle, t.bundle.Serial)
		case b.Serial == t.bundle.Serial && bytes.Equal(env.Body, t.envelope.Body):
			return false, nil
		case b.Serial == t.bundle.Serial:
			return false, fmt.Errorf("cannot take trust bundle: %w: %d: sign one with a higher serial",
				ErrBundleConflict, b.Serial)
		}
	}
	masters := make(map[string]*pb.MasterKey, len(b.Masters))
	for _, m := range b.Masters {
		masters[string(m.Key)] = m
	}
	for key, m := range t.masters {
		if now := masters[key]; m.Revoked && (now == nil || !now.Revoked) {
			return false, fmt.Errorf("cannot take trust bundle %d: it forgets that a key of master %q is revoked",
				b.Serial, m.Name)
		}
	}
	t.envelope, t.bundle, t.masters = env, b, masters
	return true, nil
}

// Master returns the name of the master that signs with key. Its error wraps
// ErrUnknownMaster or ErrRevokedMaster.
func (t *Trust) Master(key ed25519.PublicKey) (name string, err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.bundle == nil {
		return "", fmt.Errorf("there is no trust bundle yet: %w", ErrUnknownMaster)
	}
	m := t.masters[string(key)]
	if m == nil {
		return "", fmt.Errorf("key %v: %w %d", KeyFingerprint(key), ErrUnknownMaster, t.bundle.Serial)
	}
	if m.Revoked {
		return "", fmt.Errorf("key of master %q: %w", m.Name, ErrRevokedMaster)
	}
	return m.Name, nil
}

// Check is Master without the name, as Verify takes it.
func (t *Trust) Check(key ed25519.PublicKey) error {
	_, err := t.Master(key)
	return err
}

// Serial is that of the bundle in force, 0 before the first.
func (t *Trust) Serial() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.bundle.GetSerial()
}

// Bundle is the bundle in force, nil before the first. Don't change it.
func (t *Trust) Bundle() *pb.Bundle {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.bundle
}

// Envelope is the bundle in force as it was signed, to keep or to pass on;
// nil before the first. Don't change it.
func (t *Trust) Envelope() *pb.Envelope {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.envelope
}

// meet judges a certificate that a site's key signed: the site must be the
// pinned one (it is pinned now, when none is), and the master known.
func (t *Trust) meet(site Fingerprint, name string, key ed25519.PublicKey) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pin.IsZero() {
		t.pin = site
	}
	if t.pin != site {
		return fmt.Errorf("it is of site %v, want %v", site, t.pin)
	}
	if t.bundle == nil {
		return nil // the certificate's own signature must do until a bundle is here
	}
	m := t.masters[string(key)]
	switch {
	case m == nil:
		return fmt.Errorf("%w %d", ErrUnknownMaster, t.bundle.Serial)
	case m.Revoked:
		return ErrRevokedMaster
	case m.Name != name:
		return fmt.Errorf("its key belongs to master %q", m.Name)
	}
	return nil
}

func checkBundle(b *pb.Bundle) error {
	if b.GetSerial() == 0 {
		return fmt.Errorf("it has no serial")
	}
	if len(b.Masters) > maxMasters {
		return fmt.Errorf("it lists %d masters, at most %d are allowed", len(b.Masters), maxMasters)
	}
	keys, names := map[string]bool{}, map[string]bool{}
	for _, m := range b.Masters {
		if err := subject.CheckID(m.GetName()); err != nil {
			return err
		}
		if len(m.Key) != ed25519.PublicKeySize {
			return fmt.Errorf("the key of master %q has %d bytes", m.Name, len(m.Key))
		}
		if keys[string(m.Key)] {
			return fmt.Errorf("a key of master %q is in it twice", m.Name)
		}
		keys[string(m.Key)] = true
		if !m.Revoked && names[m.Name] {
			return fmt.Errorf("master %q has two valid keys", m.Name)
		}
		if !m.Revoked {
			names[m.Name] = true
		}
	}
	return nil
}
