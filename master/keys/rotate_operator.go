package keys

import (
	"context"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

// RotateOperator gives an operator another key, as the one that he has proves, which is
// refused for good from then on. Asked again with the new key, it has nothing to do. The
// error may wrap ErrInvalid or ErrConflict.
func (d *DB) RotateOperator(ctx context.Context, op *proto.OperatorRecord, change *proto.KeyChange) (unconfirmed []string, err error) {
	d.operating.Lock()
	defer d.operating.Unlock()
	next, err := d.nextOperator(op, change)
	if err == nil && string(next.Key) != string(op.Key) {
		unconfirmed, err = d.setOperator(ctx, next)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot change the key of operator %q: %w", op.Name, err)
	}
	return unconfirmed, nil
}

// nextOperator is an operator as a change wants it. Call it with operating held.
func (d *DB) nextOperator(op *proto.OperatorRecord, change *proto.KeyChange) (*proto.OperatorRecord, error) {
	k, err := pki.OpenKeyChange(change, d.o.Site, proto.Kind_KIND_OPERATOR_KEY, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case k.Name != op.Name:
		return nil, fmt.Errorf("%w: the change is of operator %q", ErrInvalid, k.Name)
	case store.Session(op):
		return nil, fmt.Errorf("%w: the key is of a sign-in, which ends by itself: brine login makes another one", ErrInvalid)
	case string(k.Key) == string(op.Key):
		return op, nil
	case string(k.Old) != string(op.Key):
		return nil, fmt.Errorf("%w: the change is of another key than the one in use", ErrInvalid)
	}
	now, ok := d.OperatorRecord(op.Key) // its roles may have changed since the request was opened
	if !ok {
		return nil, fmt.Errorf("%w: the key in use was revoked or replaced meanwhile", ErrConflict)
	}
	if known, ok := d.OperatorRecord(k.Key); ok {
		return nil, fmt.Errorf("%w: operator %q has it already", ErrConflict, known.Name)
	}
	next := pb.CloneOf(now)
	next.Key, next.AddedBy = k.Key, op.Name
	return next, nil
}
