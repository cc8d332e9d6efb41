// Package linktest gives tests of minions a site of their own: a site key,
// and masters that are just enough of one to talk to a minion.
package linktest

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
)

// A Site is a site key, its bundle and its masters. It is used by one goroutine.
type Site struct {
	Key    *pki.SiteKey
	Minion string // id of the minion that its masters accept
	Serial uint64 // of the newest bundle

	t       testing.TB
	masters []*pb.MasterKey
}

// NewSite makes a site with one minion.
func NewSite(t testing.TB, minion string) *Site {
	t.Helper()
	key, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &Site{Key: key, Minion: minion, t: t}
}

// Bundle signs the present masters under the next serial.
func (s *Site) Bundle() *pb.Envelope {
	s.t.Helper()
	s.Serial++
	masters := make([]*pb.MasterKey, len(s.masters))
	for i, m := range s.masters {
		masters[i] = proto.CloneOf(m)
	}
	env, err := s.Key.SignBundle(&pb.Bundle{Serial: s.Serial, IssuedAt: time.Now().UnixMicro(), Masters: masters})
	if err != nil {
		s.t.Fatal(err)
	}
	return env
}

// Revoke revokes a master; the next Bundle tells.
func (s *Site) Revoke(name string) {
	for _, m := range s.masters {
		if m.Name == name {
			m.Revoked = true
		}
	}
}

// Master makes one more master of the site, which accepts the minion. It does not run yet.
func (s *Site) Master(name string) *Master {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := s.Key.IssueMaster(name, public, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := pki.NewIdentity(private, der, s.Key.CA().Raw)
	if err != nil {
		s.t.Fatal(err)
	}
	s.masters = append(s.masters, &pb.MasterKey{Name: name, Key: public})
	m := &Master{
		Name: name, Identity: id, Addr: FreeAddr(s.t), Heard: make(chan Message, 1000),
		t: s.t, minion: s.Minion, b: Behaviour{Accepted: true},
	}
	s.t.Cleanup(m.Kill)
	return m
}

// FreeAddr is an address at which a master can listen, and listen again after a restart.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
