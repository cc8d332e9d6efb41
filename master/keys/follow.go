package keys

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

// reload reads everything. With silent the hooks are not called.
func (d *DB) reload(ctx context.Context, silent bool) error {
	d.following.Lock()
	defer d.following.Unlock()
	all, err := d.o.Store.Keys(ctx)
	if err != nil {
		return err
	}
	if before := d.replaceKeys(all); !silent {
		d.tell(before)
	}
	if err := d.readOperators(ctx); err != nil {
		return err
	}
	return d.readTokens(ctx)
}

// apply follows a commit. What counts is decided by the store alone: it is
// asked about each key of which the commit has a record.
func (d *DB) apply(recs []*proto.Record) {
	var signers []*proto.KeyRecord
	var operators []string // names
	tokens := false
	for _, r := range recs {
		switch r.Kind {
		case proto.RecordKind_RECORD_KEY:
			rec := &proto.KeyRecord{}
			if pb.Unmarshal(r.Body, rec) == nil { // the store has checked it
				signers = append(signers, rec)
			}
		case proto.RecordKind_RECORD_OPERATOR:
			rec := &proto.OperatorRecord{}
			if pb.Unmarshal(r.Body, rec) == nil && !slices.Contains(operators, rec.Name) {
				operators = append(operators, rec.Name)
			}
		case proto.RecordKind_RECORD_TOKEN:
			tokens = true
		}
	}
	d.mu.RLock()
	stale := d.stale
	d.mu.RUnlock()
	if len(signers) == 0 && len(operators) == 0 && !tokens && !stale {
		return
	}
	var err error
	if stale {
		err = d.reload(d.ctx, false)
	} else {
		err = d.refresh(d.ctx, signers, operators, tokens)
	}
	if err != nil {
		d.log.Error("cannot follow decisions about keys; trying again after the next commit", "err", err)
		d.revokeAtOnce(signers)
	}
	d.mu.Lock()
	d.stale = err != nil
	d.mu.Unlock()
}

// refresh reads what a commit changed.
func (d *DB) refresh(ctx context.Context, signers []*proto.KeyRecord, operators []string, tokens bool) error {
	d.following.Lock()
	defer d.following.Unlock()
	changed := make([]store.Key, 0, len(signers))
	asked := map[string]bool{}
	for _, s := range signers {
		if asked[string(s.SigningKey)] {
			continue
		}
		asked[string(s.SigningKey)] = true
		k, err := d.o.Store.Key(ctx, s.SigningKey)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		changed = append(changed, k)
	}
	d.tell(d.replaceKeys(changed))
	if len(operators) > 0 {
		if err := d.readOperators(ctx, operators...); err != nil {
			return err
		}
	}
	if tokens {
		return d.readTokens(ctx)
	}
	return nil
}

// revokeAtOnce applies revocations although the store cannot be read: they are
// final, so the record itself is enough.
func (d *DB) revokeAtOnce(signers []*proto.KeyRecord) {
	d.following.Lock()
	defer d.following.Unlock()
	var revoked []store.Key
	for _, rec := range signers {
		if rec.State == proto.KeyState_KEY_REVOKED {
			revoked = append(revoked, store.Key{KeyRecord: rec})
		}
	}
	d.tell(d.replaceKeys(revoked))
}

// replaceKeys takes in what the store says of some keys. It returns which
// states were in force before of all keys that this may concern.
func (d *DB) replaceKeys(changed []store.Key) map[*key]proto.KeyState {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := map[string]bool{}
	before := map[*key]proto.KeyState{}
	for _, c := range changed {
		k := d.keys[string(c.SigningKey)]
		if k == nil {
			k = &key{}
			d.keys[string(c.SigningKey)] = k
		} else if k.KeyRecord != nil {
			ids[k.Id] = true
		}
		ids[c.Id] = true
		before[k] = k.state
	}
	for id := range ids {
		for _, k := range d.byID[id] {
			before[k] = k.state
		}
	}
	for _, c := range changed {
		d.put(d.keys[string(c.SigningKey)], c)
	}
	for id := range ids {
		settle(d.byID[id])
	}
	for k, was := range before {
		d.pending += isPending(k.state) - isPending(was)
	}
	d.accepted = nil
	return before
}

func isPending(state proto.KeyState) int {
	if state == proto.KeyState_KEY_PENDING {
		return 1
	}
	return 0
}

// put files a key under its id. Call it with mu held.
func (d *DB) put(k *key, c store.Key) {
	if k.KeyRecord != nil {
		group := slices.DeleteFunc(d.byID[k.Id], func(other *key) bool { return other == k })
		if d.byID[k.Id] = group; len(group) == 0 {
			delete(d.byID, k.Id)
		}
	}
	k.Key = c
	switch {
	case c.State == proto.KeyState_KEY_DELETED:
		k.state = proto.KeyState_KEY_UNSPECIFIED
	case c.Freed:
		k.state = c.State
	default:
		d.byID[c.Id] = append(d.byID[c.Id], k)
	}
}

// settle finds the states in force of the keys of one id. Two masters that are
// cut off from each other may each accept another key for it: the one accepted
// first has the id, on every master, and the other waits.
func settle(group []*key) {
	var holder *key
	for _, k := range group {
		k.state = k.State
		if k.State == proto.KeyState_KEY_ACCEPTED && (holder == nil || earlier(k, holder)) {
			holder = k
		}
	}
	for _, k := range group {
		if k.state == proto.KeyState_KEY_ACCEPTED && k != holder {
			k.state = proto.KeyState_KEY_PENDING
		}
	}
}

func earlier(a, b *key) bool {
	return cmp.Or(cmp.Compare(a.Stamp, b.Stamp), bytes.Compare(a.SigningKey, b.SigningKey)) < 0
}

// lost has the connections of a key closed that is none any more.
func (d *DB) lost(key ed25519.PublicKey, replaced bool) {
	switch {
	case replaced && d.o.OnRetire != nil:
		d.o.OnRetire(key)
	case d.o.OnRevoke != nil:
		d.o.OnRevoke(key)
	}
}

// tell calls the hooks for the keys whose state in force is not the one in before.
func (d *DB) tell(before map[*key]proto.KeyState) {
	var accepted, revoked []*proto.KeyRecord
	d.mu.RLock()
	for k, was := range before {
		switch {
		case k.state == was:
		case k.state == proto.KeyState_KEY_ACCEPTED:
			accepted = append(accepted, k.KeyRecord)
		case was == proto.KeyState_KEY_ACCEPTED, k.state == proto.KeyState_KEY_REVOKED:
			revoked = append(revoked, k.KeyRecord)
		}
	}
	d.mu.RUnlock()
	for _, rec := range revoked {
		d.lost(rec.SigningKey, rec.By == byRotation)
	}
	for _, rec := range accepted {
		if d.o.OnAccept != nil {
			d.o.OnAccept(rec.Id, rec.SigningKey)
		}
	}
}
