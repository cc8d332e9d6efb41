// Package mine keeps what minions tell for other minions, and decides who gets
// what of it. Every master hears every minion and stores its mine for itself, so
// that any of them answers; of a minion the latest is kept.
package mine

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
	"brine/proto/target"
	"brine/states/value"
)

const (
	// Limit is how large the mine of one minion may be.
	Limit = 1 << 20
	// packedLimit is what fits into a message.
	packedLimit = 900 << 10
	// ahead is how far a minion's clock may be ahead; see the limit on its events.
	ahead = time.Minute
	// keptLimit bounds what is kept in memory of the mines that were asked for.
	keptLimit = 64 << 20
)

// A Site is what the mine needs to know of minions.
type Site struct {
	Accepted func() []string                               // in order
	Key      func(minion string) (ed25519.PublicKey, bool) // that is accepted
	Language func() target.Language
	// PillarKeys are the keys of pillar, with colons between, that minions may ask others' pillar for, with what is beneath them.
	PillarKeys []string
	Facts      func(ctx context.Context, asks target.Asks, ids []string) (func(id string) target.Facts, error)
}

// A DB is the mine of a site. It is safe for concurrent use.
type DB struct {
	store *store.Store
	now   func() time.Time

	mu    sync.Mutex // guards the fields below
	kept  map[string]*kept
	room  int // bytes of kept
	heard int // how often something was stored: what was read before may be old
}

// kept is the mine of a minion; without a key it told none.
type kept struct {
	at      int64
	key     ed25519.PublicKey
	sum     [sha256.Size]byte
	entries map[string]*proto.MineEntry
	size    int
}

// New makes a DB of what is in the store. now is time.Now.
func New(s *store.Store, now func() time.Time) *DB {
	db := &DB{store: s, now: now, kept: map[string]*kept{}}
	s.OnCommit(db.committed)
	return db
}

// committed follows what this master or another has stored.
func (db *DB) committed(recs []*proto.Record) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, r := range recs {
		if r.Kind == proto.RecordKind_RECORD_MINE {
			db.heard++
			db.forget(r.Origin)
		}
	}
}

// forget drops what is in memory of a minion. Call it with mu held.
func (db *DB) forget(minion string) {
	if k := db.kept[minion]; k != nil {
		db.room -= k.size
		delete(db.kept, minion)
	}
}

// Hear takes a message of a minion, whose id its subject proves. done is called
// with the answer once it is stored, or is known not to need it; it must be quick.
func (db *DB) Hear(ctx context.Context, subj string, data []byte, done func(minion string, answer *proto.ToldReply)) {
	id, err := subject.ParseMine(subj)
	if err != nil {
		return // no minion may publish there
	}
	m, err := db.read(id, data)
	if err != nil {
		done(id, &proto.ToldReply{Error: err.Error()})
		return
	}
	have, err := db.of(ctx, id)
	if err != nil {
		done(id, &proto.ToldReply{Error: err.Error()})
		return
	}
	told := store.Told{Minion: id, At: m.At, Sum: sum(m), Message: m}
	db.store.Keep(told, store.Known{At: have.at, Sum: have.sum}, func(answer *proto.ToldReply) { done(id, answer) })
}

// read checks a message.
func (db *DB) read(id string, data []byte) (*proto.Mine, error) {
	m := &proto.Mine{}
	if err := pb.Unmarshal(data, m); err != nil {
		return nil, errors.New("the message cannot be read")
	}
	m.Minion = id
	if off := time.UnixMicro(m.At).Sub(db.now()); m.At <= 0 || off > ahead {
		return nil, fmt.Errorf("clock differs by %.0f s from minion %q: check NTP", off.Seconds(), id)
	}
	if len(m.Packed) > packedLimit {
		return nil, fmt.Errorf("the mine has %d bytes when compressed, the limit is %d", len(m.Packed), packedLimit)
	}
	entries, err := unpack(m.Packed)
	for _, e := range entries {
		if _, bad := value.FromJSON(e.Data); bad != nil { // who asks for many would get none of them
			return nil, fmt.Errorf("what the mine has as %q is no JSON: %v", e.Name, bad)
		}
	}
	return m, err
}

// unpack reads what a minion told, and refuses what nobody could use.
func unpack(packed []byte) (map[string]*proto.MineEntry, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errors.New("the mine cannot be read")
	}
	data, err := io.ReadAll(io.LimitReader(z, Limit+1))
	if err != nil {
		return nil, errors.New("the mine cannot be read")
	}
	if len(data) > Limit {
		return nil, fmt.Errorf("the mine has over %d bytes, which is the limit", Limit)
	}
	all := &proto.MineEntries{}
	if err := pb.Unmarshal(data, all); err != nil {
		return nil, errors.New("the mine cannot be read")
	}
	entries := make(map[string]*proto.MineEntry, len(all.Entries))
	for _, e := range all.Entries {
		if e.Name == "" {
			return nil, errors.New("the mine has something without a name")
		}
		entries[e.Name] = e
	}
	return entries, nil
}

// of returns the mine of a minion. Nobody may change it.
func (db *DB) of(ctx context.Context, id string) (*kept, error) {
	db.mu.Lock()
	k, heard := db.kept[id], db.heard
	db.mu.Unlock()
	if k != nil {
		return k, nil
	}
	m, err := db.store.Mine(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		k = &kept{size: len(id)}
	case err != nil:
		return nil, err
	default:
		k = &kept{at: m.At, key: m.Key, sum: sum(m)}
		if k.entries, err = unpack(m.Packed); err != nil {
			return nil, fmt.Errorf("cannot read the mine of minion %q: %w", id, err)
		}
		for _, e := range k.entries {
			k.size += len(e.Name) + len(e.Data)
		}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if heard == db.heard { // else it may be old already
		db.keep(id, k)
	}
	return k, nil
}

// keep remembers a mine. Call it with mu held.
func (db *DB) keep(id string, k *kept) {
	db.forget(id)
	if db.room+k.size > keptLimit {
		clear(db.kept)
		db.room = 0
	}
	db.kept[id] = k
	db.room += k.size
}

// sum is of all but the time.
func sum(m *proto.Mine) [sha256.Size]byte {
	h := sha256.New()
	h.Write(m.Key)
	h.Write(m.Packed)
	return [sha256.Size]byte(h.Sum(nil))
}
