package broker

import (
	"brine/pki"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"brine/proto/subject"
)

// Connection is one connection of a minion or operator to this master.
type Connection struct {
	ID      string // of the minion or operator; the nkey of one that is not accepted
	Key     ed25519.PublicKey
	Role    Role
	Address string // host:port
	Since   time.Time
	Full    bool // a minion hears jobs on it; else it is a warm standby
	Pulse   bool // a minion hears what is stored on it
}

// Hearing is what a minion hears at this master.
type Hearing struct {
	Jobs  bool // else it is connected as a standby, or not at all
	Pulse bool // what is stored
}

// countEvery bounds how often Minions looks at all connections.
const countEvery = 2 * time.Second

// Online tells that the minion hears jobs, at this or another master.
func (b *Broker) Online(id string) bool {
	account, err := b.server.LookupAccount(accountSite)
	return err == nil && account.SubscriptionInterest(subject.Job(subject.Token(id)))
}

// OnlineHere tells that the minion hears jobs at this master. The server copies its list of all
// connections to tell it, so that it costs the more the more there are.
func (b *Broker) OnlineHere(id string) bool { return b.HearsHere(id).Jobs }

// HearsHere tells what the minion hears at this master.
func (b *Broker) HearsHere(id string) (hearing Hearing) {
	for _, cl := range b.clients.ofMinion(id) {
		found, err := b.server.Connz(&server.ConnzOptions{CID: cl.cid, Subscriptions: true})
		if err == nil && len(found.Conns) > 0 {
			hearing.add(hears(found.Conns[0]))
		}
	}
	return hearing
}

// ConnectedHere tells that the minion has a connection here, whatever it hears on it.
func (b *Broker) ConnectedHere(id string) bool { return b.clients.hasMinion(id) }

// Connections lists the connections to this master, oldest first.
func (b *Broker) Connections() []Connection {
	heard := map[uint64]Hearing{}
	open, err := b.server.Connz(&server.ConnzOptions{Subscriptions: true, Limit: 1 << 20})
	if err == nil {
		for _, c := range open.Conns {
			heard[c.Cid] = hears(c)
		}
	}
	out := []Connection{}
	for _, cl := range b.clients.all() {
		hearing, isOpen := heard[cl.cid]
		if cl.role == RoleNone || !isOpen {
			continue
		}
		c := cl.connection()
		c.Full, c.Pulse = hearing.Jobs, hearing.Pulse
		out = append(out, c)
	}
	return out
}

// Minions is how many minions hear jobs here. It may be two seconds old, as
// counting many thousands takes some milliseconds.
func (b *Broker) Minions() int {
	b.count.mu.Lock()
	defer b.count.mu.Unlock()
	if time.Since(b.count.at) >= countEvery {
		b.count.at, b.count.minions = time.Now(), 0
		for _, h := range b.Hearing() {
			if h.Jobs {
				b.count.minions++
			}
		}
	}
	return b.count.minions
}

type count struct {
	mu      sync.Mutex // held while counting: one count serves all who ask
	at      time.Time
	minions int // that hear jobs
}

// Hearing returns the minions that are connected to this master, and what
// they hear here. It looks at all connections.
func (b *Broker) Hearing() map[string]Hearing {
	hearing := map[string]Hearing{}
	for _, c := range b.Connections() {
		if c.Role == RoleMinion {
			h := hearing[c.ID]
			h.add(Hearing{c.Full, c.Pulse})
			hearing[c.ID] = h
		}
	}
	return hearing
}

// Disconnect closes every connection of key to this master and tells how many
// there were.
func (b *Broker) Disconnect(key ed25519.PublicKey) int {
	n := 0
	for _, cl := range b.clients.ofKey(key) {
		if b.clients.close(cl) {
			n++
		}
	}
	return n
}

// watchPresence follows the server's own reports of connections.
func (b *Broker) watchPresence() error {
	sub, err := b.system.Subscribe("$SYS.ACCOUNT.*.*", func(m *nats.Msg) {
		var event struct {
			Server struct{ ID string }
			Client struct{ ID uint64 }
		}
		isEnd := strings.HasSuffix(m.Subject, ".DISCONNECT")
		if !isEnd && !strings.HasSuffix(m.Subject, ".CONNECT") {
			return
		}
		if json.Unmarshal(m.Data, &event) != nil || event.Server.ID != b.server.ID() {
			return
		}
		if isEnd {
			if cl := b.clients.remove(event.Client.ID); cl != nil && cl.told && b.onDisconnect != nil {
				b.onDisconnect(cl.connection())
			}
		} else if cl, ok := b.clients.tell(event.Client.ID); ok && b.onConnect != nil {
			b.onConnect(cl.connection())
		}
	})
	if err != nil {
		return err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	return b.system.Flush()
}

func (cl *client) connection() Connection {
	return Connection{
		ID: cl.id, Key: ed25519.PublicKey(cl.public), Role: cl.role, Address: cl.remote, Since: cl.since,
	}
}

// hears tells what comes to one connection.
func hears(c *server.ConnInfo) (h Hearing) {
	for _, s := range c.Subs {
		h.Jobs = h.Jobs || strings.HasPrefix(s, subject.Job(""))
		h.Pulse = h.Pulse || subject.IsPulse(s)
	}
	return h
}

// add takes in another connection of the same minion.
func (h *Hearing) add(other Hearing) {
	h.Jobs, h.Pulse = h.Jobs || other.Jobs, h.Pulse || other.Pulse
}

// Address is the host:port of an open connection of this server that signed
// in with an nkey; "" when there is none.
func (b *Broker) Address(nkey string) string {
	key, err := pki.ParseNKey(nkey)
	if err != nil {
		return ""
	}
	b.clients.mu.Lock()
	defer b.clients.mu.Unlock()
	for _, cl := range b.clients.byKey[string(key)] {
		return cl.remote
	}
	return ""
}

// Addresses are the hosts from which open connections of this server signed in
// with a key, in order.
func (b *Broker) Addresses(key ed25519.PublicKey) (hosts []string) {
	for _, cl := range b.clients.ofKey(key) {
		hosts = append(hosts, cl.address)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// Listens tells whether anybody, at this or another master, subscribes to a
// subject of SITE: an operator who has left does not hear his answers.
func (b *Broker) Listens(subj string) bool {
	account, err := b.server.LookupAccount(accountSite)
	return err == nil && account.SubscriptionInterest(subj)
}
