package job

import (
	"time"

	"brine/proto"
)

// Status is the state of a job on one minion, in the words that operators see.
type Status string

// Every status there is.
const (
	Queued      Status = "queued"
	Sent        Status = "sent"
	Running     Status = "running"
	OK          Status = "ok"
	Failed      Status = "failed"
	Interrupted Status = "interrupted"
	Cancelled   Status = "cancelled"
	Expired     Status = "expired"
	Refused     Status = "refused"
	NoAnswer    Status = "no-answer"
	Offline     Status = "offline"
)

const (
	answerTime = 2 * time.Second  // an online minion that has not accepted by then does not answer
	heardTime  = 12 * time.Second // it is asked again every 10 s, and what says then that its disk is slow is waited for
	slowTime   = time.Minute      // and no longer in a batch, where others wait for its place
	awayTime   = 5 * time.Second  // a minion that moves to another master is away for less
)

// ComingTime is how long a job waits for a minion that is about to come: the longest that one
// without a master waits before it tries again, and what connecting takes.
const ComingTime = 10 * time.Second

// Facts are what is known of a job on one minion. What is absent may still
// come: a return overrides every other fact.
type Facts struct {
	Outcome     proto.Outcome        // of the return, when there is one
	Accepted    proto.Accepted_State // what the minion said last
	Cancelled   bool                 // somebody asked to cancel the job
	Batch       bool                 // it is a batch: not all begin at once
	Stopped     bool                 // it is a batch in which too many have failed
	WaitOffline bool                 // the job waits for minions until its window is over
	WindowOver  bool
	Sent        bool          // it was sent while the minion was online
	SinceSent   time.Duration // since the first sending after it came online
	Heard       bool          // the minion said lately that it has heard it, but its disk has not taken it yet
	Online      bool
	Coming      bool          // it is about to be online
	Away        time.Duration // how long it has been offline
}

// Fold is the state of a job on a minion. settled tells that nobody needs to
// wait for more: it ended, or nothing more will come by itself soon.
func Fold(f Facts) (status Status, settled bool) {
	if status, ended := ending(f.Outcome); ended {
		return status, true
	}
	waits := f.WaitOffline && !f.WindowOver
	switch {
	case f.Accepted != proto.Accepted_STATE_UNSPECIFIED && !f.Online && f.Away > awayTime:
		return Offline, !waits
	case f.Accepted == proto.Accepted_QUEUED:
		return Queued, false
	case f.Accepted != proto.Accepted_STATE_UNSPECIFIED:
		return Running, false
	case f.Stopped && !f.Sent:
		return Cancelled, true
	case f.Cancelled:
		return Cancelled, !f.Online || !f.Sent || f.SinceSent >= answerTime
	case f.Online && f.Sent && (f.SinceSent < answerTime || f.Heard && (!f.Batch || f.SinceSent < slowTime)):
		return Sent, false
	case f.Online && f.Sent:
		return NoAnswer, !waits
	case f.Online && !f.WindowOver:
		return Queued, false // it has just come, the job is about to be sent
	case waits || !f.Sent && !f.WindowOver && (f.Batch && f.Away <= awayTime || f.Coming && f.Away <= ComingTime):
		return Queued, false
	case f.WaitOffline:
		return Expired, true
	case f.Sent && f.Away <= awayTime:
		return Sent, false
	default:
		return Offline, true
	}
}

// ending is the status of a return.
func ending(o proto.Outcome) (Status, bool) {
	switch o {
	case proto.Outcome_OK:
		return OK, true
	case proto.Outcome_FAILED:
		return Failed, true
	case proto.Outcome_INTERRUPTED:
		return Interrupted, true
	case proto.Outcome_CANCELLED:
		return Cancelled, true
	case proto.Outcome_EXPIRED:
		return Expired, true
	case proto.Outcome_REFUSED, proto.Outcome_NOT_MATCHED:
		return Refused, true
	default:
		return "", false
	}
}

// overrides tells whether of two ends of a job on one minion this one counts:
// what has run before what was cut short, and that before what never began.
func (e ended) overrides(old ended) bool {
	if a, b := weight(e.outcome), weight(old.outcome); a != b {
		return a > b
	}
	return weight(e.outcome) > 0 && e.finishedAt > old.finishedAt
}

func weight(o proto.Outcome) int {
	switch o {
	case proto.Outcome_OK, proto.Outcome_FAILED:
		return 3
	case proto.Outcome_INTERRUPTED, proto.Outcome_CANCELLED:
		return 2
	case proto.Outcome_EXPIRED, proto.Outcome_REFUSED, proto.Outcome_NOT_MATCHED:
		return 1
	default:
		return 0
	}
}
