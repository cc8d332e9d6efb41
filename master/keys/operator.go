package keys

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"

	"brine/master/store"
	"brine/proto"
	"brine/proto/role"
	"brine/proto/subject"
)

// Operator returns the name of the operator with this key, which is neither
// revoked nor over. It serves broker.Keys.
func (d *DB) Operator(pub ed25519.PublicKey) (name string, ok bool) {
	op, ok := d.OperatorRecord(pub)
	return op.GetName(), ok
}

// OperatorRecord returns the operator with this key, which is neither revoked
// nor over. Don't change it.
func (d *DB) OperatorRecord(pub ed25519.PublicKey) (*proto.OperatorRecord, bool) {
	d.mu.RLock()
	op, ok := d.operators[string(pub)]
	d.mu.RUnlock()
	if !ok || d.over(op) {
		return nil, false
	}
	return op, true
}

// over tells whether an operator's time has run out.
func (d *DB) over(op *proto.OperatorRecord) bool {
	return op.GetNotAfter() != 0 && d.o.Now().Unix() >= op.NotAfter
}

// SetOperator adds an operator or changes the one of that name; with Revoked
// its key is refused from then on, for good. A lasting key (Via "" or "key")
// takes the place of the one that the name has, which is revoked; the key of a
// sign-in (any other Via) stands beside it until NotAfter. The error may wrap
// ErrInvalid or ErrConflict.
func (d *DB) SetOperator(ctx context.Context, op *proto.OperatorRecord) (unconfirmed []string, err error) {
	d.operating.Lock()
	defer d.operating.Unlock()
	if unconfirmed, err = d.setOperator(ctx, op); err != nil {
		return nil, fmt.Errorf("cannot set operator %q: %w", op.GetName(), err)
	}
	return unconfirmed, nil
}

// setOperator is SetOperator with operating held.
func (d *DB) setOperator(ctx context.Context, op *proto.OperatorRecord) (unconfirmed []string, err error) {
	if err := d.checkOperator(op); err != nil {
		return nil, err
	}
	// The new key comes first: who reads only this far goes on with it, and nobody is without any.
	changes := append([]*proto.OperatorRecord{op}, d.replaced(op)...)
	if err := d.keepsAdmin(changes); err != nil {
		return nil, err
	}
	if unconfirmed, err = d.writeOperators(ctx, changes); err != nil {
		return nil, err
	}
	if now, _ := d.OperatorRecord(op.Key); !op.Revoked && !d.over(op) && now.GetName() != op.Name {
		return nil, fmt.Errorf("%w: %s", ErrConflict, revokedForGood)
	}
	return unconfirmed, nil
}

const revokedForGood = "this key is revoked for good: use a new one"

// RevokeOperator ends keys of an operator, for good, as by asks for: all of
// them, or the one with a fingerprint, also such as are not in use. It returns
// them as they are then. The error may wrap ErrNoKey, ErrInvalid or ErrConflict.
func (d *DB) RevokeOperator(ctx context.Context, by, name, fingerprint string) (
	keys []store.Operator, unconfirmed []string, err error) {
	d.operating.Lock()
	defer d.operating.Unlock()
	var changes []*proto.OperatorRecord
	for _, op := range d.OperatorKeys(name) {
		if fingerprint == "" || Fingerprint(op.Key) == fingerprint {
			keys = append(keys, op)
		} else if !op.Past { // one that was replaced would take the place of the one that is revoked
			continue
		}
		if !op.Revoked {
			changes = append(changes, revokedBy(op.OperatorRecord, by))
		}
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("cannot revoke operator %q: %w: %s", name, ErrNoKey, d.noOperator(name, fingerprint))
	}
	if err := d.keepsAdmin(changes); err != nil {
		return nil, nil, fmt.Errorf("cannot revoke operator %q: %w", name, err)
	}
	if unconfirmed, err = d.writeOperators(ctx, changes); err != nil {
		return nil, nil, fmt.Errorf("cannot revoke operator %q: %w", name, err)
	}
	after := d.OperatorKeys(name)
	return slices.DeleteFunc(after, func(op store.Operator) bool {
		return !slices.ContainsFunc(keys, func(k store.Operator) bool { return string(k.Key) == string(op.Key) })
	}), unconfirmed, nil
}

func revokedBy(op *proto.OperatorRecord, by string) *proto.OperatorRecord {
	return &proto.OperatorRecord{
		Name: op.Name, Key: op.Key, Roles: op.Roles, Revoked: true, NotAfter: op.NotAfter, Via: op.Via, AddedBy: by,
	}
}

// writeOperators keeps what was decided, here and at the other masters.
func (d *DB) writeOperators(ctx context.Context, changes []*proto.OperatorRecord) (unconfirmed []string, err error) {
	recs := make([]*proto.Record, len(changes))
	for i, op := range changes {
		if recs[i], err = store.NewRecord(d.o.Store.Stamp(), d.o.Master, op); err != nil {
			return nil, err
		}
	}
	if unconfirmed, err = d.store(ctx, recs); err != nil {
		return nil, err
	}
	for _, op := range changes {
		d.log.Info("operator decided", "operator", op.Name, "key", Fingerprint(op.Key), "revoked", op.Revoked,
			"roles", role.FormatAll(op.Roles), "via", op.Via, "by", op.AddedBy)
	}
	return unconfirmed, nil
}

func (d *DB) checkOperator(op *proto.OperatorRecord) error {
	if err := subject.CheckOperator(op.GetName(), op.GetVia()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(op.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: the key has %d bytes, want %d", ErrInvalid, len(op.Key), ed25519.PublicKeySize)
	}
	if store.Session(op) && op.NotAfter == 0 {
		return fmt.Errorf("%w: a sign-in through %q must end", ErrInvalid, op.Via)
	}
	for _, r := range op.Roles {
		if err := role.Check(r); err != nil && !op.Revoked {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, k := range d.named[d.whose[string(op.Key)]] {
		if k.Revoked && !op.Revoked && string(k.Key) == string(op.Key) { // before the one in use is lost to it
			return fmt.Errorf("%w: %s", ErrConflict, revokedForGood)
		}
	}
	if other := d.operators[string(op.Key)]; other != nil && other.Name != op.Name {
		return fmt.Errorf("%w: operator %q has this key", ErrConflict, other.Name)
	}
	if k := d.keys[string(op.Key)]; k != nil && k.state != proto.KeyState_KEY_UNSPECIFIED {
		return fmt.Errorf("%w: minion %q has this key", ErrConflict, k.Id)
	}
	return nil
}

// replaced revokes the lasting keys of whose place a new one takes. Otherwise
// they would count again when the new one is revoked.
func (d *DB) replaced(op *proto.OperatorRecord) (changes []*proto.OperatorRecord) {
	if op.Revoked || store.Session(op) {
		return nil
	}
	for _, k := range d.OperatorKeys(op.Name) {
		if !k.Revoked && !store.Session(k.OperatorRecord) && string(k.Key) != string(op.Key) {
			changes = append(changes, revokedBy(k.OperatorRecord, op.AddedBy))
		}
	}
	return changes
}

// keepsAdmin refuses changes after which nobody could do everything, for good.
// What was so before stays possible: a site has to get out of it.
func (d *DB) keepsAdmin(changes []*proto.OperatorRecord) error {
	before := d.lastingAdmins()
	after := map[string]bool{}
	for key := range before {
		after[key] = true
	}
	for _, op := range changes {
		delete(after, string(op.Key))
		if isLastingAdmin(op) {
			after[string(op.Key)] = true
		}
	}
	if len(before) == 0 || len(after) > 0 {
		return nil
	}
	return fmt.Errorf("%w: it is the last one who may do everything without an end: "+
		"make another admin first (brine operator add NAME --key KEY --role admin)", ErrConflict)
}

func isLastingAdmin(op *proto.OperatorRecord) bool {
	return !op.Revoked && op.NotAfter == 0 && !store.Session(op) && IsAdmin(op)
}

// lastingAdmins are the keys of admins whose time does not run out.
func (d *DB) lastingAdmins() map[string]bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	admins := map[string]bool{}
	for key, op := range d.operators {
		if isLastingAdmin(op) {
			admins[key] = true
		}
	}
	return admins
}
