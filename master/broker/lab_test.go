package broker

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

const patience = 15 * time.Second

// lab is a site in the test process.
type lab struct {
	t     *testing.T
	site  *pki.SiteKey
	trust *pki.Trust
	keys  *fakeKeys

	serial  uint64
	masters []*proto.MasterKey
}

// fakeKeys is a key database in a map.
type fakeKeys struct {
	mu        sync.Mutex
	minions   map[string]fakeMinion
	operators map[string]string
}

type fakeMinion struct {
	id    string
	state proto.KeyState
}

func (f *fakeKeys) Minion(key ed25519.PublicKey) (string, proto.KeyState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.minions[string(key)]
	return m.id, m.state
}

func (f *fakeKeys) Operator(key ed25519.PublicKey) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, ok := f.operators[string(key)]
	return name, ok
}

func (f *fakeKeys) set(key ed25519.PublicKey, id string, state proto.KeyState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.minions[string(key)] = fakeMinion{id, state}
}

func newLab(t *testing.T) *lab {
	t.Helper()
	site, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &lab{
		t: t, site: site, trust: pki.NewTrust(site.Site()),
		keys: &fakeKeys{minions: map[string]fakeMinion{}, operators: map[string]string{}},
	}
}

func (l *lab) identity(name string) *pki.Identity {
	l.t.Helper()
	key, err := pki.NewOperatorKey()
	if err != nil {
		l.t.Fatal(err)
	}
	der, err := l.site.IssueMaster(name, key.Public().(ed25519.PublicKey), time.Now())
	if err != nil {
		l.t.Fatal(err)
	}
	id, err := pki.NewIdentity(key, der, l.site.CA().Raw)
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// enter adds a master to the bundle, or revokes it.
func (l *lab) enter(id *pki.Identity, revoked bool) {
	l.t.Helper()
	known := false
	for _, m := range l.masters {
		if bytes.Equal(m.Key, id.Public()) {
			m.Revoked, known = revoked, true
		}
	}
	if !known {
		l.masters = append(l.masters, &proto.MasterKey{Name: id.Name, Key: id.Public(), Revoked: revoked})
	}
	l.serial++
	env, err := l.site.SignBundle(&proto.Bundle{Serial: l.serial, Masters: l.masters})
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.trust.Update(env); err != nil {
		l.t.Fatal(err)
	}
}

// master starts one that is in the bundle.
func (l *lab) master(name string, change func(*Options), peers ...*Broker) *Broker {
	l.t.Helper()
	id := l.identity(name)
	l.enter(id, false)
	return l.start(id, change, peers...)
}

func (l *lab) start(id *pki.Identity, change func(*Options), peers ...*Broker) *Broker {
	l.t.Helper()
	o := Options{
		Identity: id, Trust: l.trust, Keys: l.keys, Listen: "127.0.0.1:0", RouteListen: "127.0.0.1:0",
		Log: hclog.New(&hclog.LoggerOptions{Name: id.Name, Level: hclog.Debug, Output: testWriter{l.t}}),
	}
	for _, p := range peers {
		_, route := p.Addr()
		o.Routes = append(o.Routes, route)
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := Start(ctx, o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(b.Stop)
	return b
}

// pair starts two masters and waits until they are connected.
func (l *lab) pair() (a, b *Broker) {
	l.t.Helper()
	a = l.master("m1", nil)
	b = l.master("m2", nil, a)
	l.awaitPeers(a, "m2")
	l.awaitPeers(b, "m1")
	return a, b
}

// awaitPeers waits until b hears exactly these masters, in both accounts.
func (l *lab) awaitPeers(b *Broker, names ...string) {
	l.t.Helper()
	await(l.t, "routes of "+b.server.Name()+" to "+strings.Join(names, ","), func() bool {
		return strings.Join(b.Routes(), ",") == strings.Join(names, ",")
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// peer is someone on the network with a key.
type peer struct {
	key    *pki.MinionKey
	lame   chan struct{}
	closed chan struct{}
}

func (l *lab) peer() *peer {
	l.t.Helper()
	key, err := pki.NewMinionKey()
	if err != nil {
		l.t.Fatal(err)
	}
	return &peer{key: key, lame: make(chan struct{}), closed: make(chan struct{})}
}

// minion is a peer whose key is in a state.
func (l *lab) minion(id string, state proto.KeyState) *peer {
	p := l.peer()
	l.keys.set(p.key.Public(), id, state)
	return p
}

func (l *lab) operator(name string) *peer {
	p := l.peer()
	l.keys.mu.Lock()
	l.keys.operators[string(p.key.Public())] = name
	l.keys.mu.Unlock()
	return p
}

func (l *lab) dial(p *peer, b *Broker, more ...nats.Option) (*nats.Conn, error) {
	bus, _ := b.Addr()
	return nats.Connect("tls://"+bus, append([]nats.Option{
		nats.Secure(pki.ClientTLS(l.trust)),
		nats.Nkey(p.key.NKey(), func(nonce []byte) ([]byte, error) { return pki.SignNonce(p.key.Signing, nonce) }),
		nats.NoReconnect(), nats.IgnoreDiscoveredServers(), nats.Timeout(patience),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // else they go to stderr
		nats.LameDuckModeHandler(func(*nats.Conn) { close(p.lame) }),
		nats.ClosedHandler(func(*nats.Conn) {
			select {
			case <-p.closed:
			default:
				close(p.closed)
			}
		}),
	}, more...)...)
}

func (l *lab) mustDial(p *peer, b *Broker, more ...nats.Option) *nats.Conn {
	l.t.Helper()
	conn, err := l.dial(p, b, more...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(conn.Close)
	return conn
}

// mustSubscribe subscribes and waits until the server has it.
func mustSubscribe(t *testing.T, conn *nats.Conn, name string) *nats.Subscription {
	t.Helper()
	sub, err := conn.SubscribeSync(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

// spread waits until what is subscribed in the SITE account of a has reached b.
func spread(t *testing.T, a, b *Broker) {
	t.Helper()
	mark := "mark." + nats.NewInbox()
	mustSubscribe(t, a.Site(), mark)
	await(t, "subscriptions to spread", func() bool {
		account, err := b.server.LookupAccount(accountSite)
		return err == nil && account.SubscriptionInterest(mark)
	})
}

func online(t *testing.T, conn *nats.Conn, id string) {
	t.Helper()
	mustSubscribe(t, conn, subject.JobAll)
	mustSubscribe(t, conn, subject.Job(subject.Token(id)))
}

func clientTLS(l *lab) *tls.Config { return pki.ClientTLS(l.trust) }

// noHash makes ed25519 sign the message itself.
type noHash struct{}

func (noHash) HashFunc() crypto.Hash { return 0 }
