package job

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/pki"
	"brine/proto"
	"brine/proto/target"
)

// Job is what a function is called with. Its functions are safe for
// concurrent use and do nothing once the job has ended.
type Job struct {
	JID         string
	RequestID   []byte
	Function    string
	Args        []*proto.Argument
	Sealed      []*proto.Argument // those of Args that only its minions could read
	Operator    string
	Master      string // that published it
	Tree        string // sha256 of the manifest of the file tree; "" when there is none
	Environment string // "" is base

	Environments []*proto.EnvironmentTree // the files of others

	// Progress tells the masters how far the job is.
	Progress func(done, total int, current string)
	// Stop tells whether SoftStop was called for this job with an ID, or with none.
	Stop func(id string) bool
	// Restarting must be called by a job that is about to end the minion's
	// process on purpose: it then ends ok at the next start. After an error don't go on.
	Restarting func() error
}

// Result is how a function ended.
type Result struct {
	Value   []byte // JSON; empty is null
	Retcode int    // 0 is success

	// Last is called when the return is on disk and was sent: for what ends this process itself. Nil for nothing.
	Last func(ctx context.Context)
}

// Active is a job that runs or waits.
type Active struct {
	JID       string
	RequestID []byte
	Function  string
	Args      []*proto.Argument
	Operator  string
	Master    string
	Started   time.Time // zero while it waits
}

// Options are what a Runner needs. Only those that say so may be left out.
type Options struct {
	ID      string
	Journal *Journal
	Trust   *pki.Trust

	// Exec carries a job out. When ctx ends it should return soon;
	// context.Cause(ctx) wraps host.ErrKill when its commands are to be killed at once.
	Exec func(ctx context.Context, j *Job) Result
	// Publish sends a message to the masters. It is called from many goroutines. What it
	// could not send is sent again later.
	Publish func(subject string, data []byte) error

	// IsState tells functions of which only one may run at a time. Optional: none.
	IsState func(function string) bool
	// Urgent tells functions that run at once even when all slots are taken, such as
	// the one that ends a job. Optional: none.
	Urgent func(function string) bool
	// Open decrypts what is sealed to the minion. Optional: jobs with sealed arguments are not taken.
	Open func(sealed []byte) ([]byte, error)
	// Allow tells why a function may not run here. Optional: all may.
	Allow func(function string) error
	// Facts are what targets may ask of the minion besides its id. Optional: nothing is known.
	Facts func(target.Asks) target.Facts
	// Stranger is told of a message that a master signed whom the trust bundle does not list: a newer one may. It
	// must return at once. Optional.
	Stranger func()
	// Renew gets the pillar anew, for a job whose target asks for it and does not match what is known, or can't be
	// decided as nothing is. It may wait for masters. Optional.
	Renew func(ctx context.Context) error

	Log hclog.Logger     // optional
	Now func() time.Time // optional: time.Now
}

const (
	maxRunning  = 16       // jobs at once
	maxWaiting  = 1000     // jobs that wait for them
	maxHeld     = 32 << 20 // bytes of messages that wait
	clockSlack  = time.Minute
	maxWindow   = 30*24*time.Hour + 2*clockSlack
	maxFunction = 256 // bytes of a function's name

	acceptDelay   = 50 * time.Millisecond  // .acc is left out when .fin is there earlier
	acceptLate    = 150 * time.Millisecond // or within this once the function has returned; masters send again after 300 ms
	resendDelay   = 200 * time.Millisecond // a return is not sent twice within it, unless a master changed
	progressDelay = 200 * time.Millisecond
	offerFirst    = 2 * time.Second // a return without acks is offered again, ever more seldom
	offerLast     = time.Minute
	heardLately   = 5 * time.Second  // a master that acked counts as live so long
	stopGrace     = 5 * time.Second  // for jobs that are cut short by Close
	renewLimit    = 10 * time.Second // for masters to tell the pillar
)

// order is a job as it was signed.
type order struct {
	key
	data     []byte // the envelope as it came
	job      *proto.Job
	request  *proto.JobRequest
	secret   []*proto.Argument // that came sealed; they are shown nowhere
	issued   int64
	notAfter int64

	byName  bool // it came on job.id
	matched bool // by its target
	pillar  bool // the target asks for pillar, which was not got anew for it
	renewed bool
	unsure  bool  // the target asks for what is not known here
	lacking error // why the pillar could not be got anew
	denied  error // may not run here
	state   bool  // one of these may run at a time: state runs without concurrent=True
	wait    bool  // queue=True: it waits for its turn however long
	urgent  bool  // takes no slot
}
