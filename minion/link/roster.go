package link

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// maxPlaces bounds what masters can make a minion remember.
const maxPlaces = 64

// A place is an address at which a master may answer.
type place struct {
	addr       string
	name       string // of the master; "" until one has answered there
	configured bool   // never forgotten
	rtt        time.Duration
	fails      int
	next       time.Time // no attempt before
	complaint  string    // the last error that was logged

	// fair: the master was there when the active one was chosen, or has had
	// its chance to be chosen since.
	fair bool
}

// A roster is where masters may be found. It has no clock and does no I/O.
type roster struct {
	places []*place
	known  map[string]*pb.MasterAddress // by name, as masters told
	rand   *rand.Rand
}

func newRoster(configured []string, known []*pb.MasterAddress, rnd *rand.Rand) *roster {
	r := &roster{known: map[string]*pb.MasterAddress{}, rand: rnd}
	for _, addr := range configured {
		if r.at(addr) == nil {
			r.places = append(r.places, &place{addr: addr, configured: true})
		}
	}
	r.learn(known)
	for _, p := range r.places {
		p.fair = true
	}
	return r
}

func (r *roster) at(addr string) *place {
	for _, p := range r.places {
		if p.addr == addr {
			return p
		}
	}
	return nil
}

// learn takes addresses that masters told. It tells whether any is new.
func (r *roster) learn(masters []*pb.MasterAddress) (changed bool) {
	for _, m := range masters {
		if m.GetName() == "" || m.GetBus() == "" {
			continue
		}
		old := r.known[m.Name]
		if old == nil && len(r.known) >= maxPlaces {
			continue
		}
		if proto.Equal(old, m) {
			continue
		}
		changed = true
		r.known[m.Name] = m
		if old != nil && old.Bus != m.Bus {
			r.leave(old.Bus)
		}
		if p := r.at(m.Bus); p != nil {
			p.name = m.Name
			continue
		}
		r.places = append(r.places, &place{addr: m.Bus, name: m.Name})
	}
	return changed
}

// leave forgets a learnt address.
func (r *roster) leave(addr string) {
	r.places = slices.DeleteFunc(r.places, func(p *place) bool { return p.addr == addr && !p.configured })
}

// drop forgets what was learnt of masters that gone tells are no longer ones of the site.
func (r *roster) drop(gone func(name string) bool) (changed bool) {
	for name, m := range r.known {
		if gone(name) {
			delete(r.known, name)
			r.leave(m.Bus)
			changed = true
		}
	}
	return changed
}

// addresses lists what masters told, sorted by name.
func (r *roster) addresses() []*pb.MasterAddress {
	out := make([]*pb.MasterAddress, 0, len(r.known))
	for _, m := range r.known {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *pb.MasterAddress) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// pick chooses the place to try next among those that are free and due; nil,
// and when the next one is due, if there is none. The nearest comes first, but
// round trips that differ little leave it to chance, which spreads the fleet.
func (r *roster) pick(now time.Time, free func(*place) bool) (best *place, due time.Time) {
	least := 0.0
	for _, p := range r.places {
		if !free(p) {
			continue
		}
		if p.next.After(now) {
			due = earliest(due, p.next)
			continue
		}
		score := float64(p.rtt+10*time.Millisecond) * (1 + r.rand.Float64()) * float64(1+p.fails)
		if best == nil || score < least {
			best, least = p, score
		}
	}
	return best, due
}

// failed puts off the next attempt at p, longer each time, up to limit.
func (r *roster) failed(p *place, now time.Time, first, limit time.Duration) {
	wait := limit
	if p.fails < 20 {
		wait = min(limit, first<<p.fails)
	}
	p.fails++
	p.next = now.Add(r.spread(wait/2, wait*3/2))
	r.unfair(p.name, p.addr)
}

// answered notes that the master called name is at p.
func (r *roster) answered(p *place, name string) {
	p.name, p.fails, p.next, p.complaint = name, 0, time.Time{}, ""
}

// unfair notes that a master is away: when it is back, it gets its share again.
func (r *roster) unfair(name, addr string) {
	for _, p := range r.places {
		if p.addr == addr || name != "" && p.name == name {
			p.fair = false
		}
	}
}

// fair tells whether the master called name has had its chance, and notes that it has now.
func (r *roster) fair(name string) (was bool) {
	for _, p := range r.places {
		if p.name == name {
			was = was || p.fair
			p.fair = true
		}
	}
	return was
}

// chosen notes that one was just chosen among all who are there.
func (r *roster) chosen() {
	for _, p := range r.places {
		p.fair = p.fair || p.fails == 0
	}
}

// soon makes the places of those meant due within the time.
func (r *roster) soon(meant func(*place) bool, now time.Time, within time.Duration) {
	for _, p := range r.places {
		if at := now.Add(r.spread(0, within)); meant(p) && p.next.After(at) {
			p.next = at
		}
	}
}

// everyone means every master, also one whose name is not known yet.
func everyone(*place) bool { return true }

// present counts the masters that are there, of those known by name, as far as
// they were chosen from or have come back since: a move to the last of n that
// come back one by one is drawn with 1/n, so that each gets as much. An address
// where none has answered yet may be another one of a known master.
func (r *roster) present() int {
	names := map[string]bool{}
	for _, p := range r.places {
		if p.name != "" && p.fair {
			names[p.name] = true
		}
	}
	return len(names)
}

// spread is a random duration between two.
func (r *roster) spread(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(r.rand.Int64N(int64(to-from)))
}

// earliest is the earlier of two moments; the zero one means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
