package keys_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"brine/master/keys"
	"brine/pki"
	"brine/proto"
)

var site = pki.Fingerprint{1}

// A rotating is an operator and the keys that it has, one after another.
type rotating struct {
	t *testing.T
	*master
	name string
	keys []ed25519.PrivateKey
}

// newRotating adds an operator of a name, with keys of which the first is in use.
func newRotating(t *testing.T, m *master, name string, role ...string) *rotating {
	t.Helper()
	r := &rotating{t: t, master: m, name: name}
	for range 4 {
		key, err := pki.NewOperatorKey()
		if err != nil {
			t.Fatal(err)
		}
		r.keys = append(r.keys, key)
	}
	if err := m.set(&proto.OperatorRecord{Name: name, Key: r.pub(0), Roles: roles(t, role...), AddedBy: "root"}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rotating) pub(n int) ed25519.PublicKey { return r.keys[n].Public().(ed25519.PublicKey) }

func (r *rotating) change(from, to int) *proto.KeyChange {
	r.t.Helper()
	c, err := pki.NewKeyChange(site, proto.Kind_KIND_OPERATOR_KEY, r.name, r.keys[from], r.keys[to], nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// rotate asks m for a change, as whoever has the key that it is asked with.
func (r *rotating) rotate(m *master, with int, c *proto.KeyChange) error {
	op, ok := m.OperatorRecord(r.pub(with))
	if !ok {
		return errors.New("nobody's key")
	}
	_, err := m.RotateOperator(r.t.Context(), op, c)
	return err
}

// good are the keys that m lets in, as digits.
func (r *rotating) good(m *master) (good string) {
	for n := range r.keys {
		if name, ok := m.Operator(r.pub(n)); ok && name == r.name {
			good += string(rune('0' + n))
		}
	}
	return good
}

func TestAnOperatorKeepsItsRolesWithANewKey(t *testing.T) {
	m := newMaster(t, "m1")
	r := newRotating(t, m, "alice", "test.ping on web1")
	op, _ := m.OperatorRecord(r.pub(0))
	// What was decided while the request was under way counts.
	if err := m.set(&proto.OperatorRecord{Name: "alice", Key: r.pub(0), Roles: roles(t, "test.echo on web2"), NotAfter: m.now().Add(time.Hour).Unix()}); err != nil {
		t.Fatal(err)
	}
	late, err := m.RotateOperator(t.Context(), op, r.change(0, 1))
	if err != nil || len(late) != 1 {
		t.Fatalf("got %v, %v", late, err)
	}
	now, _ := m.OperatorRecord(r.pub(1))
	if got := r.good(m); got != "1" || now.AddedBy != "alice" || now.NotAfter == 0 || now.Roles[0].Functions[0] != "test.echo" {
		t.Errorf("keys %q, %v", got, now)
	}
	if m.count(&m.retired, pki.NKey(r.pub(0))) != 1 || m.count(&m.revoked, pki.NKey(r.pub(0))) != 0 {
		t.Errorf("revoked %v, retired %v", m.revoked, m.retired)
	}
	if err := r.rotate(m, 1, r.change(0, 1)); err != nil || r.good(m) != "1" {
		t.Errorf("asked again: %v, keys %q", err, r.good(m))
	}
}

// TestARefusedChangeLeavesTheKeyThatThereIs in force.
func TestARefusedChangeLeavesTheKeyThatThereIs(t *testing.T) {
	m := newMaster(t, "m1")
	r, bob := newRotating(t, m, "alice", "admin"), newRotating(t, m, "bob", "admin")
	if err := m.set(&proto.OperatorRecord{Name: "alice", Key: r.pub(3), Revoked: true}); err != nil {
		t.Fatal(err)
	}
	dan := &rotating{t: t, master: m, name: "pam:dan", keys: bob.keys[2:]}
	if err := m.set(&proto.OperatorRecord{Name: dan.name, Key: dan.pub(0), Via: "pam", NotAfter: m.now().Add(time.Hour).Unix()}); err != nil {
		t.Fatal(err)
	}
	if err := dan.rotate(m, 0, dan.change(0, 1)); err == nil || !strings.Contains(err.Error(), "the key is of a sign-in, which ends by itself: brine login makes another one") || dan.good(m) != "0" {
		t.Errorf("of a sign-in: got %v, keys %q", err, dan.good(m))
	}
	forged := r.change(0, 1)
	forged.ByNew.Signature[0] ^= 1
	toBobs := &rotating{t: t, master: m, name: "alice", keys: append(r.keys[:1:1], bob.keys[0])}
	for _, c := range []struct {
		name   string
		with   int
		change *proto.KeyChange
		want   string
	}{
		{"to one that is another's", 0, toBobs.change(0, 1), `operator "bob" has it already`},
		{"to a key that is revoked", 0, r.change(0, 3), "this key is revoked for good: use a new one"},
		{"of another key", 0, r.change(3, 1), "the change is of another key than the one in use"},
		{"of another operator", 0, bob.change(0, 1), `the change is of operator "bob"`},
		{"forged", 0, forged, "signature"},
		{"nothing", 0, nil, ""},
	} {
		if err := r.rotate(m, c.with, c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if got := r.good(m); got != "0" {
			t.Errorf("%s: keys %q", c.name, got)
		}
	}
	if err := m.set(&proto.OperatorRecord{Name: "alice", Key: r.pub(3), Roles: roles(t, "admin")}); !errors.Is(err, keys.ErrConflict) || r.good(m) != "0" {
		t.Errorf("an admin brought a revoked key back: %v, keys %q", err, r.good(m))
	}
}

// TestWhoReadsOnlyTheFirstRecordOfAChange, as of a master that died while it told it, is not without any key.
func TestWhoReadsOnlyTheFirstRecordOfAChange(t *testing.T) {
	m, other := newMaster(t, "m1"), newMaster(t, "m2")
	r := newRotating(t, m, "alice", "admin")
	m.copyTo(other)
	m.note(func() { m.sent = nil })
	if err := r.rotate(m, 0, r.change(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := other.store.Append(t.Context(), m.sent[0]); err != nil {
		t.Fatal(err)
	}
	if got := r.good(other); got != "1" {
		t.Errorf("keys %q", got)
	}
}

// TestNoKeyOfBeforeComesBack when masters that were cut off from each other each took another one,
// and the one in force is revoked.
func TestNoKeyOfBeforeComesBack(t *testing.T) {
	m, other := newMaster(t, "m1"), newMaster(t, "m2")
	r := newRotating(t, m, "alice", "test.ping on web1")
	m.copyTo(other)
	if err := errors.Join(r.rotate(m, 0, r.change(0, 1)), r.rotate(other, 0, r.change(0, 2))); err != nil {
		t.Fatal(err)
	}
	m.copyTo(other)
	other.copyTo(m)
	if r.good(m) != r.good(other) || len(r.good(m)) != 1 {
		t.Fatalf("keys %q and %q", r.good(m), r.good(other))
	}
	if err := r.rotate(other, 0, r.change(0, 3)); err == nil {
		t.Error("a key of before changed the key")
	}
	inForce := r.pub(int(r.good(m)[0] - '0'))
	gone, _, err := m.RevokeOperator(t.Context(), "root", "alice", keys.Fingerprint(inForce))
	if err != nil || len(gone) != 1 {
		t.Errorf("got %v, %v", gone, err)
	}
	if got := r.good(m); got != "" {
		t.Errorf("key %s came back", got)
	}
}
