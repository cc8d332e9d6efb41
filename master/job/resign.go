package job

import (
	"crypto/ed25519"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// orderNow is what is sent of a job now, with a signature that minions believe: where its
// master has taken another key since, that of this one. The caller holds mu.
func (m *Manager) orderNow(j *job) order {
	if r := j.record; r != nil && m.rotated(r.signer) {
		job := pb.CloneOf(r.job)
		job.Master = m.o.Master
		m.signAgain(j.jid, proto.Kind_KIND_JOB, job, &r.envelope, &r.signer)
	}
	if c := j.cancel; c != nil && m.rotated(c.signer) {
		cancel := pb.CloneOf(c.cancel)
		cancel.Master = m.o.Master
		m.signAgain(j.jid, proto.Kind_KIND_CANCEL, cancel, &c.envelope, &c.signer)
	}
	return j.order()
}

func (m *Manager) rotated(key ed25519.PublicKey) bool { return m.o.Rotated != nil && m.o.Rotated(key) }

func (m *Manager) signAgain(jid string, kind proto.Kind, msg pb.Message, envelope *[]byte, signer *ed25519.PublicKey) {
	body, err := pb.Marshal(msg)
	var data []byte
	var env *proto.Envelope
	if err == nil {
		env = m.o.Sign(kind, body)
		data, err = pb.Marshal(env)
	}
	if err != nil {
		m.log.Error("job not signed again", "job", jid, "err", err)
		return
	}
	*envelope, *signer = data, env.Key
}
