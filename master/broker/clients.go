package broker

import (
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"

	"brine/pki"
)

// maxUnaccepted is how many connections of keys that are not accepted one
// address may have.
const maxUnaccepted = 20

// maxPerKey is how many connections to one master a key may have. A minion
// needs two, an operator one for each command that runs. Beyond it the oldest
// is closed, so that connections that died unnoticed lock nobody out.
var maxPerKey = map[Role]int{RoleUnaccepted: 4, RoleMinion: 8, RoleOperator: 256}

// The accounts, and the names under which the master's own connections log in.
const (
	accountSite    = "SITE"
	accountMasters = "MASTERS"
	accountSystem  = "SYS"
)

var errTooMany = fmt.Errorf("its address has %d connections that are not accepted", maxUnaccepted)

// clients decides about every login and knows who is connected to this server.
type clients struct {
	keys      Keys
	secret    string // password of the master's own connections, which don't leave the process
	log       hclog.Logger
	onRefused func(key, address string, err error)
	server    *server.Server // set before the server starts

	mu         sync.Mutex // no call into the server while it is held
	byCID      map[uint64]*client
	byKey      map[string]map[uint64]*client
	byMinion   map[string]map[uint64]*client // accepted ones, by id
	unaccepted map[string]int                // by address
}

// client is one connection from the network, from the moment of its login.
type client struct {
	cid     uint64
	public  string // the key's 32 bytes
	address string // host
	remote  string // host:port
	since   time.Time
	role    Role // RoleNone until it is decided
	id      string
	told    bool // OnConnect was called
}

func newClients(o Options, secret string) *clients {
	return &clients{
		keys: o.Keys, secret: secret, log: o.Log, onRefused: o.OnRefused,
		byCID: map[uint64]*client{}, byKey: map[string]map[uint64]*client{},
		byMinion: map[string]map[uint64]*client{}, unaccepted: map[string]int{},
	}
}

// Check implements server.Authentication. A reload of the server's options
// asks again about everyone.
func (cs *clients) Check(c server.ClientAuthentication) bool {
	if c.Kind() != server.CLIENT {
		return false
	}
	if remote := c.RemoteAddress(); remote != nil && remote.Network() == "pipe" {
		return cs.admitOwn(c)
	}
	opts := c.GetOpts()
	if cs.known(c.GetID(), opts.Nkey) {
		return true
	}
	if err := cs.admit(c, opts); err != nil {
		address := hostOf(c)
		cs.log.Debug("login refused", "key", opts.Nkey, "address", address, "err", err)
		if cs.onRefused != nil {
			cs.onRefused(opts.Nkey, address, err)
		}
		return false
	}
	return true
}

// admitOwn lets the master's own connections in: they come through memory and
// hold a secret that nothing else has.
func (cs *clients) admitOwn(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	if subtle.ConstantTimeCompare([]byte(opts.Password), []byte(cs.secret)) != 1 {
		return false
	}
	account, err := cs.server.LookupAccount(opts.Username)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: opts.Username, Account: account})
	return true
}

func (cs *clients) admit(c server.ClientAuthentication, opts *server.ClientOpts) error {
	if c.GetTLSConnectionState() == nil {
		return errors.New("the connection is not encrypted")
	}
	public, err := pki.ParseNKey(opts.Nkey)
	if err != nil {
		return err
	}
	sig, err := base64.RawURLEncoding.DecodeString(opts.Sig)
	if err != nil {
		return errors.New("its signature is not base64url")
	}
	cl := &client{cid: c.GetID(), public: string(public), address: hostOf(c), since: time.Now()}
	if remote := c.RemoteAddress(); remote != nil {
		cl.remote = remote.String()
	}
	// It must be known before the decision: else a revocation just after the
	// decision would not find the connection that it has to close.
	if !cs.add(cl) {
		return errors.New("it logs in again with another key")
	}
	d := Decide(cs.keys, opts.Nkey, c.GetNonce(), sig)
	if d.Err == nil {
		d.Err = cs.decided(cl, d)
	}
	if d.Err != nil {
		cs.remove(cl.cid)
		return d.Err
	}
	account, err := cs.server.LookupAccount(accountSite)
	if err != nil {
		cs.remove(cl.cid)
		return err
	}
	c.RegisterUser(&server.User{Username: opts.Nkey, Account: account, Permissions: &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: d.Permissions.Subscribe},
		Publish:   &server.SubjectPermission{Allow: d.Permissions.Publish},
	}})
	return nil
}

// known tells that this connection is in already, with this key.
func (cs *clients) known(cid uint64, nkey string) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cl := cs.byCID[cid]
	return cl != nil && cl.role != RoleNone && pki.NKey(ed25519.PublicKey(cl.public)) == nkey
}

func (cs *clients) add(cl *client) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.byCID[cl.cid] != nil {
		return false
	}
	cs.byCID[cl.cid] = cl
	put(cs.byKey, cl.public, cl)
	return true
}

func put(index map[string]map[uint64]*client, key string, cl *client) {
	if index[key] == nil {
		index[key] = map[uint64]*client{}
	}
	index[key][cl.cid] = cl
}

func unput(index map[string]map[uint64]*client, key string, cl *client) {
	delete(index[key], cl.cid)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}

// decided writes the decision down and applies the limits.
func (cs *clients) decided(cl *client, d Decision) error {
	if d.Role == RoleUnaccepted && cs.countUnaccepted(cl.address) >= maxUnaccepted {
		cs.sweep()
	}
	oldest, err := cs.enter(cl, d)
	if err != nil {
		return err
	}
	if oldest != nil {
		cs.close(oldest)
	}
	return nil
}

func (cs *clients) enter(cl *client, d Decision) (oldest *client, err error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.byCID[cl.cid] != cl {
		return nil, errors.New("the connection has ended")
	}
	if d.Role == RoleUnaccepted {
		if cs.unaccepted[cl.address] >= maxUnaccepted {
			return nil, errTooMany
		}
		cs.unaccepted[cl.address]++
	}
	cl.role, cl.id = d.Role, d.ID
	if cl.role == RoleMinion {
		put(cs.byMinion, cl.id, cl)
	}
	entered := 0
	for _, other := range cs.byKey[cl.public] {
		if other.role == RoleNone {
			continue
		}
		entered++
		if oldest == nil || other.since.Before(oldest.since) {
			oldest = other
		}
	}
	if entered <= maxPerKey[cl.role] || oldest == cl {
		return nil, nil
	}
	return oldest, nil
}

func (cs *clients) countUnaccepted(address string) int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.unaccepted[address]
}

// remove forgets a connection and returns what was known of it.
func (cs *clients) remove(cid uint64) *client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.drop(cid)
}

func (cs *clients) drop(cid uint64) *client {
	cl := cs.byCID[cid]
	if cl == nil {
		return nil
	}
	delete(cs.byCID, cid)
	unput(cs.byKey, cl.public, cl)
	switch cl.role {
	case RoleMinion:
		unput(cs.byMinion, cl.id, cl)
	case RoleUnaccepted:
		if cs.unaccepted[cl.address]--; cs.unaccepted[cl.address] <= 0 {
			delete(cs.unaccepted, cl.address)
		}
	}
	return cl
}

// close ends a connection; it is forgotten when the server reports its end.
func (cs *clients) close(cl *client) bool {
	return cs.server.DisconnectClientByID(cl.cid) == nil
}

// sweep forgets connections that ended without a report: none is known to,
// but a limit must not rest on that.
func (cs *clients) sweep() {
	for _, cl := range cs.all() {
		if cs.server.GetClient(cl.cid) == nil {
			cs.remove(cl.cid)
		}
	}
}

// tell returns a copy of what is known of a connection that is in, once.
func (cs *clients) tell(cid uint64) (client, bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cl := cs.byCID[cid]
	if cl == nil || cl.role == RoleNone || cl.told {
		return client{}, false
	}
	cl.told = true
	return *cl, true
}

// all returns copies of what is known, oldest first, also of logins under way.
func (cs *clients) all() []*client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	out := make([]*client, 0, len(cs.byCID))
	for _, cl := range cs.byCID {
		out = append(out, new(*cl))
	}
	slices.SortFunc(out, func(a, b *client) int { return a.since.Compare(b.since) })
	return out
}

func (cs *clients) ofKey(key ed25519.PublicKey) []*client { return cs.copies(cs.byKey, string(key)) }

func (cs *clients) ofMinion(id string) []*client { return cs.copies(cs.byMinion, id) }

func (cs *clients) hasMinion(id string) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.byMinion[id]) > 0
}

func (cs *clients) copies(index map[string]map[uint64]*client, key string) []*client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var out []*client
	for _, cl := range index[key] {
		out = append(out, new(*cl))
	}
	return out
}

func hostOf(c server.ClientAuthentication) string {
	remote := c.RemoteAddress()
	if remote == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		return remote.String()
	}
	return host
}
