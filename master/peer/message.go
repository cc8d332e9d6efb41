package peer

import (
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

const (
	idSize   = 16
	maxSkew  = time.Minute      // how far the clock of another master may be off
	maxNoise = 10 * time.Second // one line in the log for refused messages
)

// A clockError is about a message whose signature is good, but whose time is
// not: the sender deserves an answer.
type clockError struct {
	master string
	off    time.Duration // ahead of ours
}

func (e *clockError) Error() string {
	return fmt.Sprintf("clock of master %q differs by %.0f s: check NTP", e.master, e.off.Seconds())
}

// post signs what this master says and judges what the others say.
type post struct {
	name  string
	own   *pki.Identity
	site  pki.Fingerprint
	trust *pki.Trust
	now   func() time.Time

	mu     sync.Mutex // guards the fields below
	recent map[string]bool
	older  map[string]bool
	turned time.Time
}

// seal signs a message. Its from and at are filled in.
func (p *post) seal(m *proto.PeerMessage) ([]byte, error) {
	m.From, m.At = p.name, p.now().UnixMicro()
	body, err := pb.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("cannot write message on %q: %w", m.Subject, err)
	}
	data, err := pb.Marshal(pki.Sign(p.own.Now().Key, p.site, proto.Kind_KIND_PEER, body))
	if err != nil {
		return nil, fmt.Errorf("cannot sign message on %q: %w", m.Subject, err)
	}
	return data, nil
}

// open returns a message that a master of the bundle signed for subject, with
// the key it used. With a *clockError the message is returned too.
func (p *post) open(data []byte, subject string) (*proto.PeerMessage, ed25519.PublicKey, error) {
	env, m := &proto.Envelope{}, &proto.PeerMessage{}
	if err := pb.Unmarshal(data, env); err != nil {
		return nil, nil, fmt.Errorf("cannot read message on %q: %v", subject, err)
	}
	var name string
	body, err := pki.Verify(env, p.site, proto.Kind_KIND_PEER, func(key ed25519.PublicKey) (err error) {
		name, err = p.trust.Master(key)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot accept message on %q: %w", subject, err)
	}
	if err := pb.Unmarshal(body, m); err != nil {
		return nil, nil, fmt.Errorf("cannot read message of %q on %q: %v", name, subject, err)
	}
	switch {
	case m.From != name:
		return nil, nil, fmt.Errorf("cannot accept message on %q: signed by %q in the name of %q",
			subject, name, m.From)
	case m.Subject != subject:
		return nil, nil, fmt.Errorf("cannot accept message of %q on %q: it was meant for %q",
			name, subject, m.Subject)
	case len(m.Id) != idSize:
		return nil, nil, fmt.Errorf("cannot accept message of %q on %q: its id has %d bytes",
			name, subject, len(m.Id))
	}
	if off := time.UnixMicro(m.At).Sub(p.now()); off.Abs() > maxSkew {
		return m, env.Key, &clockError{name, off}
	}
	return m, env.Key, nil
}

// first tells that this message was not here before. Two sets are kept, each
// for twice the time that clocks may differ: until a repetition is too old.
func (p *post) first(m *proto.PeerMessage) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.recent == nil || now.Sub(p.turned).Abs() > 2*maxSkew {
		p.recent, p.older, p.turned = map[string]bool{}, p.recent, now
	}
	id := m.From + "\x00" + string(m.Id)
	if p.recent[id] || p.older[id] {
		return false
	}
	p.recent[id] = true
	return true
}

// noise logs refused messages, at most one in maxNoise, so that a flood of
// garbage does not fill the disk.
type noise struct {
	log   hclog.Logger
	level hclog.Level
	now   func() time.Time

	mu      sync.Mutex // guards the fields below
	last    time.Time
	skipped int
}

func (n *noise) warn(message string, err error) {
	n.mu.Lock()
	now := n.now()
	if !n.last.IsZero() && now.Sub(n.last).Abs() < maxNoise {
		n.skipped++
		n.mu.Unlock()
		return
	}
	skipped := n.skipped
	n.last, n.skipped = now, 0
	n.mu.Unlock()
	n.log.Log(n.level, message, "err", err, "more_before", skipped)
}
