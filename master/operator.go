package master

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

const maxRequests = 256 // of operators, at the same time

// A verb is one question that an operator may ask a master.
type verb struct {
	name  string // of api.<m>.<name>
	right string // what an operator's role must allow; "" is decided by the verb itself
	serve func(*Master, context.Context, *call) (pb.Message, error)
}

// verbs is every one of them, in order of name.
var verbs = []verb{
	{"audit.list", "@audit.list", (*Master).auditList},
	{"event.list", "@event.list", (*Master).eventList},
	{"event.send", "@event.send", (*Master).eventSend},
	{"event.watch", "@event.list", (*Master).eventWatch},
	{"hook.list", "@hook.list", (*Master).hookList},
	{"hook.unmapped", "@hook.list", (*Master).hookUnmapped},
	{"job.cancel", "", (*Master).jobCancel},
	{"job.list", "@job.list", (*Master).jobList},
	{"job.run", "", (*Master).jobRun},
	{"job.watch", "", (*Master).jobWatch},
	{"key.decide", "@key.decide", (*Master).keyDecide},
	{"key.list", "@key.list", (*Master).keyList},
	{"key.token", "@key.token", (*Master).keyToken},
	{"master.bundle", "@master.bundle", (*Master).masterBundle},
	{"master.certificate", "@master.certificate", (*Master).masterCertificate},
	{"master.drain", "@master.drain", (*Master).masterDrain},
	{"master.invite", "@master.invite", (*Master).masterInvite},
	{"master.key", "@master.rotate", (*Master).masterKey},
	{"master.list", "@master.list", (*Master).masterList},
	{"master.refresh", "@master.refresh", (*Master).masterRefresh},
	{"master.rotate", "@master.rotate", (*Master).masterRotate},
	{"master.site", "@master.site", (*Master).masterSite},
	{"minion.list", "@minion.list", (*Master).minionList},
	{"minion.target", "@minion.list", (*Master).minionTarget},
	{"notify.list", "@notify.list", (*Master).notifyList},
	{"notify.retry", "@notify.retry", (*Master).notifyRetry},
	{"notify.send", "@notify.send", (*Master).notifySend},
	{"notify.test", "@notify.test", (*Master).notifyTest},
	{"operator.list", "", (*Master).operatorList},
	{"operator.revoke", "@operator.revoke", (*Master).operatorRevoke},
	{"operator.rotate", "", (*Master).operatorRotate},
	{"operator.set", "@operator.set", (*Master).operatorSet},
	{"rules.approve", "@rules.approve", (*Master).rulesApprove},
	{"rules.list", "@rules.list", (*Master).rulesList},
	{"rules.pause", "@rules.pause", (*Master).rulesPause},
	{"rules.replay", "@rules.test", (*Master).rulesReplay},
	{"rules.resume", "@rules.pause", (*Master).rulesResume},
	{"rules.test", "@rules.test", (*Master).rulesTest},
	{"runner.run", "", (*Master).runnerRun},
	{"runner.watch", "", (*Master).runnerWatch},
	{"schedule.list", "@job.list", (*Master).scheduleList},
	{"signin.end", "", (*Master).signInEnd},
}

// A call is one request of an operator whose signature has been checked.
type call struct {
	m        *Master
	ctx      context.Context
	msg      *nats.Msg
	operator *proto.OperatorRecord
	request  *proto.ApiRequest
	sequence uint64
	unheard  int // frames in a row that found nobody
}

// decode reads what the verb takes.
func (c *call) decode(into pb.Message) error {
	if err := pb.Unmarshal(c.request.Payload, into); err != nil {
		return refuse(proto.ApiError_INVALID, "cannot read the request %s: %v", c.request.Verb, err)
	}
	return nil
}

// send answers with a frame of a stream; the verb's own return value is the last one.
func (c *call) send(payload pb.Message, more bool) error {
	data, err := pb.Marshal(payload)
	if err != nil {
		return err
	}
	c.sequence++
	return c.reply(&proto.ApiReply{Payload: data, More: more, Sequence: c.sequence})
}

// errGone ends a stream to which nobody listens any more.
var errGone = errors.New("the operator has left")

// unheard is how many frames in a row may find nobody: a watch sends two a second.
const unheard = 3

// frame is next for the frames of a job.
func (c *call) frame(f *proto.WatchFrame, more bool) error { return c.next(f, more) }

// next is send for the frames of a stream without an end. It ends the stream of an operator who has left.
func (c *call) next(f pb.Message, more bool) error {
	if c.m.broker.Listens(c.msg.Reply) {
		c.unheard = 0
	} else if c.unheard++; c.unheard >= unheard {
		return errGone
	}
	return c.send(f, more)
}

func (c *call) fail(err error) error {
	var r *job.Error
	if !errors.As(err, &r) {
		r = &job.Error{Code: proto.ApiError_INTERNAL, Message: err.Error()}
	}
	c.sequence++
	return c.reply(&proto.ApiReply{
		Error: &proto.ApiError{Code: r.Code, Message: r.Message}, Sequence: c.sequence,
	})
}

func (c *call) reply(r *proto.ApiReply) error {
	r.Master = c.m.id.Name
	if c.sequence <= 1 && c.m.trust.Serial() > c.request.BundleSerial {
		r.Bundle = c.m.trust.Envelope()
	}
	if c.sequence <= 1 {
		for _, name := range c.m.peers.Live() {
			if bus := c.m.peers.Beat(name).GetAddress().GetBus(); bus != "" {
				r.Masters = append(r.Masters, bus)
			}
		}
	}
	data, err := pb.Marshal(r)
	if err != nil {
		return err
	}
	return c.m.broker.Reply(c.msg, subject.OperatorToken(c.operator.Name), data)
}

// refuse is an error with the code that the operator's command acts on.
func refuse(code proto.ApiError_Code, format string, args ...any) error {
	return &job.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// operators serves the requests of operators: one goroutine a request, no
// more than maxRequests, each ended when the master stops.
type operators struct {
	m        *Master
	instance string // of this process: requests are made for it
	ctx      context.Context
	slots    chan struct{}
	wait     sync.WaitGroup
	seen     answered
}

func newOperators(ctx context.Context, m *Master, instance string) *operators {
	return &operators{m: m, instance: instance, ctx: ctx, slots: make(chan struct{}, maxRequests)}
}

// handle is called for each message on api.<m>.>, in the bus's goroutine.
func (o *operators) handle(msg *nats.Msg) {
	c, err := o.open(msg)
	if c == nil {
		o.m.complain("", "operator request dropped", "subject", msg.Subject, "err", err)
		return
	}
	if err == nil {
		select {
		case o.slots <- struct{}{}:
		default:
			err = refuse(proto.ApiError_UNAVAILABLE, "%s serves %d requests already: try again", o.m.id.Name, maxRequests)
		}
	}
	if err != nil {
		if err := c.fail(err); err != nil {
			o.m.complain(c.operator.Name, "cannot answer operator", "operator", c.operator.Name, "err", err)
		}
		return
	}
	o.wait.Go(func() {
		defer func() { <-o.slots }()
		o.serve(c)
	})
}

func (o *operators) serve(c *call) {
	for _, v := range verbs {
		if v.name != c.request.Verb {
			continue
		}
		var payload pb.Message
		err := o.allowed(c, v)
		if err == nil {
			payload, err = v.serve(o.m, o.ctx, c)
		}
		if err != nil && !errors.Is(err, errGone) {
			o.m.auditRefusal(c, err)
		}
		if err == nil && payload != nil {
			err = c.send(payload, false)
		} else if err != nil && !errors.Is(err, errGone) {
			err = c.fail(err)
		}
		if err != nil {
			o.m.complain(c.operator.Name, "cannot answer operator", "operator", c.operator.Name, "verb", v.name, "err", err)
		}
		return
	}
	if err := c.fail(refuse(proto.ApiError_INVALID, "unknown request %q: is the command newer than the master?", c.request.Verb)); err != nil {
		o.m.complain(c.operator.Name, "cannot answer operator", "operator", c.operator.Name, "err", err)
	}
}

func (o *operators) allowed(c *call, v verb) error {
	if v.right == "" {
		return nil
	}
	return c.may(v.right)
}

// may refuses an operator who has no right to a verb.
func (c *call) may(right string) error {
	if err := c.m.keys.Allowed(c.operator, right, nil); err != nil {
		return refuse(proto.ApiError_NOT_PERMITTED, "%v", err)
	}
	return nil
}

// open verifies a request. Without a known signer there is nobody to answer:
// the call is nil. With one, an error is for him.
func (o *operators) open(msg *nats.Msg) (*call, error) {
	env, req := &proto.Envelope{}, &proto.ApiRequest{}
	if err := pb.Unmarshal(msg.Data, env); err != nil {
		return nil, fmt.Errorf("cannot read envelope: %w", err)
	}
	var op *proto.OperatorRecord
	body, err := pki.Verify(env, o.m.id.Site(), proto.Kind_KIND_API_REQUEST, func(key ed25519.PublicKey) error {
		var ok bool
		if op, ok = o.m.keys.OperatorRecord(key); !ok {
			return errors.New("no operator has this key")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := pb.Unmarshal(body, req); err != nil {
		return nil, fmt.Errorf("cannot read request of %q: %w", op.Name, err)
	}
	c := &call{m: o.m, ctx: o.ctx, msg: msg, operator: op, request: req}
	switch {
	case req.Operator != op.Name:
		return c, refuse(proto.ApiError_NOT_PERMITTED, "the key is of operator %q, not of %q: correct name in operator.toml", op.Name, req.Operator)
	case req.Master != o.m.id.Name || subject.API(req.Master, req.Verb) != msg.Subject:
		return c, refuse(proto.ApiError_INVALID, "the request is for %s of %q, but came on %s", req.Verb, req.Master, msg.Subject)
	case len(req.Id) != 16:
		return c, refuse(proto.ApiError_INVALID, "the request's id has %d bytes, want 16", len(req.Id))
	case req.Instance != o.instance:
		// What was asked of an earlier process may have been done by it.
		return c, refuse(proto.ApiError_UNAVAILABLE, "the request was made for an earlier start of %s: ask again", o.m.id.Name)
	}
	return c, o.seen.first(o.m.id.Name, req, time.Now())
}
