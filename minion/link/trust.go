package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

// takeBundle takes a master's bundle and addresses; false says that this
// master is no longer one of the site.
func (l *Link) takeBundle(s *session, reply *bundleAnswer) bool {
	if reply.GetBundle() != nil {
		changed, err := l.o.Trust.Update(reply.Bundle)
		if err != nil {
			l.log.Warn("trust bundle refused", "master", s.master, "err", err)
		}
		if changed {
			l.log.Info("new trust bundle", "serial", l.o.Trust.Serial(), "master", s.master)
			if l.o.SaveBundle != nil {
				l.o.SaveBundle(l.o.Trust.Envelope())
			}
		}
	}
	l.told = max(l.told, reply.told)
	if l.o.Trust.Serial() > l.told {
		l.refresh = time.Now() // asking again tells the masters that it is in force here
	}
	l.dropRevoked()
	if reply.GetBundle() != nil && !proto.Equal(reply.Bundle, l.o.Trust.Envelope()) {
		l.tellBundle(s)
	}
	l.sees(s.master, reply.GetMasters())
	more := l.roster.learn(reply.GetMasters())
	if fewer := l.roster.drop(l.gone); more || fewer {
		l.saveMasters()
	}
	return l.to(s.master) == s
}

func (l *Link) saveMasters() {
	l.learnt = true
	if l.o.SaveMasters != nil {
		l.o.SaveMasters(l.roster.addresses())
	}
}

// gone tells whether no valid key of this master is left in the bundle.
func (l *Link) gone(name string) bool {
	for _, m := range l.o.Trust.Bundle().GetMasters() {
		if m.Name == name && !m.Revoked {
			return false
		}
	}
	return true
}

// dropRevoked ends connections to masters that the bundle no longer lists. Each
// is told why: no other master may have told it.
func (l *Link) dropRevoked() {
	for _, s := range append([]*session(nil), l.sessions...) {
		if _, err := l.o.Trust.Master(s.key); err != nil {
			s.empty()
			l.tellBundle(s)
			l.end(s, err)
			l.lost(s)
		}
	}
}

// tellBundle hands a master what the minion has of the trust bundle, once for
// each state of it: to one that has an older one, or is revoked. The site key's
// signature is all it needs to believe it.
func (l *Link) tellBundle(s *session) {
	digest := l.o.Trust.Digest()
	if bytes.Equal(s.told, digest) {
		return
	}
	s.told = digest
	body, err := proto.Marshal(&pb.BundleRequest{Serial: l.o.Trust.Serial(), Bundle: l.o.Trust.Envelope()})
	if err == nil {
		err = s.nc.PublishRequest(subject.Request(l.token, subject.Bundle), l.inboxP+"-told", body)
	}
	if err != nil {
		l.log.Debug("a master was not told of the trust bundle", "master", s.master, "err", err)
	}
}

// refreshDue asks every connected master for the bundle when it is time.
func (l *Link) refreshDue(ctx context.Context, now time.Time) time.Time {
	if l.refresh.IsZero() || now.Before(l.refresh) {
		return l.refresh
	}
	l.refresh = now.Add(l.roster.spread(l.t.Refresh*9/10, l.t.Refresh*11/10))
	for _, s := range l.sessions {
		l.work(func() {
			ctx, cancel := context.WithTimeout(ctx, l.t.Open)
			defer cancel()
			reply, err := l.askBundle(ctx, s)
			if err != nil {
				l.log.Debug("trust bundle not refreshed", "master", s.master, "err", err)
				return
			}
			l.post(func() {
				if l.to(s.master) == s {
					l.takeBundle(s, reply)
				}
			})
		})
	}
	return l.refresh
}

// takeControl acts on link orders and answers to enrolment.
func (l *Link) takeControl(m *nats.Msg) {
	switch m.Subject {
	case subject.Link(l.token):
		if err := l.takeOrder(m.Data); err != nil {
			l.log.Warn("link order refused", "err", err)
		}
	default:
		if l.pending != nil && m.Subject == subject.EnrolReply(l.pending.session.signed.nkey) {
			l.takeEnrol(m.Data)
		}
	}
}

// verify opens an envelope that a master of the site signed for this purpose.
func (l *Link) verify(data []byte, kind pb.Kind, into proto.Message) (master string, err error) {
	env := &pb.Envelope{}
	if err := proto.Unmarshal(data, env); err != nil {
		return "", fmt.Errorf("cannot read envelope: %v", err)
	}
	body, err := pki.Verify(env, l.o.Trust.Pin(), kind, l.o.Trust.Check)
	if err != nil {
		return "", err
	}
	if err := proto.Unmarshal(body, into); err != nil {
		return "", fmt.Errorf("cannot read %v: %v", kind, err)
	}
	return l.o.Trust.Master(env.Key)
}

// takeOrder subscribes fully on the connection to the master that asks, or
// goes back to standby there. The active connection stays what it is.
func (l *Link) takeOrder(data []byte) error {
	order := &pb.LinkOrder{}
	master, err := l.verify(data, pb.Kind_KIND_LINK_ORDER, order)
	if err != nil {
		return err
	}
	if order.Master != master || order.Minion != l.o.ID {
		return fmt.Errorf("cannot follow link order of master %q for minion %q: signed by %q, received by %q",
			order.Master, order.Minion, master, l.o.ID)
	}
	s := l.to(master)
	if s == nil || order.IssuedAt <= s.orderAt {
		return nil // for a connection that has ended, or come twice
	}
	s.orderAt, s.ordered = order.IssuedAt, order.Full
	if s == l.active || s == l.next {
		return nil
	}
	if !order.Full {
		l.demote(s)
		return nil
	}
	l.log.Info("hearing jobs on the standby connection too", "master", master)
	l.hear(s)
	return nil
}

// takeNotice reads what a master broadcast about the set of masters. It is
// called by the pump.
func (l *Link) takeNotice(data []byte) {
	notice := &pb.Notice{}
	master, err := l.verify(data, pb.Kind_KIND_NOTICE, notice)
	if err == nil && notice.Master != master {
		err = fmt.Errorf("cannot follow notice of master %q: signed by %q", notice.Master, master)
	}
	if err != nil {
		l.log.Debug("message refused", "err", err)
		if errors.Is(err, pki.ErrUnknownMaster) {
			l.Stranger()
		}
		return
	}
	l.post(func() { l.noticed(notice) })
}

// Stranger has the masters asked for the trust bundle soon: something came that is
// signed by a master whom the one in force does not list. It may be called often.
func (l *Link) Stranger() {
	if now := time.Now().UnixNano(); now-l.strange.Load() > int64(l.t.Notice) {
		l.strange.Store(now)
		l.post(func() { l.refreshBy(time.Now().Add(l.roster.spread(0, l.t.Ask))) })
	}
}

// refreshBy has the trust bundle asked for at a time, or before.
func (l *Link) refreshBy(at time.Time) {
	if l.refresh.IsZero() || at.Before(l.refresh) {
		l.refresh = at
	}
}

func (l *Link) noticed(n *pb.Notice) {
	if n.IssuedAt <= l.notices[n.Master] {
		return
	}
	l.notices[n.Master] = n.IssuedAt
	now := time.Now()
	l.sees(n.Master, n.Live)
	if l.roster.learn(n.Live) {
		l.saveMasters()
	}
	live := map[string]bool{}
	for _, m := range n.Live {
		live[m.GetName()] = true
	}
	for name := range l.roster.known {
		switch {
		case !live[name] && l.to(name) == nil:
			l.roster.unfair(name, "")
		case live[name]:
			l.roster.soon(func(p *place) bool { return p.name == name }, now, l.t.SpreadMin)
			if l.active != nil {
				l.returned(name, now)
			}
		}
	}
	l.dropRevoked() // another minion of this process may have brought the bundle
	if n.BundleSerial > l.told || l.unknown(n.BundleDigest) {
		l.refreshBy(now.Add(l.roster.spread(0, l.t.Notice)))
	}
}

// unknown tells of a digest of a trust bundle that is not that in force here,
// the first time that it is seen.
func (l *Link) unknown(digest []byte) bool {
	if len(digest) == 0 || bytes.Equal(digest, l.o.Trust.Digest()) || bytes.Equal(digest, l.digest) {
		return false
	}
	l.digest = digest
	return true
}
