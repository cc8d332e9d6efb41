// Package link keeps a minion connected to the masters of its site: it signs
// in and enrols, holds a warm standby connection beside the active one, moves
// when a master dies, falls silent, stops or comes back, and keeps the trust
// bundle fresh. Whoever holds a Link publishes through it and is handed what
// masters send; which master that is, they need not know.
package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	mrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

// Timings are the delays of a link. A zero field has its default.
type Timings struct {
	Ping       time.Duration // a master silent for so long is asked for a sign of life; for as long again, it counts as dead: 500 ms
	Dial       time.Duration // to connect, and to sign in: 3 s
	Hedge      time.Duration // before a further master is tried beside one that does not answer: 500 ms
	Ask        time.Duration // before a request is sent again, to the next master: 300 ms
	Open       time.Duration // for everything a new connection must answer before it counts: 10 s
	Retry      time.Duration // after the first failure at an address; doubles: 100 ms
	RetryMax   time.Duration // while there is no connection: 5 s
	StandbyMax time.Duration // while there is one: 15 s
	Enrol      time.Duration // between enrolment requests, and after a refusal: 10 s
	Rotate     time.Duration // before another master is asked to enrol: 1 min
	Refresh    time.Duration // between fetches of the trust bundle: 1 h
	Notice     time.Duration // spreads the fleet's fetches after a notice: 2 s
	SpreadMin  time.Duration // a master that came back gets its share of the minions
	SpreadMax  time.Duration // at a random moment between these: 5 s and 40 s
}

func (t Timings) withDefaults() Timings {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Ping, 500 * time.Millisecond}, {&t.Dial, 3 * time.Second}, {&t.Hedge, 500 * time.Millisecond},
		{&t.Ask, 300 * time.Millisecond}, {&t.Open, 10 * time.Second}, {&t.Retry, 100 * time.Millisecond},
		{&t.RetryMax, 5 * time.Second}, {&t.StandbyMax, 15 * time.Second}, {&t.Enrol, 10 * time.Second},
		{&t.Rotate, time.Minute}, {&t.Refresh, time.Hour}, {&t.Notice, 2 * time.Second},
		{&t.SpreadMin, 5 * time.Second}, {&t.SpreadMax, 40 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}

// Options are what a Link needs. The functions may be nil; none may call the
// Link's Run, and those marked quick hold up the link while they run.
type Options struct {
	ID      string
	Key     *pki.MinionKey
	Changes []*pb.KeyChange     // that led to the key, for masters that know only an earlier one
	Trust   *pki.Trust          // may be shared by minions of one process
	Masters []string            // host:port, configured
	Known   []*pb.MasterAddress // learnt earlier
	Token   []byte              // secret of an enrolment token
	Version string
	Timings Timings
	Log     hclog.Logger

	// Job takes what came on job.all or job.id, as on tells; false says that it is neither a job nor a cancel.
	Job func(on string, data []byte) bool
	Ack func(data []byte)
	// Pulse takes what masters tell many minions together, as on tells; it is often empty.
	Pulse func(on string, data []byte)
	// Seen is told, before any job is taken on a new connection, what the masters know of this minion's jobs. Quick.
	Seen func(*pb.SeenReply)
	// Changed is called after each change of connections, and when messages were lost.
	Changed func(Status)
	// Refused is called when a master refuses the key. It may call SetKey. Quick.
	Refused func()
	// SaveMasters and SaveBundle keep what was learnt for the next start. Quick.
	SaveMasters func([]*pb.MasterAddress)
	SaveBundle  func(*pb.Envelope)
	// Pinned is told the site's fingerprint once a master has shown its certificate. Quick.
	Pinned func(pki.Fingerprint)
	// Enrolled is called when the key was accepted: the token has served. Quick.
	Enrolled func()
}

// A Link is a minion's connections. Its methods may be called from any goroutine.
type Link struct {
	o       Options
	t       Timings
	log     hclog.Logger
	tls     *tls.Config
	token   string // of the minion's id
	signs   atomic.Pointer[signing]
	inboxP  string // prefix of this process's replies
	lastID  atomic.Uint64
	askID   atomic.Uint64
	strange atomic.Int64 // when a master was heard of whom the trust bundle does not list

	inbox   chan *nats.Msg // jobs, acks and pulses
	control chan *nats.Msg // link orders and answers to enrolment
	events  chan func()    // run by the loop
	dirty   chan struct{}  // Changed is to be called
	done    chan struct{}  // the loop has ended
	wg      sync.WaitGroup

	// The loop's own.
	roster   *roster
	sessions []*session
	active   *session
	next     *session // becomes active once it has confirmed its subscriptions
	dials    map[string]time.Time
	pending  *enrolment
	spread   *spreading
	notices  map[string]int64           // master -> issued_at of its newest notice
	views    map[string]map[string]bool // master -> the masters that are live in its eyes
	drawn    map[string]time.Time       // master -> when its newest return was drawn for
	refresh  time.Time                  // when to ask for the trust bundle again
	rekeyBy  time.Time                  // when to look again for connections that signed in with an earlier key
	digest   []byte                     // of a trust bundle that was asked for after a notice of it
	told     uint64                     // the serial that the masters know to be in force here
	asked    time.Time                  // for acceptance
	accepted time.Time                  // a master said so
	trouble  error                      // why there is no connection
	pinned   bool
	enrolled bool
	learnt   bool // addresses changed

	mu      sync.Mutex
	status  Status
	full    []*session // where Publish sends
	route   []*session // where requests go, the active first
	known   []*pb.MasterAddress
	changed chan struct{} // closed at the next change of the fields above
}

// New makes a Link; Run connects it.
func New(o Options) (*Link, error) {
	if err := subject.CheckID(o.ID); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	random := make([]byte, 4)
	rand.Read(random) // never fails
	l := &Link{
		o: o, t: o.Timings.withDefaults(), log: o.Log, tls: pki.ClientTLS(o.Trust),
		token: subject.Token(o.ID),
		inbox: make(chan *nats.Msg, 256), control: make(chan *nats.Msg, 64), events: make(chan func(), 16),
		dirty: make(chan struct{}, 1), done: make(chan struct{}),
		dials: map[string]time.Time{}, notices: map[string]int64{}, views: map[string]map[string]bool{}, drawn: map[string]time.Time{}, changed: make(chan struct{}),
		pinned: !o.Trust.Pin().IsZero(),
	}
	l.signs.Store(newSigning(o.Key, o.Changes))
	l.inboxP = subject.Inbox(l.token) + "." + hex.EncodeToString(random)
	l.roster = newRoster(o.Masters, o.Known, mrand.New(mrand.NewPCG(mrand.Uint64(), mrand.Uint64())))
	l.status, l.learnt = Status{State: Connecting}, true
	if len(l.roster.places) == 0 {
		return nil, errors.New("cannot link: no master is known")
	}
	return l, nil
}

// Run connects and stays connected until ctx ends, whether or not any master
// is there. It returns when every connection is closed.
func (l *Link) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		l.pump(ctx)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case f := <-l.events:
			f()
		case m := <-l.control:
			l.takeControl(m)
		case <-timer.C:
		}
		if ctx.Err() == nil {
			timer.Reset(l.advance(ctx, time.Now()))
		}
	}
	l.stop()
	return nil
}

// stop closes everything; returns in flight are flushed.
func (l *Link) stop() {
	close(l.done)
	l.wg.Wait() // connections end with their watches, which end with Run's context
	l.sessions, l.active, l.next, l.pending, l.trouble = nil, nil, nil, nil, errStopped
	l.publishState()
}

var errStopped = errors.New("the minion stops")

// post hands f to the loop. After the loop's end f is forgotten.
func (l *Link) post(f func()) bool {
	select {
	case l.events <- f:
		return true
	case <-l.done:
		return false
	}
}

// pump hands over what masters send, in a goroutine of its own, so that
// nothing that handles a job can hold up a failover.
func (l *Link) pump(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.dirty:
			if l.o.Changed != nil {
				l.o.Changed(l.Status())
			}
		case m := <-l.inbox:
			l.deliver(m)
		}
	}
}

func (l *Link) deliver(m *nats.Msg) {
	if m.Subject == subject.Ack(l.token) {
		if l.o.Ack != nil {
			l.o.Ack(m.Data)
		}
		return
	}
	if subject.IsPulse(m.Subject) {
		if l.o.Pulse != nil {
			l.o.Pulse(m.Subject, m.Data)
		}
		return
	}
	if l.o.Job != nil && l.o.Job(m.Subject, m.Data) {
		return
	}
	l.takeNotice(m.Data)
}

// notify asks the pump to call Changed.
func (l *Link) notify() {
	select {
	case l.dirty <- struct{}{}:
	default:
	}
}
