package reactor

import (
	"slices"
	"time"

	"brine/proto/elect"
)

// drivers say who decides what.
type drivers struct {
	live   map[string][]string // masters that may drive, by rule
	seen   []string            // the other ones at the last look
	until  time.Time           // nobody decides before
	unread map[string]int64    // nor before the logs of these masters are read so far
	looked time.Time           // last
}

const (
	// stoodStill is after how long without a look the others may have gone on without this master. It may just have been slow: it waits
	// for this but once within unreadFor.
	stoodStill = 1500 * time.Millisecond
	// unreadFor bounds how long what a master has decided is waited for.
	unreadFor = 30 * time.Second
)

// look finds out anew who may drive what. After one has come nobody decides for a while: its steps are to be read first. So are
// those of all when this one was not there itself, or stood still.
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
			d.wait(m.Name, now.Add(r.o.Hold))
		}
	}
	if now.Sub(d.looked) > stoodStill && now.Sub(d.until) > unreadFor && r.o.Hold > 0 && r.o.Others != nil && r.o.Others() {
		d.until = now.Add(r.o.Hold) // they may be there, unheard so far
		for _, m := range others {
			d.wait(m.Name, d.until)
		}
	}
	r.catchUp(others, now)
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
	d.live, d.seen, d.looked = live, seen, now
}

func (d *drivers) wait(name string, until time.Time) {
	if d.unread == nil {
		d.unread = map[string]int64{}
	}
	d.until, d.unread[name] = until, 0
}

// catchUp finds out whether the logs of the masters that came are read: as far as they were when the others, too, had ceased to
// decide.
func (r *Reactor) catchUp(others []Master, now time.Time) {
	d := &r.drives
	for name, upTo := range d.unread {
		i := slices.IndexFunc(others, func(m Master) bool { return m.Name == name })
		switch {
		case i < 0, now.Sub(d.until) > unreadFor:
			delete(d.unread, name) // it went, or another trouble tells of this
		case now.Before(d.until):
			d.unread[name] = others[i].Last
		case others[i].Last-others[i].Behind >= upTo:
			delete(d.unread, name)
		}
		if len(d.unread) == 0 {
			r.goal = r.o.Log.Last()
		}
	}
}

// decides tells whether it is for this master to decide for a key of a rule.
func (r *Reactor) decides(name, key string, now time.Time) bool {
	if r.place < r.goal || now.Before(r.drives.until) || len(r.drives.unread) > 0 {
		return false
	}
	return elect.First(r.drives.live[name], name+"\x00"+key) == r.o.Master
}
