package host

import "brine/states/value"

// Beacons are what the running minion watches on its host. Safe for concurrent use.
type Beacons interface {
	// List returns the configuration of beacons by name, with "enabled" for all: those of pillar, and those of the minion
	// itself, which count more.
	List(pillar, own bool) *value.Dict
	// Available returns which kinds of beacons there are, in order.
	Available() []string
	// Check tells every mistake in the configuration of a beacon.
	Check(name string, config any) error
	// Edit changes those of the minion itself, until it ends.
	Edit(change func(own *value.Dict))
	// Save keeps what Edit has changed for later starts, and returns the file.
	Save() (path string, err error)
}
