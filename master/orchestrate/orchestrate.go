// Package orchestrate carries out orchestrations: SLS files whose states are jobs on minions, functions of masters and
// waits for events. They are compiled and run by what compiles and runs the states of a minion.
//
// An orchestration is a record in the log: what is to be done, by files of which tree, and who asked. One master drives
// it. What a step is about to do, and how it ended, are records too, and the jobs of steps follow from the orchestration and
// the step: so another master that takes over goes through the same steps, finds how those ended that did, and goes on.
package orchestrate

import (
	"context"
	"crypto/ed25519"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto"
	"brine/states/host"
	"brine/states/sls"
	"brine/states/value"
)

// Log is what orchestrations need of the master's store.
type Log interface {
	// Keep stores an event here and at the masters that are live, and returns the id of its record.
	Keep(ctx context.Context, e *proto.Event) (id string, err error)
	// Events lists those of a tag, newest first.
	Events(ctx context.Context, tag string, since time.Time, limit int) ([]*proto.EventInfo, error)
	// Watch tells of events that a query chooses, those after a time too, until ctx ends or each fails.
	Watch(ctx context.Context, q *proto.EventQuery, after int64, each func(*proto.Event) error) error
}

// Masters are the masters of the site.
type Masters interface {
	Live() []string
	Late(name string) time.Duration // since the last sign of life
	Behind() bool                   // this master has not read yet what another live one has stored
	// Share gives data that must not reach a disk to the other live masters, for an orchestration; an error names who has it not.
	Share(ctx context.Context, jid string, data []byte) error
	// Shared asks them for such data; nil when none has it.
	Shared(ctx context.Context, jid string) []byte
}

// Files are the file trees that masters serve.
type Files interface {
	// Current is the tree of an environment as it is now, with the commits that it has files of.
	Current(ctx context.Context, environment string) (tree string, commits []string, err error)
	// Tree returns the files of a tree, which another master may have to be asked for.
	Tree(ctx context.Context, tree, from string) (sls.Source, error)
}

// Options are what an Orchestrator needs of the master around it. All but Log are required.
type Options struct {
	Master  string
	Records Log
	Masters Masters
	Files   Files
	Jobs    Jobs
	Calls   Calls
	// Pillar is that of a name, of an environment ("" for all), with the values that were encrypted in its files. Its mistakes are an error.
	Pillar func(ctx context.Context, name, environment string, grains *value.Dict) (data *value.Dict, opened []string, err error)
	// Operator is whose key that is, of those who are not revoked.
	Operator func(key ed25519.PublicKey) (*proto.OperatorRecord, bool)
	Mine     func(asker string) host.Mine
	Config   *value.Dict // what templates see of the configuration
	// Settle is how long after Run began the orchestrations of before are left alone: a master that was just started has not
	// all its minions yet, nor heard all the others, and would tell of steps that failed because nobody was there.
	Settle time.Duration
	Log    hclog.Logger
}

// An Orchestrator carries out orchestrations. Its methods may be called from many goroutines.
type Orchestrator struct {
	o    Options
	log  hclog.Logger
	kick chan struct{} // wakes Run before its time
	work sync.WaitGroup

	mu     sync.Mutex // guards the fields below, and those of each run
	began  time.Time  // when Run did
	runs   map[string]*course
	shared map[string][]byte // pillar of orchestrations, which is on no disk
}

// New makes an Orchestrator. From then on it must be told of every commit, by Committed.
func New(o Options) *Orchestrator {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	return &Orchestrator{o: o, log: o.Log, kick: make(chan struct{}, 1), runs: map[string]*course{}, shared: map[string][]byte{}}
}

const (
	lookEach = 250 * time.Millisecond // how often it is looked who drives
	takeOver = 2 * time.Second        // of silence of who drives
	openFor  = 7 * 24 * time.Hour     // an orchestration that began before is not taken up any more
	maxOpen  = 1000                   // that are taken up at a start
	keptFor  = time.Minute            // an orchestration stays in memory after its end
)

// Run drives the orchestrations that are for this master to drive, until ctx ends.
func (o *Orchestrator) Run(ctx context.Context) {
	o.mu.Lock()
	o.began = time.Now()
	o.mu.Unlock()
	if err := o.takeUp(ctx); err != nil && ctx.Err() == nil {
		o.log.Error("cannot take up orchestrations", "err", err)
	}
	defer o.work.Wait()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		o.look(ctx)
		select {
		case <-o.kick:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (o *Orchestrator) wake() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// Take keeps what another master shares.
func (o *Orchestrator) Take(jid string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shared[jid] = data
}

// Give is what was shared for an orchestration; nil when it is not here.
func (o *Orchestrator) Give(jid string) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shared[jid]
}
