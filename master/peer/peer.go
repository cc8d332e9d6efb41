// Package peer is what masters say to each other: heartbeats, signed
// requests, the commitment of records before they take effect, and the pulling
// of each other's logs, so that every master ends with the same records.
//
// There is no quorum and no leader: each master judges by what it hears.
package peer

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

const defaultInterval = 500 * time.Millisecond

// A Store is the log as this package uses it. Append and Import check every
// record; Import behaves as that of store.Store when one is stamped too far ahead.
type Store interface {
	Incarnation() string
	Last() int64
	Set() (digest []byte, records, last int64)
	NewIncarnation(ctx context.Context) error
	Cursor(master string) (incarnation string, sequence int64, err error)
	Append(ctx context.Context, recs ...*proto.Record) error
	Import(ctx context.Context, from, incarnation string, upTo int64, recs []*proto.Record) error
	Page(ctx context.Context, after int64, maxBytes int, idsOnly bool) (*proto.Page, error)
	Missing(ctx context.Context, ids []string) ([]string, error)
	Records(ctx context.Context, ids []string, maxBytes int) ([]*proto.Record, error)
	Body(ctx context.Context, id string, offset int64, max int) ([]byte, int64, error)
}

// Options say who this master is. Name, Identity, Trust, Conn and Store are needed.
type Options struct {
	Name     string
	Identity *pki.Identity
	Trust    *pki.Trust
	Conn     *nats.Conn // in the masters' account
	Store    Store

	// Tree fetches what this master lacks of a file tree from another one,
	// before a record that needs it is confirmed.
	Tree func(ctx context.Context, tree, from string) error
	// Address is told to the others, and Fill completes each heartbeat. Both
	// are called twice a second and must return at once.
	Address func() *proto.MasterAddress
	Fill    func(*proto.Heartbeat)
	// Invited tells of a master that has never run: nobody waits for it. May be nil.
	Invited func(name string) bool
	// OnChange is called with the names of the live masters, sorted, when
	// they change: one call at a time, and only the newest set.
	OnChange func(live []string)
	// OnDuplicate is called, once for each, when another process signs with
	// this master's name and key. Of the two, the one told to yield began
	// later and must end.
	OnDuplicate func(other *proto.Heartbeat, yield bool)

	// Interval is the time from one heartbeat to the next, 0 for 500 ms. A
	// master is live for three of them after its last one.
	Interval time.Duration
	Confirm  time.Duration // how long Commit waits for the others, 0 for 200 ms
	Log      hclog.Logger
	Now      func() time.Time
}

// Peers are the other masters of the site as this one sees them. Its methods
// may be called from many goroutines.
type Peers struct {
	o        Options
	log      hclog.Logger
	post     *post
	instance string
	started  time.Time
	inbox    string // prefix of the answers to this process

	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
	closed sync.Once
	subs   []*nats.Subscription
	wake   chan struct{} // a heartbeat is due at once
	notify chan struct{} // the live set is another
	slots  chan struct{} // requests of others being served
	noise  *noise
	clocks *noise // of masters whose clocks are wrong, or ours is

	mu       sync.Mutex // guards the fields below; nothing is called while it is held
	masters  map[string]*master
	live     []string
	changed  chan struct{} // closed and replaced when a master is heard or caught up with
	waiting  map[string]*question
	handlers map[string]Handler
	others   map[string]bool // instances reported to OnDuplicate

	logMu  sync.Mutex // guards served and the change of incarnation
	served int64      // the highest sequence of our log that another master can know
}

// Start subscribes and begins to send heartbeats. Close, or the end of ctx,
// ends everything; the connection stays open.
func Start(ctx context.Context, o Options) (*Peers, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.Confirm == 0 {
		o.Confirm = defaultConfirm
	}
	p := &Peers{
		o:        o,
		log:      o.Log,
		post:     &post{name: o.Name, own: o.Identity, site: o.Identity.Site(), trust: o.Trust, now: o.Now},
		instance: hex.EncodeToString(newID()),
		started:  o.Now(),
		wake:     make(chan struct{}, 1),
		notify:   make(chan struct{}, 1),
		slots:    make(chan struct{}, maxRequests),
		noise:    &noise{log: o.Log, level: hclog.Warn, now: o.Now},
		clocks:   &noise{log: o.Log, level: hclog.Error, now: o.Now},
		masters:  map[string]*master{},
		live:     []string{o.Name},
		changed:  make(chan struct{}),
		waiting:  map[string]*question{},
		others:   map[string]bool{},
		served:   o.Store.Last(),
	}
	p.inbox = subject.PeerInbox(o.Name) + "." + p.instance + "."
	p.handlers = map[string]Handler{
		"repl.pull":   p.servePull,
		"repl.note":   p.serveNote,
		"repl.fetch":  p.serveFetch,
		"repl.body":   p.serveBody,
		"repl.commit": p.serveCommit,
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	if err := p.subscribe(); err != nil {
		p.Close()
		return nil, err
	}
	p.wait.Go(p.beatLoop)
	p.wait.Go(p.tellLoop)
	return p, nil
}

func (p *Peers) subscribe() error {
	for name, f := range map[string]nats.MsgHandler{
		p.inbox + "*":                       p.onAnswer,
		subject.Heartbeat:                   p.onBeat,
		subject.Peer("repl", p.o.Name, ">"): p.onRequest,
		subject.Peer("sys", p.o.Name, ">"):  p.onRequest,
	} {
		sub, err := p.o.Conn.Subscribe(name, f)
		if err != nil {
			return fmt.Errorf("cannot listen to other masters on %q: %w", name, err)
		}
		p.subs = append(p.subs, sub)
	}
	// A subscription is in force, here and at the others, once the server has answered.
	ctx, cancel := context.WithTimeout(p.ctx, callTimeout)
	defer cancel()
	if err := p.o.Conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("cannot listen to other masters: %w", err)
	}
	return nil
}

// Close ends all heartbeats, requests and pulling, and waits for them.
func (p *Peers) Close() {
	p.closed.Do(func() {
		for _, sub := range p.subs {
			if err := sub.Unsubscribe(); err != nil {
				p.log.Debug("cannot unsubscribe", "subject", sub.Subject, "err", err)
			}
		}
		// Under the lock, so that no callback starts a goroutine after it.
		p.mu.Lock()
		p.cancel()
		p.mu.Unlock()
	})
	p.wait.Wait()
}

// spawn runs f unless the end has come. Call it with p.mu held.
func (p *Peers) spawn(f func()) bool {
	if p.ctx.Err() != nil {
		return false
	}
	p.wait.Go(f)
	return true
}

// broadcast wakes those who wait for a master. Call it with p.mu held.
func (p *Peers) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func newID() []byte {
	id := make([]byte, idSize)
	rand.Read(id) // never fails
	return id
}

// trusted tells that key still speaks for a master.
func (p *Peers) trusted(key ed25519.PublicKey) bool { return p.o.Trust.Check(key) == nil }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
