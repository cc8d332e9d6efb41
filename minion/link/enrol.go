package link

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// An enrolment is a connection on which the key waits for acceptance.
type enrolment struct {
	session *session
	place   *place
	state   State
	reason  string
	ask     time.Time // when to ask again
	rotate  time.Time // when to try another master
}

// unaccepted takes a connection to a master that does not know the key. One
// is enough, and none is needed beside an accepted one.
func (l *Link) unaccepted(p *place, s *session) {
	if l.pending != nil || len(l.sessions) > 0 {
		l.end(s, errSurplus)
		l.failed(p, errUnaccepted)
		return
	}
	now := time.Now()
	if now.Sub(l.accepted) < l.t.Enrol {
		// A master has accepted the key; this one hears of it in a moment.
		l.end(s, errSurplus)
		l.roster.failed(p, now, l.t.Retry, l.t.Enrol)
		return
	}
	if _, err := s.nc.ChanSubscribe(subject.EnrolReply(s.signed.nkey), l.control); err != nil {
		l.end(s, err)
		l.failed(p, err)
		return
	}
	l.roster.answered(p, s.master)
	e := &enrolment{session: s, place: p, state: Pending, ask: l.asked.Add(l.t.Enrol), rotate: now.Add(l.t.Rotate)}
	l.pending = e
	l.work(func() {
		<-s.closed
		l.post(func() {
			if l.pending == e {
				l.pending = nil
				l.failed(p, s.reason())
			}
		})
	})
}

// enrolDue asks for acceptance when it is time, and gives another master a turn now and then.
func (l *Link) enrolDue(now time.Time) (due time.Time) {
	e := l.pending
	if e == nil {
		return time.Time{}
	}
	if !now.Before(e.rotate) {
		l.endEnrolment()
		l.roster.failed(e.place, now, l.t.Enrol, l.t.Enrol)
		return time.Time{}
	}
	if !now.Before(e.ask) {
		l.asked = now
		e.ask = now.Add(l.roster.spread(l.t.Enrol, l.t.Enrol*6/5))
		if err := l.askEnrol(e.session); err != nil {
			l.log.Debug("cannot ask for acceptance", "err", err)
		}
	}
	return earliest(e.ask, e.rotate)
}

func (l *Link) askEnrol(s *session) error {
	data, err := proto.Marshal(&pb.EnrolRequest{
		Id: l.o.ID, SigningKey: s.signed.key.Public(), SealingKey: s.signed.key.SealingPublic(),
		Token: l.o.Token, Version: l.o.Version, Changes: s.signed.changes,
	})
	if err != nil {
		return err
	}
	return s.nc.Publish(subject.EnrolRequest(s.signed.nkey), data)
}

// takeEnrol acts on a master's answer.
func (l *Link) takeEnrol(data []byte) {
	reply := &pb.EnrolReply{}
	e := l.pending
	if err := proto.Unmarshal(data, reply); err != nil || e == nil {
		return
	}
	fingerprint := e.session.signed.key.Fingerprint().String()
	was, wasReason := e.state, e.reason
	switch reply.Status {
	case pb.EnrolReply_ACCEPTED:
		l.log.Info("key accepted", "id", l.o.ID)
		l.endEnrolment()
		l.accepted = time.Now()
		return
	case pb.EnrolReply_PENDING:
		e.state, e.reason = Pending, "the key waits for acceptance: brine key accept "+l.o.ID
	case pb.EnrolReply_REJECTED:
		e.state, e.reason = Rejected, "the key was rejected"
	case pb.EnrolReply_REVOKED:
		e.state, e.reason = Refused, "the key is revoked for good: a new one is needed"
	case pb.EnrolReply_TURNED_AWAY:
		e.state, e.reason = Refused, "turned away"
	default:
		return
	}
	if reply.Reason != "" && reply.Status != pb.EnrolReply_PENDING {
		e.reason += ": " + printable(reply.Reason)
	}
	if e.state != was || e.reason != wasReason {
		l.log.Warn("not accepted yet", "id", l.o.ID, "fingerprint", fingerprint, "reason", e.reason)
	}
}

// endEnrolment closes the waiting connection.
func (l *Link) endEnrolment() {
	e := l.pending
	l.pending = nil
	l.end(e.session, errors.New("the enrolment is over"))
}

// printable bounds a text from the wire before it is logged or shown.
func printable(s string) string {
	const limit = 300
	out := []rune{}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		if out = append(out, r); len(out) == limit {
			break
		}
	}
	return string(out)
}
