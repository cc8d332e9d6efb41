package lab_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

// TestARevokedMasterEndsItself although no other master is there to tell it:
// a minion tells it, then its own file, and where another one is, that does.
func TestARevokedMasterEndsItself(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	revoked := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, pki.ErrRevokedMaster) {
			t.Errorf("%s: got %v, want ErrRevokedMaster", what, err)
		}
	}
	s.AddMaster("m3")
	s.Together()
	s.Stop("m2")
	s.Stop("m3")
	for _, name := range []string{"m2", "m3"} {
		_, err := client.RevokeMaster(within(t), s.Client, name, lab.Passphrase)
		must(t, err)
	}
	revoked("m3 asks m1 when it starts", s.TryMaster("m3"))

	s.Stop("m1")
	must(t, s.TryMaster("m2")) // nobody tells it
	key := s.Minions["web1"].Key().Signing
	conn, err := nats.Connect("tls://"+s.Masters["m2"].Addresses.Bus, nats.NoReconnect(),
		nats.Secure(pki.ClientTLS(pki.NewTrust(s.Client.Trust().Pin()))), nats.Timeout(patience),
		nats.Nkey(pki.NKey(publicOf(key)), func(nonce []byte) ([]byte, error) { return pki.SignNonce(key, nonce) }))
	must(t, err)
	defer conn.Close()
	for _, req := range []*proto.BundleRequest{
		{Serial: 1 << 60, Bundle: &proto.Envelope{Kind: proto.Kind_KIND_BUNDLE, Body: []byte("forged"), Key: publicOf(key)}},
		{Serial: 9, Bundle: s.Client.Trust().Envelope()},
	} {
		must(t, conn.Publish(subject.Request("web1", subject.Bundle), marshal(t, req)))
	}
	revoked("m2, told by a minion", s.Ended("m2"))
	revoked("m2, by its own file", s.TryMaster("m2"))
	s.StartMaster("m1")
	delete(s.Masters, "m2")
	delete(s.Masters, "m3")
	must(t, s.Minions["web1"].WaitLinked(within(t)))
	works(t, s, 1)
}

// TestAMasterThatWasAwayDuringAJoin meets the new master although the one that
// let it in is gone.
func TestAMasterThatWasAwayDuringAJoin(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	s.Stop("m2")
	s.AddMaster("m3")
	s.Stop("m1")
	s.StartMaster("m2")
	s.Together()
	before := s.Run("web1", "test.echo", "between the two")
	for _, name := range []string{"m2", "m3"} {
		c := s.At(name)
		eventually(t, name+" has the job", func() bool {
			r, err := c.Show(within(t), before.Job.Jid)
			return err == nil && r.Counts()["ok"] == 1
		})
		c.Close()
	}
	// The other order: the new one is there last.
	s.Stop("m3")
	s.Stop("m2")
	s.StartMaster("m1")
	s.AddMaster("m4")
	s.Stop("m1")
	s.Stop("m4")
	s.StartMaster("m2")
	s.StartMaster("m3")
	s.StartMaster("m4")
	s.Together()
	s.StartMaster("m1")
	s.Together()
	works(t, s, 1)
	for name := range s.Masters {
		c := s.At(name)
		list := &proto.MasterListReply{}
		must(t, c.Call(within(t), "master.list", &proto.Empty{}, list))
		for _, m := range list.Masters {
			if m.State != "live" {
				t.Errorf("%s says of %s: %s", name, m.Name, m.State)
			}
		}
		if len(list.Masters) != 4 {
			t.Errorf("%s knows %d masters", name, len(list.Masters))
		}
		c.Close()
	}
}
