package peer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

const (
	callTimeout  = 10 * time.Second // of a call whose context has no deadline
	serveTimeout = 30 * time.Second
	maxRequests  = 64
	replyTo      = "reply:" // before the subject of a request: what its answer is signed for
	noResponders = "503"    // status of the server's own answer when nobody listens
	overhead     = 4096     // of signature, names and subject around a payload
)

// ErrAway is in the error of Call when the master is not connected now.
var ErrAway = errors.New("it is not connected")

// A Handler answers a request of another master, whose name is proven. An
// error is told to it as text.
type Handler func(ctx context.Context, from string, payload []byte) (pb.Message, error)

// Handle serves family.verb with f, which may be called from many goroutines
// at once. The family is "sys"; "repl" belongs to this package.
func (p *Peers) Handle(family, verb string, f Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handlers[family+"."+verb] = f
}

// Call asks a master and waits for its answer, 10 s when ctx has no deadline.
// resp may be nil. A master that is not connected is an error at once.
func (p *Peers) Call(ctx context.Context, master, family, verb string, req, resp pb.Message) error {
	payload, err := pb.Marshal(req)
	if err == nil {
		payload, err = p.ask(ctx, master, family, verb, payload)
	}
	if err == nil && resp != nil {
		err = pb.Unmarshal(payload, resp)
	}
	if err != nil {
		return fmt.Errorf("cannot ask master %q for %s.%s: %w", master, family, verb, err)
	}
	return nil
}

// A question waits for its answer.
type question struct {
	master, subject string
	answer          chan *proto.PeerMessage // nil: nobody listens there
}

func (p *Peers) ask(ctx context.Context, master, family, verb string, payload []byte) ([]byte, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	q := &question{master, subject.Peer(family, master, verb), make(chan *proto.PeerMessage, 1)}
	id := newID()
	data, err := p.post.seal(&proto.PeerMessage{Subject: q.subject, Payload: payload, Id: id})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.waiting[string(id)] = q
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.waiting, string(id))
		p.mu.Unlock()
	}()
	if err := p.o.Conn.PublishRequest(q.subject, p.inbox+hex.EncodeToString(id), data); err != nil {
		return nil, err
	}
	select {
	case m := <-q.answer:
		if m == nil {
			return nil, ErrAway
		}
		if m.Error != "" {
			return nil, errors.New(m.Error)
		}
		return m.Payload, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("no answer in time: %w", ctx.Err())
		}
		return nil, ctx.Err()
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

// onAnswer hands an answer to the call that waits for it. A refused one
// changes nothing: the right one may still come.
func (p *Peers) onAnswer(msg *nats.Msg) {
	id, err := hex.DecodeString(strings.TrimPrefix(msg.Subject, p.inbox))
	if err != nil {
		return
	}
	p.mu.Lock()
	q := p.waiting[string(id)]
	p.mu.Unlock()
	if q == nil {
		return // too late, or foreign
	}
	var m *proto.PeerMessage
	if len(msg.Data) > 0 || msg.Header.Get("Status") != noResponders {
		if m, err = p.openAnswer(msg.Data, q, id); err != nil {
			p.noise.warn("answer of a master refused", err)
			return
		}
	}
	select {
	case q.answer <- m:
	default:
	}
}

func (p *Peers) openAnswer(data []byte, q *question, id []byte) (*proto.PeerMessage, error) {
	m, _, err := p.post.open(data, replyTo+q.subject)
	var clock *clockError
	if err != nil && !errors.As(err, &clock) {
		return nil, err
	}
	if m.From != q.master || string(m.Id) != string(id) {
		return nil, fmt.Errorf("cannot accept message of %q: it answers another request", m.From)
	}
	if clock != nil {
		return &proto.PeerMessage{Error: clock.Error()}, nil
	}
	return m, nil
}

// onRequest judges a request in the order of arrival and serves it in a
// goroutine of its own.
func (p *Peers) onRequest(msg *nats.Msg) {
	m, _, err := p.post.open(msg.Data, msg.Subject)
	var clock *clockError
	if err != nil && !errors.As(err, &clock) {
		p.noise.warn("request of a master refused", err)
		return
	}
	if !strings.HasPrefix(msg.Reply, subject.PeerInbox(m.From)+".") {
		p.noise.warn("request of a master refused", fmt.Errorf("cannot answer %q on %q", m.From, msg.Reply))
		return
	}
	switch {
	case clock != nil:
		p.trouble(m.From, clock.Error())
		p.answer(msg, m, nil, clock)
	case time.UnixMicro(m.At).Before(p.started):
		// It may have been served before this process began, which nothing here would remember.
		p.answer(msg, m, nil, errors.New("the request is older than this master's start: ask again"))
	case !p.post.first(m):
		p.noise.warn("request of a master refused", fmt.Errorf("cannot serve %q twice for %q", msg.Subject, m.From))
	default:
		p.revive(m.From)
		p.dispatch(msg, m)
	}
}

func (p *Peers) dispatch(msg *nats.Msg, m *proto.PeerMessage) {
	family, verb, _ := strings.Cut(msg.Subject, ".")
	_, verb, _ = strings.Cut(verb, ".")
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.handlers[family+"."+verb]
	if f == nil {
		f = func(context.Context, string, []byte) (pb.Message, error) {
			return nil, fmt.Errorf("%s.%s is unknown here: is one master older?", family, verb)
		}
	}
	select {
	case p.slots <- struct{}{}:
	default:
		p.spawn(func() { p.answer(msg, m, nil, fmt.Errorf("%d requests are being served: ask again", maxRequests)) })
		return
	}
	started := p.spawn(func() {
		defer func() { <-p.slots }()
		ctx, cancel := context.WithTimeout(p.ctx, serveTimeout)
		defer cancel()
		resp, err := f(ctx, m.From, m.Payload)
		p.answer(msg, m, resp, err)
	})
	if !started {
		<-p.slots
	}
}

// answer sends resp, or err as text, signed for this one request.
func (p *Peers) answer(msg *nats.Msg, request *proto.PeerMessage, resp pb.Message, err error) {
	m := &proto.PeerMessage{Subject: replyTo + request.Subject, Id: request.Id}
	if err == nil && resp != nil {
		m.Payload, err = pb.Marshal(resp)
	}
	if limit := p.o.Conn.MaxPayload() - overhead; err == nil && int64(len(m.Payload)) > limit {
		err = fmt.Errorf("the answer has %d bytes, more than the %d of a message", len(m.Payload), limit)
	}
	if err != nil {
		m.Payload, m.Error = nil, err.Error()
	}
	data, err := p.post.seal(m)
	if err == nil {
		err = p.o.Conn.Publish(msg.Reply, data)
	}
	if err != nil && p.ctx.Err() == nil {
		p.noise.warn("cannot answer a master", fmt.Errorf("%q: %w", request.From, err))
	}
}
