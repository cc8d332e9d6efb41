package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// Key is what is decided about one minion key.
type Key struct {
	*proto.KeyRecord       // the record that counts: a revocation is final
	Stamp            int64 // of that record
	Freed            bool  // of a revoked key: it was deleted since, so that its id is free for another key
}

// register is what counts in one register.
type register struct {
	name, slot string
	stamp      int64
	id         string
	body       []byte
}

// Keys are all minion keys that were ever heard of, in order of their ids and
// then of their public keys.
func (s *Store) Keys(ctx context.Context) ([]Key, error) {
	return s.keys(ctx, "")
}

// Key is what is decided about the minion key with this public signing key;
// ErrNotFound when it was never heard of.
func (s *Store) Key(ctx context.Context, signing []byte) (Key, error) {
	all, err := s.keys(ctx, encode(signing))
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Key{}, err
	}
	return all[0], nil
}

func (s *Store) keys(ctx context.Context, name string) ([]Key, error) {
	regs, err := s.registers(ctx, proto.RecordKind_RECORD_KEY, name)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for len(regs) > 0 {
		n := 1
		for n < len(regs) && regs[n].name == regs[0].name {
			n++
		}
		k, err := decide(regs[:n])
		if err != nil {
			return nil, s.unread(err)
		}
		keys, regs = append(keys, k), regs[n:]
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return cmp.Compare(a.Id, b.Id) })
	return keys, nil
}

// decide folds the registers of one key to its state. A revocation is final.
// A request counts only for a key that nothing was decided about since it was
// deleted: a master that had not heard of the decision may have written it later.
func decide(regs []register) (Key, error) {
	slot := map[string]register{}
	for _, r := range regs {
		slot[r.slot] = r
	}
	later := func(a, b string) bool { return slot[a].stamp > slot[b].stamp }
	from, freed := slotDeleted, false
	switch {
	case slot[slotRevoked].id != "":
		from, freed = slotRevoked, later(slotDeleted, slotRevoked)
	case later(slotDecision, slotDeleted):
		from = slotDecision
	case later(slotRequest, slotDeleted):
		from = slotRequest
	}
	k := Key{KeyRecord: new(proto.KeyRecord), Stamp: slot[from].stamp, Freed: freed}
	return k, pb.Unmarshal(slot[from].body, k.KeyRecord)
}

// Operator is what is decided about one key of an operator.
type Operator struct {
	*proto.OperatorRecord       // the record that counts: a revocation is final
	Stamp                 int64 // of that record
	Past                  bool  // another lasting key of the name has taken its place
}

// Session tells whether a record is of a sign-in. Such keys stand beside the lasting one of their name.
func Session(o *proto.OperatorRecord) bool { return o.GetVia() != "" && o.GetVia() != "key" }

// Operators are the keys of the operator of a name, or of all for "", in order
// of name and key. The revocation of a key is final; of lasting keys that are
// not revoked the one that was set last counts, the others are past.
func (s *Store) Operators(ctx context.Context, name string) ([]Operator, error) {
	regs, err := s.registers(ctx, proto.RecordKind_RECORD_OPERATOR, name)
	if err != nil {
		return nil, err
	}
	all, last := make([]Operator, len(regs)), -1 // the lasting key of the name so far
	for i, r := range regs {
		o := new(proto.OperatorRecord)
		if err := pb.Unmarshal(r.body, o); err != nil {
			return nil, s.unread(err)
		}
		all[i] = Operator{OperatorRecord: o, Stamp: r.stamp}
		if last >= 0 && all[last].Name != o.Name {
			last = -1
		}
		switch {
		case o.Revoked || Session(o):
		case last < 0:
			last = i
		case r.stamp > all[last].Stamp:
			all[last].Past, last = true, i
		default:
			all[i].Past = true
		}
	}
	return all, nil
}

// Masters are the addresses last told of each master, in order of their names.
func (s *Store) Masters(ctx context.Context) ([]*proto.MasterAddress, error) {
	return messages[proto.MasterAddress](ctx, s, proto.RecordKind_RECORD_MASTER)
}

// MastersAt is Masters of the store at path, which may be open elsewhere and is
// only read.
func MastersAt(ctx context.Context, path string) ([]*proto.MasterAddress, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("cannot read the store %q: %w", path, err)
	}
	db, err := openReaders(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the store %q: %w", path, err)
	}
	defer db.Close()
	s := &Store{path: path, read: db, log: hclog.NewNullLogger(), now: time.Now}
	return s.Masters(ctx)
}

// Bundle is the trust bundle with the highest serial, and of several with that
// one the one whose body has the greatest SHA-256, which is the order that
// pki.Trust has too; ErrNotFound without one.
func (s *Store) Bundle(ctx context.Context) (*proto.Envelope, error) {
	all, err := messages[proto.Envelope](ctx, s, proto.RecordKind_RECORD_BUNDLE)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	var top *proto.Envelope
	var serial uint64
	var sum [sha256.Size]byte
	for _, env := range all {
		b, h := new(proto.Bundle), sha256.Sum256(env.Body)
		if err := pb.Unmarshal(env.Body, b); err != nil {
			return nil, s.unread(err)
		}
		if top == nil || b.Serial > serial || b.Serial == serial && bytes.Compare(h[:], sum[:]) > 0 {
			top, serial, sum = env, b.Serial, h
		}
	}
	return top, nil
}

// Tokens are all tokens, those withdrawn too, in order of their names.
func (s *Store) Tokens(ctx context.Context) ([]*proto.TokenRecord, error) {
	return messages[proto.TokenRecord](ctx, s, proto.RecordKind_RECORD_TOKEN)
}

// Grains are the latest grains of a minion; ErrNotFound when it told none.
func (s *Store) Grains(ctx context.Context, minion string) (*proto.Grains, error) {
	g := new(proto.Grains)
	return g, s.latest(ctx, proto.RecordKind_RECORD_GRAINS, minion, g)
}

// Mine is what a minion told last for others; ErrNotFound when it told nothing.
func (s *Store) Mine(ctx context.Context, minion string) (*proto.Mine, error) {
	m := new(proto.Mine)
	return m, s.latest(ctx, proto.RecordKind_RECORD_MINE, minion, m)
}

// latest reads the one record of a kind about a name.
func (s *Store) latest(ctx context.Context, kind proto.RecordKind, name string, into pb.Message) error {
	regs, err := s.registers(ctx, kind, name)
	if err == nil && len(regs) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	if err := pb.Unmarshal(regs[0].body, into); err != nil {
		return s.unread(err)
	}
	return nil
}

// messages are the bodies in all registers of a kind.
func messages[M any, P interface {
	*M
	pb.Message
}](ctx context.Context, s *Store, kind proto.RecordKind) ([]*M, error) {
	regs, err := s.registers(ctx, kind, "")
	if err != nil {
		return nil, err
	}
	all := make([]*M, len(regs))
	for i, r := range regs {
		all[i] = new(M)
		if err := pb.Unmarshal(r.body, P(all[i])); err != nil {
			return nil, s.unread(err)
		}
	}
	return all, nil
}

// registers reads the registers of a kind, of one name or of all, in order of
// name and slot.
func (s *Store) registers(ctx context.Context, kind proto.RecordKind, name string) ([]register, error) {
	query := `SELECT r.name, r.slot, r.stamp, r.id, r.seq, l.body
		FROM registers r JOIN log l ON l.seq = r.seq WHERE r.kind = ?`
	args := []any{kind}
	if name != "" {
		query, args = query+" AND r.name = ?", append(args, name)
	}
	var all []register
	var cut []int64 // sequences of bodies that do not stand in the log; 0 where they do
	err := s.rows(ctx, query+" ORDER BY r.name, r.slot", args, func(rows *sql.Rows) error {
		var r register
		var seq int64
		err := rows.Scan(&r.name, &r.slot, &r.stamp, &r.id, &seq, &r.body)
		if r.body != nil {
			seq = 0
		}
		all, cut = append(all, r), append(cut, seq)
		return err
	})
	for i := 0; err == nil && i < len(cut); i++ {
		if cut[i] != 0 {
			all[i].body, err = s.whole(ctx, cut[i])
		}
	}
	return all, err
}
