package keys

import (
	"time"

	"brine/proto"
)

const (
	// askEvery is how often one key may ask. A minion that asks every 10 s is
	// let in although its messages do not arrive as evenly as it sends them.
	askEvery = 10 * time.Second
	askSlack = 500 * time.Millisecond
	maxAsked = 20000       // keys that asked within askEvery
	tellEach = time.Minute // an event for each reason to turn requests away
)

// limits are guarded by DB.mu.
type limits struct {
	asked map[string]time.Time // when each key asked last
	swept time.Time
	told  map[string]*told // by reason
}

// told counts what was turned away since the last event about it.
type told struct {
	at      time.Time
	skipped int
}

// limitRate tells whether the key may ask now, and notes that it did.
func (d *DB) limitRate(pub string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, now := &d.limits, d.o.Now()
	if now.Sub(l.swept).Abs() >= askEvery {
		for key, at := range l.asked {
			if now.Sub(at).Abs() >= askEvery {
				delete(l.asked, key)
			}
		}
		l.swept = now
	}
	at, again := l.asked[pub]
	if again && now.Sub(at).Abs() < askEvery-askSlack || !again && len(l.asked) >= maxAsked {
		return false
	}
	l.asked[pub] = now
	return true
}

// turnAway refuses a request. An event and a line in the log tell of it, but
// of a flood only one a minute for each kind of reason.
func (d *DB) turnAway(limit, pub, address, reason string) *proto.EnrolReply {
	d.mu.Lock()
	now, t := d.o.Now(), d.limits.told[limit]
	if t == nil {
		t = &told{at: now.Add(-tellEach)}
		d.limits.told[limit] = t
	}
	skipped := t.skipped
	quiet := now.Sub(t.at).Abs() < tellEach
	if quiet {
		t.skipped++
	} else {
		t.at, t.skipped = now, 0
	}
	d.mu.Unlock()
	if !quiet {
		d.log.Warn("enrolment turned away", "limit", limit, "key", pub, "address", address,
			"reason", reason, "more_before", skipped)
		d.event("salt/auth", map[string]any{
			"act": "denied", "limit": limit, "pub": pub, "address": address, "reason": reason,
			"more_before": skipped, "result": false,
		})
	}
	return &proto.EnrolReply{Status: proto.EnrolReply_TURNED_AWAY, Reason: reason}
}
