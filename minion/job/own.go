package job

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "brine/proto"
	"brine/proto/jid"
)

// An Own job is one that the minion makes itself, such as the states of its start.
type Own struct {
	Cause    string    // why: CauseStartup or CauseSchedule; it stands in the return
	Name     string    // of what a schedule has, which tells it from others of the same time; "" for none
	At       time.Time // of the cause
	Function string
	Args     []*pb.Argument
	Tree     string // sha256 of the manifest of the file tree; "" when there is none
	// Environments are the files of others.
	Environments []*pb.EnvironmentTree
	Environment  string // "" is base
	Quiet        bool   // its return stays here, unless it is cut short; only of a schedule's
}

// The causes of jobs of a minion's own.
const (
	CauseStartup  = "startup_states" // the states that it applies when it starts
	CauseSchedule = "schedule"       // its schedule
)

// ownMarks begin the request ids of a minion's own jobs: it is what a journal keeps of them, and tells
// masters, that have no record of such a job, why it ran. A request id is part of the disk format.
var ownMarks = map[string]string{CauseStartup: "own\x00\x01", CauseSchedule: "own\x00\x02", quietSchedule: "own\x00\x03"}

// quietSchedule marks jobs of a schedule of which masters are told nothing.
const quietSchedule = "schedule without return"

// isQuiet tells whether masters are told nothing of a job.
func isQuiet(id requestID) bool { return strings.HasPrefix(string(id[:]), ownMarks[quietSchedule]) }

// causeOf tells why a minion made a job itself; "" for one of a master's.
func causeOf(id requestID) string {
	for cause, mark := range ownMarks {
		if strings.HasPrefix(string(id[:]), mark) {
			if cause == quietSchedule {
				return CauseSchedule
			}
			return cause
		}
	}
	return ""
}

// ownWindow is how long such a job may wait for its turn.
const ownWindow = 24 * time.Hour

// errOwn is told of a job of the minion's own that had not begun when the minion ended: nobody
// else has it, and its cause makes another one.
var errOwn = errors.New("the minion made it itself and ended before it began")

// Start puts a job of the minion's own on the way of all others: it is journalled before it runs,
// waits for a state run that is under way, and its return is offered until the masters have it. Job id and
// request id follow from cause, time and minion: started twice, it runs once. It returns the job id,
// and an error when the job may not run here.
func (r *Runner) Start(own Own) (id string, err error) {
	if ownMarks[own.Cause] == "" || own.Cause == quietSchedule {
		return "", fmt.Errorf("cannot start %s: %q is no cause of jobs", name(own.Function), own.Cause)
	}
	var conflict string
	for n := range idsTried {
		if id, conflict, err = r.begins(r.order(own, n)); err != nil {
			return id, fmt.Errorf("cannot start %s: %w", name(own.Function), err)
		}
		if conflict == "" {
			return id, nil
		}
	}
	return id, fmt.Errorf("cannot start %s: %s", name(own.Function), conflict)
}

// idsTried are how many job ids of a second one may have to try until one is free.
const idsTried = 4

// begins puts a job of the minion's own on its way; a conflict is an id that another one has.
func (r *Runner) begins(o *order) (id, conflict string, err error) {
	r.weigh(o)
	if o.denied != nil {
		return o.jid, "", o.denied
	}
	o.wait = true // for a state run that is under way
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return o.jid, "", errors.New("the minion ends")
	}
	if r.journal.lookup(o.key) != nil {
		return o.jid, "", nil
	}
	e, conflict := r.journal.claim(o.key, name(o.request.Function), o.issued, o.notAfter)
	if conflict != "" {
		return o.jid, conflict, nil
	}
	if reason := r.admit(&task{order: o, e: e}); reason != "" {
		return o.jid, "", errors.New(reason)
	}
	return o.jid, "", nil
}

// order is the job as a master would have sent it, under the n-th of the ids that it may have.
func (r *Runner) order(own Own, n int) *order {
	at := own.At.UTC().Truncate(time.Microsecond)
	why, mark := own.Cause, ownMarks[own.Cause]
	if own.Name != "" {
		why += " " + own.Name
	}
	if own.Quiet && own.Cause == CauseSchedule {
		mark = ownMarks[quietSchedule]
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "own job\x00%s\x00%s\x00%d", r.o.ID, why, at.UnixMicro()))
	// Minions that start together have job ids of their own: the part below a second comes from the hash.
	part := time.Duration((binary.BigEndian.Uint32(sum[len(requestID{}):])+uint32(n)*61)%1e6) * time.Microsecond
	id := jid.FromTime(at.Truncate(time.Second).Add(part))
	copy(sum[:], mark)
	request := &pb.JobRequest{
		Jid: id, RequestId: sum[:len(requestID{})], Function: own.Function, Args: own.Args, Operator: why,
		Target:      &pb.Target{Syntax: pb.Target_LIST, Expression: r.o.ID},
		Environment: own.Environment, IssuedAt: at.UnixMicro(),
	}
	return &order{
		key: key{id, requestID(request.RequestId)}, request: request, byName: true,
		job:    &pb.Job{IssuedAt: at.UnixMicro(), NotAfter: at.Add(ownWindow).UnixMicro(), Tree: own.Tree, Environments: own.Environments},
		issued: at.UnixMicro(), notAfter: at.Add(ownWindow).UnixMicro(),
	}
}
