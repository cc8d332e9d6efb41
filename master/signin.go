package master

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/runner"
	"brine/master/signin"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

const (
	maxSignIns      = 256     // that wait, or are answered at the same time
	maxSignIn       = 4 << 10 // bytes of a request
	maxNamedSignIns = 64      // bytes of a name that nobody has proved, where it is told
)

func (c *Config) signIns() *signin.Config {
	return &signin.Config{ExternalAuth: c.ExternalAuth, Auth: c.Auth}
}

func (c *Config) signInProblems() []error {
	var rights []string
	for _, v := range verbs {
		if v.right != "" && !slices.Contains(rights, v.right) {
			rights = append(rights, v.right)
		}
	}
	return c.signIns().Problems(append(rights, runner.Rights()...))
}

func (m *Master) startDesk(context.Context) (_ func(), err error) {
	if m.doorKey, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
		return nil, fmt.Errorf("cannot make the key of sign-ins: %w", err)
	}
	m.desk, err = signin.New(signin.Options{Config: m.o.Config.signIns(), Log: m.log.Named("signin")})
	return nil, err
}

// askedToSignIn puts a request aside. When too many wait it is dropped; the command asks another master.
func (m *Master) askedToSignIn(msg *nats.Msg) {
	select {
	case m.signIns <- msg:
	default:
	}
}

// serveSignIns answers each request by itself: a directory may take long.
func (m *Master) serveSignIns(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, maxSignIns)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case msg := <-m.signIns:
			running.Go(func() {
				defer func() { <-slots }()
				m.signIn(ctx, msg)
			})
		case <-ctx.Done():
			return
		}
	}
}

func (m *Master) signIn(ctx context.Context, msg *nats.Msg) {
	pub, err := subject.ParseSignIn(msg.Subject)
	if err != nil || len(msg.Data) > maxSignIn {
		return
	}
	address := m.broker.Address(pub)
	req := &proto.SignInRequest{}
	if address == "" || pb.Unmarshal(msg.Data, req) != nil {
		return // it has gone, or is no command of ours
	}
	reply := &proto.SignInReply{Id: req.Id}
	if len(req.Sealed) == 0 {
		err = m.openDoor(reply, pub)
	} else {
		m.letIn(ctx, reply, pub, req.Sealed, address)
	}
	var data []byte
	if err == nil {
		data, err = pb.Marshal(reply)
	}
	if err == nil {
		err = m.broker.Site().Publish(subject.SignInReply(pub), data)
	}
	if err != nil {
		m.log.Warn("cannot answer a sign-in", "address", address, "err", err)
	}
}

// openDoor tells where a password may go.
func (m *Master) openDoor(reply *proto.SignInReply, pub string) error {
	body, err := pb.Marshal(&proto.SignInDoor{
		Master: m.id.Name, Key: pub, SealingKey: m.doorKey.PublicKey().Bytes(), Backends: m.desk.Backends(),
	})
	if err != nil {
		return err
	}
	reply.Status, reply.Door, reply.Bundle = proto.SignInReply_DOOR, m.sign(proto.Kind_KIND_SIGN_IN, body), m.trust.Envelope()
	return nil
}

// letIn has the desk look at a password, and makes an operator of the connection's key when it is right.
func (m *Master) letIn(ctx context.Context, reply *proto.SignInReply, pub string, sealed []byte, address string) {
	plain, err := pki.OpenPassword(m.doorKey, sealed)
	secret := &proto.SignInSecret{}
	if err == nil {
		err = pb.Unmarshal(plain, secret)
		clear(plain)
	}
	if err != nil || secret.Key != pub {
		reply.Status, reply.Reason = proto.SignInReply_FAILED, "the message was made for another start of this master, or another connection"
		return
	}
	op, err := m.desk.Check(ctx, signin.Attempt{
		Backend: secret.Backend, User: secret.User, Password: secret.Password, Address: source(address),
	})
	if err == nil {
		err = m.admit(ctx, reply, op, pub)
	}
	if err == nil {
		m.toldSignIn(op, op.Name, address, nil)
		return
	}
	reply.Status, reply.Reason = refusedSignIn(err), err.Error()
	if reply.Status != proto.SignInReply_BUSY { // those who only have to wait are not worth a record
		m.toldSignIn(op, fmt.Sprintf("%.20s:%.*s", secret.Backend, maxNamedSignIns, secret.User), address, err)
	}
}

func (m *Master) admit(ctx context.Context, reply *proto.SignInReply, op *proto.OperatorRecord, pub string) error {
	key, err := pki.ParseNKey(pub)
	if err != nil {
		return err
	}
	op.Key, op.NotAfter = key, time.Now().Add(m.desk.Valid()).Unix()
	if reply.Unconfirmed, err = m.keys.SetOperator(ctx, op); err != nil {
		return err
	}
	reply.Status, reply.Name, reply.NotAfter, reply.Roles = proto.SignInReply_DONE, op.Name, op.NotAfter, m.desk.Roles(op)
	for _, name := range m.peers.Live() {
		if bus := m.peers.Beat(name).GetAddress().GetBus(); bus != "" {
			reply.Masters = append(reply.Masters, bus)
		}
	}
	return nil
}

func refusedSignIn(err error) proto.SignInReply_Status {
	switch {
	case errors.Is(err, signin.ErrWrong):
		return proto.SignInReply_WRONG
	case errors.Is(err, signin.ErrNothing):
		return proto.SignInReply_NOTHING
	case errors.Is(err, signin.ErrBusy):
		return proto.SignInReply_BUSY
	}
	return proto.SignInReply_FAILED
}

// source is what failures are counted by: whoever has an address of IPv6 has all of its network.
func source(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}

// toldSignIn keeps who came, or who was turned away, in log, events and audit trail. No password is in any of them; a
// name that nobody has proved is shown as text.
func (m *Master) toldSignIn(op *proto.OperatorRecord, name, address string, err error) {
	name = strings.ToValidUTF8(name, "?")
	event := map[string]any{"act": "signin", "operator": name, "address": address, "result": err == nil}
	a := &proto.Audit{Action: "signin", Detail: name, Address: hostIn(address)}
	if err == nil {
		a.Detail = "until " + moment(op.NotAfter)
		m.log.Info("operator signed in", "operator", name, "address", address, "until", moment(op.NotAfter))
		m.event("salt/auth", event)
		m.auditSoon(m.audited(op, a))
		return
	}
	times, ok := m.wrongSignIns.take(source(address), time.Now())
	if !ok {
		return
	}
	event["reason"], event["times"] = err.Error(), times
	a.Outcome, a.Reason, a.Times = "refused", err.Error(), times
	m.log.Warn("sign-in refused", "name", name, "address", address, "times", times, "err", err)
	m.event("salt/auth", event)
	m.auditSoon(m.auditRecord(a))
}

// signInEnd ends the sign-in whose key asks. The answer may come too late: the key's connections are closed at once.
func (m *Master) signInEnd(ctx context.Context, c *call) (pb.Message, error) {
	op := c.operator
	if !store.Session(op) {
		return nil, refuse(proto.ApiError_INVALID, "operator %q has not signed in: the key lasts", op.Name)
	}
	rec, err := m.audited(op, &proto.Audit{Action: "signout"}) // now, while the connection is there
	over := pb.CloneOf(op)
	over.Roles, over.Revoked = nil, true
	if _, err := m.keys.SetOperator(ctx, over); err != nil {
		return nil, err
	}
	m.log.Info("operator signed out", "operator", op.Name)
	m.event("salt/auth", map[string]any{"act": "signout", "operator": op.Name, "result": true})
	m.auditSoon(rec, err)
	return &proto.Empty{}, nil
}
