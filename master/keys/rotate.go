package keys

import (
	"bytes"
	"context"
	"fmt"
	"net"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

const (
	// byRotation is who revokes a key whose minion has taken another. No operator can be called so.
	byRotation = "key rotation"
	maxChanges = 8
)

// Rotate puts a minion's new key in the place of the one that is accepted for it,
// which is refused for good from then on. The minion has proved the new one with
// the old one; at no time is none of them accepted.
func (d *DB) Rotate(ctx context.Context, id string, data []byte, address string) *proto.KeyChangeReply {
	change := &proto.KeyChange{}
	if len(data) > maxEnrol || pb.Unmarshal(data, change) != nil {
		return &proto.KeyChangeReply{Error: "cannot read the change of the key"}
	}
	steps, err := d.openChanges(id, []*proto.KeyChange{change})
	if err == nil {
		err = d.rotate(ctx, id, steps, address)
	}
	switch r := err.(type) {
	case nil:
		return &proto.KeyChangeReply{}
	case *badChange:
		d.turnAway("rotation", pki.NKey(change.ByOld.GetKey()), address, r.Error())
		return &proto.KeyChangeReply{Error: r.Error()}
	default:
		return &proto.KeyChangeReply{Busy: r.Error()}
	}
}

// A badChange is a change of a key that is refused for good.
type badChange struct{ reason string }

func (e *badChange) Error() string { return e.reason }

func bad(format string, args ...any) error { return &badChange{fmt.Sprintf(format, args...)} }

// openChanges verifies changes of the key of one minion that follow from each other.
func (d *DB) openChanges(id string, changes []*proto.KeyChange) ([]*proto.NewKey, error) {
	if len(changes) == 0 || len(changes) > maxChanges {
		return nil, bad("it has %d changes of the key, want 1 to %d", len(changes), maxChanges)
	}
	steps := make([]*proto.NewKey, 0, len(changes))
	for i, c := range changes {
		k, err := pki.OpenKeyChange(c, d.o.Site, proto.Kind_KIND_MINION_KEY, nil)
		switch {
		case err != nil:
			return nil, bad("%v", err)
		case k.Name != id:
			return nil, bad("cannot change the key of minion %q: the change is of %q", id, k.Name)
		case len(k.SealingKey) != 32:
			return nil, bad("cannot change the key of minion %q: the sealing key has %d bytes, want 32", id, len(k.SealingKey))
		case i > 0 && !bytes.Equal(k.Old, steps[i-1].Key):
			return nil, bad("cannot change the key of minion %q: change %d does not follow from the one before", id, i+1)
		}
		steps = append(steps, k)
	}
	return steps, nil
}

// rotate stores what follows from verified changes; nothing when the last is stored already.
func (d *DB) rotate(ctx context.Context, id string, steps []*proto.NewKey, address string) error {
	last := steps[len(steps)-1]
	d.mu.Lock()
	gone, err := d.judgeChanges(id, steps)
	if err == nil && len(gone) > 0 {
		err = d.reserve([]string{id})
	}
	d.mu.Unlock()
	if err != nil || len(gone) == 0 {
		return err
	}
	defer d.release([]string{id})
	// The new key comes first: who reads only this far has both, and goes on with the old one.
	bodies := []pb.Message{&proto.KeyRecord{Id: id, SigningKey: last.Key, SealingKey: last.SealingKey, State: proto.KeyState_KEY_ACCEPTED, By: byRotation, Address: address}}
	for _, old := range gone {
		for _, state := range []proto.KeyState{proto.KeyState_KEY_REVOKED, proto.KeyState_KEY_DELETED} { // final, and not listed
			bodies = append(bodies, &proto.KeyRecord{Id: id, SigningKey: old.SigningKey, SealingKey: old.SealingKey, State: state, By: byRotation})
		}
	}
	bodies = append(bodies, rotated(id, gone, last, address))
	recs := make([]*proto.Record, 0, len(bodies))
	for _, b := range bodies {
		rec, err := store.NewRecord(d.o.Store.Stamp(), d.o.Master, b)
		if err != nil {
			return err
		}
		recs = append(recs, rec)
	}
	if _, err := d.store(ctx, recs); err != nil {
		return err
	}
	d.log.Info("minion has a new key", "minion", id, "key", pki.MinionFingerprint(last.Key, last.SealingKey).String())
	d.event("salt/key", map[string]any{
		"act": "rotate", "id": id, "pub": pki.NKey(last.Key), "old": pki.NKey(gone[0].SigningKey), "by": "minion", "result": true,
	})
	return nil
}

// rotated is what the audit trail says of a minion's new key. Who had it make one stands there with the job.
func rotated(id string, gone []*proto.KeyRecord, next *proto.NewKey, address string) *proto.Audit {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	old := gone[0]
	return &proto.Audit{
		Action: "key.rotate", Outcome: store.AuditDone, Address: address, Detail: fmt.Sprintf("%s: by the minion, key %s in the place of %s", id,
			pki.MinionFingerprint(next.Key, next.SealingKey), pki.MinionFingerprint(old.SigningKey, old.SealingKey)),
	}
}

// judgeChanges returns the keys that are none any more once the last of steps is
// accepted: none when it is. Call it with mu held.
func (d *DB) judgeChanges(id string, steps []*proto.NewKey) (gone []*proto.KeyRecord, err error) {
	last, holder := steps[len(steps)-1], d.holder(id)
	if holder == nil {
		return nil, bad("cannot change the key of minion %q: none is accepted", id)
	}
	if bytes.Equal(holder.SigningKey, last.Key) && bytes.Equal(holder.SealingKey, last.SealingKey) {
		return nil, nil
	}
	for _, s := range steps {
		if bytes.Equal(s.Old, holder.SigningKey) {
			gone = append(gone, holder.KeyRecord)
		} else if len(gone) > 0 { // a key that this master never heard of, and its minion has left behind
			gone = append(gone, &proto.KeyRecord{SigningKey: s.Old, SealingKey: last.SealingKey})
		}
		if len(gone) == 0 {
			continue
		}
		if err := d.isFree(id, s); err != nil {
			return nil, err
		}
	}
	if len(gone) == 0 {
		return nil, bad("cannot change the key of minion %q: it is accepted with another one than that which is to be changed, %v", id, holder.fingerprint())
	}
	return gone, nil
}

// isFree tells why a key may not become that of a minion.
func (d *DB) isFree(id string, s *proto.NewKey) error {
	if op := d.operators[string(s.Key)]; op != nil {
		return bad("cannot change the key of minion %q: operator %q has the new one", id, op.Name)
	}
	k := d.keys[string(s.Key)]
	if k == nil || k.state == proto.KeyState_KEY_UNSPECIFIED || k.state == proto.KeyState_KEY_PENDING && k.Id == id && bytes.Equal(k.SealingKey, s.SealingKey) {
		return nil
	}
	return bad("cannot change the key of minion %q: the new one is %s as %q", id, word(k.state), k.Id)
}
