// Package master wires a master together: the embedded bus, the store, the
// keys, the other masters, jobs and files, and serves operators.
package master

import (
	"cmp"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/broker"
	"brine/master/event"
	"brine/master/fileserver"
	"brine/master/gitfs"
	"brine/master/grains"
	"brine/master/hook"
	"brine/master/job"
	"brine/master/keys"
	"brine/master/mine"
	"brine/master/notify"
	"brine/master/orchestrate"
	"brine/master/peer"
	"brine/master/pillar"
	"brine/master/pushed"
	"brine/master/reactor"
	"brine/master/returner"
	"brine/master/runner"
	"brine/master/schedule"
	"brine/master/signin"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
	"brine/states/all"
)

// Options say which master to run.
type Options struct {
	Root       string
	Config     *Config
	Log        hclog.Logger
	StartEmpty bool             // go on with an empty store when it is corrupt and no peer can refill it
	Now        func() time.Time // by which it judges other masters and stamps records; nil: time.Now
	Ready      func(Addresses)  // called when operators and minions can connect; may be nil
	TraceBus   bool             // the log, at level trace, shows every message of the bus whole: for tests
}

// Addresses tell where a running master listens; also in run/brine/master.json.
type Addresses struct {
	PID   int    `json:"pid"`
	Name  string `json:"name"`
	Bus   string `json:"bus"`
	Route string `json:"route"`
	Files string `json:"files"`
}

// A Master is one running master. Its parts are made in Run, in the order in
// which they need each other.
type Master struct {
	o      Options
	layout Layout
	log    hclog.Logger

	id     *pki.Identity
	trust  *pki.Trust
	store  *store.Store
	events *event.Log
	keys   *keys.DB
	grains *grains.DB
	mines  *mine.DB

	hookSettings *hookSettings
	hookIndex    hookIndex
	hooked       *hook.Handler
	hookAddress  string // of the listener that hooks have for themselves; "": they have none
	notes        *notify.Engine

	retention      retention
	returner       *returner.Returner // nil: the site has no such program
	reactor        *reactor.Reactor
	files          *fileserver.Server
	pushed         *pushed.Store
	gitfs          *gitfs.Set
	broker         *broker.Broker
	peers          *peer.Peers
	jobs           *job.Manager
	runners        *runner.Functions
	jids           jid.Clock // of calls
	orchestrations *orchestrate.Orchestrator
	web            *http.Server
	ops            *operators

	webListener  net.Listener
	address      Addresses // as others reach it
	listening    Addresses // as it listens
	chores       *chores
	enrols       chan *nats.Msg
	signIns      chan *nats.Msg
	desk         *signin.Desk
	wrongSignIns refusals         // by where they came from
	doorKey      *ecdh.PrivateKey // opens passwords, and stands on no disk
	asks         chan ask
	pushes       chan ask // pieces of minions' files
	pillars      *pillar.Maker
	gitPillar    *gitfs.Set
	pillarAsks   chan pillarAsk
	asking       asking // for pillar and the mine
	shortly      asking // for anything else
	trees        *trees
	bundles      confirmations
	taking       sync.Mutex    // one trust bundle at a time: the file must be of the last
	switching    sync.Mutex    // from one key or certificate of this master to the next; taken before taking
	swaps        chan struct{} // trust bundles being read
	hears        *hears
	relay        *relay
	handing      sync.WaitGroup
	fail         context.CancelCauseFunc // ends the master: what can't be gone on with
	drain        chan struct{}
	drainOnce    sync.Once
	reach        reach
	peersSeen    peersSeen
	comers       comers
	complaints   complaints
	warnings     warnings
	quotas       quotas // of minions' events
	tellings     quotas // of what minions tell of themselves
	refusals     refusals
	retired      retired

	schedule      *schedule.Schedule
	scheduleLock  sync.Mutex     // guards scheduleNames
	scheduleNames []uint32       // of what the schedule has, as heartbeats tell them
	scheduled     sync.WaitGroup // functions of masters that the schedule has called
}

// errStopped is the cause of an end that was asked for.
var errStopped = errors.New("stopped")

const (
	catchUp   = 10 * time.Second // a returning master waits at most so long for the others' keys
	lameDuck  = 12 * time.Second
	houseKeep = time.Hour

	maxPending = 256 << 20 // bytes of minions' messages that wait to be handled
)

// Run runs a master until ctx ends, then lets its minions move to others and
// stops. An error says why it could not start, or not go on.
func Run(ctx context.Context, o Options) (err error) {
	m := &Master{o: o, layout: Layout{o.Root}, log: o.Log, drain: make(chan struct{}), chores: newChores(), enrols: make(chan *nats.Msg, maxEnrols),
		signIns: make(chan *nats.Msg, maxSignIns), asks: make(chan ask, maxAsks), pushes: make(chan ask, maxPushes), pillarAsks: make(chan pillarAsk, maxAsks), trees: newTrees(), swaps: make(chan struct{}, maxSwaps),
		quotas:   quotas{rate: float64(o.Config.Events.MinionRate), bytes: float64(o.Config.Events.MinionBytes), what: "drops events"},
		tellings: quotas{rate: toldRate, bytes: toldBytes, what: "does not take grains and mines"}}
	lock, err := acquire(m.layout)
	if err != nil {
		return err
	}
	defer lock.Close()

	// Everything below runs until the end of life, which comes after the lame duck.
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	m.fail = end
	var stops []func()
	defer func() {
		end(errStopped)
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}()
	for _, start := range []func(context.Context) (func(), error){
		m.startTrust, m.startStore, m.makeReturner, m.makeNotes, m.makeReactor, m.startDesk, m.startKeys, m.startGit, m.startFiles, m.startPushed, m.startPillar, m.startBroker, m.listenWeb, m.startPeers, m.makeHooks, m.startWeb, m.startHooks,
		m.catchUp, m.startJobs, m.startOrchestrations, m.startReactor, m.startSchedule, m.startCutShort, m.startOperators, m.openClients, m.startChores,
	} {
		stop, err := start(life)
		if stop != nil {
			stops = append(stops, stop)
		}
		if err != nil {
			return err
		}
	}
	m.log.Info("master runs", "name", m.id.Name, "bus", m.listening.Bus, "route", m.listening.Route, "files", m.listening.Files)
	tellSystemd("READY=1")
	m.event("salt/master/"+m.id.Name+"/start", map[string]any{"id": m.id.Name, "version": proto.Version})
	if o.Ready != nil {
		o.Ready(m.listening)
	}
	select {
	case <-ctx.Done():
		m.startDrain() // so that the others know
	case <-m.drain:
	case <-life.Done():
		return context.Cause(life)
	}
	tellSystemd("STOPPING=1")
	m.event("salt/master/"+m.id.Name+"/stop", map[string]any{"id": m.id.Name})
	m.log.Info("master stops: minions move to others")
	quiet, cancel := context.WithTimeout(life, lameDuck)
	defer cancel()
	m.broker.LameDuck(quiet)
	return nil
}

// bundleBack is what to do about a trust bundle that can't be used: it holds nothing that is one master's alone.
const bundleBack = "copy that of another master, or put a backup back with brine-master restore"

func (m *Master) startTrust(context.Context) (func(), error) {
	id, err := pki.LoadIdentity(m.layout.State())
	if err != nil {
		return nil, err
	}
	if id.Name != m.o.Config.Name {
		return nil, fmt.Errorf("cannot run as %q: the certificate in %s is of %q", m.o.Config.Name, m.layout.State(), id.Name)
	}
	m.id, m.trust = id, pki.NewTrust(id.Site())
	data, err := os.ReadFile(m.layout.Bundle())
	if err != nil {
		return nil, fmt.Errorf("cannot read the trust bundle: %w: %s", err, bundleBack)
	}
	env := &proto.Envelope{}
	if err := pb.Unmarshal(data, env); err != nil {
		return nil, fmt.Errorf("cannot read the trust bundle %s: %w: %s", m.layout.Bundle(), err, bundleBack)
	}
	if _, err := m.trust.Update(env); err != nil {
		return nil, fmt.Errorf("cannot use the trust bundle %s: %w: %s", m.layout.Bundle(), err, bundleBack)
	}
	return nil, nil
}

func (m *Master) startStore(ctx context.Context) (func(), error) {
	s, err := store.Open(m.layout.Store(), store.Options{
		Master: m.id.Name, Log: m.log.Named("store"), Reset: true, Now: m.o.Now,
		OnDamage: func(err error) {
			m.fail(fmt.Errorf("cannot go on: the next start looks at the database again, sets it aside if it is damaged "+
				"and fills it from the other masters: %w", err))
		},
	})
	if err != nil {
		return nil, err
	}
	m.store, m.grains, m.mines = s, grains.New(s, time.Now), mine.New(s, time.Now)
	stop := func() {
		if err := s.Close(); err != nil {
			m.log.Error("store not closed", "err", err)
		}
	}
	env, err := s.Bundle(ctx)
	if err == nil {
		err = m.adopt(env)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return stop, err
	}
	return stop, m.selfTrusted()
}

func (m *Master) startKeys(ctx context.Context) (func(), error) {
	m.store.OnCommit(m.committed)
	m.events = event.New(m.store)
	db, err := keys.New(ctx, keys.Options{
		Master: m.id.Name, Site: m.id.Site(), Store: m.store, Log: m.log.Named("keys"),
		Commit: func(ctx context.Context, recs []*proto.Record) []string {
			_, late := m.peers.Commit(ctx, recs, "")
			return append(late, m.peers.Away()...)
		},
		OnAccept: func(_ string, key ed25519.PublicKey) { m.later(func() { m.tellAccepted(key) }) },
		OnRevoke: func(key ed25519.PublicKey) { m.later(func() { m.broker.Disconnect(key) }) },
		OnRetire: m.retire,
		OnEvent:  m.event,
		Roles:    m.desk.Roles,
	})
	m.keys = db
	return nil, err
}

func (m *Master) startFiles(ctx context.Context) (func(), error) {
	var layers fileserver.Layers
	if len(m.o.Config.Gitfs.Remotes) > 0 {
		layers = m.gitfs
	}
	files, err := fileserver.New(fileserver.Options{
		Dir: m.layout.Blobs(), Roots: m.o.Config.FileRoots, Layers: layers, First: m.o.Config.gitFirst(), Log: m.log.Named("files"),
		Minion: m.minionOf,
	})
	m.files = files
	return nil, err
}

// minionOf tells which minion a file token speaks for.
func (m *Master) minionOf(token string) (string, error) {
	return pki.VerifyFileToken(token, m.id.Site(), time.Now(), m.keys.SigningKey)
}

func (m *Master) startBroker(ctx context.Context) (func(), error) {
	c := m.o.Config
	b, err := broker.Start(ctx, broker.Options{
		Identity: m.id, Trust: m.trust, Keys: m.keys, Log: m.log.Named("bus"), Trace: m.o.TraceBus,
		Listen: c.Listen.Bus, RouteListen: c.Listen.Route,
		Advertise: c.Advertise.Bus, RouteAdvertise: c.Advertise.Route,
		Routes: m.routes(ctx), HoldClients: true,
		OnConnect: func(c broker.Connection) {
			switch c.Role {
			case broker.RoleMinion:
				m.hears.forget(c.ID)
				m.comers.came(c.ID, time.Now())
				m.jobs.Connected(c.ID)
			case broker.RoleUnaccepted:
				m.later(func() { m.auditLogin(c.ID, c.Address) })
			}
		},
		OnDisconnect: func(c broker.Connection) { m.hears.forget(c.ID) },
		OnBadPeer: func(address string, err error) {
			m.log.Error("a master was refused", "address", address, "err", err)
		},
		OnDuplicate: func(name, remote string) {
			m.fail(fmt.Errorf("cannot go on: another master called %q is in the site already, says the master at %s: "+
				"each needs a name and a key of its own (brine master invite)", name, remote))
		},
	})
	if err != nil {
		return nil, err
	}
	m.broker, m.hears = b, newHears(b)
	m.listening.Bus, m.listening.Route = b.Addr()
	m.address.Bus = advertised(c.Advertise.Bus, m.listening.Bus)
	m.address.Route = advertised(c.Advertise.Route, m.listening.Route)
	return b.Stop, nil
}

func (m *Master) startPeers(ctx context.Context) (func(), error) {
	started := make(chan struct{})
	peers, err := peer.Start(ctx, peer.Options{
		Name: m.id.Name, Identity: m.id, Trust: m.trust, Conn: m.broker.Peers(), Store: m.store, Log: m.log.Named("peer"), Now: m.o.Now,
		Tree: func(ctx context.Context, tree, from string) error {
			select {
			case <-started: // another master may ask while this one starts
				return m.fetchTree(ctx, tree, from)
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		Address: func() *proto.MasterAddress {
			return &proto.MasterAddress{Name: m.id.Name, Bus: m.address.Bus, Files: m.address.Files, Route: m.address.Route}
		},
		Fill:    m.fillBeat,
		Invited: m.keys.Invited,
		OnChange: func(live []string) {
			m.mastersChanged(live)
			m.hears.forgetAll()
			m.later(func() { m.notice(live) })
		},
		OnDuplicate: func(other *proto.Heartbeat, yield bool) {
			err := fmt.Errorf("another process is master %q too, at %s", m.id.Name, other.GetAddress().GetBus())
			if yield {
				m.fail(fmt.Errorf("cannot go on: %w", err))
			} else {
				m.log.Error("duplicate master", "err", err)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	m.peers = peers
	close(started)
	peers.Handle("sys", "connections", func(context.Context, string, []byte) (pb.Message, error) {
		return m.connections(), nil
	})
	peers.Handle("sys", "refresh", m.peerRefresh)
	peers.Handle("sys", "poke", m.poked)
	m.servePassed()
	peers.Handle("sys", "drain", func(context.Context, string, []byte) (pb.Message, error) {
		m.startDrain()
		return &proto.Empty{}, nil
	})
	return peers.Close, nil
}

// catchUp learns from the others what was decided while this master was
// away, before anyone is let in; with nobody there it waits for nobody.
func (m *Master) catchUp(ctx context.Context) (func(), error) {
	var asking sync.WaitGroup
	asking.Go(func() { m.exchangeBundles(ctx) })
	defer asking.Wait()
	if aside := m.store.Aside(); aside != "" {
		if err := m.refill(ctx, aside); err != nil {
			return nil, err
		}
	} else {
		waiting, cancel := context.WithTimeout(ctx, catchUp)
		defer cancel()
		if err := m.peers.PullAll(waiting); err != nil {
			m.log.Warn("not caught up with every master", "err", err)
		}
	}
	asking.Wait()
	return nil, cmp.Or(ctx.Err(), m.selfTrusted())
}

// refill fills the store that begins in the place of a damaged one from the
// others. It goes on as long as something comes.
func (m *Master) refill(ctx context.Context, aside string) error {
	limit := time.Now().Add(catchUp)
	for {
		tellSystemd("EXTEND_TIMEOUT_USEC=60000000")
		before := m.store.Last()
		err := m.peers.PullAll(ctx)
		from := slices.DeleteFunc(m.peers.Live(), func(name string) bool { return name == m.id.Name })
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && len(from) > 0:
			m.log.Warn("store filled again", "from", from, "records", m.store.Last(), "aside", aside)
			return m.store.Settle(ctx, from)
		case m.store.Last() > before:
			continue
		case !m.alone() && time.Now().Before(limit): // it does not know where the others are: they have to come here
			continue
		case m.o.StartEmpty:
			m.log.Warn("going on with an empty store", "aside", aside)
			return m.store.Settle(ctx, nil)
		}
		what := "was corrupt and is set aside as " + aside
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			what = "is gone: there was no " + m.layout.Store()
		}
		return fmt.Errorf("cannot start: the store %s, and no other master filled it again: "+
			"brine-master restore FILE puts a backup back, --start-empty goes on without", what)
	}
}

// alone tells whether the trust bundle lists no other master.
func (m *Master) alone() bool {
	return !slices.ContainsFunc(m.trust.Bundle().GetMasters(), func(k *proto.MasterKey) bool {
		return !k.Revoked && k.Name != m.id.Name
	})
}

func (m *Master) startJobs(ctx context.Context) (func(), error) {
	index := all.Index()
	jobs, err := job.New(ctx, job.Options{
		Master: m.id.Name, Site: m.id.Site(), Store: m.store, Log: m.log.Named("job"),
		Sign: m.sign, Rotated: m.rotated, Publish: m.broker.Site().Publish, Online: m.broker.Online, Coming: m.coming,
		Language: m.o.Config.language, Facts: m.facts,
		Accepted: m.keys.Accepted, Key: m.keyState, Operator: m.keys.OperatorRecord, Allowed: m.keys.Allowed, Audit: m.audited,
		SealingKey: m.sealingKey, ByName: func(function string) map[int]string { return all.ByName(index, function) },
		Live: m.peers.Live, Late: m.peers.Late, Commit: m.commit, Tree: m.files.TreeFrom, Environments: m.files.Environments,
		Here: m.hears.hearsHere, HandAcks: m.handAcks,
		TempDir: m.layout.State(),
	})
	if err != nil {
		return nil, err
	}
	m.jobs = jobs
	m.peers.Handle("sys", "acks", m.handedAcks)
	m.store.OnCommit(jobs.Committed)
	var running sync.WaitGroup
	running.Go(func() { jobs.Run(ctx) })
	m.relay = newRelay(m.broker.Site().Publish)
	running.Go(func() { m.relay.run(ctx, func(returned string, data []byte) { jobs.Returned(ctx, returned, data) }) })
	return func() { running.Wait(); m.handing.Wait() }, m.subscribe(ctx)
}

// commit is that of the peers, and names besides those that are there, and yet
// refuse what this master says.
func (m *Master) commit(ctx context.Context, recs []*proto.Record, trees ...string) (confirmed, unconfirmed []string) {
	confirmed, unconfirmed = m.peers.Commit(ctx, recs, trees...)
	unconfirmed = append(unconfirmed, m.peers.Refused()...)
	slices.Sort(unconfirmed)
	return confirmed, slices.Compact(unconfirmed)
}

// subscribe begins to hear minions. No queue groups: each master stores its own copy.
func (m *Master) subscribe(ctx context.Context) error {
	for _, s := range []struct {
		subject string
		handle  nats.MsgHandler
	}{
		{subject.Relays(m.id.Name), m.relayed},
		{subject.Relayed, func(msg *nats.Msg) { m.relayedElsewhere(ctx, msg.Data) }},
		{subject.Returns, func(msg *nats.Msg) { m.jobs.Returned(ctx, msg.Subject, msg.Data) }},
		{subject.Requests, m.asked},
		{subject.Events, m.minionEvents},
		{subject.AllGrains, m.told(ctx, "grains", subject.ParseGrains, m.grains)},
		{subject.AllMines, m.told(ctx, "mine", subject.ParseMine, m.mines)},
		{subject.Enrols, func(msg *nats.Msg) { m.askedToEnrol(msg) }},
		{subject.SignIns(m.id.Name), m.askedToSignIn},
	} {
		sub, err := m.broker.Site().Subscribe(s.subject, s.handle)
		if err == nil {
			// Beyond it messages are lost, and sent again: better than to grow until the end.
			err = sub.SetPendingLimits(-1, maxPending)
		}
		if err != nil {
			return fmt.Errorf("cannot subscribe to %s: %w", s.subject, err)
		}
	}
	return m.broker.Site().Flush()
}

func (m *Master) relayed(msg *nats.Msg) {
	if err := m.relay.hear(msg.Subject, msg.Data); err != nil {
		m.complain("", "message of a minion dropped; it comes again", "subject", msg.Subject, "err", err)
	}
}

// relayedElsewhere takes in what another master passes on.
func (m *Master) relayedElsewhere(ctx context.Context, data []byte) {
	err := unpack(data, func(returned string, data []byte) { m.jobs.Returned(ctx, returned, data) })
	if err != nil {
		m.complain("", "messages of minions dropped; they come again", "err", err)
	}
}

func (m *Master) startOperators(ctx context.Context) (func(), error) {
	m.ops = newOperators(ctx, m, m.broker.ID())
	_, err := m.broker.Site().Subscribe(subject.APIs(m.id.Name), m.ops.handle)
	if err != nil {
		return nil, fmt.Errorf("cannot serve operators: %w", err)
	}
	return m.ops.wait.Wait, m.broker.Site().Flush()
}

// openClients lets minions and operators in, and tells where.
func (m *Master) openClients(ctx context.Context) (func(), error) {
	own := &proto.MasterAddress{Name: m.id.Name, Bus: m.address.Bus, Files: m.address.Files, Route: m.address.Route}
	rec, err := store.NewRecord(m.store.Stamp(), m.id.Name, own)
	if err != nil {
		return nil, err
	}
	if err := m.store.Append(ctx, rec); err != nil {
		return nil, err
	}
	m.peers.Commit(ctx, []*proto.Record{rec}, "") // who does not confirm it reads it in our log
	m.tellOperator()
	m.comers.begin(time.Now())
	m.broker.OpenClients()
	m.listening.PID, m.listening.Name = os.Getpid(), m.id.Name
	data, err := json.MarshalIndent(m.listening, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(m.layout.Run()), 0o755); err != nil {
		return nil, fmt.Errorf("cannot tell the addresses: %w", err)
	}
	stop := func() { _ = os.Remove(m.layout.Run()) } // one that stays is of a process that is gone: readers check the pid
	return stop, writeFile(m.layout.Run(), append(data, '\n'), 0o644)
}

// startChores begins what runs beside: each ends with ctx.
func (m *Master) startChores(ctx context.Context) (func(), error) {
	var running sync.WaitGroup
	running.Go(func() { m.doLater(ctx) })
	running.Go(func() { m.serveEnrols(ctx) })
	running.Go(func() { m.serveSignIns(ctx) })
	for range askers {
		running.Go(func() { m.serveAsks(ctx, m.asks) })
		running.Go(func() { m.servePillar(ctx) })
	}
	running.Go(func() { m.serveAsks(ctx, m.pushes) })
	running.Go(func() { m.pushed.Run(ctx) })
	running.Go(func() { m.keepReach(ctx) })
	running.Go(func() { m.keepPresence(ctx) })
	running.Go(func() { m.keepRetired(ctx) })
	running.Go(func() { m.keepOperators(ctx) })
	running.Go(func() { m.keepHouse(ctx) })
	running.Go(func() { m.keepBounds(ctx) })
	running.Go(func() { m.keepWarnings(ctx) })
	running.Go(func() { m.keepBundles(ctx) })
	running.Go(func() { m.keepTrees(ctx) })
	running.Go(func() { m.keepGit(ctx) })
	if m.returner != nil {
		running.Go(func() { m.returner.Run(ctx) })
	}
	running.Go(func() { m.notes.Run(ctx) })
	running.Go(func() { watchdog(ctx, m.sound) })
	return running.Wait, nil
}
