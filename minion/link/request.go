package link

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// ErrNotLinked says that no connection is there to carry a message.
var ErrNotLinked = errors.New("no master is connected")

// maxAsk bounds how long one attempt at a request waits.
const maxAsk = 5 * time.Second

// Publish sends data on every connection on which jobs are heard; what belongs to
// a return is for its master to pass on. No error means that it was handed to
// one of them at least, not that it arrived.
func (l *Link) Publish(name string, data []byte) error {
	l.mu.Lock()
	full := l.full
	l.mu.Unlock()
	err := ErrNotLinked
	sent := false
	for _, s := range full {
		at := name
		if strings.HasPrefix(name, "ret.") {
			at = subject.Relay(s.master, name)
		}
		if e := s.nc.Publish(at, data); e != nil {
			err = e
		} else {
			sent = true
		}
	}
	if sent {
		return nil
	}
	return fmt.Errorf("cannot publish %s: %w", name, err)
}

// Request asks the masters for verb: the one connected, then the next, in
// turns and with growing patience, until one answers or ctx ends. A master's
// end moves the question on at once.
func (l *Link) Request(ctx context.Context, verb string, body []byte) ([]byte, error) {
	return l.request(ctx, verb, subject.Request(l.token, verb), body)
}

// TellGrains is Request for what a minion tells by itself: its grains.
func (l *Link) TellGrains(ctx context.Context, body []byte) ([]byte, error) {
	return l.request(ctx, "an answer to grains", subject.Grains(l.token), body)
}

// TellMine is Request for what a minion tells others.
func (l *Link) TellMine(ctx context.Context, body []byte) ([]byte, error) {
	return l.request(ctx, "an answer to the mine", subject.Mine(l.token), body)
}

// TellEvents is Request for what happened here.
func (l *Link) TellEvents(ctx context.Context, body []byte) ([]byte, error) {
	return l.request(ctx, "an answer to events", subject.EventBatch(l.token), body)
}

func (l *Link) request(ctx context.Context, what, name string, body []byte) ([]byte, error) {
	answers := make(chan *nats.Msg, 16)
	patience := l.t.Ask
	for attempt := 0; ; attempt++ {
		s, err := l.routeFor(ctx, attempt)
		if err != nil {
			return nil, fmt.Errorf("cannot ask for %s: %w", what, err)
		}
		unsubscribe, err := l.send(s, name, body, answers)
		if err == nil {
			// Late answers to earlier attempts count, so all subscriptions last until the end.
			defer unsubscribe()
		}
		data, err := await(ctx, s, answers, patience)
		if err == nil {
			return data, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("cannot ask for %s: no master answers: %w", what, ctx.Err())
		}
		patience = min(2*patience, max(maxAsk, l.t.Ask))
	}
}

// routeFor is the connection for an attempt. It waits while there is none.
func (l *Link) routeFor(ctx context.Context, attempt int) (*session, error) {
	for {
		l.mu.Lock()
		route, changed := l.route, l.changed
		l.mu.Unlock()
		for i := range route {
			s := route[(attempt+i)%len(route)]
			select {
			case <-s.closed:
			default:
				return s, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ErrNotLinked
		}
	}
}

// ask sends a request on one connection, again and again, until the answer is there.
func (l *Link) ask(ctx context.Context, s *session, verb string, body []byte) ([]byte, error) {
	answers := make(chan *nats.Msg, 16)
	for patience := l.t.Ask; ; patience = min(2*patience, max(maxAsk, l.t.Ask)) {
		unsubscribe, err := l.send(s, subject.Request(l.token, verb), body, answers)
		if err != nil {
			return nil, err
		}
		defer unsubscribe()
		data, err := await(ctx, s, answers, patience)
		if err == nil {
			return data, nil
		}
		select {
		case <-s.closed:
			return nil, s.reason()
		case <-ctx.Done():
			return nil, fmt.Errorf("master %q does not answer %s", s.master, verb)
		default:
		}
	}
}

// send publishes a request with an inbox of its own, which the caller gives up.
func (l *Link) send(s *session, name string, body []byte, answers chan *nats.Msg) (func(), error) {
	reply := l.inboxP + "-" + strconv.FormatUint(l.askID.Add(1), 36)
	sub, err := s.nc.ChanSubscribe(reply, answers)
	if err != nil {
		return nil, err
	}
	if err := s.nc.PublishRequest(name, reply, body); err != nil {
		return nil, err
	}
	return func() { sub.Unsubscribe() }, nil
}

var errNoAnswer = errors.New("no answer")

// await waits for an answer as long as patience, the connection and ctx last.
func await(ctx context.Context, s *session, answers <-chan *nats.Msg, patience time.Duration) ([]byte, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case m := <-answers:
			if len(m.Data) == 0 && m.Header.Get("Status") != "" {
				continue // no master listens for it yet
			}
			return m.Data, nil
		case <-s.closed:
			return nil, errNoAnswer
		case <-timer.C:
			return nil, errNoAnswer
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// greet asks on a new connection for the trust bundle and for the jobs that
// the masters know this minion took.
func (l *Link) greet(ctx context.Context, s *session) (*hello, error) {
	h := &hello{seen: &pb.SeenReply{}}
	var err error
	if h.bundle, err = l.askBundle(ctx, s); err != nil {
		return nil, err
	}
	data, err := l.ask(ctx, s, subject.Seen, nil)
	if err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(data, h.seen); err != nil {
		return nil, fmt.Errorf("cannot read what master %q knows of this minion's jobs: %v", s.master, err)
	}
	return h, nil
}

// bundleAnswer is a master's answer, and the serial it was told on the way.
type bundleAnswer struct {
	*pb.BundleReply
	told uint64
}

func (l *Link) askBundle(ctx context.Context, s *session) (*bundleAnswer, error) {
	told := l.o.Trust.Serial()
	body, err := proto.Marshal(&pb.BundleRequest{Serial: told})
	if err != nil {
		return nil, err
	}
	data, err := l.ask(ctx, s, subject.Bundle, body)
	if err != nil {
		return nil, err
	}
	reply := &pb.BundleReply{}
	if err := proto.Unmarshal(data, reply); err != nil {
		return nil, fmt.Errorf("cannot read the trust bundle of master %q: %v", s.master, err)
	}
	return &bundleAnswer{reply, told}, nil
}
