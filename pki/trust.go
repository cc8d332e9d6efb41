package pki

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
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

const (
	maxMasters = 1000
	maxLost    = 8 // bundles that travel along in one envelope
)

// Trust is what its holder believes about the site: the pinned fingerprint,
// the trust bundle in force, and every revocation that the site key ever
// signed in a bundle seen here. It is safe for concurrent use.
type Trust struct {
	mu       sync.RWMutex
	pin      Fingerprint
	signed   *signedBundle            // in force; nil before the first bundle
	revoked  map[string]revocation    // by key, those of all bundles
	digest   []byte                   // of all this
	envelope *pb.Envelope             // signed, with the proofs of revocations that it lacks
	bundle   *pb.Bundle               // signed, with revoked merged in
	masters  map[string]*pb.MasterKey // those of bundle, by key
}

// signedBundle is a bundle whose signature was verified.
type signedBundle struct {
	env    *pb.Envelope
	bundle *pb.Bundle
}

// revocation is what is known of a revoked key.
type revocation struct {
	name string
	by   *signedBundle // the first that revoked it
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

// Update takes a bundle that the site key signed. It tells whether what is in
// force has changed; the same bundle again is no error.
//
// The bundle with the highest serial is in force. Of two with one serial, which
// operators can sign at masters that are cut off from each other, both are
// genuine: the one whose body has the greater SHA-256 is in force, so that all
// holders agree. A key that any bundle revokes stays revoked whichever is in
// force: a bundle that is not put in force is taken all the same, without an
// error, when it revokes a key that is not known to be. Otherwise the error
// wraps ErrOlderBundle, and ErrBundleConflict too for one serial.
func (t *Trust) Update(env *pb.Envelope) (changed bool, err error) {
	site := t.Pin()
	b, err := verifyBundle(env, site)
	if err != nil {
		return false, fmt.Errorf("cannot take trust bundle: %w", err)
	}
	var lost []*signedBundle
	for _, e := range env.Lost[:min(len(env.Lost), maxLost)] {
		// What stands outside the signature can't spoil what is signed.
		if l, err := verifyBundle(e, site); err == nil {
			lost = append(lost, l)
		}
	}
	return t.take(b, lost)
}

func verifyBundle(env *pb.Envelope, site Fingerprint) (*signedBundle, error) {
	body, err := Verify(env, site, pb.Kind_KIND_BUNDLE, func(key ed25519.PublicKey) error {
		if KeyFingerprint(key) != site {
			return fmt.Errorf("not signed by the key of site %v: %w", site, ErrForged)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b := &pb.Bundle{}
	if err := proto.Unmarshal(body, b); err != nil {
		return nil, err
	}
	if err := checkBundle(b); err != nil {
		return nil, err
	}
	bare := &pb.Envelope{Kind: env.Kind, Body: env.Body, Key: env.Key, Signature: env.Signature}
	return &signedBundle{proto.CloneOf(bare), b}, nil
}

func (t *Trust) take(b *signedBundle, lost []*signedBundle) (changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed = t.learn(b)
	for _, l := range lost {
		changed = t.learn(l) || changed
	}
	if t.signed == nil || b.beats(t.signed) {
		t.signed, changed = b, true
	}
	serial := t.signed.bundle.Serial
	switch {
	case changed:
		t.merge()
		return true, nil
	case bytes.Equal(b.env.Body, t.signed.env.Body):
		return false, nil
	case b.bundle.Serial == serial:
		return false, fmt.Errorf("cannot take trust bundle %d: %w: %w", serial, ErrOlderBundle, ErrBundleConflict)
	}
	return false, fmt.Errorf("cannot take trust bundle %d: %w: %d", b.bundle.Serial, ErrOlderBundle, serial)
}

// beats tells whether b is in force rather than c.
func (b *signedBundle) beats(c *signedBundle) bool {
	if b.bundle.Serial != c.bundle.Serial {
		return b.bundle.Serial > c.bundle.Serial
	}
	x, y := sha256.Sum256(b.env.Body), sha256.Sum256(c.env.Body)
	return bytes.Compare(x[:], y[:]) > 0
}

// learn notes the keys that b revokes, and tells whether one is new.
func (t *Trust) learn(b *signedBundle) (isNew bool) {
	for _, m := range b.bundle.Masters {
		if _, known := t.revoked[string(m.Key)]; known || !m.Revoked {
			continue
		}
		if t.revoked == nil {
			t.revoked = map[string]revocation{}
		}
		t.revoked[string(m.Key)] = revocation{m.Name, b}
		isNew = true
	}
	return isNew
}

// merge makes what Bundle and Envelope return of the bundle in force and the
// revocations that it lacks.
func (t *Trust) merge() {
	bundle, env := proto.CloneOf(t.signed.bundle), proto.CloneOf(t.signed.env)
	sum := sha256.New()
	sum.Write(env.Body)
	masters := make(map[string]*pb.MasterKey, len(bundle.Masters))
	for _, m := range bundle.Masters {
		masters[string(m.Key)] = m
	}
	proofs := map[*signedBundle]bool{}
	for _, key := range slices.Sorted(maps.Keys(t.revoked)) {
		r, m := t.revoked[key], masters[key]
		sum.Write([]byte(key))
		if m != nil && m.Revoked {
			continue
		}
		if m == nil {
			m = &pb.MasterKey{Name: r.name, Key: []byte(key)}
			bundle.Masters, masters[key] = append(bundle.Masters, m), m
		}
		m.Revoked = true
		if !proofs[r.by] && len(proofs) < maxLost {
			proofs[r.by] = true
			env.Lost = append(env.Lost, r.by.env)
		}
	}
	t.envelope, t.bundle, t.masters, t.digest = env, bundle, masters, sum.Sum(nil)
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

// Rotated tells of a key that is none any more because its master, which is
// trusted as before, has taken another: what was taken from it before is good.
func (t *Trust) Rotated(key ed25519.PublicKey) (name string, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	m := t.masters[string(key)]
	return m.GetName(), m.GetRevoked() && m.GetRotated()
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

// Digest is a hash of what is in force: equal for all who hold the same bundle
// and know of the same revocations; nil before the first.
func (t *Trust) Digest() []byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.digest
}

// Bundle is the bundle in force, with each key revoked that any bundle revokes,
// so that the next one that is made of it says so; nil before the first. Don't
// change it.
func (t *Trust) Bundle() *pb.Bundle {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.bundle
}

// Envelope is the bundle in force as it was signed, to keep or to pass on, and
// with it the bundles that prove what it does not revoke; nil before the
// first. Don't change it.
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
