package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"brine/master/returner"
	"brine/proto"
	"brine/states/host"
)

// Returner is a program that gets what minions return, for sites that feed other systems.
type Returner struct {
	Command []string `toml:"command"`
	Timeout string   `toml:"timeout"` // for one run of it
	Batch   int      `toml:"batch"`   // returns that one run gets, at most
}

const (
	maxReturnerTime  = time.Hour
	maxReturnerBatch = 100_000

	// returnerLate is how old the first return that waits may be before status warns.
	returnerLate = 5 * time.Minute
)

// returnerProblems are the mistakes in what the configuration says of it.
func (c *Config) returnerProblems() []error {
	var errs []error
	x := c.Returner
	if len(x.Command) == 0 {
		if x.Timeout != "" || x.Batch != 0 {
			errs = append(errs, errors.New("returner.command is missing: timeout and batch are for a program"))
		}
		return errs
	}
	if err := runnable(x.Command); err != nil {
		errs = append(errs, fmt.Errorf("returner.command: %w", err))
	}
	if d, err := time.ParseDuration(x.Timeout); x.Timeout != "" && (err != nil || d < time.Second || d > maxReturnerTime) {
		errs = append(errs, fmt.Errorf("returner.timeout = %q: want a duration from 1s to %v, such as 30s", x.Timeout, maxReturnerTime))
	}
	if x.Batch < 0 || x.Batch > maxReturnerBatch {
		errs = append(errs, fmt.Errorf("returner.batch = %d: want 1 to %d", x.Batch, maxReturnerBatch))
	}
	return errs
}

// makeReturner is nothing for a site that has no such program. It begins with the chores.
func (m *Master) makeReturner(ctx context.Context) (func(), error) {
	x := m.o.Config.Returner
	if len(x.Command) == 0 {
		return nil, nil
	}
	limit, _ := time.ParseDuration(x.Timeout) // it was checked; none is the default
	r, err := returner.New(ctx, returner.Options{
		Master: m.id.Name, Command: x.Command, Timeout: limit, Batch: x.Batch, File: m.layout.Returner(), Store: m.store,
		Exec: new(host.Local).Run, Peers: m.otherReturners, Log: m.log.Named("returner"),
	})
	if err != nil {
		return nil, err
	}
	m.returner = r
	m.store.OnCommit(r.Committed)
	return nil, nil
}

// otherReturners are those of the other live masters.
func (m *Master) otherReturners() []returner.Peer {
	var all []returner.Peer
	for _, name := range m.peers.Live() {
		if name != m.id.Name {
			all = append(all, returner.Peer{Name: name, State: m.peers.Beat(name).GetReturner()})
		}
	}
	return all
}

// returnerWarnings tell of returns that wait.
func (m *Master) returnerWarnings(now time.Time) []string {
	if m.returner == nil {
		return nil
	}
	var texts []string
	s := m.returner.State()
	text := ""
	if age := now.Sub(time.UnixMicro(s.Oldest)); s.Active && s.Oldest > 0 && (s.Problem != "" || age > returnerLate) {
		text = fmt.Sprintf("about %d returns wait for the returner, the first for %v", s.Waiting, age.Round(time.Second))
	}
	switch {
	case s.Problem != "" && (s.Active || s.Failing) && text != "":
		text += ": " + s.Problem
	case s.Problem != "" && (s.Active || s.Failing):
		text = "the returner does not work here: " + s.Problem
	}
	if text != "" {
		texts = append(texts, text)
	}
	return texts
}

// noReturnerWarnings tell of masters that could not give returns when this one is dead.
func (m *Master) noReturnerWarnings() (texts []string) {
	if m.returner == nil {
		return nil
	}
	others := m.otherReturners()
	if i := slices.IndexFunc(others, func(p returner.Peer) bool { return p.State == nil }); i >= 0 {
		texts = append(texts, fmt.Sprintf("master %s has no [returner] and could not take over", others[i].Name))
	}
	return texts
}

func (m *Master) returnerState() *proto.ReturnerState {
	if m.returner == nil {
		return nil
	}
	return m.returner.State()
}
