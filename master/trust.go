package master

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/broker"
	"brine/pki"
	"brine/proto"
)

// adopt puts a newer trust bundle in force, here and for the next start. An
// older one, or the same, or one that lost against another of its serial, is
// no error.
func (m *Master) adopt(env *proto.Envelope) error {
	_, err := m.take(env)
	return err
}

// take is adopt, and tells whether what is in force has changed. It has even
// when the file of it can't be written: what was decided must take effect.
func (m *Master) take(env *proto.Envelope) (changed bool, err error) {
	m.taking.Lock()
	defer m.taking.Unlock()
	before, rotated := m.trust.Serial(), rotatedKeys(m.trust)
	changed, err = m.trust.Update(env)
	if errors.Is(err, pki.ErrBundleConflict) || changed && m.trust.Serial() == before {
		m.log.Warn("two trust bundles were signed at a time, one is in force, revoked in either is revoked: "+
			"check with brine master ls, and invite again who is missing", "serial", before)
	}
	if errors.Is(err, pki.ErrOlderBundle) || err == nil && !changed {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot take the trust bundle: %w", err)
	}
	data, err := pb.Marshal(m.trust.Envelope())
	if err == nil {
		err = writeFile(m.layout.Bundle(), data, 0o600)
	}
	if err != nil {
		m.log.Error("trust bundle not kept for the next start", "err", err)
	}
	m.log.Info("trust bundle in force", "serial", m.trust.Serial())
	for key, name := range rotatedKeys(m.trust) {
		if rotated[key] == "" {
			m.later(func() { m.renewRoutes(name) })
		}
	}
	return true, nil
}

// renewRoutes has the routes to a master that has another key made anew. While they are
// away, minions hear jobs at both masters.
func (m *Master) renewRoutes(name string) {
	m.reach.renewing(time.Now().Add(broker.RenewAfter + routesBack))
	if name != m.id.Name {
		m.broker.RenewPeer(name)
	}
}

// rotatedKeys are the names of the masters that have replaced a key, by that key.
func rotatedKeys(t *pki.Trust) map[string]string {
	keys := map[string]string{}
	for _, k := range t.Bundle().GetMasters() {
		if k.Revoked && k.Rotated {
			keys[string(k.Key)] = k.Name
		}
	}
	return keys
}

// selfTrusted is an error when the bundle in force does not list this master's key, nor the next one.
func (m *Master) selfTrusted() error {
	m.follow()
	if err := m.trust.Check(m.id.Public()); err != nil {
		return fmt.Errorf("cannot be a master of this site: %w", err)
	}
	return nil
}

// bundleChanged acts on a bundle that has come in force while the master runs.
func (m *Master) bundleChanged() {
	if err := m.selfTrusted(); err != nil {
		m.fail(err)
		return
	}
	trusted := map[string]bool{}
	for _, k := range m.trust.Bundle().GetMasters() {
		trusted[k.Name] = trusted[k.Name] || !k.Revoked
	}
	for name, ok := range trusted {
		if ok {
			continue
		}
		if n, err := m.broker.DropPeer(name); err != nil || n > 0 {
			m.log.Warn("revoked master dropped", "name", name, "routes", n, "err", err)
		}
	}
	m.setRoutes() // some may be new
	m.notice(m.peers.Live())
}

// committed follows the store: what another master decided takes effect here.
func (m *Master) committed(recs []*proto.Record) {
	for _, r := range recs {
		switch r.Kind {
		case proto.RecordKind_RECORD_BUNDLE:
			env, changed := &proto.Envelope{}, false
			err := pb.Unmarshal(r.Body, env)
			if err == nil {
				changed, err = m.take(env)
			}
			if err != nil {
				m.log.Error("trust bundle of a peer refused", "origin", r.Origin, "err", err)
			} else if changed {
				m.later(m.bundleChanged)
			}
		case proto.RecordKind_RECORD_MASTER:
			m.later(m.setRoutes)
		case proto.RecordKind_RECORD_JOB:
			if r.Origin == m.id.Name {
				continue
			}
			rec := &proto.JobRecord{}
			if err := pb.Unmarshal(r.Body, rec); err == nil { // the job manager complains of one that can't be read
				m.wantTree(rec)
			}
		}
	}
}

// confirmations remembers which minions have which bundle: they say so when
// they ask for it.
type confirmations struct {
	mu     sync.Mutex // guards the field below
	serial map[string]uint64
}

func (c *confirmations) set(minion string, serial uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serial == nil {
		c.serial = map[string]uint64{}
	}
	c.serial[minion] = serial
}

func (c *confirmations) count(serial uint64) (n uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.serial {
		if s >= serial {
			n++
		}
	}
	return n
}

// confirmed waits until the live masters have a bundle and most minions had
// the time to fetch it, at least as many as were there before, and tells who has it.
func (m *Master) confirmed(ctx context.Context, serial uint64, minions uint32) *proto.BundleSetReply {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r := &proto.BundleSetReply{Confirmed: []string{m.id.Name}, MinionsConfirmed: m.bundles.count(serial)}
		r.Minions = uint32(len(m.keys.Accepted()))
		waiting := false
		for _, k := range m.trust.Bundle().GetMasters() {
			if k.Revoked || k.Name == m.id.Name {
				continue
			}
			if m.peers.Beat(k.Name).GetBundleSerial() >= serial {
				r.Confirmed = append(r.Confirmed, k.Name)
			} else {
				r.Unconfirmed = append(r.Unconfirmed, k.Name)
				waiting = waiting || m.peers.Late(k.Name) < 2*time.Second
			}
		}
		if online := m.onlineCount(); !waiting && online >= minions && r.MinionsConfirmed >= online {
			return r
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return r
		}
	}
}

func (m *Master) onlineCount() (n uint32) {
	for _, id := range m.keys.Accepted() {
		if m.broker.Online(id) {
			n++
		}
	}
	return n
}
