// Package reactor lets the masters of a site react to events by rules.
//
// # Who does what
//
// Every master follows its own log, which has every event, and keeps by it the same picture of what the rules have seen and done
// (package decide). Of each key of a rule one live master is the driver: the first by rendezvous hash of those that have the rule.
// It decides, writes each step into the log as an event, and acts. The others follow by these steps and know at any time what is
// not decided about yet; when the driver has been silent for two seconds the next one goes on from there. Nothing else is kept:
// cool-downs, counts, timers, breakers, approvals and pauses are folded from the log, and a place in it beside, from which a
// restart reads again.
//
// # What is promised
//
//   - An action on minions is a job whose id follows from the event and the attempt. Whichever masters make it, and however often,
//     it is one job, which a minion runs once. Its record is on every live master before it is published, with the event and the
//     step "fired", or neither is: who knows of the job knows which key it was about. It counts as that step should it come alone.
//   - No event is missed: one that a rule is for stays undecided, here and on the other masters, until a step says what became of
//     it. The queue is the log on the disk.
//   - Webhooks and messages go out at least once, and carry a key that is the same each time. Runners and orchestrations are begun
//     at least once, with such a key. The event and "fired" are on the other live masters before any of them begins.
//   - A run that a master began to write down when it died, and that has made no job, is given up when the next one has acted on the
//     key meanwhile. What only a dead master's disk knows counts again when it is back.
//   - While masters come and go, for two seconds after one was heard for the first time (again) and until its log was read, nobody
//     decides: what it has decided must be known first. The same holds for a master that stood still itself.
//
// # In a cut between masters
//
// Masters that don't hear each other each drive all keys. About one event they still make the same job, so no minion acts twice on
// it. But each side has its own view of what was done before: a cool-down, a rate limit, a breaker and the limit of actions a
// minute may be exceeded by the number of sides; of a rule that counts, the sides may put events together in different ways and
// act once each; webhooks, messages, runners and orchestrations may happen once a side, with the same key; a pause or an approval
// is known only on the side where it was given. When the cut heals the steps of both sides are read, what was done counts on both,
// and runs go on from the furthest step.
package reactor

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/master/reactor/salt"
	"brine/proto"
)

// An Entry is an event and its place in the log.
type Entry struct {
	Seq   int64
	ID    string
	Event *proto.Event
}

// Log is the log of a master's events, jobs and returns. Its methods may be called from many goroutines.
type Log interface {
	// After gives the next events after a place, in order, and up to which place these are all; those of returns only if wanted.
	After(ctx context.Context, seq int64, limit int, returns bool) (all []Entry, upTo int64, err error)
	// Last is the place of the log's end.
	Last() int64
	// Changed is closed with the next commit, or with the next of anything but returns.
	Changed(returns bool) <-chan struct{}
	// Place is that before the first record stamped at a time or later.
	Place(ctx context.Context, at time.Time) (int64, error)
	// Steps gives the steps of rules since a time, and all pauses there ever were, in the order of their times.
	Steps(ctx context.Context, since time.Time) ([]*proto.Event, error)
	// Event gives an event by the id of its record.
	Event(ctx context.Context, id string) (*proto.Event, error)
	// Ancestors are the actors of what has an id, or a job's, and of what led to it, the nearest first.
	Ancestors(ctx context.Context, cause string) []string
	// Write completes events by who tells them and when, stores them, and calls kept when they are on the disk, and never when they
	// don't get there. The func it returns has the other live masters store them too, with what the steps among them are about, and
	// waits for that a short while.
	Write(events []*proto.Event, kept func()) (confirm func(context.Context))
	// Incarnation names the present life of the log.
	Incarnation() string
}

// Work is a job for minions. Who makes one of the same cause and key makes the same.
type Work struct {
	Cause       string
	Key         string
	At          time.Time // when the cause came to be
	Depth       uint32
	Actor       string
	Target      *proto.Target
	Function    string
	Args        []*proto.Argument
	Environment string
	// Fired is the step by which the rule fired, as the log has it; nil when it is not of now. No other master may learn of the job
	// without it and the cause: it would take the rule's key for one on which nothing was done.
	Fired *proto.Event
}

// A Call is one of a runner, of a wheel function, or an orchestration.
type Call struct {
	Cause    string
	Key      string // the same for whoever makes the call again
	At       time.Time
	Depth    uint32
	Actor    string
	Function string // of an orchestration the SLS
	Args     []any
	Kwargs   map[string]any
}

// A Message is what a webhook, or somebody who wants to know, is told.
type Message struct {
	Key     string // Idempotency-Key: the same for what is told again
	Webhook bool   // To is the name or the address of one; else of who is told
	To      string
	Rule    string
	Run     string
	Text    string
	Cause   string // the event's id
	Event   *proto.Event
}

// Returned is what a job came to on one minion.
type Returned struct {
	Minion string
	Status string // as jobs tell it
	OK     bool
	Reason string
	Value  []byte // JSON
}

// Act is what a reactor does things with. Funcs that are nil fail each action that wants them.
type Act struct {
	// Derive makes a job and gives its id.
	Derive func(ctx context.Context, w Work) (jid string, err error)
	// Wait waits until a job has ended on all its minions.
	Wait func(ctx context.Context, jid string) ([]Returned, error)
	// Runner calls a function of the masters: of a runner, or "wheel." and one of wheel.
	Runner func(ctx context.Context, c Call) (any, error)
	// Orchestrate carries an SLS out.
	Orchestrate func(ctx context.Context, c Call) (any, error)
	// Notify takes charge of a message: it returns when that can no longer be lost.
	Notify func(ctx context.Context, m Message) error
	// React renders reaction SLS. What it returns is to be done also when it tells of mistakes in other files.
	React func(ctx context.Context, files []string, e *proto.Event) ([]salt.Reaction, error)
}

// A Master is another live master.
type Master struct {
	Name   string
	Rules  []uint32 // State.Hashes of it
	Last   int64    // the end of its log, as it said last
	Behind int64    // how much of that was not read here
}

// Options are what a Reactor needs. Log and Rules are required.
type Options struct {
	Master string
	Log    Log
	Act    Act
	// Rules are the files of rules as they are served now, and what they come from.
	Rules func(ctx context.Context) (files []rule.File, source string, err error)
	Salt  []*rule.Rule // of [[reactor]]
	// Masters are the others that are live, or were until a moment ago; nil: there are none.
	Masters func() []Master
	Others  func() bool // whether the site has other masters, live or not; nil: no
	Leaving func() bool // whether this master leaves its work to others; nil: never
	// Grains and Pillar tell of a minion; nil, nil of one that is not known.
	Grains, Pillar func(ctx context.Context, minion string) (map[string]any, error)
	Minion         func(id string) bool // whether an origin is a minion
	Fleet          func() int
	PerMinute      int    // actions of all rules
	File           string // that keeps the place in the log; "": none
	Now            func() time.Time
	Hold           time.Duration    // for which nobody decides after masters come; 0: two seconds; negative: not at all
	Tick           <-chan time.Time // wakes it; nil: a clock
	Logger         hclog.Logger
}

// ReturnPrefix is what tags of returns begin with, which are most of what a log has: they are read only for rules that may want them.
const ReturnPrefix = "salt/job/"

const (
	readAtOnce = 256
	defHold    = 2 * time.Second
	tickEach   = 200 * time.Millisecond
	loadEach   = 5 * time.Second
	tidyEach   = 10 * time.Second
	saveEach   = time.Second
	freshPlace = 10 * time.Minute // of the log are read by a master that keeps no place
	maxWorkers = 256              // actions that are under way without a job
)

// A Reactor reacts. Its methods may be called from many goroutines.
type Reactor struct {
	o       Options
	log     hclog.Logger
	asked   chan func()   // to be run by the loop
	results chan finished // of orders
	workers chan struct{} // holds one for each action that makes no job
	ended   chan struct{} // closed when Run has ended

	// Of the loop alone:
	machine *decide.Machine
	place   int64 // up to which the log was read
	goal    int64 // up to which it must be, before anything is decided
	saved   int64
	owed    []*owed   // writes that are not known to be on the disk, in order
	behind  time.Time // since when the end of the log was not reached; zero: it was
	drives  drivers
	rules   loaded
	next    struct{ load, tidy, save time.Time }
	moaned  map[string]time.Time

	mu    sync.Mutex // guards the fields below
	state State
	set   *rule.Set
}

// finished is an order that was carried out.
type finished struct {
	order  decide.Order
	result decide.Result
}

// New makes a reactor. It does nothing until Run.
func New(o Options) *Reactor {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Hold == 0 {
		o.Hold = defHold
	}
	r := &Reactor{o: o, log: o.Logger, asked: make(chan func()), results: make(chan finished, 64), workers: make(chan struct{}, maxWorkers),
		ended: make(chan struct{}), moaned: map[string]time.Time{}}
	r.set = rule.NewSet("", nil, nil)
	r.machine = decide.New(decide.Options{Rules: r.set, Fleet: o.Fleet, PerMinute: o.PerMinute, Drives: r.decides,
		Ancestors: func(cause string) []string { return o.Log.Ancestors(context.Background(), cause) }})
	return r
}
