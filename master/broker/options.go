package broker

import (
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"brine/pki"
)

const (
	maxPayload = 1 << 20
	// maxPending is what one slow reader may cost, for at most the ten seconds after which a write
	// that does not advance ends the connection. It bounds also what waits for the master's own
	// connection, which has to take in the large returns of many minions at once: so no less.
	maxPending    = 64 << 20
	maxSubs       = 1000    // of one connection: an operator's watches are the most
	maxConns      = 1 << 20 // the limit on open files comes first
	clientPing    = 5 * time.Second
	routePing     = 500 * time.Millisecond
	pingsOut      = 2
	handshakeTime = 5 * time.Second // many thousand handshakes at once take a while
	// routeRetries: a route that was found by gossip is dialled until it is back, once a second.
	routeRetries = 1 << 30
)

func (b *Broker) serverOptions(o Options) (*server.Options, error) {
	host, port, err := splitListen(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", o.Listen, err)
	}
	routeHost, routePort, err := splitListen(o.RouteListen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for masters on %q: %w", o.RouteListen, err)
	}
	urls, err := routeURLs(o.Routes)
	if err != nil {
		return nil, err
	}
	operator, err := operatorName(o.Identity)
	if err != nil {
		return nil, err
	}
	return &server.Options{
		ServerName:      o.Identity.Name,
		Host:            host,
		Port:            port,
		ClientAdvertise: o.Advertise,
		NoSigs:          true,

		Accounts:                   accounts(operator),
		SystemAccount:              accountSystem,
		CustomClientAuthentication: b.clients,
		// A reload of options (SetRoutes) cuts every client that its configured users don't list,
		// unless there are trusted operators (reload.go, clientHasMovedToDifferentAccount). The site
		// key stands in for one: it signs no JWT, and the decision above takes none.
		TrustedKeys:       []string{operator},
		AlwaysEnableNonce: true,

		TLS:         true,
		TLSConfig:   b.clientTLS(o),
		TLSTimeout:  handshakeTime.Seconds(),
		AuthTimeout: handshakeTime.Seconds(),

		MaxConn:      maxConns,
		MaxSubs:      maxSubs,
		MaxPayload:   maxPayload,
		MaxPending:   maxPending,
		PingInterval: clientPing,
		MaxPingsOut:  pingsOut,

		Routes:                     urls,
		CustomRouterAuthentication: b.routes,
		Cluster: server.ClusterOpts{
			Name:           "brine-" + o.Identity.Site().String()[:11],
			Host:           routeHost,
			Port:           routePort,
			Advertise:      o.RouteAdvertise,
			TLSConfig:      b.routes.tls(o),
			TLSTimeout:     handshakeTime.Seconds(),
			AuthTimeout:    handshakeTime.Seconds(),
			ConnectRetries: routeRetries,
			PingInterval:   routePing,
			MaxPingsOut:    pingsOut,
			// One connection between two masters for everything. With several of them, as a pool or for
			// pinned accounts, heartbeats can pass while the one of SITE is missing: half a cluster.
			PoolSize: -1,
		},
	}, nil
}

func operatorName(id *pki.Identity) (string, error) {
	key, ok := id.CA.PublicKey.(ed25519.PublicKey)
	if !ok {
		return "", errors.New("the site key is not ed25519")
	}
	name, err := nkeys.Encode(nkeys.PrefixByteOperator, key)
	return string(name), err
}

func accounts(operator string) []*server.Account {
	var out []*server.Account
	for _, name := range []string{accountSite, accountMasters, accountSystem} {
		a := server.NewAccount(name)
		a.Issuer = operator // where there is an operator, the system account must be from it
		out = append(out, a)
	}
	return out
}

// clientTLS refuses the handshake while clients are held. nats-server cannot
// have routes before its client listener; and a refused login would tell a
// minion that something is wrong with its key.
func (b *Broker) clientTLS(o Options) *tls.Config {
	c := pki.ServerTLS(o.Identity)
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if !b.open.Load() {
			return nil, errHeld
		}
		return nil, nil
	}
	return c
}

// splitListen reads host:port for nats-server, which spells port 0 as -1.
func splitListen(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not a port", text)
	}
	if n == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(n), nil
}

// routeURLs are in order: nats-server sorts the list that is in force when it is
// changed, while others read it.
func routeURLs(routes []string) ([]*url.URL, error) {
	var out []*url.URL
	for _, r := range slices.Sorted(slices.Values(routes)) {
		host, port, err := net.SplitHostPort(r)
		if err != nil || host == "" || port == "" || port == "0" {
			return nil, fmt.Errorf("cannot use %q as address of a master: want host:port", r)
		}
		out = append(out, &url.URL{Scheme: "nats-route", Host: r})
	}
	return out, nil
}
