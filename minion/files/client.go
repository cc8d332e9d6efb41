package files

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/manifest"
	"github.com/hashicorp/go-hclog"
)

// Options are what a Client needs.
type Options struct {
	ID    string
	Key   *pki.MinionKey
	Trust *pki.Trust
	Cache *Cache
	// Masters lists the masters' addresses, the one connected first.
	Masters func() []*pb.MasterAddress
	// Ask carries a request over the bus; nil when there is none.
	Ask func(ctx context.Context, verb string, body []byte) ([]byte, error)
	Log hclog.Logger
	// Retry is the pause before all masters are tried again; it doubles: 500 ms.
	Retry time.Duration
	// Stall is how long a master may send nothing before another is asked: 10 s.
	Stall time.Duration
}

const (
	answers   = 4                // rounds through all masters that bring nothing, each with an answer
	silences  = 7                // likewise, where a master may come back: 31 s in all
	tokenUse  = 10 * time.Minute // a file token lives longer
	idleLimit = 10 * time.Second // of connections, which cost memory
)

// A Client fetches content for one minion. It may be used from many goroutines.
type Client struct {
	o    Options
	http *http.Client

	mu      sync.Mutex // guards the fields below
	token   string
	tokenAt time.Time
	away    map[string]time.Time // addresses that could not be reached, and when
}

// NewClient makes a Client. Close it when no fetch is under way.
func NewClient(o Options) *Client {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Retry == 0 {
		o.Retry = 500 * time.Millisecond
	}
	if o.Stall == 0 {
		o.Stall = 10 * time.Second
	}
	return &Client{o: o, away: map[string]time.Time{}, http: &http.Client{
		// One host after another by HTTP/1.1: HTTP/2 keeps more in memory and gains nothing for whole files.
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSClientConfig:       pki.ClientTLS(o.Trust),
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: o.Stall,
			ExpectContinueTimeout: o.Stall,
			IdleConnTimeout:       idleLimit,
			MaxIdleConnsPerHost:   4,
			MaxConnsPerHost:       4,
			DisableCompression:    true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a master does not redirect")
		},
	}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Blob returns the path of the content with this SHA-256, which may only be
// read. It is in the cache or comes from the masters; size is what the
// manifest says, or -1.
func (c *Client) Blob(ctx context.Context, sum string, size int64) (path string, err error) {
	path, err = c.o.Cache.obtain(ctx, sum, func(in *incoming) error { return c.fetch(ctx, in, size) })
	if err != nil {
		return "", fmt.Errorf("cannot fetch file content %s: %w", sum, err)
	}
	return path, nil
}

// fetch goes through the masters until the content is whole. What one master
// has sent is kept when the next one goes on, and as long as something comes
// in a round there is another one.
func (c *Client) fetch(ctx context.Context, in *incoming, size int64) error {
	limit := size
	if limit < 0 {
		limit = manifest.MaxBytes
	}
	pause, farthest := c.o.Retry, int64(0)
	for idle := 1; ; idle++ {
		final, err := c.fetchAnywhere(ctx, in, limit)
		if err == nil || in.broken != nil || ctx.Err() != nil {
			return err
		}
		if in.size > farthest {
			idle, pause, farthest = 1, c.o.Retry, in.size
		}
		if idle >= silences || final && idle >= answers {
			return err
		}
		c.o.Log.Debug("no master has all of the file content yet", "sha256", in.sum, "have", in.size, "err", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, 20*c.o.Retry)
	}
}

// fetchAnywhere tries each master once and the bus, which comes first where
// all masters' HTTPS was lately found out of reach. An error is final when
// each of them has answered that it is so.
func (c *Client) fetchAnywhere(ctx context.Context, in *incoming, limit int64) (final bool, err error) {
	var errs []error
	final = true
	try := func(name string, fetch func() error) bool {
		err := c.attempt(in, fetch)
		if err == nil || in.broken != nil || ctx.Err() != nil {
			errs = []error{err, ctx.Err()}
			return true
		}
		if a := (*answer)(nil); !errors.As(err, &a) {
			final = false
		}
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
		return false
	}
	bus := func() bool {
		return c.o.Ask != nil && try("over the bus", func() error { return c.fetchBus(ctx, in, limit) })
	}
	masters := c.o.Masters()
	first := c.allAway(masters)
	if first && bus() {
		return false, errors.Join(errs...)
	}
	for _, m := range masters {
		if m.GetFiles() != "" && try("master "+m.Name, func() error { return c.fetchHTTPS(ctx, m.Files, in, limit) }) {
			return false, errors.Join(errs...)
		}
	}
	if !first && bus() {
		return false, errors.Join(errs...)
	}
	if len(errs) == 0 {
		errs = append(errs, errors.New("no master is known to serve files"))
	}
	return final, errors.Join(errs...)
}

// attempt runs f and sees that what it brought is right, or else forgotten.
func (c *Client) attempt(in *incoming, f func() error) error {
	if in.size > 0 && in.complete() {
		return nil // the connection broke right after the last byte
	}
	err := f()
	if err == nil && !in.complete() {
		err = errDamaged
	}
	if errors.Is(err, errDamaged) {
		return errors.Join(err, in.restart())
	}
	return err
}

// An answer is what a master says when it does not send content.
type answer struct{ text string }

func (a *answer) Error() string { return a.text }

// SetKey has the client show the masters tokens of another key from now on.
func (c *Client) SetKey(key *pki.MinionKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.o.Key, c.token = key, ""
}

func (c *Client) fileToken() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.token != "" && now.Sub(c.tokenAt) < tokenUse && !now.Before(c.tokenAt) {
		return c.token, nil
	}
	token, err := pki.NewFileToken(c.o.Key, c.o.Trust.Pin(), c.o.ID, now)
	if err != nil {
		return "", err
	}
	c.token, c.tokenAt = token, now
	return token, nil
}
