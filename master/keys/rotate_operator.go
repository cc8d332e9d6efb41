package keys

import (
	"context"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

// RotateOperator gives an operator another key, as the one that he has proves, which is
// refused for good from then on. The error may wrap ErrInvalid or ErrConflict.
func (d *DB) RotateOperator(ctx context.Context, op *proto.OperatorRecord, change *proto.KeyChange) (unconfirmed []string, err error) {
	k, err := pki.OpenKeyChange(change, d.o.Site, proto.Kind_KIND_OPERATOR_KEY, nil)
	if err == nil && (k.Name != op.Name || string(k.Old) != string(op.Key)) {
		err = fmt.Errorf("the change is of another key, or of operator %q", k.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot change the key of operator %q: %w: %w", op.Name, ErrInvalid, err)
	}
	if known := d.operatorOf(k.Key); known != nil {
		return nil, fmt.Errorf("cannot change the key of operator %q: %w: operator %q has it already", op.Name, ErrConflict, known.Name)
	}
	next, past := pb.CloneOf(op), pb.CloneOf(op)
	next.Key, past.Revoked = k.Key, true
	if unconfirmed, err = d.SetOperator(ctx, next); err != nil {
		return nil, err
	}
	_, err = d.SetOperator(ctx, past)
	return unconfirmed, err
}

func (d *DB) operatorOf(key []byte) *proto.OperatorRecord {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.operators[string(key)]
}
