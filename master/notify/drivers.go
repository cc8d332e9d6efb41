package notify

import (
	"hash/fnv"
	"slices"
	"time"
)

// drivers say which master delivers what.
type drivers struct {
	masters  []Master // that may, sorted by name
	channels map[string][]string
	changed  time.Time // when the last one came
	began    bool
}

// look finds out anew who may deliver.
func (d *drivers) look(others []Master, me string, channels []string, leaving bool, now time.Time) {
	all := slices.Clone(others)
	if !leaving {
		all = append(all, Master{Name: me, Channels: channels})
	}
	for _, m := range all {
		if d.began && !slices.ContainsFunc(d.masters, func(o Master) bool { return o.Name == m.Name }) {
			d.changed = now
		}
	}
	d.masters, d.channels, d.began = all, map[string][]string{}, true
	for _, m := range all {
		for _, c := range m.Channels {
			d.channels[c] = append(d.channels[c], m.Name)
		}
	}
}

// first is the master that delivers a message: by its id, among those that have its channel; where none has, among all.
func (d *drivers) first(x *entry) string {
	names := d.channels[x.channel]
	if len(names) == 0 {
		for _, m := range d.masters {
			names = append(names, m.Name)
		}
	}
	return first(names, x.id)
}

// first chooses by the highest hash, so that few change hands when a master comes or goes.
func first(names []string, id string) string {
	best, most := "", uint64(0)
	for _, name := range names {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name + "\x00" + id)) // it never fails
		n := h.Sum64()
		n ^= n >> 33 // the last letters change too few bits of it
		n *= 0xff51afd7ed558ccd
		n ^= n >> 33
		if best == "" || n > most || n == most && name < best {
			best, most = name, n
		}
	}
	return best
}
