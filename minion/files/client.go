package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/manifest"
	"brine/proto/subject"
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
	rounds    = 4                // through all masters
	tokenUse  = 10 * time.Minute // a file token lives longer
	idleLimit = 10 * time.Second // of connections, which cost memory
)

// A Client fetches content for one minion. It may be used from many goroutines.
type Client struct {
	o    Options
	http *http.Client

	mu      sync.Mutex
	token   string
	tokenAt time.Time
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
	return &Client{o: o, http: &http.Client{
		// One host after another by HTTP/1.1: HTTP/2 keeps more in memory and gains nothing for whole files.
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSClientConfig:       pki.ClientTLS(o.Trust),
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: o.Stall,
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
// has sent is kept when the next one goes on.
func (c *Client) fetch(ctx context.Context, in *incoming, size int64) error {
	limit := size
	if limit < 0 {
		limit = manifest.MaxBytes
	}
	pause := c.o.Retry
	for round := 1; ; round++ {
		err := c.fetchAnywhere(ctx, in, limit)
		if err == nil || round == rounds || ctx.Err() != nil {
			return err
		}
		c.o.Log.Debug("no master has the file content yet", "sha256", in.sum, "err", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause *= 2
	}
}

// fetchAnywhere tries each master once, then the bus.
func (c *Client) fetchAnywhere(ctx context.Context, in *incoming, limit int64) error {
	var errs []error
	for _, m := range c.o.Masters() {
		if m.GetFiles() == "" {
			continue
		}
		err := c.attempt(in, func() error { return c.fetchHTTPS(ctx, m.Files, in, limit) })
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		errs = append(errs, fmt.Errorf("master %s: %w", m.Name, err))
	}
	if c.o.Ask != nil {
		err := c.attempt(in, func() error { return c.fetchBus(ctx, in, limit) })
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("over the bus: %w", err))
	}
	if len(errs) == 0 {
		return errors.New("no master is known to serve files")
	}
	return errors.Join(errs...)
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

func (c *Client) fetchHTTPS(ctx context.Context, addr string, in *incoming, limit int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+"/blob/"+in.sum, nil)
	if err != nil {
		return err
	}
	token, err := c.fileToken()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if in.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", in.size))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK && in.size > 0:
		if err := in.restart(); err != nil {
			return err
		}
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return errDamaged // there is more here than the whole
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent:
		return statusError(resp)
	}
	stall := time.AfterFunc(c.o.Stall, func() { cancel(errors.New("it sends nothing more")) })
	defer stall.Stop()
	err = receive(in, &progressReader{resp.Body, stall, c.o.Stall}, limit)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// statusError tells what a master answered instead of the content.
func statusError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // the status alone must do if this fails
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%s: %q", resp.Status, line)
}

// progressReader puts off the end of a transfer while something comes.
type progressReader struct {
	io.Reader
	stall *time.Timer
	limit time.Duration
}

func (r *progressReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.stall.Reset(r.limit)
	}
	return n, err
}

// receive adds what comes, up to the limit for the whole.
func receive(in *incoming, from io.Reader, limit int64) error {
	if _, err := io.Copy(in, io.LimitReader(from, limit-in.size+1)); err != nil {
		return err
	}
	if in.size > limit {
		return errDamaged
	}
	return nil
}

// fetchBus asks for piece after piece.
func (c *Client) fetchBus(ctx context.Context, in *incoming, limit int64) error {
	for {
		body, err := proto.Marshal(&pb.FileRequest{Sha256: in.sum, Offset: in.size})
		if err != nil {
			return err
		}
		within, cancel := context.WithTimeout(ctx, c.o.Stall)
		data, err := c.o.Ask(within, subject.File, body)
		cancel()
		if err != nil {
			return err
		}
		reply := &pb.FileReply{}
		if err := proto.Unmarshal(data, reply); err != nil {
			return fmt.Errorf("cannot read the answer: %v", err)
		}
		switch {
		case reply.Error != "":
			return fmt.Errorf("%.300q", reply.Error)
		case reply.Size > limit || in.size+int64(len(reply.Data)) > reply.Size:
			return errDamaged
		case len(reply.Data) == 0 && in.size < reply.Size:
			return errors.New("an empty piece came")
		}
		if _, err := in.Write(reply.Data); err != nil {
			return err
		}
		if in.size == reply.Size {
			return nil
		}
	}
}

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
