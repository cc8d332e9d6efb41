package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	pb "brine/proto"
)

func (c *Client) fetchHTTPS(ctx context.Context, addr string, in *incoming, limit int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+"/blob/"+in.sum, nil)
	if err != nil {
		return err
	}
	if in.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", in.size))
	}
	resp, err := c.do(req, addr)
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
	err = receive(in, &progressReader{resp.Body, stall, c.o.Stall}, resp.ContentLength, limit)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// do sends a request with the minion's token, and remembers whether the master could be reached.
func (c *Client) do(req *http.Request, addr string) (*http.Response, error) {
	token, err := c.fileToken()
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		c.away[addr] = time.Now()
	} else if err == nil {
		delete(c.away, addr)
	}
	return resp, err
}

// awayFor is how long nobody waits again for an address that was out of reach, where there is another way.
const awayFor = time.Minute

// allAway tells whether all masters that serve files were lately out of reach.
func (c *Client) allAway(masters []*pb.MasterAddress) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(masters, func(m *pb.MasterAddress) bool {
		at, ok := c.away[m.GetFiles()]
		return m.GetFiles() != "" && (!ok || time.Since(at) > awayFor)
	})
}

// statusError tells what a master answered instead of the content.
func statusError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // the status alone must do if this fails
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return &answer{fmt.Sprintf("%s: %q", resp.Status, line)}
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

// receive adds what comes, up to the limit for the whole. expected is how much the master says that is, -1 for nothing said.
func receive(in *incoming, from io.Reader, expected, limit int64) error {
	from = io.LimitReader(from, limit-in.size+1)
	take := in.copy
	if expected > 2*stretch {
		take = in.pipe
	}
	if err := take(from); err != nil {
		return err
	}
	if in.size > limit {
		return errDamaged
	}
	return nil
}
