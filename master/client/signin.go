package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

// Ask is called once, with the backends of the site. The password is cleared after its use.
type Ask func(ctx context.Context, backends []string) (backend, user string, password []byte, err error)

const (
	doorTime = 5 * time.Second
	// letInTime is longer than a master asks a backend.
	letInTime = 45 * time.Second
)

// SignIn has a master make an operator of a new key, and keeps it as the session of whoever calls. The key is made
// here and leaves the machine as little as the password leaves it unsealed. A master that dies, or can't ask its
// backend, is replaced by another. A refusal is an *Error.
func (c *Config) SignIn(ctx context.Context, ask Ask) (*proto.SignInReply, error) {
	site, err := pki.ParseFingerprint(c.CAFingerprint)
	if err != nil {
		return nil, err
	}
	before, err := c.Session() // ended below, once there is another
	if err != nil {
		before = nil
	}
	a := &applicant{config: c, trust: pki.NewTrust(site), ask: ask}
	defer func() { clear(a.secret.GetPassword()) }()
	reply, key, err := a.search(ctx)
	if err != nil {
		return nil, err
	}
	old := c.earlier(before)
	if err := c.save(&Session{Name: reply.Name, NotAfter: time.Unix(reply.NotAfter, 0).UTC()}, key); err != nil {
		return nil, err
	}
	if old != nil {
		defer old.Close()
		short, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		_ = old.end(short) // it ends by itself too
	}
	return reply, nil
}

// earlier is a client of a session that is to be replaced; nil when that is over.
func (c *Config) earlier(s *Session) *Client {
	if s == nil {
		return nil
	}
	with := *c
	with.use(s)
	cl, err := New(&with)
	if err != nil {
		return nil
	}
	return cl
}

// SignOut ends the client's session, at the masters and here.
func (c *Client) SignOut(ctx context.Context) error {
	if err := c.end(ctx); err != nil {
		return err
	}
	return c.config.Forget()
}

func (c *Client) end(ctx context.Context) error {
	err := c.Call(ctx, "signin.end", &proto.Empty{}, &proto.Empty{})
	if errors.Is(err, ErrUnknownKey) {
		return nil // it is done: the answer was slower than the end of the connection
	}
	return err
}

// An applicant looks for a master that lets somebody in.
type applicant struct {
	config *Config
	trust  *pki.Trust
	ask    Ask
	secret *proto.SignInSecret // what was answered; nil before
}

// search tries one master after another, each with a new key: one that died may have taken the last key already.
func (a *applicant) search(ctx context.Context) (*proto.SignInReply, ed25519.PrivateKey, error) {
	avoid, failed := "", map[string]int{}
	for {
		key, err := pki.NewOperatorKey()
		if err != nil {
			return nil, nil, err
		}
		cl := &Client{config: a.config, keys: keys{key: key}, trust: a.trust}
		cl.loadLearnt()
		conn, err := cl.connection(ctx, avoid)
		if err != nil {
			return nil, nil, err
		}
		master := conn.ConnectedServerName()
		reply, err := a.apply(ctx, conn, key)
		conn.Close()
		var l errLost
		if err == nil || ctx.Err() != nil || !errors.As(err, &l) {
			return reply, key, err
		}
		// Whoever fails twice has been asked with others in between, where there are any.
		if failed[master]++; failed[master] >= 2 {
			return nil, nil, l.error
		}
		avoid = master
	}
}

// apply asks one master. What another may do better is an errLost.
func (a *applicant) apply(ctx context.Context, conn *nats.Conn, key ed25519.PrivateKey) (*proto.SignInReply, error) {
	pub := pki.NKey(key.Public().(ed25519.PublicKey))
	sub, err := conn.SubscribeSync(subject.SignInReply(pub))
	if err != nil {
		return nil, lost(ctx, conn.ConnectedServerName(), err)
	}
	say := func(sealed []byte, patience time.Duration) (*proto.SignInReply, error) {
		return exchange(ctx, conn, sub, pub, sealed, patience)
	}
	reply, err := say(nil, doorTime)
	if err != nil {
		return nil, err
	}
	door, err := a.open(conn, pub, reply)
	if err != nil {
		return nil, err
	}
	if a.secret == nil {
		if err := a.answer(ctx, conn, door.Backends); err != nil {
			return nil, err
		}
	}
	a.secret.Key = pub
	plain, err := pb.Marshal(a.secret)
	if err != nil {
		return nil, err
	}
	sealed, err := pki.SealPassword(door.SealingKey, plain)
	clear(plain)
	if err != nil {
		return nil, err
	}
	if reply, err = say(sealed, letInTime); err != nil {
		return nil, err
	}
	return reply, refusal(conn, reply)
}

// open verifies that a master of the site says where the password goes.
func (a *applicant) open(conn *nats.Conn, pub string, reply *proto.SignInReply) (*proto.SignInDoor, error) {
	if _, err := a.trust.Update(reply.Bundle); err != nil && !errors.Is(err, pki.ErrOlderBundle) {
		return nil, fmt.Errorf("cannot use the trust bundle of %s: %w", conn.ConnectedServerName(), err)
	}
	body, err := pki.Verify(reply.Door, a.trust.Pin(), proto.Kind_KIND_SIGN_IN, a.trust.Check)
	if err != nil {
		return nil, err
	}
	door := &proto.SignInDoor{}
	if err := pb.Unmarshal(body, door); err != nil {
		return nil, err
	}
	if door.Key != pub || door.Master != conn.ConnectedServerName() {
		return nil, fmt.Errorf("cannot sign in at %s: its answer is for another connection", conn.ConnectedServerName())
	}
	return door, nil
}

func (a *applicant) answer(ctx context.Context, conn *nats.Conn, backends []string) error {
	if len(backends) == 0 {
		return errLost{&Error{Code: proto.ApiError_NOT_PERMITTED, Master: conn.ConnectedServerName(),
			Message: conn.ConnectedServerName() + " has no [external_auth] in its master.toml: nobody signs in there"}}
	}
	backend, user, password, err := a.ask(ctx, backends)
	if err != nil {
		return err
	}
	a.secret = &proto.SignInSecret{Backend: backend, User: user, Password: password}
	return nil
}

// exchange sends one request and waits for its answer, or for the end of the connection.
func exchange(ctx context.Context, conn *nats.Conn, sub *nats.Subscription, pub string, sealed []byte, patience time.Duration) (*proto.SignInReply, error) {
	master := conn.ConnectedServerName()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id := newID()
	data, err := pb.Marshal(&proto.SignInRequest{Id: id, Sealed: sealed})
	if err != nil {
		return nil, err
	}
	if err := conn.Publish(subject.SignInRequest(master, pub), data); err != nil {
		return nil, lost(ctx, master, err)
	}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				err = fmt.Errorf("nothing for %v", patience)
			}
			return nil, errLost{fmt.Errorf("%s does not answer: %w", master, err)}
		}
		reply := &proto.SignInReply{}
		if err := pb.Unmarshal(msg.Data, reply); err != nil {
			return nil, fmt.Errorf("cannot read the answer of %s: %w", master, err)
		}
		if bytes.Equal(reply.Id, id) {
			return reply, nil
		}
	}
}

// refusal is the error of an answer that lets nobody in.
func refusal(conn *nats.Conn, reply *proto.SignInReply) error {
	e := &Error{Code: proto.ApiError_NOT_PERMITTED, Message: "cannot sign in: " + reply.Reason, Master: conn.ConnectedServerName()}
	switch reply.Status {
	case proto.SignInReply_DONE:
		return nil
	case proto.SignInReply_WRONG, proto.SignInReply_NOTHING:
		return e
	case proto.SignInReply_BUSY:
		e.Code = proto.ApiError_UNAVAILABLE
		return e
	}
	e.Code = proto.ApiError_UNAVAILABLE
	e.Message = fmt.Sprintf("cannot sign in at %s: %s", e.Master, reply.Reason)
	return errLost{e}
}
