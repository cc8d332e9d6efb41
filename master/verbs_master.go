package master

import (
	"context"
	"slices"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

// masterList tells of every master that the bundle lists.
func (m *Master) masterList(_ context.Context, _ *call) (pb.Message, error) {
	reply := &proto.MasterListReply{Master: m.id.Name, BundleSerial: m.trust.Serial()}
	for _, k := range m.trust.Bundle().GetMasters() {
		if !k.Rotated { // else the master has another, by which it is listed
			reply.Masters = append(reply.Masters, m.masterInfo(k))
		}
	}
	slices.SortFunc(reply.Masters, func(a, b *proto.MasterInfo) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return reply, nil
}

func (m *Master) masterInfo(k *proto.MasterKey) *proto.MasterInfo {
	info := &proto.MasterInfo{Name: k.Name, State: "away", Key: pki.KeyFingerprint(k.Key).String()}
	beat := m.peers.Beat(k.Name)
	if beat != nil {
		a := beat.Address
		info.Bus, info.Files, info.Route = a.GetBus(), a.GetFiles(), a.GetRoute()
		info.Minions, info.Since, info.Version = beat.Minions, beat.StartedAt, beat.Version
		info.Incarnation, info.Sequence, info.BundleSerial = beat.Incarnation, beat.Sequence, beat.BundleSerial
		info.Tree, info.CertificateNotAfter, info.Warnings = beat.Tree, beat.CertificateNotAfter, beat.Warnings
		info.Returner, info.Reactor = beat.Returner, beat.Reactor
	}
	for _, b := range m.peers.Beats() {
		if b.Name == k.Name {
			info.Lag = b.Lag
			if b.Problem != "" {
				info.State = b.Problem
			}
		}
	}
	switch {
	case k.Revoked:
		info.State = "revoked"
		info.Minions, info.Lag, info.Warnings, info.Returner, info.Reactor = 0, 0, nil, nil, nil // what it said last
	case beat == nil && m.keys.Invited(k.Name):
		info.State = "invited"
	case !slices.Contains(m.peers.Live(), k.Name):
		info.Minions = 0 // what it said last: they have gone to others, or nobody here can tell
	case beat.GetDraining():
		info.State = "draining"
	case beat.GetState() != "":
		info.State = beat.State
	default:
		info.State = "live"
	}
	return info
}

// masterSite hands out what an operator with the passphrase needs.
func (m *Master) masterSite(_ context.Context, c *call) (pb.Message, error) {
	siteKey, err := readFile(m.layout.SiteKey())
	if err != nil {
		return nil, err
	}
	m.audit(c, "master.site", "")
	return &proto.SiteReply{SiteKey: siteKey, CaCertificate: m.id.CA.Raw, Bundle: m.trust.Envelope()}, nil
}

// masterInvite stores an invitation, and the bundle that has the new master in it.
func (m *Master) masterInvite(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.InviteRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if err := m.newerBundle(req.Bundle); err != nil {
		return nil, err
	}
	if err := m.keys.Invite(ctx, req); err != nil {
		return nil, keyRefusal(err)
	}
	if err := m.decide(ctx, c, "master.invite", req.Name, req.Bundle); err != nil {
		return nil, err
	}
	return &proto.Empty{}, nil
}

// masterBundle puts a bundle in force, and tells who has confirmed it.
func (m *Master) masterBundle(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.BundleSet{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if err := m.newerBundle(req.Bundle); err != nil {
		return nil, err
	}
	if err := m.decide(ctx, c, "master.bundle", "", req.Bundle); err != nil {
		return nil, err
	}
	return m.confirmed(ctx, m.trust.Serial(), 0), nil
}

// newerBundle refuses a bundle that would not come in force.
func (m *Master) newerBundle(env *proto.Envelope) error {
	try := pki.NewTrust(m.id.Site())
	if _, err := try.Update(env); err != nil {
		return refuse(proto.ApiError_INVALID, "%v", err)
	}
	if try.Serial() <= m.trust.Serial() {
		return refuse(proto.ApiError_CONFLICT, "the trust bundle was changed meanwhile: try again")
	}
	return nil
}

// decide commits records here and at the live masters, with who asked.
func (m *Master) decide(ctx context.Context, c *call, action, detail string, bodies ...pb.Message) error {
	return m.decideAs(ctx, m.askedBy(c.operator, &proto.Audit{Action: action, Detail: detail}), bodies...)
}

// decideAs is decide for what another master may have passed on.
func (m *Master) decideAs(ctx context.Context, asked *proto.Audit, bodies ...pb.Message) error {
	done, err := m.auditRecord(asked)
	if err != nil {
		return err
	}
	recs := []*proto.Record{done}
	for _, b := range bodies {
		rec, err := store.NewRecord(m.store.Stamp(), m.id.Name, b)
		if err != nil {
			return err
		}
		recs = append(recs, rec)
	}
	if err := m.store.Append(ctx, recs...); err != nil {
		return refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	if _, late := m.peers.Commit(ctx, recs, ""); len(late) > 0 {
		m.log.Warn("decision not confirmed yet", "action", asked.Action, "masters", late)
	}
	return nil
}

// masterDrain stops a master gently, this one or another.
func (m *Master) masterDrain(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.DrainRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if !slices.Contains(m.peers.Live(), req.Master) {
		return nil, refuse(proto.ApiError_NOT_FOUND, "no live master is called %q", req.Master)
	}
	if len(m.peers.Live()) < 2 {
		return nil, refuse(proto.ApiError_CONFLICT, "%s is the only live master: stop it with SIGTERM if that is meant", req.Master)
	}
	if req.Master != m.id.Name {
		m.audit(c, "master.drain", req.Master)
		return &proto.Empty{}, m.peers.Call(ctx, req.Master, "sys", "drain", req, &proto.Empty{})
	}
	m.audit(c, "master.drain", req.Master)
	m.startDrain()
	return &proto.Empty{}, nil
}

// startDrain tells the others, and ends this master.
func (m *Master) startDrain() {
	m.drainOnce.Do(func() {
		close(m.drain)
		m.peers.Hurry() // it may be gone before the next heartbeat
	})
}
