package master

import (
	"sync"
	"time"

	"brine/proto"
)

const requestAge = time.Minute // how far an operator's clock may be off

// answered remembers the requests of operators that this process has taken, so
// that one copied from the bus serves nobody. That a request is for this
// process and no earlier one is written in it.
type answered struct {
	mu     sync.Mutex // guards the fields below
	issued map[string]int64
	pruned int64 // the newest issued-at of what was forgotten
	swept  time.Time
}

// first refuses a request that is too old or was here before.
func (a *answered) first(master string, req *proto.ApiRequest, now time.Time) error {
	off := now.Sub(time.UnixMicro(req.IssuedAt))
	if off.Abs() > requestAge {
		// Another master may serve it: which of the two clocks is wrong is not known here.
		return refuse(proto.ApiError_UNAVAILABLE, "clock differs by %.0f s from %s: check NTP", off.Abs().Seconds(), master)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	if req.IssuedAt <= a.pruned {
		return refuse(proto.ApiError_UNAVAILABLE, "the clock of %s was put back, and it does not remember what it answered then: "+
			"ask another master, wait %.0f s, or start it again", master, time.UnixMicro(a.pruned).Sub(time.UnixMicro(req.IssuedAt)).Seconds())
	}
	id := req.Operator + string(req.Id)
	if _, again := a.issued[id]; again {
		return refuse(proto.ApiError_INVALID, "the request was answered already")
	}
	if a.issued == nil {
		a.issued = map[string]int64{}
	}
	a.issued[id] = req.IssuedAt
	return nil
}

// sweep forgets what is too old to be taken again, once a second. Should the
// clock be put back, it would be young again: so how new it was is kept.
func (a *answered) sweep(now time.Time) {
	if now.Sub(a.swept).Abs() < time.Second {
		return
	}
	a.swept = now
	for id, at := range a.issued {
		if now.Sub(time.UnixMicro(at)) > 2*requestAge {
			delete(a.issued, id)
			a.pruned = max(a.pruned, at)
		}
	}
}
