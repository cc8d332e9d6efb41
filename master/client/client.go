// Package client is the operator's side of the bus: it signs requests, asks
// whichever master it reaches, follows a job, and moves to a surviving master
// by itself. Every door into brine (command line, HTTP, reactor) goes through it.
package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
)

// ErrNoMaster says that no master of the site could be reached.
var ErrNoMaster = errors.New("no master reachable")

// ErrSilent wraps ErrNoMaster: a request was under way, and no master answered any more. It may have been carried out.
var ErrSilent = fmt.Errorf("%w for %s", ErrNoMaster, searchFor)

// ErrUnknownKey says that masters know no operator with this key (any more).
var ErrUnknownKey = errors.New("no master knows this key as an operator's: it was revoked, its time is over, or it was never added")

// Error is a master's refusal.
type Error struct {
	Code    proto.ApiError_Code
	Message string
	Master  string // who refused
	cause   error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.cause }

// IsCode reports whether err is a master's refusal with this code.
func IsCode(err error, code proto.ApiError_Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

const (
	dialTimeout  = 3 * time.Second
	secondDial   = 250 * time.Millisecond // a master that says nothing for so long gets a competitor
	callTimeout  = 5 * time.Second
	silence      = 2 * time.Second // a stream without a frame for so long is taken for dead
	searchFor    = 30 * time.Second
	tellAfter    = 2 * time.Second // of a search in vain
	retryPause   = 200 * time.Millisecond
	pingInterval = 500 * time.Millisecond
)

// A Client speaks for one operator. It may be used from several goroutines.
type Client struct {
	config *Config
	keys   keys
	trust  *pki.Trust
	clock  jid.Clock

	mu      sync.Mutex // guards the fields below
	conn    *nats.Conn
	learnt  []string // addresses that masters told
	foreign bool     // a master took conn, and nothing that an operator says
	only    bool     // the masters of the configuration are asked, no others
	trying  func(error)
	shun    string // the master that does not know what another may know
}

// New prepares a client. It connects at the first request.
func New(c *Config) (*Client, error) {
	if c.session != nil {
		if err := c.session.Over(time.Now()); err != nil {
			return nil, err
		}
	}
	path := c.beside(c.Key)
	key, err := pki.LoadOperatorKey(path)
	if err != nil {
		return nil, err
	}
	site, err := pki.ParseFingerprint(c.CAFingerprint)
	if err != nil {
		return nil, err
	}
	cl := &Client{config: c, keys: keys{path: path, key: key}, trust: pki.NewTrust(site)}
	cl.loadBundle()
	cl.loadLearnt()
	return cl, nil
}

// Only has the client ask the masters of its configuration alone, whatever
// others tell of.
func (c *Client) Only() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.only, c.learnt = true, nil
}

// OnTrying has f called, from whichever goroutine asks, when a master has been looked for in vain for a while and the
// search goes on; the error tells why. It is called once a search.
func (c *Client) OnTrying(f func(error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trying = f
}

// Config returns what the client was made from.
func (c *Client) Config() *Config { return c.config }

// Trust is the site's trust bundle as this operator knows it.
func (c *Client) Trust() *pki.Trust { return c.trust }

// Close ends the connection. It may be called more than once.
func (c *Client) Close() { c.drop(nil) }

// Master is the name of the master connected to; "" when there is none.
func (c *Client) Master() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return ""
	}
	return c.conn.ConnectedServerName()
}

// connection returns the connection in use, or makes one. avoid names a
// master that just failed: it is tried last.
func (c *Client) connection(ctx context.Context, avoid string) (*nats.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && c.conn.IsConnected() {
		return c.conn, nil
	}
	if avoid == "" {
		avoid = c.shun
	}
	in, err := c.race(ctx, avoid)
	if err != nil {
		return nil, err
	}
	c.conn = in.conn
	if before := c.keys.now(); !in.key.Equal(before) {
		c.keys.use(in.key)
		_ = c.keys.settle(in.key) // where it can't, the key lies where the next command finds it too
	}
	return c.conn, nil
}

// elsewhere has the next request go to another master, if there is one.
func (c *Client) elsewhere() (others bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.shun = c.conn.ConnectedServerName()
		c.conn.Close()
		c.conn = nil
	}
	return len(c.known()) > 1
}

// drop closes conn, or whatever connection there is when conn is nil.
func (c *Client) drop(conn *nats.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && (conn == nil || conn == c.conn) {
		c.conn.Close()
		c.conn = nil
	}
}

// race dials the masters in random order, the next one when the last has
// failed or been silent for a while, and keeps the first that answers. The one
// to avoid is kept when no other answers.
func (c *Client) race(ctx context.Context, avoid string) (signedIn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		signedIn
		err error
	}
	order := shuffled(c.known()) // connection holds mu
	if len(order) == 0 {
		return signedIn{}, fmt.Errorf("%w: no address is known (masters in %s)", ErrNoMaster, c.config.path)
	}
	answers := make(chan answer, len(order))
	started, failed := 0, 0
	var errs []error
	var reserve *signedIn
	defer func() {
		if reserve != nil {
			reserve.conn.Close()
		}
	}()
	next := time.NewTimer(0)
	defer next.Stop()
	slow := time.NewTimer(c.config.slowAfter)
	defer slow.Stop()
	for failed < len(order) {
		select {
		case <-slow.C:
			if c.config.slow != nil {
				c.config.slow(order)
			}
		case <-next.C:
			if started == len(order) {
				continue
			}
			addr := order[started]
			started++
			go func() {
				in, err := c.dial(addr)
				if err == nil && ctx.Err() != nil {
					in.conn.Close()
					err = ctx.Err()
				}
				answers <- answer{in, err}
			}()
			next.Reset(secondDial)
		case a := <-answers:
			if a.err == nil && a.conn.ConnectedServerName() == avoid && started < len(order) {
				// The one that just failed answers again: prefer another, but don't insist.
				reserve, a.err = &a.signedIn, fmt.Errorf("%s just failed", avoid)
			}
			if a.err == nil {
				return a.signedIn, nil
			}
			errs = append(errs, a.err)
			failed++
			next.Reset(0)
		case <-ctx.Done():
			return signedIn{}, ctx.Err()
		}
	}
	if in := reserve; in != nil {
		reserve = nil
		return *in, nil
	}
	return signedIn{}, fmt.Errorf("%w: %w", ErrNoMaster, errors.Join(errs...))
}

func (c *Client) dialWith(addr string, key ed25519.PrivateKey) (*nats.Conn, error) {
	token := subject.OperatorToken(c.config.Name)
	conn, err := nats.Connect("tls://"+addr,
		nats.Name("brine "+c.config.Name),
		nats.Secure(pki.ClientTLS(c.trust)),
		nats.Nkey(pki.NKey(key.Public().(ed25519.PublicKey)), func(nonce []byte) ([]byte, error) {
			return pki.SignNonce(key, nonce)
		}),
		nats.CustomInboxPrefix(subject.Inbox(token)),
		nats.NoReconnect(), nats.IgnoreDiscoveredServers(),
		nats.Timeout(dialTimeout), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		// A key that is no operator's may connect, to ask to become one, and not more.
		nats.ErrorHandler(func(conn *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				c.mu.Lock()
				c.foreign = c.foreign || conn == c.conn // others were only tried
				c.mu.Unlock()
				conn.Close()
			}
		}),
	)
	if errors.Is(err, nats.ErrNoServers) {
		err = syscall.ECONNREFUSED // which nats.go leaves out
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		err = fmt.Errorf("no answer within %v", dialTimeout)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", addr, err)
	}
	return conn, nil
}

func shuffled(in []string) []string {
	out := append([]string(nil), in...)
	for i := len(out) - 1; i > 0; i-- {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(i+1)))
		if err != nil {
			return out
		}
		j := int(n.Int64())
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// Call asks a master for verb and waits for the answer, which goes to resp. A
// master that dies meanwhile is replaced by another. A refusal is an *Error.
func (c *Client) Call(ctx context.Context, verb string, req, resp pb.Message) error {
	return c.search(ctx, func(conn *nats.Conn, heard func()) error { return c.ask(ctx, conn, verb, req, resp, heard) })
}

// ask asks the master of a connection, once.
func (c *Client) ask(ctx context.Context, conn *nats.Conn, verb string, req, resp pb.Message, heard func()) error {
	master := conn.ConnectedServerName()
	data, err := c.sign(conn, verb, req)
	if err != nil {
		return err
	}
	attempt, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := conn.RequestWithContext(attempt, subject.API(master, verb), data)
	if err != nil {
		return lost(ctx, master, err)
	}
	reply, err := c.open(m)
	if err != nil {
		return err
	}
	heard()
	if err := pb.Unmarshal(reply.Payload, resp); err != nil {
		return fmt.Errorf("cannot read the answer of %s to %s: %w", master, verb, err)
	}
	return nil
}

// errLost wraps what another master may do better.
type errLost struct{ error }

func (e errLost) Unwrap() error { return e.error }

func lost(ctx context.Context, master string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errLost{fmt.Errorf("%s does not answer: %w", master, err)}
}

// search runs one attempt after another, each at a master that answers, until
// one ends with something else than a lost connection. An attempt calls heard
// when the master has answered it.
func (c *Client) search(ctx context.Context, attempt func(conn *nats.Conn, heard func()) error) error {
	c.mu.Lock()
	h := newHunt(len(c.known()))
	c.mu.Unlock()
	avoid, first := "", true
	for {
		conn, err := c.connection(ctx, avoid)
		if err == nil {
			first = false
			avoid = conn.ConnectedServerName()
			err = attempt(conn, h.heard)
			if err != nil && c.unknown() {
				err = errLost{ErrUnknownKey}
			}
			var l errLost
			if !errors.As(err, &l) && !IsCode(err, proto.ApiError_UNAVAILABLE) {
				return err
			}
			c.drop(conn)
			h.failed(avoid, err)
		} else if first || ctx.Err() != nil {
			return err
		}
		if err := h.over(err); err != nil {
			return c.explain(err)
		}
		if h.tells() {
			c.tellTrying(err)
		}
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
	}
}

func (c *Client) tellTrying(err error) {
	c.mu.Lock()
	f := c.trying
	c.mu.Unlock()
	if f != nil {
		f(err)
	}
}

// explain says of a key that is not known what to do about it.
func (c *Client) explain(err error) error {
	switch {
	case !errors.Is(err, ErrUnknownKey):
		return err
	case c.config.session != nil:
		return &Error{Code: proto.ApiError_NOT_PERMITTED, Message: fmt.Sprintf("your sign-in as %s counts no more: brine login", c.config.Name), cause: ErrUnknownKey}
	}
	return &Error{Code: proto.ApiError_NOT_PERMITTED, Message: fmt.Sprintf("operator %q: %v", c.config.Name, ErrUnknownKey), cause: ErrUnknownKey}
}

// unknown tells whether the last connection was of a key that is no operator's, once.
func (c *Client) unknown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.foreign
	c.foreign = false
	return was
}

// A hunt decides how long a search goes on. A connection alone is no answer:
// a master may take it and then be silent.
type hunt struct {
	masters  int // how many are configured
	deadline time.Time
	refused  map[string]bool // who said UNAVAILABLE the last time it was asked
	refusal  error           // the last of these
	unknown  int             // how often in a row a master did not know the key
	told     bool            // that it takes long
}

// maxUnknown is how often a key may be unknown: a master may have heard of it a moment later.
const maxUnknown = 5

func newHunt(masters int) *hunt {
	h := &hunt{masters: masters}
	h.heard()
	return h
}

// heard notes that a master does what it is asked.
func (h *hunt) heard() {
	h.deadline, h.refused, h.refusal = time.Now().Add(searchFor), map[string]bool{}, nil
}

// failed notes how an attempt at a master ended.
func (h *hunt) failed(master string, err error) {
	if errors.Is(err, ErrUnknownKey) {
		h.unknown++
	} else {
		h.unknown = 0
	}
	if IsCode(err, proto.ApiError_UNAVAILABLE) {
		h.refused[master], h.refusal = true, err
		return
	}
	delete(h.refused, master)
}

// over returns what the search ends with, or nil to go on: every master has
// refused, or it took too long. err is that of the last attempt.
func (h *hunt) over(err error) error {
	late := time.Now().After(h.deadline)
	switch {
	case h.unknown >= maxUnknown:
		return err
	case h.refusal != nil && (late || len(h.refused) >= h.masters):
		return h.refusal
	case late:
		return fmt.Errorf("%w: %s", ErrSilent, strings.TrimPrefix(err.Error(), ErrNoMaster.Error()+": "))
	}
	return nil
}

// tells says, once, that somebody should hear why it takes long.
func (h *hunt) tells() bool {
	if h.told || time.Until(h.deadline) > searchFor-tellAfter {
		return false
	}
	h.told = true
	return true
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sign makes the request that goes to a master, with a new id: a master
// answers none twice, and a retry may come back to the one asked before. It is
// good for that process of the master alone.
func (c *Client) sign(conn *nats.Conn, verb string, req pb.Message) ([]byte, error) {
	payload, err := pb.Marshal(req)
	if err != nil {
		return nil, err
	}
	body, err := pb.Marshal(&proto.ApiRequest{
		Operator: c.config.Name, Master: conn.ConnectedServerName(), Instance: conn.ConnectedServerId(), Verb: verb,
		Id: newID(), IssuedAt: time.Now().UnixMicro(), Payload: payload, BundleSerial: c.trust.Serial(),
	})
	if err != nil {
		return nil, err
	}
	return pb.Marshal(pki.Sign(c.keys.now(), c.trust.Pin(), proto.Kind_KIND_API_REQUEST, body))
}

// open reads an answer: a refusal comes out as *Error.
func (c *Client) open(m *nats.Msg) (*proto.ApiReply, error) {
	reply := &proto.ApiReply{}
	if err := pb.Unmarshal(m.Data, reply); err != nil {
		return nil, fmt.Errorf("cannot read the answer on %s: %w", m.Subject, err)
	}
	c.learn(reply.Masters)
	if reply.Bundle != nil {
		if err := c.SaveBundle(reply.Bundle); err != nil {
			return nil, err
		}
	}
	if reply.Error != nil {
		return nil, &Error{Code: reply.Error.Code, Message: reply.Error.Message, Master: reply.Master}
	}
	return reply, nil
}

func newID() []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails, says its documentation
	return id
}

// loadLearnt reads the addresses that masters told, here and to whoever keeps the configuration.
func (c *Client) loadLearnt() {
	c.learnt = LoadMasters(c.config.path)
	if own := c.config.state(); own != c.config.path {
		c.learnt = append(c.learnt, LoadMasters(own)...)
	}
}

// loadBundle takes the trust bundle of an earlier run, so that a master that
// has been revoked since is refused at the first handshake.
func (c *Client) loadBundle() {
	for _, path := range []string{c.config.path + ".bundle", c.bundlePath()} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		env := &proto.Envelope{}
		if pb.Unmarshal(data, env) == nil {
			_, _ = c.trust.Update(env) // one that does not verify is as good as none
		}
	}
}

// SaveBundle puts a trust bundle in force and keeps it for the next run. An
// older one is no error, and a directory that can't be written only means that
// the next run learns it again.
func (c *Client) SaveBundle(env *proto.Envelope) error {
	changed, err := c.trust.Update(env)
	if errors.Is(err, pki.ErrOlderBundle) || err == nil && !changed {
		return nil
	}
	if err != nil {
		return err
	}
	// With what proves the revocations of other bundles.
	data, err := pb.Marshal(c.trust.Envelope())
	if err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d", c.bundlePath(), os.Getpid())
	if err := os.WriteFile(tmp, data, 0o600); err == nil {
		_ = os.Rename(tmp, c.bundlePath()) // see above
	}
	return nil
}

func (c *Client) bundlePath() string { return c.config.state() + ".bundle" }
