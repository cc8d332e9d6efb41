package peer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"brine/master/peer"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

const (
	beat    = 100 * time.Millisecond
	patient = 60 * time.Second
)

// A lab is a site whose masters share one real NATS server.
type lab struct {
	t     *testing.T
	url   string
	site  *pki.SiteKey
	mu    sync.Mutex // guards bundle
	list  *proto.Bundle
	trust []*pki.Trust
	ahead atomic.Int64 // how far the clock of every master was moved, ns

	interval time.Duration // of heartbeats; longer where a slow machine must not make anybody late
	confirm  time.Duration // how long Commit waits
}

func newLab(t *testing.T) *lab {
	t.Helper()
	server, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(func() { server.Shutdown(); server.WaitForShutdown() })
	if !server.ReadyForConnections(patient) {
		t.Fatal("the server is not ready")
	}
	site, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &lab{t: t, url: server.ClientURL(), site: site, list: &proto.Bundle{Serial: 1}, interval: beat}
}

func (l *lab) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

func (l *lab) connect() *nats.Conn {
	l.t.Helper()
	nc, err := nats.Connect(l.url)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(nc.Close)
	return nc
}

// identity makes a master known to the site.
func (l *lab) identity(name string) *pki.Identity {
	l.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
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
	l.rule(func(b *proto.Bundle) {
		b.Masters = append(b.Masters, &proto.MasterKey{Name: name, Key: id.Public()})
	})
	return id
}

// rule gives every master a new trust bundle.
func (l *lab) rule(change func(*proto.Bundle)) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l.list)
	l.list.Serial++
	for _, t := range l.trust {
		l.update(t)
	}
}

func (l *lab) update(t *pki.Trust) {
	env, err := l.site.SignBundle(l.list)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := t.Update(env); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) newTrust() *pki.Trust {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := pki.NewTrust(l.site.Site())
	l.update(t)
	l.trust = append(l.trust, t)
	return t
}

// A node is one master: its store outlives the process that is stopped and started.
type node struct {
	*peer.Peers
	l     *lab
	id    *pki.Identity
	path  string
	store *store.Store
	live  chan []string
	other chan bool // yield, of OnDuplicate
	o     peer.Options
	log   *logBuffer
}

func (l *lab) node(name string) *node {
	l.t.Helper()
	n := &node{
		l: l, id: l.identity(name), path: filepath.Join(l.t.TempDir(), "store.db"),
		live: make(chan []string, 100), other: make(chan bool, 100), log: &logBuffer{},
	}
	n.open()
	return n
}

func (n *node) open() {
	n.l.t.Helper()
	s, err := store.Open(n.path, store.Options{Master: n.id.Name, Now: n.l.now})
	if err != nil {
		n.l.t.Fatal(err)
	}
	n.store = s
	n.l.t.Cleanup(func() { s.Close() })
	n.o = peer.Options{
		Name: n.id.Name, Identity: n.id, Trust: n.l.newTrust(), Store: s, Interval: n.l.interval, Confirm: n.l.confirm, Now: n.l.now,
		OnChange:    func(live []string) { n.live <- live },
		OnDuplicate: func(_ *proto.Heartbeat, yield bool) { n.other <- yield },
		Log:         hclog.New(&hclog.LoggerOptions{Output: n.log, Level: hclog.Debug}),
	}
}

func (n *node) start() *node {
	n.l.t.Helper()
	n.o.Conn = n.l.connect()
	p, err := peer.Start(n.l.t.Context(), n.o)
	if err != nil {
		n.l.t.Fatal(err)
	}
	n.Peers = p
	n.l.t.Cleanup(p.Close)
	return n
}

// halt ends the process, the store included.
func (n *node) halt() {
	n.l.t.Helper()
	if n.Peers != nil {
		n.Close()
		n.o.Conn.Close()
	}
	if err := n.store.Close(); err != nil {
		n.l.t.Fatal(err)
	}
}

func (n *node) digest() string {
	n.l.t.Helper()
	d, err := n.store.Digest(context.Background())
	if err != nil {
		n.l.t.Fatal(err)
	}
	return d
}

// write appends count returns, numbered from first, as if only this master had heard them.
func (n *node) write(first, count, size int) {
	n.l.t.Helper()
	var recs []*proto.Record
	for i := first; i < first+count; i++ {
		recs = append(recs, n.ret(i, size))
	}
	if err := n.store.Append(context.Background(), recs...); err != nil {
		n.l.t.Fatal(err)
	}
}

func (n *node) ret(i, size int) *proto.Record {
	n.l.t.Helper()
	minion := fmt.Sprintf("web%d", i)
	rec, err := store.NewRecord(n.store.Stamp(), minion, &proto.Return{
		Jid: "20260131120000000123", RequestId: bytes.Repeat([]byte{1}, 16), Minion: minion,
		Outcome: proto.Outcome_OK, Value: bytes.Repeat([]byte{byte(i)}, size),
	})
	if err != nil {
		n.l.t.Fatal(err)
	}
	return rec
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patient)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("never came: %s", what)
		case <-tick.C:
		}
	}
}

// sameLogs waits until all masters hold the same records.
func sameLogs(t *testing.T, nodes ...*node) {
	t.Helper()
	eventually(t, "equal logs", func() bool {
		for _, n := range nodes[1:] {
			if n.set() != nodes[0].set() || n.digest() != nodes[0].digest() { // which reads all, and takes long
				return false
			}
		}
		return true
	})
}

func (n *node) set() string {
	digest, records, _ := n.store.Set()
	return fmt.Sprintf("%x of %d", digest, records)
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(text))
}
