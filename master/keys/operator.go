package keys

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"

	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
)

const maxNamed = 5 // ids that a refusal names

// Operator returns the name of the operator with this key. It serves broker.Keys.
func (d *DB) Operator(pub ed25519.PublicKey) (name string, ok bool) {
	op, ok := d.OperatorRecord(pub)
	return op.GetName(), ok
}

// OperatorRecord returns the operator with this key. Don't change it.
func (d *DB) OperatorRecord(pub ed25519.PublicKey) (*proto.OperatorRecord, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	op, ok := d.operators[string(pub)]
	return op, ok
}

// SetOperator adds an operator or changes the one of that name; with Revoked
// its key is refused from then on, for good. The error may wrap ErrInvalid or
// ErrConflict.
func (d *DB) SetOperator(ctx context.Context, op *proto.OperatorRecord) (unconfirmed []string, err error) {
	if err := d.checkOperator(op); err != nil {
		return nil, fmt.Errorf("cannot set operator %q: %w", op.GetName(), err)
	}
	rec, err := store.NewRecord(d.o.Store.Stamp(), d.o.Master, op)
	if err == nil {
		unconfirmed, err = d.store(ctx, []*proto.Record{rec})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot set operator %q: %w", op.Name, err)
	}
	if now, _ := d.OperatorRecord(op.Key); !op.Revoked && now.GetName() != op.Name {
		return nil, fmt.Errorf("cannot set operator %q: %w: this key is revoked for good: use a new one",
			op.Name, ErrConflict)
	}
	return unconfirmed, nil
}

func (d *DB) checkOperator(op *proto.OperatorRecord) error {
	if err := subject.CheckID(op.GetName()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(op.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: the key has %d bytes, want %d", ErrInvalid, len(op.Key), ed25519.PublicKeySize)
	}
	for _, r := range op.Roles {
		for _, list := range [][]string{r.GetFunctions(), r.GetTargets()} {
			if _, err := parsePatterns(list); err != nil {
				return err
			}
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if other := d.operators[string(op.Key)]; other != nil && other.Name != op.Name {
		return fmt.Errorf("%w: operator %q has this key", ErrConflict, other.Name)
	}
	if k := d.keys[string(op.Key)]; k != nil && k.state != proto.KeyState_KEY_UNSPECIFIED {
		return fmt.Errorf("%w: minion %q has this key", ErrConflict, k.Id)
	}
	return nil
}

// Allowed tells why an operator may not use a function on minions, or nil. Each
// id must be within a role that allows the function. Without ids, for a verb
// of brine ("@key.list"), one role must allow it: one with a glob that begins
// with '@', or with a plain glob if its targets are "*"; so "*" on "web*"
// opens no verb.
func (d *DB) Allowed(op *proto.OperatorRecord, function string, ids []string) error {
	if op == nil || op.Revoked {
		return fmt.Errorf("operator %q may not use %s: the operator is unknown or revoked", op.GetName(), function)
	}
	targets, open := roleTargets(op, function)
	if !open {
		return fmt.Errorf("operator %q may not use %s", op.Name, function)
	}
	var denied []string
	for _, id := range ids {
		if !targets.any(id) {
			denied = append(denied, id)
		}
	}
	if len(denied) == 0 {
		return nil
	}
	names := strings.Join(denied[:min(len(denied), maxNamed)], ", ")
	if len(denied) > maxNamed {
		names += " ..."
	}
	return fmt.Errorf("operator %q may not use %s on %d of %d minions: %s",
		op.Name, function, len(denied), len(ids), names)
}

// roleTargets is where an operator may use a function, and whether in any role
// at all. A glob that cannot be read allows nothing.
func roleTargets(op *proto.OperatorRecord, function string) (targets patterns, open bool) {
	for _, r := range op.Roles {
		site := false
		for _, t := range r.GetTargets() {
			site = site || t == "*"
		}
		for _, f := range r.GetFunctions() {
			if strings.HasPrefix(function, "@") && !strings.HasPrefix(f, "@") && !site {
				continue
			}
			if match, err := parsePatterns([]string{f}); err != nil || !match.any(function) {
				continue
			}
			open = true
			for _, t := range r.GetTargets() {
				if match, err := parsePatterns([]string{t}); err == nil {
					targets = append(targets, match...)
				}
			}
		}
	}
	return targets, open
}

// readOperators reads the operators anew and has the connections closed of
// those whose key is none any more. Call it with following held.
func (d *DB) readOperators(ctx context.Context) error {
	list, err := d.o.Store.Operators(ctx)
	if err != nil {
		return err
	}
	operators := map[string]*proto.OperatorRecord{}
	for _, op := range list {
		if !op.Revoked {
			operators[string(op.Key)] = op
		}
	}
	d.mu.Lock()
	var lost [][]byte
	for key := range d.operators {
		if operators[key] == nil {
			lost = append(lost, []byte(key))
		}
	}
	names := map[string]bool{}
	for _, op := range operators {
		names[op.Name] = true
	}
	replaced := map[string]bool{}
	for _, key := range lost {
		replaced[string(key)] = names[d.operators[string(key)].Name]
	}
	d.operators = operators
	d.mu.Unlock()
	for _, key := range lost {
		d.lost(key, replaced[string(key)])
	}
	return nil
}
