// Package keys is the master's word on who may do what: which minion keys are
// accepted, which enrolment tokens are good, which operators there are.
//
// Everything is a record in the store, so every master comes to the same
// answers; what is here in memory is a copy of the store's projections, brought
// up to date after each commit, whichever master made the decision.
package keys

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

// A Store is the part of store.Store that this package uses.
type Store interface {
	Stamp() int64
	Append(ctx context.Context, recs ...*proto.Record) error
	OnCommit(func([]*proto.Record))
	Keys(ctx context.Context) ([]store.Key, error)
	Key(ctx context.Context, signing []byte) (store.Key, error)
	Operators(ctx context.Context, name string) ([]store.Operator, error)
	Tokens(ctx context.Context) ([]*proto.TokenRecord, error)
}

// Options say where decisions are kept and who hears of them. Master and Store
// are needed.
type Options struct {
	Master string // this one's name: the origin of its records
	Site   pki.Fingerprint
	Store  Store

	// Commit has the other masters store a decision, and names those that did
	// not confirm it.
	Commit func(ctx context.Context, recs []*proto.Record) (unconfirmed []string)
	// OnAccept is called when a minion's key becomes accepted, OnRevoke when a
	// key of a minion or an operator loses what it was allowed: its connections
	// must go. Both are called after commits, also of what other masters
	// decided; they must be quick and must not write to the store.
	OnAccept func(id string, key ed25519.PublicKey)
	OnRevoke func(key ed25519.PublicKey)
	// OnRetire is called instead when the owner has another key by then: its connections have
	// to go, but it may be given a moment to come back with the other one. nil: OnRevoke.
	OnRetire func(key ed25519.PublicKey)
	// Roles tells what a sign-in gives, now: that is the configuration's word,
	// and no record's. nil: nothing.
	Roles func(*proto.OperatorRecord) []*proto.Role
	// OnEvent tells of what this master decided or turned away. It may write to
	// the store.
	OnEvent func(tag string, data map[string]any)

	Log hclog.Logger
	Now func() time.Time
}

// DB is the key database. Its methods may be called from many goroutines.
type DB struct {
	o   Options
	log hclog.Logger
	ctx context.Context // of queries after commits, for which the store gives none

	// following is held from a query of the store until its answer is in the
	// fields below, so that an older answer never replaces a newer one. It is
	// taken before mu.
	following sync.Mutex
	// redeeming is held from the judgement of a token until its use is stored.
	// It is taken before mu. Apply, which may run meanwhile, never takes it.
	redeeming sync.Mutex
	// operating is held from the judgement of a change of operators until it is
	// stored. It is taken before mu, and never by Apply.
	operating sync.Mutex

	mu        sync.RWMutex // guards the fields below; nothing is called while it is held
	keys      map[string]*key
	byID      map[string][]*key                // without deleted ones
	accepted  []string                         // sorted; nil when it must be made anew
	operators map[string]*proto.OperatorRecord // by key: those that are good for something
	named     map[string][]store.Operator      // by name: all that there were
	whose     map[string]string                // by key: the names of all that there were
	soonest   int64                            // when the next operator's time runs out
	tokens    map[string]*proto.TokenRecord    // by the hash of their secret
	invited   map[string]*proto.TokenRecord    // the latest of each name that a master may join under
	stale     bool                             // a projection could not be read after a commit
	deciding  map[string]bool                  // ids about which a decision is being written
	pending   int
	limits    limits
}

// A key is one minion key as the store knows it.
type key struct {
	store.Key
	state proto.KeyState // in force; KEY_UNSPECIFIED when it was deleted
}

// New reads the store and follows its commits from then on.
func New(ctx context.Context, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &DB{
		o: o, log: o.Log, ctx: context.WithoutCancel(ctx),
		keys: map[string]*key{}, byID: map[string][]*key{},
		operators: map[string]*proto.OperatorRecord{},
		named:     map[string][]store.Operator{}, whose: map[string]string{},
		tokens:   map[string]*proto.TokenRecord{},
		deciding: map[string]bool{},
		limits:   limits{asked: map[string]time.Time{}, told: map[string]*told{}},
	}
	// First, so that nothing is committed unseen while the store is read.
	o.Store.OnCommit(d.apply)
	if err := d.reload(ctx, true); err != nil {
		return nil, fmt.Errorf("cannot read keys: %w", err)
	}
	return d, nil
}

// Minion returns the id under which a minion's key is known and what is decided
// about it; "" and KEY_UNSPECIFIED when nothing is. A revoked key stays
// revoked when it is deleted. It serves broker.Keys.
func (d *DB) Minion(signing ed25519.PublicKey) (id string, state proto.KeyState) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	k := d.keys[string(signing)]
	if k == nil || k.state == proto.KeyState_KEY_UNSPECIFIED {
		return "", proto.KeyState_KEY_UNSPECIFIED
	}
	return k.Id, k.state
}

// ByID returns the accepted key of a minion. Don't change it.
func (d *DB) ByID(id string) (*proto.KeyRecord, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if k := d.holder(id); k != nil {
		return k.KeyRecord, true
	}
	return nil, false
}

// SigningKey is the accepted signing key of a minion, as pki.VerifyFileToken asks for it.
func (d *DB) SigningKey(id string) (ed25519.PublicKey, bool) {
	rec, ok := d.ByID(id)
	return rec.GetSigningKey(), ok
}

// Accepted returns the ids of the accepted minions, sorted. Don't change it.
func (d *DB) Accepted() []string {
	d.mu.RLock()
	ids := d.accepted
	d.mu.RUnlock()
	if ids != nil {
		return ids
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.accepted == nil {
		d.accepted = []string{}
		for id := range d.byID {
			if d.holder(id) != nil {
				d.accepted = append(d.accepted, id)
			}
		}
		slices.Sort(d.accepted)
	}
	return d.accepted
}

// holder is the accepted key of an id, nil when there is none. Call it with mu held.
func (d *DB) holder(id string) *key {
	for _, k := range d.byID[id] {
		if k.state == proto.KeyState_KEY_ACCEPTED {
			return k
		}
	}
	return nil
}

// List returns the keys that are not deleted and whose id matches one of the
// globs, or all without globs: in order of id, state and fingerprint.
func (d *DB) List(patterns []string) ([]*proto.KeyInfo, error) {
	match, err := parsePatterns(patterns)
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	infos := []*proto.KeyInfo{}
	for id, group := range d.byID {
		if len(patterns) > 0 && !match.any(id) {
			continue
		}
		for _, k := range group {
			infos = append(infos, k.info())
		}
	}
	sortInfos(infos)
	return infos, nil
}

func sortInfos(infos []*proto.KeyInfo) {
	slices.SortFunc(infos, func(a, b *proto.KeyInfo) int {
		return cmp.Or(cmp.Compare(a.Id, b.Id), cmp.Compare(a.State, b.State),
			cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
}

func (k *key) info() *proto.KeyInfo {
	return &proto.KeyInfo{
		Id: k.Id, Fingerprint: k.fingerprint().String(), State: k.state,
		By: k.By, ChangedAt: k.Stamp, Address: k.Address,
	}
}

func (k *key) fingerprint() pki.Fingerprint { return pki.MinionFingerprint(k.SigningKey, k.SealingKey) }
