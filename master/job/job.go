// Package job is the master's part in the life of a job: it checks what an
// operator asks for, commits it, publishes it, sends it again where it was not
// heard, collects what minions return, tells them what is stored, and tells
// whoever watches how it goes.
//
// What is known of a job that is under way is kept in memory and can be made
// again from the store at any time: a job that nobody watches and that nothing
// needs to be done for is forgotten.
package job

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/target"
)

var _ Store = (*store.Store)(nil)

// Store is what the manager needs of the master's store.
type Store interface {
	Stamp() int64
	Append(ctx context.Context, recs ...*proto.Record) error
	EnqueueMade(rec store.Made, done func(error))
	Hurry()
	Horizon() time.Time
	Job(ctx context.Context, jid string) (*proto.JobRecord, error)
	Jobs(ctx context.Context, f store.JobFilter) ([]store.JobEntry, error)
	LastJobs(ctx context.Context, minion string) (jobs, runs []string, err error)
	MinionJob(ctx context.Context, jid, minion string) (*store.MinionJob, error)
	Unsummed(ctx context.Context, limit int) ([]store.JobEntry, error)
	SetSums(ctx context.Context, entries []store.JobEntry) error
	OpenJobs(ctx context.Context, now time.Time) ([]*proto.JobRecord, error)
	Returns(ctx context.Context, jid string, f func(*proto.Return) error) error
	Outcomes(ctx context.Context, jid string) (map[string]store.Outcome, error)
	Return(ctx context.Context, jid, minion string) (*proto.Return, error)
	ReturnIDs(ctx context.Context, jid, minion string) ([]string, error)
	Taken(ctx context.Context, minion string, now time.Time) ([]*proto.SeenJob, error)
	Accepted(ctx context.Context, jid string, minions ...string) (map[string][][]byte, error)
	SetAccepted(jid string, requestID []byte, minion string) error
	Cancels(ctx context.Context, jid string) ([]*proto.CancelRecord, error)
}

// Options are what a Manager needs of the master around it. All but Window,
// TempDir and Log are required, and all functions may be called at any time
// from many goroutines.
type Options struct {
	Master string          // the name of this master
	Site   pki.Fingerprint // of the site
	Store  Store

	Sign    func(kind proto.Kind, body []byte) *proto.Envelope // with this master's key
	Rotated func(key ed25519.PublicKey) bool                   // the key has since been replaced by its master; nil: none
	Publish func(subject string, data []byte) error            // to minions
	Online  func(minion string) bool                           // hears jobs at any live master
	Coming  func(minion string) bool                           // hears no jobs, but is about to: it moves, or masters have just started

	Accepted func() []string        // ids of all accepted minions
	Key      func(id string) string // what the key of an id is that is not accepted, as in "is revoked"; "" without one; nil: not known
	Language func() target.Language // of targets, with the site's nodegroups; nil: that of ids
	Facts    func(ctx context.Context, asks target.Asks, ids []string) (func(id string) target.Facts, error)
	Operator func(key ed25519.PublicKey) (*proto.OperatorRecord, bool) // not revoked
	// Allowed tells why an operator may not use a function on minions, in each of some environments.
	Allowed func(op *proto.OperatorRecord, function string, ids []string, environments ...string) error
	// SealingKey is that of an accepted minion; nil of any other.
	SealingKey func(minion string) []byte
	// ByName are the arguments of a function that have to be given by name, by their positions; nil: of none is known.
	ByName func(function string) map[int]string
	// Audit makes the record that tells who asked for a job; nil: none is kept.
	Audit func(op *proto.OperatorRecord, a *proto.Audit) (*proto.Record, error)

	Live   func() []string                   // live masters, this one included
	Late   func(master string) time.Duration // since its last heartbeat
	Commit func(ctx context.Context, recs []*proto.Record, trees ...string) (confirmed, unconfirmed []string)
	// Tree is what is served now, and the commits that it has files of.
	Tree func(ctx context.Context, environment string) (tree string, commits []string, err error)

	// Environments are those that there are trees of; nil: base alone.
	Environments func() []string

	// Here tells whether a minion hears jobs, and pulses, at this master; it may be some seconds old.
	Here     func(minion string) (jobs, pulse bool)
	HandAcks func(*proto.AckBatch) // gives the other live masters what HandedAcks takes; it must not wait

	Window  time.Duration // of a request that names none; 0: a minute
	TempDir string        // for large return values on their way; "": the system's
	Log     hclog.Logger  // nil: silence
}

// Error is a refusal that an operator can act on.
type Error struct {
	Code    proto.ApiError_Code
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func refuse(code proto.ApiError_Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Manager manages the jobs of one master. Its methods may be called from
// many goroutines.
type Manager struct {
	o       Options
	log     hclog.Logger
	kick    chan struct{} // wakes Run before its time
	batched time.Time     // when batches were looked at last: of Run alone
	acks    *acks
	large   *assembler
	rare    complaints

	started time.Time

	mu       sync.Mutex // guards the fields below; nothing is called outside while it is held
	jobs     map[string]*job
	claims   map[string]*claim      // jids of requests that are being committed
	arrivals map[string]*arrival    // minions that have just come
	inFlight map[string]*flight     // on their way into the store, by record id
	flying   map[[2]string][]string // their record ids, by job and minion
	retry    []unstored
	quota    map[string]*allowance // of minions, for returns of jobs that nobody knows
}

// New makes a manager and takes up the jobs in the store whose window is
// open. From then on the store must tell Committed about every commit.
func New(ctx context.Context, o Options) (*Manager, error) {
	if o.Window == 0 {
		o.Window = time.Minute
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	m := &Manager{
		o: o, log: o.Log,
		kick:     make(chan struct{}, 1),
		started:  time.Now(),
		acks:     newAcks(),
		large:    newAssembler(o.TempDir),
		jobs:     map[string]*job{},
		claims:   map[string]*claim{},
		arrivals: map[string]*arrival{},
		inFlight: map[string]*flight{},
		flying:   map[[2]string][]string{},
		quota:    map[string]*allowance{},
	}
	return m, m.takeUp(ctx)
}

// takeUp loads the jobs in the store whose window is open.
func (m *Manager) takeUp(ctx context.Context) error {
	open, err := m.o.Store.OpenJobs(ctx, time.Now())
	if err != nil {
		return fmt.Errorf("cannot take up open jobs: %w", err)
	}
	for _, rec := range open {
		r, err := m.readRecord(rec)
		if err != nil {
			m.log.Error("job record skipped", "err", err)
			continue
		}
		if err := m.load(ctx, r.request.Jid); err != nil {
			return fmt.Errorf("cannot take up job %s: %w", r.request.Jid, err)
		}
	}
	return nil
}

// Run sends again, acknowledges and tidies until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	// Once more, for what was committed before the store began to tell.
	if err := m.takeUp(ctx); err != nil && ctx.Err() == nil {
		m.log.Error("some jobs of other masters are not taken up", "err", err)
	}
	var work sync.WaitGroup
	work.Go(func() { m.acknowledge(ctx) })
	work.Go(func() { m.assemble(ctx) })
	work.Go(func() { m.keepSums(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			work.Wait()
			m.large.close()
			return
		case <-m.kick:
		case <-timer.C:
		}
		timer.Reset(time.Until(m.step(ctx, time.Now())))
	}
}

// wake makes Run look again at once.
func (m *Manager) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}
