package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"brine/pki"
	"brine/proto/subject"
)

// Options says what a Broker needs. Identity, Trust, Keys, Listen, RouteListen
// and Log are required.
type Options struct {
	Identity *pki.Identity
	Trust    *pki.Trust
	Keys     Keys
	Log      hclog.Logger

	Listen      string // host:port for minions and operators; port 0 takes a free one
	RouteListen string // host:port for other masters
	// Advertise and RouteAdvertise are what others are told instead, when they must dial another address.
	Advertise      string
	RouteAdvertise string
	Routes         []string // host:port of other masters' route listeners

	// Trace has the log, at level trace, show every message whole, whatever stands in it: for tests.
	Trace bool

	// HoldClients leaves minions and operators outside until OpenClients.
	HoldClients bool

	// The hooks below may be nil. They are called from the server's goroutines and must return at once.

	// OnConnect and OnDisconnect tell of the minions and operators of this master, a pair in order.
	OnConnect    func(Connection)
	OnDisconnect func(Connection)
	// OnGap tells that the master's own connection to SITE was lost, as too slow, and is back: what
	// minions and operators said meanwhile was not heard here.
	OnGap func()
	// OnRefused tells of a login that was turned away.
	OnRefused func(key, address string, err error)
	// OnBadPeer tells of a master whose certificate was refused.
	OnBadPeer func(address string, err error)
	// OnDuplicate tells that the master at remote turns this one away again and again, because it is
	// connected to another that has this one's name: this one has to end.
	OnDuplicate func(name, remote string)
}

// Broker is a running message bus.
type Broker struct {
	log     hclog.Logger
	server  *server.Server
	clients *clients
	routes  *routes
	open    atomic.Bool // minions and operators may come in

	site, peers, system *nats.Conn

	onConnect, onDisconnect func(Connection)
	count                   count
	stop                    sync.Once
	stopping                chan struct{}
	running                 sync.WaitGroup
}

// Start begins to listen and returns when masters can connect, and, unless
// HoldClients is set, minions and operators. ctx bounds the start only; the
// caller calls Stop.
func Start(ctx context.Context, o Options) (*Broker, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("cannot start broker: %v", err)
	}
	b := &Broker{
		log: o.Log, onConnect: o.OnConnect, onDisconnect: o.OnDisconnect, stopping: make(chan struct{}),
	}
	b.clients = newClients(o, hex.EncodeToString(secret))
	b.routes = newRoutes(o)
	opts, err := b.serverOptions(o)
	if err != nil {
		return nil, fmt.Errorf("cannot start broker: %w", err)
	}
	if b.server, err = server.NewServer(opts); err != nil {
		return nil, fmt.Errorf("cannot start broker: %w", err)
	}
	b.clients.server, b.routes.server, b.routes.opts = b.server, b.server, opts
	if err := b.run(ctx, o, b.clients.secret); err != nil {
		b.Stop()
		return nil, fmt.Errorf("cannot start broker: %w", err)
	}
	return b, nil
}

func (b *Broker) run(ctx context.Context, o Options, secret string) error {
	failed := make(chan error, 1)
	b.server.SetLoggerV2(&serverLog{
		log: b.log,
		onFatal: func(err error) {
			select {
			case failed <- err:
			default:
				b.log.Error("server failed", "err", err)
			}
		},
		onRefused: b.routes.refused,
	}, b.log.IsDebug(), b.log.IsTrace() && o.Trace, false)
	b.server.Start()
	if err := b.awaitListeners(ctx, failed); err != nil {
		return err
	}
	for _, c := range []struct {
		conn    **nats.Conn
		account string
		patient bool // a job waits for what masters ask each other
		options []nats.Option
	}{
		{&b.system, accountSystem, true, nil},
		{&b.site, accountSite, true, []nats.Option{nats.NoEcho(), nats.ReconnectHandler(func(*nats.Conn) {
			if o.OnGap != nil {
				o.OnGap()
			}
		})}},
		{&b.peers, accountMasters, false, []nats.Option{nats.CustomInboxPrefix(subject.PeerInbox(o.Identity.Name))}},
	} {
		conn, err := b.connect(c.account, secret, c.patient, c.options)
		if err != nil {
			return fmt.Errorf("cannot connect to account %s: %w", c.account, err)
		}
		*c.conn = conn
	}
	if err := b.watchPresence(); err != nil {
		return fmt.Errorf("cannot watch connections: %w", err)
	}
	b.running.Go(func() { b.routes.guard(b.stopping) })
	if !o.HoldClients {
		b.OpenClients()
	}
	return nil
}

// awaitListeners waits until both listeners have an address. nats-server has
// nothing to wait on, only a poll of 25 ms.
func (b *Broker) awaitListeners(ctx context.Context, failed <-chan error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for b.server.Addr() == nil || b.server.ClusterAddr() == nil {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// connect makes one of the master's own connections, through memory. The
// server may cut it as too slow; then it comes back by itself.
func (b *Broker) connect(account, secret string, patient bool, more []nats.Option) (*nats.Conn, error) {
	log := b.log.With("account", account)
	return nats.Connect("", append([]nats.Option{
		nats.InProcessServer(inProcess{b.server, patient}),
		nats.Name("master"),
		nats.UserInfo(account, secret),
		nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil && b.server.Running() {
				log.Warn("own connection lost", "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			name := ""
			if sub != nil {
				name = sub.Subject
			}
			log.Warn("own connection", "subject", name, "err", err)
		}),
	}, more...)...)
}

// OpenClients lets minions and operators in.
func (b *Broker) OpenClients() { b.open.Store(true) }

// ID names this run of the server; who connects is told it. It is another after each start.
func (b *Broker) ID() string { return b.server.ID() }

// Addr returns the addresses that the two listeners are bound to.
func (b *Broker) Addr() (bus, route string) {
	return b.server.Addr().String(), b.server.ClusterAddr().String()
}

// Site is the master's connection to what it says with minions and operators.
// The broker closes it.
func (b *Broker) Site() *nats.Conn { return b.site }

// Peers is the master's connection to what masters say among themselves. The
// broker closes it.
func (b *Broker) Peers() *nats.Conn { return b.peers }

// LameDuck sends minions and operators away, one after the other over ten
// seconds, and lets nobody in any more. It returns when all are gone or ctx
// ends. The master's own connections and the routes stay, so that it goes on
// answering meanwhile; nats-server's own lame duck mode would close them too.
func (b *Broker) LameDuck(ctx context.Context) {
	b.open.Store(false)
	leaving := b.clients.all()
	for _, cl := range leaving {
		// A connection that has just come may not be able to hear it yet; it is closed below as well.
		_ = b.server.LDMClientByID(cl.cid)
	}
	if !pause(ctx, lameDuckGrace) {
		return
	}
	each := lameDuckTime / time.Duration(max(len(leaving), 20))
	for _, cl := range leaving {
		if b.clients.close(cl) && !pause(ctx, each) {
			return
		}
	}
	for _, cl := range b.clients.all() { // whoever was half way in when it began
		b.clients.close(cl)
	}
}

const (
	lameDuckGrace = 200 * time.Millisecond
	lameDuckTime  = 10 * time.Second
)

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Stop closes all connections and listeners and returns when the server has
// ended. It may be called more than once.
func (b *Broker) Stop() {
	b.stop.Do(func() {
		b.open.Store(false)
		close(b.stopping)
		b.running.Wait()
		for _, conn := range []*nats.Conn{b.site, b.peers, b.system} {
			if conn != nil {
				conn.Close()
			}
		}
		b.server.Shutdown()
		b.server.WaitForShutdown()
	})
}

var errHeld = errors.New("this master does not take connections now")
