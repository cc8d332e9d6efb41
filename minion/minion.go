// Package minion wires a minion together: its connections to the masters, the
// jobs it takes, the files they need, and the modules that carry them out.
// Nothing is shared between minions of one process but what they are given.
package minion

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/minion/beacon"
	"brine/minion/files"
	"brine/minion/grains"
	"brine/minion/job"
	"brine/minion/link"
	"brine/minion/outbox"
	"brine/minion/schedule"
	"brine/pki"
	pb "brine/proto"
	"brine/states/all"
	"brine/states/custom"
	"brine/states/host"
	"brine/states/module"
	"brine/states/pillar"
)

// Options say which minion to make. What is left out is the minion's own.
type Options struct {
	Root   string  // directory under which all its files lie; also that of the host it manages
	Config *Config // nil: that under Root
	Log    hclog.Logger

	// What follows may be shared by many minions of a process. It stays open when they end.
	Index   *module.Index
	Journal *job.File
	Cache   *files.Cache
	Trust   *pki.Trust
	Machine *grains.Machine

	Key     *pki.MinionKey // nil: that in the state directory, made at the first start
	Token   []byte         // secret of an enrolment token, for a stateless minion
	Timings link.Timings
	Now     func() time.Time   // of jobs' windows: time.Now
	Flush   func(fd int) error // brings the file system of an open directory to the disk: syncfs

	// Stateless minions keep no file of their own: Key, Journal, Cache and Config with an id must be given.
	Stateless bool
	// Idle is called when no job has run for a while after the last one; may be nil.
	Idle func()
	// Ready is called once the minion runs, whether or not a master is there; may be nil.
	Ready func()
}

const (
	stopGrace  = 5 * time.Second // for running jobs when the minion stops
	idleAfter  = 10 * time.Second
	pruneEvery = time.Hour
)

// A Minion is one minion. Its methods may be called from any goroutine.
type Minion struct {
	o       Options
	layout  Layout
	log     hclog.Logger
	state   *state
	index   *module.Index
	local   *host.Local
	link    *link.Link
	cache   *files.Cache
	files   *files.Client
	grains  *grains.Source
	ignored sync.Map      // what was told of executables that are not used, by its text
	custom  *custom.Store // nil for a stateless minion: what trees bring along is not run there
	runner  *job.Runner   // made by Run, before anything that calls it

	machine  *grains.Machine // of this minion alone; nil when it is shared
	stale    chan struct{}   // name servers have told something
	relinked chan struct{}   // a master is there again
	busy     busy
	held     held
	secrets  pillar.Mask // that results of states hide
	mine     *mine
	beacons  *beacon.Set
	lately   lately
	schedule *schedule.Set
	trees    knownTrees    // of jobs of the schedule
	events   *outbox.Box   // made by Run, before anything that uses it
	rekey    chan struct{} // a change of the key is to go on
	rekeying sync.Mutex    // one change of the key at a time
}

// New makes a minion; Run runs it. It reads the state directory and makes
// what is missing in it.
func New(o Options) (*Minion, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	m := &Minion{
		o: o, layout: Layout{o.Root}, log: o.Log, index: o.Index,
		stale: make(chan struct{}, 1), relinked: make(chan struct{}, 1), rekey: make(chan struct{}, 1),
	}
	if err := m.load(); err != nil {
		return nil, err
	}
	m.mine = newMine(m)
	m.schedule = m.newSchedule()
	if m.index == nil {
		m.index = all.Index()
	}
	m.local = &host.Local{Root: m.layout.hostRoot()}
	if !o.Stateless {
		m.custom = custom.NewStore(m.layout.Custom(), m.local.Run)
	}
	m.busy.idle = o.Idle
	m.beacons = m.newBeacons()
	err := m.makeGrains()
	if err != nil {
		return nil, err
	}
	if m.cache = o.Cache; m.cache == nil {
		if m.cache, err = files.OpenCache(m.layout.Cache()); err != nil {
			return nil, err
		}
	}
	if m.link, err = link.New(m.linkOptions()); err != nil {
		return nil, fmt.Errorf("%w (set masters in %s, or run brine-minion enrol TOKEN)", err, m.layout.Config())
	}
	m.files = files.NewClient(files.Options{
		ID: m.state.id, Key: m.state.keys.Now(), Trust: m.state.trust, Cache: m.cache,
		Masters: m.link.Addresses, Ask: m.link.Request, Log: m.log.Named("files"),
	})
	return m, nil
}

// load finds out who the minion is and whom it trusts.
func (m *Minion) load() (err error) {
	if m.o.Config == nil {
		if m.o.Config, err = LoadConfig(m.o.Root, os.Environ()); err != nil {
			return err
		}
	}
	if !m.o.Stateless {
		if m.state, err = loadState(m.layout, m.o.Config, m.log.Warn); err != nil {
			return err
		}
	} else {
		if m.o.Key == nil || m.o.Journal == nil || m.o.Cache == nil || m.o.Config.ID == "" {
			return errors.New("cannot make a stateless minion: id, key, journal or cache is missing")
		}
		pin := pki.Fingerprint{}
		if text := m.o.Config.CAFingerprint; text != "" {
			if pin, err = pki.ParseFingerprint(text); err != nil {
				return err
			}
		}
		m.state = &state{id: m.o.Config.ID, trust: pki.NewTrust(pin), token: m.o.Token}
	}
	if m.o.Key != nil {
		m.state.keys = &keyring{key: m.o.Key}
	}
	if m.o.Trust != nil {
		m.state.trust = m.o.Trust
	}
	return nil
}

func (m *Minion) linkOptions() link.Options {
	t := m.o.Timings
	if t.Ping == 0 {
		t.Ping = m.o.Config.ping()
	}
	return link.Options{
		ID: m.state.id, Key: m.state.keys.Now(), Changes: m.state.keys.changes, Refused: m.keyRefused,
		Trust: m.state.trust, Token: m.state.token,
		Masters: m.o.Config.Masters, Known: m.state.masters, Version: pb.Version,
		Timings: t, Log: m.log.Named("link"),
		Job:     func(on string, data []byte) bool { return m.runner.Handle(on, data) },
		Ack:     func(data []byte) { m.runner.Ack(data) },
		Pulse:   func(on string, data []byte) { m.runner.Pulse(on, data) },
		Seen:    func(reply *pb.SeenReply) { m.runner.Seen(reply) },
		Changed: m.linkChanged,
		SaveMasters: func(a []*pb.MasterAddress) {
			m.save(m.layout.Masters(), func() error { return saveMasters(m.layout, a) })
		},
		SaveBundle: func(e *pb.Envelope) { m.save(m.layout.Bundle(), func() error { return saveBundle(m.layout, e) }) },
		Pinned: func(f pki.Fingerprint) {
			m.save(m.layout.Fingerprint(), func() error { return writeFile(m.layout.Fingerprint(), []byte(f.String()+"\n")) })
		},
		Enrolled: func() { m.save(m.layout.Token(), func() error { return removeFile(m.layout.Token()) }) },
	}
}

// save changes a file of the state directory. A full disk must not keep the
// minion from its work: what is not kept is asked for again.
func (m *Minion) save(path string, write func() error) {
	if m.o.Stateless {
		return
	}
	if err := write(); err != nil {
		m.log.Error("state not kept", "file", path, "err", err)
	}
}

// Run runs the minion until ctx ends. Masters that are away, refuse it or
// misbehave never end it. When it stops, running jobs have a few seconds.
func (m *Minion) Run(ctx context.Context) (err error) {
	var stops []func()
	defer func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}()
	journal := m.o.Journal
	if journal == nil {
		if journal, err = job.Open(m.layout.Journal(), job.JournalOptions{Log: m.log.Named("journal")}); err != nil {
			return err
		}
		stops = append(stops, func() {
			if err := journal.Close(); err != nil {
				m.log.Error("journal not closed", "err", err)
			}
		})
	}
	closeEvents, err := m.openEvents()
	if err != nil {
		return err
	}
	stops = append(stops, closeEvents, m.local.Close, m.files.Close, m.busy.stop)
	if m.machine != nil {
		stops = append(stops, m.machine.Close)
	}

	// The link outlives the jobs, so that their returns can leave.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	stops = append(stops, func() {
		end()
		parts.Wait()
		m.removeRunFile()
	})
	if m.runner, err = job.New(life, m.jobOptions(journal.Minion(m.state.id))); err != nil {
		return err
	}
	stops = append(stops, func() {
		grace, cancel := context.WithTimeout(life, stopGrace)
		defer cancel()
		m.runner.Close(grace)
	})
	m.runner.Recover()
	parts.Go(func() { m.link.Run(life) })
	parts.Go(func() { m.prune(life) })
	began := time.Now()
	parts.Go(func() { m.startup(ctx, began) })
	parts.Go(func() { m.keepGrains(life) })
	parts.Go(func() { m.keepMine(life) })
	parts.Go(func() { m.events.Run(life) })
	parts.Go(func() { m.beacons.Run(ctx) }) // what its own end does to the host is not told
	parts.Go(func() { m.schedule.Run(ctx) })
	parts.Go(func() { m.pillarOfSchedule(ctx) })
	m.started()
	parts.Go(func() { m.keepKey(life) })
	m.log.Info("minion runs", "id", m.state.id, "fingerprint", m.state.keys.Now().Fingerprint().String(), "version", pb.Version)
	if m.o.Ready != nil {
		m.o.Ready()
	}
	<-ctx.Done()
	m.log.Info("minion stops")
	return nil
}

// prune removes unused file content, and what is too much of it. Of a shared cache whoever shares it takes care.
func (m *Minion) prune(ctx context.Context) {
	if m.o.Cache != nil {
		return
	}
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := m.cache.Prune(time.Now().AddDate(0, 0, -m.o.Config.Files.KeepDays), int64(m.o.Config.Files.KeepMB)<<20); err != nil {
			m.log.Warn("file cache not pruned", "err", err)
		}
		if err := m.custom.Prune(time.Now().AddDate(0, 0, -m.o.Config.Files.KeepDays)); err != nil {
			m.log.Warn("executables of trees not pruned", "err", err)
		}
		if err := m.state.keys.prune(); err != nil {
			m.log.Warn("old key not removed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// ID is the minion's id.
func (m *Minion) ID() string { return m.state.id }

// Key is the key that the minion uses now.
func (m *Minion) Key() *pki.MinionKey { return m.state.keys.Now() }

// Status tells how the minion is linked: to which master, with which standby.
func (m *Minion) Status() link.Status { return m.link.Status() }

// Wait returns when ok holds for the minion's status, or with the error of ctx.
func (m *Minion) Wait(ctx context.Context, ok func(link.Status) bool) error {
	return m.link.Wait(ctx, ok)
}

// WaitLinked returns when the minion hears jobs.
func (m *Minion) WaitLinked(ctx context.Context) error {
	return m.Wait(ctx, func(s link.Status) bool { return s.State == link.Linked })
}

// linkChanged offers returns to whoever is there now, and tells how things are.
func (m *Minion) linkChanged(s link.Status) {
	if s.State == link.Linked {
		m.runner.Reoffer()
		signal(m.relinked)
		signal(m.mine.wake)
	}
	m.keyLinked(s)
	m.writeRunFile(s)
}

// running is what a running minion tells in run/brine/minion.json.
type running struct {
	PID         int    `json:"pid"`
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
	State       string `json:"state"`
	Master      string `json:"master"`
	Standby     string `json:"standby"`
	Since       string `json:"since"`
	Reason      string `json:"reason"`
}

func (m *Minion) writeRunFile(s link.Status) {
	if m.o.Stateless {
		return
	}
	r := running{
		PID: os.Getpid(), ID: m.state.id, Fingerprint: m.state.keys.Now().Fingerprint().String(),
		State: string(s.State), Master: s.Master, Standby: s.Standby, Reason: s.Reason,
	}
	if !s.Since.IsZero() {
		r.Since = s.Since.UTC().Format(time.RFC3339)
	}
	path := m.layout.Run()
	err := os.MkdirAll(filepath.Dir(path), 0o755) // masters' files lie there too
	if err == nil {
		err = writeJSON(path, r)
	}
	if err != nil {
		m.log.Warn("cannot tell how the minion is linked", "file", path, "err", err)
	}
}

func (m *Minion) removeRunFile() {
	if !m.o.Stateless {
		_ = os.Remove(m.layout.Run()) // a stale one names a pid that is gone
	}
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
