package grains

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/states/custom"
	"brine/states/host"
	"brine/states/value"
)

// Options say what the grains of a minion are made of.
type Options struct {
	ID      string
	Master  string   // of the master grain: where the minion was told to look for one
	Machine *Machine // may be shared
	// Programs are directories of executables that tell further grains; one that does not exist is no mistake.
	Programs []string
	Synced   func() []custom.Program // those that come from the masters, which count less; nil for none
	Exec     host.Exec               // runs them; nil: none is run
	Limit    time.Duration           // that one may take; 0: 10 s
	File     string                  // of custom grains, which can be edited; "": there are none
	Static   *value.Dict             // grains of the minion's configuration, which count most
	Config   string                  // name of its file, for messages
	Log      hclog.Logger
}

// A Source is the grains of one minion. It is safe for concurrent use, and it
// implements host.Facts.
type Source struct {
	o        Options
	changed  chan struct{}
	snapshot atomic.Pointer[snapshot]

	mu    sync.Mutex  // guards the fields below, held while grains are collected
	told  *value.Dict // what programs told
	tries []error     // why others told nothing
}

// snapshot is the grains at one moment. It never changes.
type snapshot struct {
	all      *value.Dict
	json     []byte
	sum      [sha256.Size]byte
	file     fileState
	warnings []string
}

// fileState tells one state of a file from another.
type fileState struct {
	size, modified int64
	inode          uint64
}

var _ host.Facts = (*Source)(nil)

// New makes the grains of a minion. They are collected when they are first asked for.
func New(o Options) *Source {
	if o.Limit == 0 {
		o.Limit = programLimit
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Static == nil {
		o.Static = &value.Dict{}
	}
	return &Source{o: o, changed: make(chan struct{}, 1)}
}

// Changed has something to read after the grains have changed.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Now returns the grains, which no one may change. The first call collects
// them; a later one looks only whether the file of custom grains was edited.
func (s *Source) Now(ctx context.Context) *value.Dict { return s.current(ctx).all }

// Copy returns the grains for a caller who may change what it gets.
func (s *Source) Copy(ctx context.Context) *value.Dict {
	c, err := value.Clone(s.Now(ctx))
	if err != nil {
		return &value.Dict{} // they were written as JSON: nothing in them contains itself
	}
	return c.(*value.Dict)
}

// Renew collects all grains anew and returns them for a caller who may change what it gets.
func (s *Source) Renew(ctx context.Context) (*value.Dict, error) {
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	return s.Copy(ctx), nil
}

// Warnings tell what of the custom grains could not be used, and why.
func (s *Source) Warnings(ctx context.Context) []string {
	return slices.Clone(s.current(ctx).warnings)
}

// JSON returns the grains as JSON, and its SHA-256 that of the warnings included.
func (s *Source) JSON(ctx context.Context) (data []byte, warnings []string, sum [sha256.Size]byte) {
	now := s.current(ctx)
	return now.json, now.warnings, now.sum
}

// Refresh collects all grains anew.
func (s *Source) Refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collect(ctx, true)
	return context.Cause(ctx)
}

// Again makes the grains anew of what is known of the machine and of what programs told last.
func (s *Source) Again(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collect(ctx, false)
}

// Fixed names the file that gives a grain a value which no edit overrides; "" when there is none.
func (s *Source) Fixed(name string) string {
	if _, ok := s.o.Static.Get(name); ok {
		return s.o.Config
	}
	return ""
}

// Edit changes the file of custom grains. When it returns, the grains are the new ones.
func (s *Source) Edit(ctx context.Context, change func(custom, grains *value.Dict) error) error {
	if s.o.File == "" {
		return errors.New("cannot change grains: this minion keeps no file of them")
	}
	s.current(ctx) // so that what is seen later is only this change
	s.mu.Lock()
	defer s.mu.Unlock()
	err := editCustom(ctx, s.o.File, func(custom *value.Dict) error {
		grains, err := value.Clone(s.merged(ctx, false, custom))
		if err != nil {
			return fmt.Errorf("cannot use the custom grains: %w", err)
		}
		return change(custom, grains.(*value.Dict))
	})
	if err != nil {
		return err
	}
	s.collect(ctx, false)
	return nil
}

func (s *Source) current(ctx context.Context) *snapshot {
	if now := s.snapshot.Load(); now != nil && now.file == stateOf(s.o.File) {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.snapshot.Load()
	if now == nil || now.file != stateOf(s.o.File) {
		now = s.collect(ctx, now == nil)
	}
	return now
}

func stateOf(path string) fileState {
	if path == "" {
		return fileState{}
	}
	st, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{st.Size(), st.ModTime().UnixNano(), inode(st)}
}

// collect is called with mu held. Programs run and the machine is looked at only when all is asked for.
func (s *Source) collect(ctx context.Context, all bool) *snapshot {
	state := stateOf(s.o.File) // before it is read: an edit meanwhile is seen next time
	custom, bad := readCustom(s.o.File)
	merged := s.merged(ctx, all, custom)
	errs := slices.Clone(s.tries)
	if bad != nil {
		errs = append(errs, bad)
	}
	if id, _ := merged.Get("id"); id != any(s.o.ID) {
		// Targets and pillar go by it: it is not for a host to choose.
		merged.Put("id", s.o.ID)
		errs = append(errs, fmt.Errorf("cannot use %q as the id: it is that of the minion's key, %q", fmt.Sprint(id), s.o.ID))
	}
	return s.publish(ctx, sorted(merged), state, errs)
}

// merged are all grains: what the machine is, what programs tell, what is kept in the file, and what the configuration
// says. It is called with mu held.
func (s *Source) merged(ctx context.Context, all bool, custom *value.Dict) *value.Dict {
	merged := &value.Dict{}
	lay := func(d *value.Dict) {
		for k, v := range d.All() {
			_ = merged.Set(k, v) // it was a key already
		}
	}
	lay(s.o.Machine.Facts(ctx, all))
	lay(value.NewDict("id", s.o.ID, "master", s.o.Master, "server_id", serverID(s.o.ID)))
	if all || s.told == nil {
		s.told, s.tries = programs{s.o.Synced, s.o.Programs, s.o.Exec, s.o.Limit}.run(ctx, sorted(merged))
	}
	lay(s.told)
	lay(custom)
	lay(s.o.Static)
	return merged
}

// publish makes merged the grains, and tells when they are others than before.
func (s *Source) publish(ctx context.Context, merged *value.Dict, state fileState, errs []error) *snapshot {
	now := &snapshot{all: merged, file: state}
	var err error
	if now.json, err = value.MarshalJSON(merged); err != nil {
		// Only what an operator wrote can be like that; without it the rest still serves.
		errs = append(errs, fmt.Errorf("cannot use the custom grains: %w", err))
		now.all = sorted(s.o.Machine.Facts(ctx, false))
		now.all.Put("id", s.o.ID)
		now.json, _ = value.MarshalJSON(now.all)
	}
	for _, err := range errs {
		now.warnings = append(now.warnings, err.Error())
	}
	h := sha256.New()
	h.Write(now.json)
	for _, w := range now.warnings {
		fmt.Fprintf(h, "\n%d %s", len(w), w)
	}
	h.Sum(now.sum[:0])
	before := s.snapshot.Swap(now)
	if before == nil || !slices.Equal(before.warnings, now.warnings) {
		for _, w := range now.warnings {
			s.o.Log.Warn("custom grains not used", "err", w)
		}
	}
	if before == nil || before.sum != now.sum {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	return now
}

// serverID is a number made of the id, as services want that need one of their own on each host.
func serverID(id string) int64 {
	sum := sha256.Sum256([]byte(id))
	return int64(binary.BigEndian.Uint32(sum[len(sum)-4:]) & (1<<31 - 1))
}
