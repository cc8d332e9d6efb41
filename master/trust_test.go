package master

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

// rivals are a site and two bundles of one serial, each of which revokes
// another master; the second wins.
func rivals(t *testing.T) (site *pki.SiteKey, keys []ed25519.PublicKey, loser, winner *proto.Envelope) {
	t.Helper()
	site, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		public, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, public)
	}
	sign := func(revoked int) *proto.Envelope {
		b := &proto.Bundle{Serial: 2}
		for i, key := range keys {
			b.Masters = append(b.Masters, &proto.MasterKey{Name: "m" + string(rune('1'+i)), Key: key, Revoked: i == revoked})
		}
		env, err := site.SignBundle(b)
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	loser, winner = sign(1), sign(2)
	x, y := sha256.Sum256(loser.Body), sha256.Sum256(winner.Body)
	if bytes.Compare(x[:], y[:]) > 0 {
		loser, winner = winner, loser
	}
	return site, keys, loser, winner
}

func trustingMaster(t *testing.T, site *pki.SiteKey) *Master {
	t.Helper()
	m := &Master{trust: pki.NewTrust(site.Site()), log: hclog.NewNullLogger(), layout: Layout{t.TempDir()}, chores: newChores()}
	if err := os.MkdirAll(m.layout.State(), 0o700); err != nil {
		t.Fatal(err)
	}
	return m
}

// bundleRecord is how a bundle comes from another master.
func bundleRecord(t *testing.T, env *proto.Envelope) []*proto.Record {
	t.Helper()
	data, err := pb.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	return []*proto.Record{{Kind: proto.RecordKind_RECORD_BUNDLE, Body: data}}
}

func bothRevoked(t *testing.T, trust *pki.Trust, keys []ed25519.PublicKey) {
	t.Helper()
	if err := trust.Check(keys[0]); err != nil {
		t.Error(err)
	}
	for _, key := range keys[1:] {
		if err := trust.Check(key); !errors.Is(err, pki.ErrRevokedMaster) {
			t.Errorf("got %v, want ErrRevokedMaster", err)
		}
	}
}

func TestTheLosingBundleIsNoErrorAtAStart(t *testing.T) {
	site, keys, loser, winner := rivals(t)
	for _, order := range [][]*proto.Envelope{{loser, winner}, {winner, loser}, {winner, loser, loser, winner}} {
		m := trustingMaster(t, site)
		for _, env := range order {
			if err := m.adopt(env); err != nil {
				t.Error(err)
			}
		}
		bothRevoked(t, m.trust, keys)
		if !bytes.Equal(m.trust.Envelope().Body, winner.Body) {
			t.Error("the loser is in force")
		}
		// The file alone tells the next start both.
		data, err := os.ReadFile(m.layout.Bundle())
		if err != nil {
			t.Fatal(err)
		}
		env, trust := &proto.Envelope{}, pki.NewTrust(site.Site())
		if err := pb.Unmarshal(data, env); err != nil {
			t.Fatal(err)
		}
		if _, err := trust.Update(env); err != nil {
			t.Error(err)
		}
		bothRevoked(t, trust, keys)
	}
}

func TestABundleOfTheSameSerialTakesEffect(t *testing.T) {
	site, keys, loser, winner := rivals(t)
	for _, order := range [][]*proto.Envelope{{loser, winner}, {winner, loser}} {
		m := trustingMaster(t, site)
		for i, env := range order {
			m.committed(bundleRecord(t, env))
			if len(m.chores.todo) != i+1 {
				t.Errorf("bundle %d: %d changes to act on", i, len(m.chores.todo))
			}
		}
		m.committed(bundleRecord(t, loser))
		if len(m.chores.todo) != 2 {
			t.Error("the loser again is a change")
		}
		bothRevoked(t, m.trust, keys)
	}
}

func TestABundleThatCantBeWrittenTakesEffect(t *testing.T) {
	site, _, _, winner := rivals(t)
	m := trustingMaster(t, site)
	m.layout.Root = filepath.Join(m.layout.Root, "missing")
	m.committed(bundleRecord(t, winner))
	if m.trust.Serial() != 2 || len(m.chores.todo) != 1 {
		t.Errorf("serial %d, %d changes to act on", m.trust.Serial(), len(m.chores.todo))
	}
	if err := m.adopt(winner); err != nil {
		t.Error(err)
	}
}
