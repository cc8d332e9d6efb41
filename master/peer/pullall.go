package peer

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const pullAllTimeout = 10 * time.Second

// PullAll waits until the logs of all masters have been read as far as they
// were when first heard, those not heard within some seconds excepted. Call it
// once after Start. The error, at most 10 s later, names those who are behind.
func (p *Peers) PullAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pullAllTimeout)
	defer cancel()
	quiet := time.NewTimer(6 * p.o.Interval)
	defer quiet.Stop()
	patient := true
	for {
		unheard, behind, changed := p.behind()
		if len(behind) == 0 && (len(unheard) == 0 || !patient) {
			if len(unheard) > 0 {
				p.log.Info("starting without masters that are away", "away", unheard)
			}
			return nil
		}
		select {
		case <-changed:
		case <-quiet.C:
			patient = false
		case <-p.ctx.Done():
			return fmt.Errorf("cannot catch up with masters: %w", p.ctx.Err())
		case <-ctx.Done():
			return fmt.Errorf("cannot catch up with masters %s: %w", strings.Join(behind, ", "), ctx.Err())
		}
	}
}

// behind tells which masters were not heard yet, which live ones were not
// caught up with, and what is closed when that changes.
func (p *Peers) behind() (unheard, behind []string, changed chan struct{}) {
	names := p.expected()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		switch m := p.masters[name]; {
		case m == nil || !p.isLive(m):
			unheard = append(unheard, name)
		case !m.caughtUp:
			behind = append(behind, name)
		}
	}
	return unheard, behind, p.changed
}
