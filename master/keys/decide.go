package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

// What callers act on in errors of decisions.
var (
	ErrInvalid  = errors.New("the request is not valid")
	ErrNoKey    = errors.New("no such key")
	ErrConflict = errors.New("the decision is not possible")
)

// A rule says which keys a decision is about. Of the keys of one id the first
// list that has any counts.
type rule struct {
	from  []proto.KeyState // of keys whose id matches a glob
	spelt []proto.KeyState // besides, when an id or a fingerprint is spelt out
	one   bool             // two keys of one id need a fingerprint
	act   string           // for events, as Salt has it
}

var rules = map[proto.KeyState]rule{
	proto.KeyState_KEY_ACCEPTED: {
		from:  []proto.KeyState{proto.KeyState_KEY_PENDING},
		spelt: []proto.KeyState{proto.KeyState_KEY_REJECTED},
		one:   true, act: "accept",
	},
	proto.KeyState_KEY_REJECTED: {
		from:  []proto.KeyState{proto.KeyState_KEY_PENDING},
		spelt: []proto.KeyState{proto.KeyState_KEY_ACCEPTED},
		act:   "reject",
	},
	// Final, so nothing is left to chance: two keys are never taken at once.
	proto.KeyState_KEY_REVOKED: {
		from: []proto.KeyState{proto.KeyState_KEY_PENDING, proto.KeyState_KEY_ACCEPTED, proto.KeyState_KEY_REJECTED},
		one:  true, act: "revoke",
	},
	proto.KeyState_KEY_DELETED: {
		from: []proto.KeyState{proto.KeyState_KEY_PENDING, proto.KeyState_KEY_ACCEPTED, proto.KeyState_KEY_REJECTED,
			proto.KeyState_KEY_REVOKED},
		act: "delete",
	},
}

// Decide carries out an operator's decision about all keys that match, or
// about none: every reason against it is in the error, which wraps ErrInvalid,
// ErrNoKey or ErrConflict. A key that has the wanted state already is in the
// reply too. With req.Dry the reply has the keys as they are.
func (d *DB) Decide(
	ctx context.Context, by string, req *proto.KeyDecideRequest,
) (*proto.KeyDecideReply, error) {
	d.mu.Lock()
	todo, same, err := d.choose(req)
	var ids []string
	if err == nil && !req.Dry {
		for _, k := range todo {
			ids = append(ids, k.Id)
		}
		err = d.reserve(ids)
	}
	reply := &proto.KeyDecideReply{}
	decisions := make([]*proto.KeyRecord, 0, len(todo))
	for _, k := range slices.Concat(todo, same) {
		reply.Keys = append(reply.Keys, k.info())
	}
	for _, k := range todo {
		decisions = append(decisions, &proto.KeyRecord{
			Id: k.Id, SigningKey: k.SigningKey, SealingKey: k.SealingKey, State: req.State, By: by, Address: k.Address,
		})
	}
	d.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("cannot decide about keys: %w", err)
	}
	if !req.Dry {
		defer d.release(ids)
		if reply.Unconfirmed, err = d.write(ctx, decisions, reply.Keys); err != nil {
			return nil, fmt.Errorf("cannot decide about keys: %w", err)
		}
	}
	sortInfos(reply.Keys)
	return reply, nil
}

// write stores decisions and hands them to the other masters. The first infos
// are those of the keys decided about; they are brought up to date.
func (d *DB) write(
	ctx context.Context, decisions []*proto.KeyRecord, infos []*proto.KeyInfo,
) (unconfirmed []string, err error) {
	recs := make([]*proto.Record, 0, len(decisions))
	for i, dec := range decisions {
		rec, err := store.NewRecord(d.o.Store.Stamp(), d.o.Master, dec)
		if err != nil {
			return nil, err
		}
		infos[i].State, infos[i].By, infos[i].ChangedAt = dec.State, dec.By, rec.Stamp
		recs = append(recs, rec)
	}
	if unconfirmed, err = d.store(ctx, recs); err != nil {
		return nil, err
	}
	for i, dec := range decisions {
		d.log.Info("key decided", "act", rules[dec.State].act, "minion", dec.Id, "by", dec.By,
			"key", infos[i].Fingerprint)
		d.event("salt/key", map[string]any{
			"act": rules[dec.State].act, "id": dec.Id, "pub": pki.NKey(dec.SigningKey), "by": dec.By, "result": true,
		})
	}
	return unconfirmed, nil
}

// store keeps records here, then at the other masters.
func (d *DB) store(ctx context.Context, recs []*proto.Record) (unconfirmed []string, err error) {
	if len(recs) == 0 {
		return nil, nil
	}
	if err := d.o.Store.Append(ctx, recs...); err != nil {
		return nil, err
	}
	if d.o.Commit == nil {
		return nil, nil
	}
	return d.o.Commit(ctx, recs), nil
}

func (d *DB) event(tag string, data map[string]any) {
	if d.o.OnEvent != nil {
		d.o.OnEvent(tag, data)
	}
}

// choose finds the keys that a decision is about, and those that are as wanted
// already. Call it with mu held.
func (d *DB) choose(req *proto.KeyDecideRequest) (todo, same []*key, err error) {
	r, ok := rules[req.State]
	if !ok {
		return nil, nil, fmt.Errorf("%w: state %v is no decision", ErrInvalid, req.State)
	}
	list := req.Patterns
	var want pki.Fingerprint
	if req.Fingerprint != "" {
		if want, err = pki.ParseFingerprint(req.Fingerprint); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if len(list) == 0 {
			list = []string{"*"}
		}
	}
	if len(list) == 0 {
		return nil, nil, fmt.Errorf("%w: it names no key", ErrInvalid)
	}
	globs, err := parsePatterns(list)
	if err != nil {
		return nil, nil, err
	}
	seen := map[*key]bool{}
	var errs []error
	for i, pattern := range list {
		c := choice{rule: r, to: req.State, spelled: exact(pattern) || !want.IsZero(), fingerprint: want}
		if found := c.pattern(d, globs[i]); !found {
			c.errs = append(c.errs, fmt.Errorf("%w: %s", ErrNoKey, describe(pattern, want)))
		}
		errs = append(errs, c.errs...)
		todo, same = add(todo, c.todo, seen), add(same, c.same, seen)
	}
	return todo, same, errors.Join(errs...)
}

func describe(pattern string, want pki.Fingerprint) string {
	if want.IsZero() {
		return fmt.Sprintf("none matches %q", pattern)
	}
	return fmt.Sprintf("none matches %q with fingerprint %v", pattern, want)
}

func add(to, from []*key, seen map[*key]bool) []*key {
	for _, k := range from {
		if !seen[k] {
			seen[k] = true
			to = append(to, k)
		}
	}
	return to
}

// A choice is the keys that one pattern of a decision means.
type choice struct {
	rule
	to          proto.KeyState
	spelled     bool
	fingerprint pki.Fingerprint

	todo, same []*key
	errs       []error
}

// pattern goes through the ids that match, in their order. It tells whether
// there was any key.
func (c *choice) pattern(d *DB, g interface{ Match(string) bool }) (found bool) {
	var ids []string
	for id := range d.byID {
		if g.Match(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		group := d.byID[id]
		if !c.fingerprint.IsZero() {
			group = slices.DeleteFunc(slices.Clone(group), func(k *key) bool {
				return k.fingerprint() != c.fingerprint
			})
		}
		if len(group) > 0 {
			found = true
			c.group(d, id, group)
		}
	}
	return found
}

// group chooses among the keys of one id.
func (c *choice) group(d *DB, id string, group []*key) {
	chosen := inState(group, c.from)
	if len(chosen) == 0 && c.spelled {
		if same := inState(group, []proto.KeyState{c.to}); len(same) > 0 {
			c.same = append(c.same, same...)
			return
		}
		chosen = inState(group, c.spelt)
	}
	switch {
	case len(chosen) == 0 && c.spelled:
		c.refuse(id, "its key is revoked, which is final: the minion needs a new one")
	case len(chosen) > 1 && c.one:
		c.refuse(id, fmt.Sprintf("it has %d keys: name one by its fingerprint: %s", len(chosen), list(chosen)))
	case c.to == proto.KeyState_KEY_ACCEPTED && len(chosen) > 0 && d.holder(id) != nil:
		c.refuse(id, fmt.Sprintf("it is accepted with another key, %v: delete or revoke that one first",
			d.holder(id).fingerprint()))
	default:
		c.todo = append(c.todo, chosen...)
	}
}

func (c *choice) refuse(id, why string) {
	c.errs = append(c.errs, fmt.Errorf("%w: cannot %s %q: %s", ErrConflict, c.act, id, why))
}

func inState(group []*key, states []proto.KeyState) (keys []*key) {
	for _, k := range group {
		if slices.Contains(states, k.state) {
			keys = append(keys, k)
		}
	}
	return keys
}

func list(group []*key) string {
	var texts []string
	for _, k := range group {
		texts = append(texts, fmt.Sprintf("%v (%s)", k.fingerprint(), word(k.state)))
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

// word is how a state is called in messages.
func word(state proto.KeyState) string {
	return strings.ToLower(strings.TrimPrefix(state.String(), "KEY_"))
}

// reserve keeps other decisions away from ids until release, so that what was
// judged stays true while it is written. Call it with mu held.
func (d *DB) reserve(ids []string) error {
	for _, id := range ids {
		if d.deciding[id] {
			return fmt.Errorf("%w: another decision about %q is being written: try again", ErrConflict, id)
		}
	}
	for _, id := range ids {
		d.deciding[id] = true
	}
	return nil
}

func (d *DB) release(ids []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		delete(d.deciding, id)
	}
}
