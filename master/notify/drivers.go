package notify

import (
	"slices"
	"time"

	"brine/proto/elect"
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
	return elect.First(names, x.id)
}
