package keys

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

// Limits on what those whose key is not accepted may send.
const (
	maxEnrol   = 4 << 10 // bytes of a request
	maxPending = 1000
	maxAddress = 64
	maxVersion = 64
	secretSize = 32
)

// An asking is a request for enrolment that was read and bounded.
type asking struct {
	id      string
	signing ed25519.PublicKey
	sealing []byte
	secret  []byte // of a token; nil without one
	changes []*proto.KeyChange
	address string
}

// Enrol answers a request for enrolment that came on the subject of the nkey
// pub from address. The connection must have proved that it holds that key.
// The answer is always one to be sent; its reason tells the minion's operator
// what to do.
func (d *DB) Enrol(ctx context.Context, pub string, data []byte, address string) *proto.EnrolReply {
	reply, err := d.enrol(ctx, pub, data, address)
	if err != nil {
		d.log.Error("cannot enrol", "key", pub, "err", err)
		return &proto.EnrolReply{
			Status: proto.EnrolReply_TURNED_AWAY, Reason: "the master cannot store it now: ask again",
		}
	}
	return reply
}

func (d *DB) enrol(ctx context.Context, pub string, data []byte, address string) (*proto.EnrolReply, error) {
	if len(data) > maxEnrol {
		why := fmt.Sprintf("the request has %d bytes, at most %d are allowed", len(data), maxEnrol)
		return d.turnAway("size", pub, address, why), nil
	}
	if !d.limitRate(pub) {
		return d.turnAway("rate", pub, address, fmt.Sprintf("one request in %v is allowed", askEvery)), nil
	}
	a, err := readAsking(pub, data, address)
	if err != nil {
		return d.turnAway("form", pub, address, err.Error()), nil
	}
	if len(a.changes) > 0 && d.follows(ctx, a) {
		return &proto.EnrolReply{Status: proto.EnrolReply_ACCEPTED}, nil
	}
	v, recs, err := d.settleAsking(ctx, a)
	if err != nil {
		return nil, err
	}
	if v.limit != "" {
		return d.turnAway(v.limit, pub, address, v.reason), nil
	}
	if len(recs) > 0 {
		d.announce(ctx, v, recs)
	}
	return &proto.EnrolReply{Status: v.status, Reason: v.reason}, nil
}

// follows tells whether the key is that of an accepted minion, which has changed it while this
// master was away; it is accepted from then on.
func (d *DB) follows(ctx context.Context, a *asking) bool {
	steps, err := d.openChanges(a.id, a.changes)
	if err == nil {
		if last := steps[len(steps)-1]; !bytes.Equal(last.Key, a.signing) || !bytes.Equal(last.SealingKey, a.sealing) {
			err = bad("the changes lead to another key")
		}
	}
	if err == nil {
		err = d.rotate(ctx, a.id, steps, a.address)
	}
	if err != nil {
		d.log.Warn("change of a key not followed", "minion", a.id, "address", a.address, "err", err)
	}
	return err == nil
}

// settleAsking judges a request and stores what follows from it.
func (d *DB) settleAsking(ctx context.Context, a *asking) (verdict, []*proto.Record, error) {
	if a.secret != nil {
		d.redeeming.Lock()
		defer d.redeeming.Unlock()
	}
	d.mu.Lock()
	v := d.judge(a)
	if v.write != nil && d.reserve([]string{a.id}) != nil {
		v = away("busy", "another decision about this id is being written: ask again")
	}
	d.mu.Unlock()
	if v.write == nil {
		return v, nil, nil
	}
	defer d.release([]string{a.id})
	bodies := []pb.Message{v.write}
	if v.token != nil {
		bodies = append(bodies, spent(v.token))
	}
	var recs []*proto.Record
	for _, body := range bodies {
		rec, err := store.NewRecord(d.o.Store.Stamp(), d.o.Master, body)
		if err != nil {
			return v, nil, err
		}
		recs = append(recs, rec)
	}
	return v, recs, d.o.Store.Append(ctx, recs...)
}

// announce tells what was stored. The other masters are handed it at once: the
// operator may decide about a request at any of them, and an accepted minion
// connects to them too.
func (d *DB) announce(ctx context.Context, v verdict, recs []*proto.Record) {
	act := "pend"
	if v.token != nil {
		act = "accept"
	}
	if d.o.Commit != nil {
		d.o.Commit(ctx, recs)
	}
	d.log.Info("minion asked to enrol", "act", act, "minion", v.write.Id, "by", v.write.By,
		"key", pki.MinionFingerprint(v.write.SigningKey, v.write.SealingKey).String(), "address", v.write.Address)
	d.event("salt/auth", map[string]any{
		"act": act, "id": v.write.Id, "pub": pki.NKey(v.write.SigningKey), "by": v.write.By, "result": true,
	})
}

// readAsking checks everything that a stranger can get wrong.
func readAsking(pub string, data []byte, address string) (*asking, error) {
	req := &proto.EnrolRequest{}
	if err := pb.Unmarshal(data, req); err != nil {
		return nil, errors.New("cannot read the request: it is not an EnrolRequest")
	}
	signing, err := pki.ParseNKey(pub)
	if err != nil {
		return nil, err
	}
	if err := subject.CheckID(req.Id); err != nil {
		return nil, err
	}
	switch {
	case !bytes.Equal(req.SigningKey, signing):
		return nil, errors.New("cannot enrol: the signing key is not the one of the connection")
	case len(req.SealingKey) != 32:
		return nil, fmt.Errorf("cannot enrol: the sealing key has %d bytes, want 32", len(req.SealingKey))
	case len(req.Token) != 0 && len(req.Token) != secretSize:
		return nil, fmt.Errorf("cannot enrol: the token's secret has %d bytes, want %d",
			len(req.Token), secretSize)
	case len(req.Version) > maxVersion:
		return nil, fmt.Errorf("cannot enrol: the version has %d bytes, at most %d are allowed",
			len(req.Version), maxVersion)
	}
	if len(address) > maxAddress {
		address = address[:maxAddress]
	}
	return &asking{req.Id, signing, req.SealingKey, req.Token, req.Changes, address}, nil
}

// A verdict is the answer to a request, and what is to be written before it
// is given.
type verdict struct {
	status proto.EnrolReply_Status
	reason string
	limit  string             // when turned away: what is told about in an event
	write  *proto.KeyRecord   // nil: nothing
	token  *proto.TokenRecord // that accepts the key
}

// judge applies the rules about ids and keys. Call it with mu held.
func (d *DB) judge(a *asking) verdict {
	k := d.keys[string(a.signing)]
	state := proto.KeyState_KEY_UNSPECIFIED
	if k != nil {
		state = k.state
	}
	switch state {
	case proto.KeyState_KEY_REVOKED:
		return verdict{status: proto.EnrolReply_REVOKED,
			reason: "this key is revoked for good: remove minion.key to get a new one"}
	case proto.KeyState_KEY_REJECTED:
		return verdict{status: proto.EnrolReply_REJECTED, reason: "rejected by " + k.By}
	case proto.KeyState_KEY_UNSPECIFIED:
	default:
		if k.Id != a.id || !bytes.Equal(k.SealingKey, a.sealing) {
			return away("identity", fmt.Sprintf("this key is %s as %q with fingerprint %v: brine key delete %s first",
				word(state), k.Id, k.fingerprint(), k.Id))
		}
		if state == proto.KeyState_KEY_ACCEPTED {
			return verdict{status: proto.EnrolReply_ACCEPTED}
		}
	}
	if other := d.holder(a.id); other != nil {
		return away("taken", fmt.Sprintf("id %q is accepted with another key, %v: "+
			"delete or revoke that one first, or use another id", a.id, other.fingerprint()))
	}
	reason := ""
	if a.secret != nil {
		token, err := d.token(a.secret, purposeEnrol, a.id)
		if err == nil {
			return verdict{status: proto.EnrolReply_ACCEPTED, token: token,
				write: a.record(proto.KeyState_KEY_ACCEPTED, "token "+token.Name)}
		}
		reason = err.Error() // an operator may still accept the key
	}
	if state == proto.KeyState_KEY_PENDING {
		return verdict{status: proto.EnrolReply_PENDING, reason: reason}
	}
	if d.pending+len(d.deciding) >= maxPending { // those being written count, too
		return away("pending", fmt.Sprintf("%d keys wait for a decision already: accept, reject or delete some",
			maxPending))
	}
	return verdict{status: proto.EnrolReply_PENDING, reason: reason,
		write: a.record(proto.KeyState_KEY_PENDING, "minion")}
}

func away(limit, reason string) verdict {
	return verdict{status: proto.EnrolReply_TURNED_AWAY, limit: limit, reason: reason}
}

func (a *asking) record(state proto.KeyState, by string) *proto.KeyRecord {
	return &proto.KeyRecord{
		Id: a.id, SigningKey: a.signing, SealingKey: a.sealing, State: state, By: by, Address: a.address,
	}
}
