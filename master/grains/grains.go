// Package grains takes what minions tell of their hosts. Every master hears
// every minion and stores its grains for itself, so that any of them knows them
// all; of a minion the latest are kept.
package grains

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
	"brine/proto/target"
)

const (
	// Limit is how large the grains of one minion may be.
	Limit = 256 << 10
	// ahead is how far a minion's clock may be ahead; see the limit on its events.
	ahead = time.Minute
)

// A DB is what a master knows of minions' hosts. It is safe for concurrent use.
type DB struct {
	store *store.Store
	now   func() time.Time

	mu    sync.Mutex // guards the fields below
	known map[string]store.Known
	facts map[string]target.Map // nil for a minion that told none
	heard int                   // how often something was stored: what was read before may be old
}

// New makes a DB of what is in the store. now is time.Now.
func New(s *store.Store, now func() time.Time) *DB {
	db := &DB{store: s, now: now, known: map[string]store.Known{}, facts: map[string]target.Map{}}
	s.OnCommit(db.committed)
	return db
}

// committed follows what this master or another has stored.
func (db *DB) committed(recs []*proto.Record) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, r := range recs {
		if r.Kind == proto.RecordKind_RECORD_GRAINS {
			db.heard++
			delete(db.known, r.Origin) // it is read again when the minion speaks
			delete(db.facts, r.Origin)
		}
	}
}

// Of returns the grains of a minion; store.ErrNotFound when it told none.
func (db *DB) Of(ctx context.Context, minion string) (*proto.Grains, error) {
	return db.store.Grains(ctx, minion)
}

// Hear takes a message of a minion, whose id its subject proves. done is called
// with the answer once the grains are stored, or are known not to need it; it must be quick.
func (db *DB) Hear(ctx context.Context, subj string, data []byte, done func(minion string, answer *proto.ToldReply)) {
	id, err := subject.ParseGrains(subj)
	if err != nil {
		return // no minion may publish there
	}
	g, err := db.read(id, data)
	if err != nil {
		done(id, &proto.ToldReply{Error: err.Error()})
		return
	}
	have, err := db.stored(ctx, id)
	if err != nil {
		done(id, &proto.ToldReply{Error: err.Error()})
		return
	}
	told := store.Told{Minion: id, At: g.At, Sum: sum(g), Message: g}
	db.store.Keep(told, have, func(answer *proto.ToldReply) { done(id, answer) })
}

// read checks a message.
func (db *DB) read(id string, data []byte) (*proto.Grains, error) {
	g := &proto.Grains{}
	if len(data) > Limit+Limit/4 {
		return nil, fmt.Errorf("the grains have %d bytes, the limit is %d", len(data), Limit)
	}
	if err := pb.Unmarshal(data, g); err != nil {
		return nil, errors.New("the message cannot be read")
	}
	g.Minion = id
	switch off := time.UnixMicro(g.At).Sub(db.now()); {
	case len(g.Data) > Limit:
		return nil, fmt.Errorf("the grains have %d bytes, the limit is %d", len(g.Data), Limit)
	case !json.Valid(g.Data) || g.Data[0] != '{':
		return nil, errors.New("the grains are no JSON object")
	case g.At <= 0 || off > ahead:
		return nil, fmt.Errorf("clock differs by %.0f s from minion %q: check NTP", off.Seconds(), id)
	}
	return g, nil
}

func (db *DB) stored(ctx context.Context, id string) (store.Known, error) {
	db.mu.Lock()
	k, ok := db.known[id]
	heard := db.heard
	db.mu.Unlock()
	if ok {
		return k, nil
	}
	g, err := db.store.Grains(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Known{}, err
	}
	if err == nil {
		k = store.Known{At: g.At, Sum: sum(g)}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if heard == db.heard {
		db.known[id] = k
	}
	return k, nil
}

// sum is of all but the time.
func sum(g *proto.Grains) [sha256.Size]byte {
	h := sha256.New()
	h.Write(g.Data)
	for _, w := range g.Warnings {
		fmt.Fprintf(h, "\n%d %s", len(w), w)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
