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
	Cause    string    // why: CauseStartup; it stands in the return
	At       time.Time // of the cause
	Function string
	Args     []*pb.Argument
	Tree     string // sha256 of the manifest of the file tree; "" when there is none
	// Environments are the files of others.
	Environments []*pb.EnvironmentTree
	Environment  string // "" is base
}

// CauseStartup is that of the states which a minion applies when it starts.
const CauseStartup = "startup_states"

// ownMarks begin the request ids of a minion's own jobs: it is what a journal keeps of them, and tells
// masters, that have no record of such a job, why it ran. A request id is part of the disk format.
var ownMarks = map[string]string{CauseStartup: "own\x00\x01"}

// causeOf tells why a minion made a job itself; "" for one of a master's.
func causeOf(id requestID) string {
	for cause, mark := range ownMarks {
		if strings.HasPrefix(string(id[:]), mark) {
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
	if ownMarks[own.Cause] == "" {
		return "", fmt.Errorf("cannot start %s: %q is no cause of jobs", name(own.Function), own.Cause)
	}
	o := r.order(own)
	r.weigh(o)
	if o.denied != nil {
		return o.jid, fmt.Errorf("cannot start %s: %w", name(own.Function), o.denied)
	}
	o.wait = true // for a state run that is under way
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return o.jid, fmt.Errorf("cannot start %s: the minion ends", name(own.Function))
	}
	if r.journal.lookup(o.key) != nil {
		return o.jid, nil
	}
	e, conflict := r.journal.claim(o.key, name(own.Function), o.issued, o.notAfter)
	if conflict != "" {
		return o.jid, fmt.Errorf("cannot start %s: %s", name(own.Function), conflict)
	}
	if reason := r.admit(&task{order: o, e: e}); reason != "" {
		return o.jid, fmt.Errorf("cannot start %s: %s", name(own.Function), reason)
	}
	return o.jid, nil
}

// order is the job as a master would have sent it.
func (r *Runner) order(own Own) *order {
	at := own.At.UTC().Truncate(time.Microsecond)
	sum := sha256.Sum256(fmt.Appendf(nil, "own job\x00%s\x00%s\x00%d", r.o.ID, own.Cause, at.UnixMicro()))
	// Minions that start together have job ids of their own: the part below a second comes from the hash.
	part := time.Duration(binary.BigEndian.Uint32(sum[len(requestID{}):])%1e6) * time.Microsecond
	id := jid.FromTime(at.Truncate(time.Second).Add(part))
	copy(sum[:], ownMarks[own.Cause])
	request := &pb.JobRequest{
		Jid: id, RequestId: sum[:len(requestID{})], Function: own.Function, Args: own.Args, Operator: own.Cause,
		Target:      &pb.Target{Syntax: pb.Target_LIST, Expression: r.o.ID},
		Environment: own.Environment, IssuedAt: at.UnixMicro(),
	}
	return &order{
		key: key{id, requestID(request.RequestId)}, request: request, byName: true,
		job:    &pb.Job{IssuedAt: at.UnixMicro(), NotAfter: at.Add(ownWindow).UnixMicro(), Tree: own.Tree, Environments: own.Environments},
		issued: at.UnixMicro(), notAfter: at.Add(ownWindow).UnixMicro(),
	}
}
