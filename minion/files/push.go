package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

const (
	pushPath  = "/pushed/" // of masters' HTTPS
	pushPiece = 64 << 10   // over the bus
	pushTries = 3          // of all masters, while none answers
)

// Push sends a file to each master that can be reached, which keep it below a directory of this minion's own under the
// path at. It is an error when none has it then. size and sum are those of the file.
func (t *Tree) Push(ctx context.Context, at string, f *os.File, size int64, sum string) error {
	p := &push{t.client, at, f, size, sum}
	pause := t.client.o.Retry
	for try := 1; ; try++ {
		final, err := p.anywhere(ctx)
		if err == nil || final || try == pushTries || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause *= 2
	}
}

// A push is a file on its way to masters.
type push struct {
	c    *Client
	at   string
	file *os.File
	size int64
	sum  string
}

// anywhere sends it to all masters, over the bus where none is reached otherwise.
func (p *push) anywhere(ctx context.Context) (final bool, err error) {
	var errs []error
	kept := false
	final = true
	done := func(name string, err error) {
		if err == nil {
			kept = true
			return
		}
		if a := (*answer)(nil); !errors.As(err, &a) {
			final = false
		}
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	masters := p.c.o.Masters()
	if p.c.o.Ask == nil || !p.c.allAway(masters) {
		for _, m := range masters {
			if m.GetFiles() != "" && ctx.Err() == nil {
				done("master "+m.Name, p.https(ctx, m.Files))
			}
		}
	}
	if !kept && p.c.o.Ask != nil && (!final || len(errs) == 0) && ctx.Err() == nil {
		done("over the bus", p.bus(ctx))
	}
	err = errors.Join(errs...)
	if kept && err != nil {
		p.c.o.Log.Warn("not every master has a file that was sent", "path", p.at, "err", err)
		err = nil
	}
	return final, errors.Join(err, ctx.Err())
}

func (p *push) https(ctx context.Context, addr string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(p.c.o.Stall, func() { cancel(errors.New("it takes nothing more")) })
	defer stall.Stop()
	u := url.URL{Scheme: "https", Host: addr, Path: pushPath + p.at, RawQuery: "sha256=" + p.sum}
	body := &progressReader{io.NewSectionReader(p.file, 0, p.size), stall, p.c.o.Stall}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), io.NopCloser(body))
	if err != nil {
		return err
	}
	req.ContentLength = p.size
	if p.size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Expect", "100-continue") // who refuses it says so before it is sent
	resp, err := p.c.do(req, addr)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return statusError(resp)
	}
	return nil
}

// bus sends piece after piece to the master that is connected, from where it has come to.
func (p *push) bus(ctx context.Context) error {
	buf := make([]byte, min(p.size, pushPiece))
	for at, again := int64(0), 0; again < pushTries; {
		n, err := p.file.ReadAt(buf[:min(p.size-at, pushPiece)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		reply, err := p.piece(ctx, at, buf[:n])
		switch {
		case err != nil:
			return err
		case reply.Error != "":
			return &answer{fmt.Sprintf("%.300q", reply.Error)}
		case reply.Done:
			return nil
		case reply.Have < 0 || reply.Have > p.size:
			return errors.New("it answers what cannot be")
		case reply.Have <= at:
			again++ // another one, or one that has forgotten
		}
		at = reply.Have
	}
	return errors.New("the masters change while it is sent")
}

func (p *push) piece(ctx context.Context, at int64, data []byte) (*pb.PushReply, error) {
	body, err := proto.Marshal(&pb.PushRequest{Path: p.at, Sha256: p.sum, Size: p.size, Offset: at, Data: data})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.c.o.Stall)
	defer cancel()
	answered, err := p.c.o.Ask(ctx, subject.Push, body)
	if err != nil {
		return nil, err
	}
	reply := &pb.PushReply{}
	if err := proto.Unmarshal(answered, reply); err != nil {
		return nil, fmt.Errorf("cannot read the answer: %v", err)
	}
	return reply, nil
}
