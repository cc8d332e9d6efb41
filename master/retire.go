package master

import (
	"context"
	"crypto/ed25519"
	"sync"
	"time"

	"brine/pki"
)

const (
	retireAfter = 2 * time.Second // for its owner to come back with the new key
	retireEvery = 500 * time.Millisecond
)

// retired are keys whose owners have others since: their connections end soon.
type retired struct {
	mu   sync.Mutex // guards the field below
	keys []retiredKey
}

type retiredKey struct {
	key ed25519.PublicKey
	at  time.Time
}

// retire has the connections of a key closed soon. A login is refused at once.
func (m *Master) retire(key ed25519.PublicKey) {
	m.retired.mu.Lock()
	defer m.retired.mu.Unlock()
	m.retired.keys = append(m.retired.keys, retiredKey{key, time.Now().Add(retireAfter)})
}

// due takes out the keys whose time has come; they are in the order of it.
func (r *retired) due(now time.Time) []retiredKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(r.keys) && now.After(r.keys[n].at) {
		n++
	}
	due := r.keys[:n:n]
	r.keys = r.keys[n:]
	return due
}

// keepRetired closes what retired keys left open, until ctx ends.
func (m *Master) keepRetired(ctx context.Context) {
	tick := time.NewTicker(retireEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for _, k := range m.retired.due(now) {
				m.broker.Disconnect(k.key)
			}
		case <-ctx.Done():
			return
		}
	}
}

// addressOf is where a minion is connected from; "" when it is not connected here.
func (m *Master) addressOf(id string) string {
	k, ok := m.keys.ByID(id)
	if !ok {
		return ""
	}
	return m.broker.Address(pki.NKey(k.SigningKey))
}
