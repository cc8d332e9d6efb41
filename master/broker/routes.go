package broker

import (
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"

	"brine/pki"
)

// routes judges the connections between masters.
type routes struct {
	name        string
	trust       *pki.Trust
	log         hclog.Logger
	onBadPeer   func(address string, err error)
	onDuplicate func(name, remote string)
	server      *server.Server  // set before the server starts
	opts        *server.Options // in force; likewise, later under reload

	reload sync.Mutex // one change of options at a time

	mu           sync.Mutex
	refusedFirst time.Time // of the present series of refusals
	refusedLast  time.Time
	toldOnce     bool
	renew        map[string]time.Time // masters whose connections are to be made anew, and since when
	seldom       seldom
}

// A master that was killed can be back before its peers have noticed; so
// refusals count only when they last longer than that.
const (
	refusedFor = 3 * time.Second
	refusedGap = 5 * time.Second
)

func newRoutes(o Options) *routes {
	return &routes{
		name: o.Identity.Name, trust: o.Trust, log: o.Log, onBadPeer: o.OnBadPeer, onDuplicate: o.OnDuplicate,
	}
}

// tls is pki.PeerTLS, with a report of each peer that it refuses.
func (r *routes) tls(o Options) *tls.Config {
	dial := pki.PeerTLS(o.Identity, o.Trust)
	verify := dial.VerifyConnection
	dial.VerifyConnection = func(cs tls.ConnectionState) error {
		return r.report(cs.ServerName, verify(cs))
	}
	dial.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		accept := pki.PeerTLS(o.Identity, o.Trust)
		accept.VerifyConnection = func(cs tls.ConnectionState) error {
			return r.report(hello.Conn.RemoteAddr().String(), verify(cs))
		}
		return accept, nil
	}
	return dial
}

func (r *routes) report(address string, err error) error {
	if err == nil {
		return nil
	}
	if r.seldom.now(err.Error()) {
		r.log.Error("master refused", "address", address, "err", err)
	}
	if r.onBadPeer != nil {
		r.onBadPeer(address, err)
	}
	return err
}

// Check implements server.Authentication for routes that others have dialled.
// Their certificates are verified already. A second master of one name is
// turned away: nats-server itself would let it in, unless the name is its own.
func (r *routes) Check(c server.ClientAuthentication) bool {
	remote, err := r.judge(c)
	if err == nil {
		return true
	}
	if r.seldom.now(err.Error()) {
		r.log.Error("master refused", "address", remote, "err", err)
	}
	return false
}

func (r *routes) judge(c server.ClientAuthentication) (remote string, err error) {
	if a := c.RemoteAddress(); a != nil {
		remote = a.String()
	}
	state := c.GetTLSConnectionState()
	if state == nil {
		return remote, errors.New("the connection is not encrypted")
	}
	name, err := pki.MasterName(*state)
	if err != nil {
		return remote, err
	}
	if key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey); !ok {
		return remote, errors.New("its key is not ed25519")
	} else if r.trust.Bundle() != nil {
		if err := r.trust.Check(key); err != nil { // a bundle may have come since the handshake
			return remote, err
		}
	}
	id := c.GetOpts().Name // a server tells its id in its CONNECT (route.go, sendRouteConnect)
	if id == r.server.ID() {
		return remote, nil // this master itself; nats-server notices and closes
	}
	if name == r.name {
		return remote, fmt.Errorf("it is another master %q", name)
	}
	live, err := r.server.Routez(nil)
	if err != nil {
		return remote, err
	}
	for _, other := range live.Routes {
		if other.RemoteName == name && other.RemoteID != id {
			return remote, fmt.Errorf("a master %q is connected already, from %s", name, other.IP)
		}
	}
	return remote, nil
}

// refused notes that another master turned this one away, which only judge does.
func (r *routes) refused(remote string) {
	if !r.lasts(time.Now()) {
		return
	}
	r.log.Error("another master of this name is running", "name", r.name, "refused_by", remote)
	if r.onDuplicate != nil {
		r.onDuplicate(r.name, remote)
	}
}

func (r *routes) lasts(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.refusedLast) > refusedGap {
		r.refusedFirst = now
	}
	r.refusedLast = now
	if r.toldOnce || now.Sub(r.refusedFirst) < refusedFor {
		return false
	}
	r.toldOnce = true
	return true
}

// SetRoutes replaces the addresses (host:port) of other masters' route
// listeners. Connected minions don't notice.
func (b *Broker) SetRoutes(list []string) error { return b.routes.set(list) }

func (r *routes) set(list []string) error {
	urls, err := routeURLs(list)
	if err != nil {
		return err
	}
	r.reload.Lock()
	defer r.reload.Unlock()
	have := make([]string, 0, len(r.opts.Routes))
	for _, u := range r.opts.Routes {
		have = append(have, u.Host)
	}
	slices.Sort(have)
	if slices.Equal(have, slices.Sorted(slices.Values(list))) {
		return nil
	}
	next := r.opts.Clone()
	next.Routes = urls
	// Clone copies them, and copies of functions would count as a change.
	next.TLSConfig, next.Cluster.TLSConfig = r.opts.TLSConfig, r.opts.Cluster.TLSConfig
	if err := r.server.ReloadOptions(next); err != nil {
		return fmt.Errorf("cannot change routes: %w", err)
	}
	r.opts = next
	return nil
}

// DropPeer closes the connections to the master called name and tells how many
// there were. It comes back unless the trust bundle refuses it.
func (b *Broker) DropPeer(name string) (int, error) {
	return b.routes.drop(func(route *server.RouteInfo) bool { return route.RemoteName == name })
}

func (r *routes) drop(isMeant func(*server.RouteInfo) bool) (int, error) {
	live, err := r.server.Routez(nil)
	if err != nil {
		return 0, fmt.Errorf("cannot drop master: %w", err)
	}
	var remotes []netip.AddrPort
	for _, route := range live.Routes {
		if !isMeant(route) {
			continue
		}
		addr, err := netip.ParseAddr(route.IP)
		if err != nil {
			return 0, fmt.Errorf("cannot drop master %q: %w", route.RemoteName, err)
		}
		remotes = append(remotes, netip.AddrPortFrom(addr.Unmap(), uint16(route.Port)))
	}
	if len(remotes) == 0 {
		return 0, nil
	}
	n, err := shutdownSockets(remotes)
	if err != nil {
		return n, fmt.Errorf("cannot drop master: %w", err)
	}
	return n, nil
}

// RenewPeer closes the connections to the master called name after RenewAfter,
// so that they are made anew with the key that it has now. Those that begin
// from now on have it already: the trust bundle in force refuses the one before.
func (b *Broker) RenewPeer(name string) {
	r := b.routes
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.renew == nil {
		r.renew = map[string]time.Time{}
	}
	r.renew[name] = time.Now()
}

// renewDue drops the masters whose time has come.
func (r *routes) renewDue(now time.Time) {
	r.mu.Lock()
	due := map[string]time.Time{}
	for name, asked := range r.renew {
		if now.Sub(asked) > RenewAfter {
			due[name] = asked
			delete(r.renew, name)
		}
	}
	r.mu.Unlock()
	if len(due) == 0 {
		return
	}
	n, err := r.drop(func(route *server.RouteInfo) bool { return route.Start.Before(due[route.RemoteName]) })
	if n > 0 || err != nil {
		r.log.Info("connections to a master with a new key made anew", "connections", n, "err", err)
	}
}

// guard drops masters that the trust bundle does not trust any more, until
// stop is closed. A connection whose handshake was under way when a bundle
// came is not there yet when DropPeer looks.
func (r *routes) guard(stop <-chan struct{}) {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			r.renewDue(now)
		}
		bundle := r.trust.Bundle()
		if bundle == nil {
			continue
		}
		trusted := map[string]bool{}
		for _, m := range bundle.Masters {
			trusted[m.Name] = trusted[m.Name] || !m.Revoked
		}
		n, err := r.drop(func(route *server.RouteInfo) bool { return !trusted[route.RemoteName] })
		if err != nil && r.seldom.now(err.Error()) {
			r.log.Error("untrusted master stays connected", "err", err)
		} else if n > 0 {
			r.log.Info("untrusted master dropped", "connections", n)
		}
	}
}

const guardEvery = time.Second

// RenewAfter is the time for minions to come within the reach of both masters before
// the connections between them are made anew.
const RenewAfter = 5 * time.Second

// Routes returns the names of the masters that this one is connected to, sorted.
func (b *Broker) Routes() []string {
	live, err := b.server.Routez(nil)
	if err != nil {
		return nil
	}
	var names []string
	for _, route := range live.Routes {
		names = append(names, route.RemoteName)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
