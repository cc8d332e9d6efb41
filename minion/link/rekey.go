package link

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

// signing is what a connection signs in with.
type signing struct {
	key     *pki.MinionKey
	nkey    string
	changes []*pb.KeyChange
	since   time.Time
}

func newSigning(key *pki.MinionKey, changes []*pb.KeyChange) *signing {
	return &signing{key, key.NKey(), changes, time.Now()}
}

// rekeyTime is for a connection with the new key, before one with the old key alone is given up.
const rekeyTime = time.Second

var errRekeyed = errors.New("the minion has another key")

// SetKey has the link sign in with another key from now on, and make its connections
// anew, where it can one after the other. Changes prove the key to masters that know only an earlier one.
func (l *Link) SetKey(key *pki.MinionKey, changes []*pb.KeyChange) {
	l.signs.Store(newSigning(key, changes))
	select {
	case l.events <- func() {}: // so that the loop looks
	default: // it is about to
	}
}

// rekey ends connections that signed in with an earlier key: first the standby, and the active one
// when there is another, or none comes.
func (l *Link) rekey(now time.Time) {
	signs, fresh, stale := l.signs.Load(), 0, 0
	by := signs.since.Add(rekeyTime)
	for _, s := range l.sessions {
		if s.signed == signs && !s.draining {
			fresh++
		}
	}
	for _, s := range append([]*session(nil), l.sessions...) {
		switch {
		case s.signed == signs:
			continue
		case s != l.active && s != l.next, s == l.active && l.next == nil && fresh == 0 && now.After(by):
			l.end(s, errRekeyed)
		case fresh > 0:
			s.draining = true
		}
		stale++
	}
	if l.pending != nil && l.pending.session.signed != signs {
		l.endEnrolment()
	}
	switch {
	case stale == 0:
		l.rekeyBy = time.Time{}
	case now.Before(by):
		l.rekeyBy = by
	default:
		l.rekeyBy = now.Add(rekeyTime)
	}
}

// proves shows a master that does not know the key how it came to be this minion's. It tells whether
// the master accepts it now.
func (l *Link) proves(s *session) bool {
	answers, err := s.nc.SubscribeSync(subject.EnrolReply(s.signed.nkey))
	if err == nil {
		err = l.askEnrol(s)
	}
	if err != nil {
		return false
	}
	defer answers.Unsubscribe()
	m, err := answers.NextMsg(l.t.Dial)
	if err != nil {
		return false
	}
	reply := &pb.EnrolReply{}
	return proto.Unmarshal(m.Data, reply) == nil && reply.Status == pb.EnrolReply_ACCEPTED
}
