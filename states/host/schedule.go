package host

import (
	"time"

	"brine/states/value"
)

// Schedule is what the running minion runs at certain times. Safe for concurrent use.
type Schedule interface {
	// List returns the configuration of jobs by name, and what is said of all under enabled, splay, skip_during_range and
	// skip_function: those of pillar, and those of the minion itself, which count more.
	List(pillar, own bool) *value.Dict
	// Saved tells whether later starts have a job too.
	Saved(name string) bool
	// Check tells every mistake in the configuration of a job.
	Check(name string, config *value.Dict) error
	// Edit changes what stands under a name, with nil to nothing; with keep for later starts too.
	Edit(name string, config any, keep bool) error
	// Save keeps for later starts what Edit has changed until the minion ends, and returns the file.
	Save() (path string, err error)
	// Reload takes what is kept for later starts, and forgets other changes. It returns the file.
	Reload() (path string, err error)
	// RunJob runs a job at once.
	RunJob(name string) error
	// Status tells when a job runs.
	Status(name string) ScheduleStatus
}

// A ScheduleStatus is when a job runs. Times are zero where there is none.
type ScheduleStatus struct {
	Next, Last time.Time
	Skipped    time.Time // a run that was left out after Last, and why
	Why        string
	Running    []string // job ids
	Mistake    string   // why it never runs
}
