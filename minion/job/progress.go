package job

import (
	"sync"
	"time"

	pb "brine/proto"
	"brine/proto/subject"
)

// progress tells how far one job is, not too often.
type progress struct {
	r *Runner
	t *task

	mu   sync.Mutex // guards the fields below
	last time.Time
	over bool
}

func (p *progress) tell(done, total int, current string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || isQuiet(p.t.req) || time.Since(p.last) < progressDelay {
		return
	}
	p.last = time.Now()
	p.r.publish(subject.Progress(p.r.token, p.t.jid), &pb.Progress{Jid: p.t.jid, RequestId: p.t.req[:],
		Done: uint32(max(done, 0)), Total: uint32(max(total, 0)), Current: clip(current)})
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}
