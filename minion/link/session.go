package link

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"brine/pki"
	"brine/proto/subject"
)

var (
	errRefused    = errors.New("the master refuses this minion's key: it is revoked (stop the minion and remove its minion.key: a new one is made), or too many minions wait for acceptance at this address (brine key ls tells)")
	errSilent     = errors.New("the master went silent")
	errUnaccepted = errors.New("the master has not accepted this minion's key")
)

// A session is one connection to a master.
type session struct {
	id     uint64
	addr   string
	master string
	signed *signing          // in with
	key    ed25519.PublicKey // of the master's certificate
	nc     *nats.Conn
	raw    net.Conn
	closed chan struct{} // when the connection has ended
	rtt    atomic.Int64  // nanoseconds, the newest
	read   *lastRead     // when something came last
	hears  atomic.Bool   // jobs come on it: a silent master is to be noticed soon
	wake   chan struct{} // says that it hears jobs from now on

	mu  sync.Mutex
	why error // it was ended by us

	// The rest is the loop's own.
	full     []*nats.Subscription // job.all, job.id.<t>, acks, pulses: nil on a standby
	heard    bool                 // the master has confirmed them
	ordered  bool                 // the master asked for a full subscription
	told     []byte               // digest of the trust bundle that its master was handed
	orderAt  int64                // issued_at of its newest order
	bridge   bool                 // its master is apart from that of the active connection
	draining bool                 // the master is about to stop
	since    time.Time            // it became active
}

// dialer hands nats.go its connection, keeps it, and tells the real error.
type dialer struct {
	ctx  context.Context
	net  net.Dialer
	read *lastRead
	raw  net.Conn
	err  error
	stop func() bool // no longer closes the connection at the end of ctx
}

// lastRead is when something came last, whatever becomes of the clock.
type lastRead struct {
	begun time.Time
	after atomic.Int64 // nanoseconds
}

func (h *lastRead) now()                 { h.after.Store(int64(time.Since(h.begun))) }
func (h *lastRead) since() time.Duration { return time.Since(h.begun) - time.Duration(h.after.Load()) }

// ear is a connection that notes when something comes.
type ear struct {
	net.Conn
	read *lastRead
}

// Read implements net.Conn.
func (e ear) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if n > 0 {
		e.read.now()
	}
	return n, err
}

func (d *dialer) Dial(network, addr string) (net.Conn, error) {
	d.raw, d.err = d.net.DialContext(d.ctx, network, addr)
	if d.err != nil {
		return nil, d.err
	}
	raw := d.raw
	d.stop = context.AfterFunc(d.ctx, func() { raw.Close() })
	return ear{raw, d.read}, nil
}

// connect signs in at addr. The session's connection is closed when it ends,
// whoever ended it.
func (l *Link) connect(ctx context.Context, addr string) (*session, error) {
	s := &session{id: l.lastID.Add(1), addr: addr, signed: l.signs.Load(), closed: make(chan struct{}), wake: make(chan struct{}, 1), read: &lastRead{begun: time.Now()}}
	d := &dialer{ctx: ctx, read: s.read, net: net.Dialer{Timeout: l.t.Dial, KeepAlive: -1}, stop: func() bool { return true }}
	nc, err := l.natsOptions(s, d).Connect()
	d.stop()
	if err != nil {
		return nil, l.connectError(d, err)
	}
	s.nc, s.raw = nc, d.raw
	cs, err := nc.TLSConnectionState()
	if err == nil {
		s.master, err = pki.MasterName(cs)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	s.key, _ = cs.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	return s, nil
}

// connectError tells why nothing came of an attempt. Without the port numbers
// of this side the same trouble has the same text, and is logged once.
func (l *Link) connectError(d *dialer, err error) error {
	if d.err != nil {
		err = d.err
	}
	var network net.Error
	var op *net.OpError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return errRefused
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, nats.ErrTimeout), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("no answer within %v", l.t.Dial)
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}

// natsOptions are those of a connection that the link watches itself: nats.go
// neither reconnects nor pings nor looks for other servers.
func (l *Link) natsOptions(s *session, d *dialer) nats.Options {
	o := nats.GetDefaultOptions()
	o.Servers = []string{"tls://" + s.addr}
	o.Name = l.o.ID
	o.Secure = true
	o.TLSConfig = l.tls
	o.CustomDialer = d
	o.SkipHostLookup = true // the dialer tries every address of a name
	o.IgnoreDiscoveredServers = true
	o.AllowReconnect = false
	o.NoEcho = true
	o.Timeout = l.t.Dial
	o.PingInterval = -1
	o.FlusherTimeout = -1 // a write that hangs ends when the watch closes the connection
	o.Nkey = s.signed.nkey
	o.SignatureCB = func(nonce []byte) ([]byte, error) { return pki.SignNonce(s.signed.key.Signing, nonce) }
	o.ClosedCB = func(*nats.Conn) { close(s.closed) }
	o.AsyncErrorCB = func(_ *nats.Conn, sub *nats.Subscription, err error) { l.asyncError(s, sub, err) }
	o.LameDuckModeHandler = func(*nats.Conn) { l.post(func() { l.drain(s) }) }
	return o
}

func (l *Link) asyncError(s *session, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) && sub != nil {
		// What was dropped is sent again: jobs by the masters, returns after the offer that this asks for.
		l.log.Warn("messages dropped: they came faster than they were handled", "subject", sub.Subject)
		l.notify()
		return
	}
	l.log.Debug("the master complains", "master", s.master, "err", err)
}

// admitted finds out whether the master lets this connection hear its
// orders, which is what tells an accepted key from an unknown one.
func (l *Link) admitted(s *session) (bool, error) {
	if _, err := s.nc.ChanSubscribe(subject.Link(l.token), l.control); err != nil {
		return false, err
	}
	start := time.Now()
	if err := s.nc.FlushTimeout(l.t.Dial); err != nil {
		return false, fmt.Errorf("no answer after signing in: %w", err)
	}
	s.rtt.Store(int64(time.Since(start)))
	return !errors.Is(s.nc.LastError(), nats.ErrPermissionViolation), nil
}

// fill subscribes to everything that an active connection hears.
func (l *Link) fill(s *session) error {
	if s.full != nil {
		return nil
	}
	// The pulse comes first: who is seen to hear jobs is told with it what is stored.
	for _, name := range []string{subject.Pulse(s.master, l.token), subject.JobAll, subject.Job(l.token), subject.Ack(l.token)} {
		sub, err := s.nc.ChanSubscribe(name, l.inbox)
		if err != nil {
			return fmt.Errorf("cannot subscribe to %s at master %q: %w", name, s.master, err)
		}
		s.full = append(s.full, sub)
	}
	s.hears.Store(true)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// empty makes it a standby again.
func (s *session) empty() {
	for _, sub := range s.full {
		sub.Unsubscribe() // fails only when the connection has ended
	}
	s.full, s.heard = nil, false
	s.hears.Store(false)
}

// end flushes and closes the connection, for this reason, within a second.
func (s *session) end(why error) {
	s.because(why)
	s.raw.SetDeadline(time.Now().Add(time.Second))
	s.nc.Close()
}

// abort closes the connection at once.
func (s *session) abort(why error) {
	s.because(why)
	s.raw.Close()
}

func (s *session) because(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == nil {
		s.why = why
	}
}

// reason tells why the connection ended.
func (s *session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return s.why
	}
	if err := s.nc.LastError(); err != nil && !errors.Is(err, nats.ErrPermissionViolation) {
		return err
	}
	return errors.New("the master closed the connection")
}

// idleIntervals is how many intervals a connection that hears no jobs is left
// alone: what a standby costs its master is these questions, and whether it
// lives is asked anew when it is needed.
const idleIntervals = 4

// watch asks for a sign of life after each interval without one, or when jobs begin to come,
// and closes the connection when none comes within another interval, unless
// bytes still move: an answer behind a long message on a slow line is no
// silence. It ends with the connection, which ends with ctx.
func (s *session) watch(ctx context.Context, interval time.Duration) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	asks, pongs := make(chan struct{}), make(chan struct{}, 1)
	defer close(asks)
	go s.flush(asks, pongs)
	for {
		select {
		case <-s.closed:
			return
		case <-ctx.Done():
			s.end(errStopped)
			<-s.closed
			return
		case <-s.wake:
		case <-timer.C:
			if rest := s.rest(interval); rest > 0 {
				timer.Reset(rest)
				continue
			}
		}
		if ctx.Err() != nil {
			continue // the last question may be open still: another would wait for it
		}
		asks <- struct{}{}
		if !s.await(ctx, pongs, timer, interval) {
			s.abort(errSilent)
			<-pongs
		}
		timer.Reset(s.pause(interval))
	}
}

// rest is how long the other side, of which something came lately, need not be
// asked. A master that tells its jobs tells often that it lives.
func (s *session) rest(interval time.Duration) time.Duration {
	if !s.hears.Load() {
		return 0
	}
	return interval - s.read.since()
}

func (s *session) pause(interval time.Duration) time.Duration {
	if s.hears.Load() {
		return interval
	}
	return idleIntervals * interval
}

// flush asks the other side for a pong each time it is told to, which may hang for as
// long as the connection lasts. It is one goroutine for all times, as its
// stack has to grow for each first one.
func (s *session) flush(asks <-chan struct{}, pongs chan<- struct{}) {
	for range asks {
		start := time.Now()
		if s.nc.FlushTimeout(time.Hour) == nil { // ends with the connection
			s.rtt.Store(int64(time.Since(start)))
		}
		pongs <- struct{}{}
	}
}

// await waits for a pong, using timer, which it sets anew. It is false when the
// other side is silent, and true when ctx ends first.
func (s *session) await(ctx context.Context, pongs <-chan struct{}, timer *time.Timer, interval time.Duration) bool {
	before := traffic(s.raw)
	for {
		timer.Reset(interval)
		select {
		case <-pongs:
			timer.Stop()
			return true
		case <-ctx.Done():
			return true
		case <-timer.C:
		}
		now := traffic(s.raw)
		if !now.movedSince(before) {
			return false
		}
		before = now
	}
}
