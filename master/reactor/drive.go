package reactor

import (
	"hash/fnv"
	"slices"
	"time"
)

// drivers say who decides what.
type drivers struct {
	live  map[string][]string // masters that may drive, by rule
	seen  []string            // the other ones at the last look
	until time.Time           // nobody decides before
	began bool
}

// look finds out anew who may drive what. After one has come nobody decides for a while: its steps are to be read first.
func (r *Reactor) look(now time.Time) {
	var others []Master
	if r.o.Masters != nil {
		others = r.o.Masters()
	}
	leaving := r.o.Leaving != nil && r.o.Leaving()
	d := &r.drives
	seen := []string{}
	for _, m := range others {
		seen = append(seen, m.Name)
		if r.o.Hold > 0 && !slices.Contains(d.seen, m.Name) {
			d.until = now.Add(r.o.Hold)
		}
	}
	if !d.began && r.o.Hold > 0 && r.o.Others != nil && r.o.Others() {
		d.until = now.Add(r.o.Hold) // they may be there, unheard so far
	}
	live := make(map[string][]string, len(r.set.Rules))
	for _, x := range r.set.Rules {
		var names []string
		if !leaving {
			names = append(names, r.o.Master)
		}
		for _, m := range others {
			if _, has := slices.BinarySearch(m.Rules, Hash(x.Name)); has {
				names = append(names, m.Name)
			}
		}
		live[x.Name] = names
	}
	d.live, d.seen, d.began = live, seen, true
}

// decides tells whether it is for this master to decide for a key of a rule.
func (r *Reactor) decides(name, key string, now time.Time) bool {
	if r.place < r.goal || now.Before(r.drives.until) {
		return false
	}
	return First(r.drives.live[name], name, key) == r.o.Master
}

// First is the one of some masters that drives a key of a rule; "" of none.
func First(masters []string, name, key string) string {
	best, most := "", uint64(0)
	for _, m := range masters {
		h := fnv.New64a()
		h.Write([]byte(m + "\x00" + name + "\x00" + key))
		n := h.Sum64()
		n ^= n >> 33 // the last letters change too few bits of it
		n *= 0xff51afd7ed558ccd
		n ^= n >> 33
		if best == "" || n > most || n == most && m < best {
			best, most = m, n
		}
	}
	return best
}
