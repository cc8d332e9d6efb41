package master

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/peer"
	"brine/pki"
	"brine/proto"
)

// A master's certificate is renewed, and its key replaced, while it runs. Each
// new key is made by the master itself, lies beside the one in use, and is taken
// up when the trust bundle lists it: now, or at the next start.

// follow takes up the next key once the trust bundle lists it.
func (m *Master) follow() {
	m.switching.Lock()
	defer m.switching.Unlock()
	m.followNow()
}

// followNow is follow with switching held.
func (m *Master) followNow() {
	next, err := m.id.LoadNext(m.layout.State())
	if errors.Is(err, fs.ErrNotExist) {
		return // the usual case
	}
	if err != nil {
		m.log.Error("the next key of this master is not usable", "err", err)
		return
	}
	if m.trust.Check(next.Public()) != nil {
		return // not yet, or never
	}
	if err := m.id.Replace(next); err != nil {
		m.log.Error("the next key of this master is not usable", "err", err)
		return
	}
	m.log.Info("new key in use", "name", next.Name, "key", pki.KeyFingerprint(next.Public()).String())
	if err := next.UseNext(m.layout.State()); err != nil {
		m.log.Error("new key not put in its place; the next start tries again", "err", err)
	}
}

// rotated tells of a key that its master has replaced.
func (m *Master) rotated(key ed25519.PublicKey) bool {
	_, ok := m.trust.Rotated(key)
	return ok
}

// masterKey has a master make its next key. It answers with the proof that the key is its own.
func (m *Master) masterKey(ctx context.Context, c *call) (pb.Message, error) {
	req, reply := &proto.NewKeyRequest{}, &proto.KeyChange{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if req.Master == m.id.Name {
		return m.nextKey()
	}
	return reply, m.pass(ctx, req.Master, "key", req, reply)
}

func (m *Master) nextKey() (*proto.KeyChange, error) {
	m.switching.Lock()
	defer m.switching.Unlock()
	m.followNow() // or a key that is trusted already would be lost
	key, err := pki.NextKey(m.layout.State())
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	return pki.NewKeyChange(m.id.Site(), proto.Kind_KIND_MASTER_KEY, m.id.Name, m.id.Now().Key, key, nil)
}

// masterRotate has a master use its next key, and tells who knows of it.
func (m *Master) masterRotate(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RotateRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	req.Asked = m.askedBy(c.operator, &proto.Audit{})
	online := m.onlineCount()
	var err error
	if req.Master == m.id.Name {
		err = m.rotate(ctx, req)
	} else {
		err = m.pass(ctx, req.Master, "rotate", req, &proto.Empty{})
	}
	if err != nil {
		return nil, err
	}
	b := &proto.Bundle{}
	if err := pb.Unmarshal(req.Bundle.GetBody(), b); err != nil {
		return nil, err
	}
	return m.confirmed(ctx, b.Serial, online), nil
}

// rotate commits the trust bundle that lists the next key, at the other masters
// too, while the old one still speaks for this master; then it uses the next.
func (m *Master) rotate(ctx context.Context, req *proto.RotateRequest) error {
	m.switching.Lock()
	defer m.switching.Unlock()
	if body := m.trust.Envelope().GetBody(); len(body) > 0 && slices.Equal(body, req.Bundle.GetBody()) {
		return nil // asked again, after an answer that was lost
	}
	next, err := m.id.NextIdentity(m.layout.State(), req.Certificate)
	if err != nil {
		return refuse(proto.ApiError_CONFLICT, "%v: another rotation has begun since: try again", err)
	}
	if err := m.newerBundle(req.Bundle); err != nil {
		return err
	}
	listed := pki.NewTrust(m.id.Site())
	if _, err := listed.Update(req.Bundle); err != nil {
		return refuse(proto.ApiError_INVALID, "%v", err)
	}
	name, err := listed.Master(next.Public())
	if old, ok := listed.Rotated(m.id.Public()); err != nil || name != m.id.Name || next.Name != name || !ok || old != name {
		return refuse(proto.ApiError_INVALID, "cannot rotate the key of %q: the trust bundle does not put the new one in the place of the old", m.id.Name)
	}
	if err := next.SaveNext(m.layout.State()); err != nil {
		return refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	detail := fmt.Sprintf("%s: key %v in the place of %v", name, pki.KeyFingerprint(next.Public()), pki.KeyFingerprint(m.id.Public()))
	if err := m.decideAs(ctx, passed(req.Asked, "master.rotate", detail), req.Bundle); err != nil {
		return err
	}
	m.notice(m.peers.Live()) // still believed by minions that have no other master to hear it from
	m.followNow()
	return nil
}

// masterCertificate gives a master a newer certificate of the key that it has.
func (m *Master) masterCertificate(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.CertificateRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	req.Asked = m.askedBy(c.operator, &proto.Audit{})
	if req.Master == m.id.Name {
		return &proto.Empty{}, m.certificate(ctx, req)
	}
	return &proto.Empty{}, m.pass(ctx, req.Master, "certificate", req, &proto.Empty{})
}

// certificate shows a newer certificate from the next handshake on. No connection ends.
func (m *Master) certificate(ctx context.Context, req *proto.CertificateRequest) error {
	m.switching.Lock()
	defer m.switching.Unlock()
	next, err := m.id.Renew(m.layout.State(), req.Certificate)
	if err == nil {
		err = m.id.Replace(next)
	}
	if err != nil {
		return refuse(proto.ApiError_INVALID, "%v", err)
	}
	m.log.Info("certificate renewed", "name", m.id.Name, "until", next.Certificate.NotAfter)
	detail := fmt.Sprintf("%s: certificate until %s", m.id.Name, next.Certificate.NotAfter.UTC().Format(time.RFC3339))
	return m.decideAs(ctx, passed(req.Asked, "master.renew", detail))
}

// passed tells for the audit trail what somebody asked for whom another master may have asked first.
func passed(by *proto.Audit, action, detail string) *proto.Audit {
	return &proto.Audit{Operator: by.GetOperator(), Key: by.GetKey(), Address: by.GetAddress(), Action: action, Detail: detail}
}

// After a change of a key a master is away from the others for a moment, in which its connections are made anew.
const (
	passTime  = 4 * time.Second
	passPause = 200 * time.Millisecond
)

// pass has another master do what only it can.
func (m *Master) pass(ctx context.Context, master, verb string, req, reply pb.Message) error {
	live := func() bool { return slices.Contains(m.peers.Live(), master) }
	ask := func() error {
		if !live() {
			return peer.ErrAway
		}
		return m.peers.Call(ctx, master, "sys", verb, req, reply)
	}
	err := ask()
	for end := time.Now().Add(passTime); errors.Is(err, peer.ErrAway) && m.lists(master) && time.Now().Before(end); {
		select {
		case <-time.After(passPause):
			err = ask()
		case <-ctx.Done():
			return refuse(proto.ApiError_UNAVAILABLE, "%v", err)
		}
	}
	if errors.Is(err, peer.ErrAway) && !live() {
		return refuse(proto.ApiError_NOT_FOUND, "no live master is called %q: start it first, as only it can do this", master)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, peer.ErrAway):
		return refuse(proto.ApiError_UNAVAILABLE, "%v", err) // it may be done: asked again, it says so
	case err != nil:
		return refuse(proto.ApiError_CONFLICT, "%v", err)
	}
	return nil
}

// lists tells whether the trust bundle has a master of a name.
func (m *Master) lists(name string) bool {
	return slices.ContainsFunc(m.trust.Bundle().GetMasters(), func(k *proto.MasterKey) bool { return k.Name == name && !k.Revoked })
}

// servePassed serves what other masters pass on.
func (m *Master) servePassed() {
	m.peers.Handle("sys", "key", func(context.Context, string, []byte) (pb.Message, error) { return m.nextKey() })
	m.peers.Handle("sys", "rotate", func(ctx context.Context, _ string, data []byte) (pb.Message, error) {
		req := &proto.RotateRequest{}
		if err := pb.Unmarshal(data, req); err != nil {
			return nil, err
		}
		return &proto.Empty{}, m.rotate(ctx, req)
	})
	m.peers.Handle("sys", "certificate", func(ctx context.Context, _ string, data []byte) (pb.Message, error) {
		req := &proto.CertificateRequest{}
		if err := pb.Unmarshal(data, req); err != nil {
			return nil, err
		}
		return &proto.Empty{}, m.certificate(ctx, req)
	})
}
