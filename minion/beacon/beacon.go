// Package beacon watches the host and tells the masters what happens there, as Salt's beacons do: by the same
// configuration, under the same tags, with the same payloads.
//
// All beacons of a minion are looked at by one loop. What follows something without end, such as a directory or the
// journal, wakes it. A look that fails or hangs keeps no other from its turn.
package beacon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/value"
)

// Options say what beacons are of. Only Where, Write and Job may be left out.
type Options struct {
	ID    string // of the minion
	Fixed *value.Dict
	// Saved is what Save wrote at an earlier start: beacons by name, null for one that was deleted.
	Saved *value.Dict
	// Host makes the host that beacons look at, with the pillar and grains of now.
	Host func(ctx context.Context) *host.Host
	// Send brings an event to the masters, with the job that it is a consequence of, or "".
	Send func(tag string, data *value.Dict, cause string) error
	Log  hclog.Logger

	// Where tells the file and line of the configuration that a key of Fixed stands at; "" where it stands nowhere.
	Where func(key ...string) string
	// Write keeps what Save is told to, and returns where.
	Write func(own *value.Dict) (path string, err error)
	// Job tells of the job that runs here, or ended last.
	Job func() Job
}

// A Job is one that runs, or ended last.
type Job struct {
	JID    string    // "" where there was none yet
	Ended  time.Time // zero while it runs
	States bool      // a state run is under way
	Last   time.Time // when the last state run ended
}

const enabled = "enabled" // the key that switches all beacons, or one

// A Set is the beacons of a minion. Its methods may be called from many goroutines.
type Set struct {
	o    Options
	wake chan struct{}

	mu      sync.Mutex // guards the fields below
	pillar  *value.Dict
	own     *value.Dict // laid over Fixed: what was added, changed, or deleted (null) since
	all     map[string]*instance
	wrong   map[string]string // the mistakes that were told, by beacon
	changed bool              // all is not what is configured

	work sync.WaitGroup // looks and followers
}

var _ host.Beacons = (*Set)(nil)

// New makes the beacons of a minion. Run looks at them.
func New(o Options) *Set {
	if o.Where == nil {
		o.Where = func(...string) string { return "" }
	}
	if o.Job == nil {
		o.Job = func() Job { return Job{} }
	}
	s := &Set{
		o: o, wake: make(chan struct{}, 1), own: &value.Dict{}, all: map[string]*instance{}, wrong: map[string]string{}, changed: true,
	}
	for k, v := range o.Saved.All() {
		_ = s.own.Set(k, v) // it was a key already
	}
	return s
}

// SetPillar takes the beacons that pillar has now: a dict by name, or nil. What is as before goes on undisturbed.
func (s *Set) SetPillar(beacons any) {
	d, ok := beacons.(*value.Dict)
	if beacons != nil && !ok {
		s.complain("", "pillar", fmt.Errorf("want a dict of beacons by name, got %s", value.Kind(beacons)))
	}
	s.mu.Lock()
	s.pillar, s.changed = d, true
	s.mu.Unlock()
	s.poke()
}

func (s *Set) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// List implements host.Beacons.
func (s *Set) List(pillar, own bool) *value.Dict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list(pillar, own)
}

// list is List with mu held.
func (s *Set) list(pillar, own bool) *value.Dict {
	all, mine := &value.Dict{}, &value.Dict{}
	if pillar {
		lay(all, s.pillar)
	}
	if own {
		lay(mine, s.o.Fixed)
		lay(mine, s.own)
	}
	lay(all, mine)
	return all
}

// lay puts beacons over others. Null stands for one that was deleted.
func lay(over, d *value.Dict) {
	for k, v := range d.All() {
		if v == nil {
			over.Delete(k)
		} else {
			_ = over.Set(k, v) // it was a key already
		}
	}
}

// Available implements host.Beacons.
func (s *Set) Available() []string { return slices.Sorted(maps.Keys(kinds())) }

// Check implements host.Beacons.
func (s *Set) Check(name string, config any) error {
	_, err := s.make(name, config)
	return err
}

// Edit implements host.Beacons.
func (s *Set) Edit(change func(own *value.Dict)) {
	s.mu.Lock()
	before := s.list(false, true)
	after := s.list(false, true)
	change(after)
	for k := range before.All() {
		if _, ok := after.Get(k); !ok {
			_ = s.own.Set(k, nil) // it was a key already
		}
	}
	for k, v := range after.All() {
		if old, ok := before.Get(k); !ok || !value.Equal(old, v) {
			_ = s.own.Set(k, v) // it was a key already
		}
	}
	s.changed = true
	s.mu.Unlock()
	s.poke()
}

// Save implements host.Beacons.
func (s *Set) Save() (string, error) {
	if s.o.Write == nil {
		return "", errors.New("cannot save beacons: this minion keeps no files")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o.Write(s.own)
}

// place is where a beacon is configured. Call it with mu held.
func (s *Set) place(name string, err error) string {
	if _, ok := s.own.Get(name); ok {
		return "what beacons.add, modify and the like set"
	}
	if _, ok := s.o.Fixed.Get(name); !ok {
		return "pillar"
	}
	key := []string{name}
	if m := (*Mistake)(nil); errors.As(err, &m) {
		key = append(key, m.Key...)
	}
	for ; len(key) > 0; key = key[:len(key)-1] {
		if at := s.o.Where(key...); at != "" {
			return at
		}
	}
	return "minion.toml"
}

// complain tells of a beacon that can't do what it is there for: in the log, and by an event under a tag of its own,
// which no reaction to the beacon takes for what it waits for.
func (s *Set) complain(name, place string, err error) {
	texts := value.NewList()
	for _, e := range each(err) {
		texts.Items = append(texts.Items, e.Error())
	}
	s.o.Log.Error("a beacon does not work", "beacon", name, "place", place, "err", err)
	data := value.NewDict("id", s.o.ID, "beacon", name, "place", place, "errors", texts)
	if err := s.o.Send("salt/minion/"+s.o.ID+"/beacon_error/"+tagPart(name), data, ""); err != nil {
		s.o.Log.Error("an event of a beacon is lost", "beacon", name, "err", err)
	}
}

// each is the errors that were joined to one.
func each(err error) (all []error) {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, e := range many.Unwrap() {
		all = append(all, each(e)...)
	}
	return all
}

// Problems are all mistakes in what is configured now, with their places.
func (s *Set) Problems() (all []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, config := range s.list(true, true).All() {
		name := value.KeyText(k)
		if name == enabled {
			continue
		}
		_, err := s.make(name, config)
		if err == nil {
			continue
		}
		for _, e := range each(err) {
			all = append(all, fmt.Errorf("%s: beacon %s: %w", s.place(name, e), name, e))
		}
	}
	return all
}

// make makes an instance of a configuration. Every mistake is in the error.
func (s *Set) make(name string, config any) (*instance, error) {
	c := newSection(config)
	i := &instance{name: name, config: config, seen: map[string]*seen{}}
	kindName := c.text("beacon_module", name)
	k, ok := kinds()[kindName]
	if !ok {
		key := "beacon_module"
		if !c.has(key) {
			key = ""
		}
		c.wrong(key, "there is no beacon %q%s", kindName, spell.DidYouMean(kindName, s.Available()))
		return nil, c.err()
	}
	i.off = !c.bool(enabled, c.bool("enable", true))
	i.fixed = c.has("interval")
	if i.interval = c.duration("interval", k.every); i.interval <= 0 {
		c.wrong("interval", "want more than 0 seconds")
	}
	i.timeout = c.duration("timeout", 30*time.Second)
	i.outsideRuns = c.bool("disable_during_state_run", false)
	i.once = c.bool("run_once", false)
	i.manner = manner{onChange: k.onChange, atStart: true}
	if !k.own {
		i.manner = c.manner(i.manner)
	}
	i.stream = k.stream
	i.look = k.make(c, &env{set: s, i: i})
	c.end()
	return i, c.err()
}

// manner reads when what a beacon finds is told; what is not said is as def.
func (s *section) manner(def manner) manner {
	def.onChange = s.bool("onchangeonly", def.onChange)
	def.atStart = s.bool("emitatstartup", def.atStart)
	def.lasts = s.duration("for", s.duration("delay", def.lasts))
	return def
}
