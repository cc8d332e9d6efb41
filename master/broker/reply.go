package broker

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"brine/proto/subject"
)

const maxReply = 256 // bytes of a reply subject

// Reply answers m, which came from the minion or operator with this token. It
// is the only way in which a master answers: nats-server does not check a
// reply subject against its sender's permissions, so Reply refuses every one
// that is not in the sender's own inbox.
func (b *Broker) Reply(m *nats.Msg, token string, data []byte) error {
	if err := checkReply(m.Reply, token); err != nil {
		return err
	}
	if err := b.site.Publish(m.Reply, data); err != nil {
		return fmt.Errorf("cannot answer on %q: %w", m.Reply, err)
	}
	return nil
}

func checkReply(reply, token string) error {
	rest, ok := strings.CutPrefix(reply, subject.Inbox(token)+".")
	if !ok || token == "" || strings.Contains(token, ".") {
		return fmt.Errorf("cannot answer on %.100q: it is not in the inbox of %q", reply, token)
	}
	if len(reply) > maxReply {
		return fmt.Errorf("cannot answer on %.100q...: it has %d bytes", reply, len(reply))
	}
	for word := range strings.SplitSeq(rest, ".") {
		if word == "" || strings.ContainsFunc(word, notInSubject) {
			return fmt.Errorf("cannot answer on %q: it is not a plain subject", reply)
		}
	}
	return nil
}

// notInSubject is stricter than NATS: what its clients generate is letters and digits.
func notInSubject(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}
