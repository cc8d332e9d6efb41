package lab_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/minion"
	"brine/minion/link"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

// shown is the certificate that a master shows to minions now.
func shown(t *testing.T, s *lab.Site, master string) *x509.Certificate {
	t.Helper()
	p, err := signIn(t, s, master, newKey(t))
	must(t, err)
	defer p.conn.Close()
	cs, err := p.conn.TLSConnectionState()
	must(t, err)
	return cs.PeerCertificates[0]
}

// filesCertificate is what it shows on HTTPS.
func filesCertificate(t *testing.T, s *lab.Site, master string) *x509.Certificate {
	t.Helper()
	dialer := &tls.Dialer{Config: pki.ClientTLS(s.Client.Trust())}
	conn, err := dialer.DialContext(within(t), "tcp", s.Masters[master].Addresses.Files)
	must(t, err)
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// TestRenewedCertificatesAreShownAtOnce without the loss of a connection, and after a restart.
func TestRenewedCertificatesAreShownAtOnce(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	before := map[string]*x509.Certificate{"m1": shown(t, s, "m1"), "m2": shown(t, s, "m2")}
	since := s.Minions["web1"].Status().Since
	if _, err := client.RenewMasters(within(t), s.Client, []string{"m1"}, "wrong"); !client.IsCode(err, proto.ApiError_NOT_PERMITTED) {
		t.Errorf("with another passphrase: got %v", err)
	}
	renewed, err := client.RenewMasters(within(t), s.Client, []string{"m1", "m2", "m9"}, lab.Passphrase)
	must(t, err)
	if len(renewed) != 3 || renewed[0].Err != nil || renewed[1].Err != nil || renewed[2].Err == nil {
		t.Fatalf("got %v", renewed)
	}
	for name, old := range before {
		now := shown(t, s, name)
		if now.Equal(old) || string(now.RawSubjectPublicKeyInfo) != string(old.RawSubjectPublicKeyInfo) {
			t.Errorf("%s: the certificate is not another one of the same key", name)
		}
		if files := filesCertificate(t, s, name); !files.Equal(now) {
			t.Errorf("%s: the HTTPS listener shows another one", name)
		}
	}
	if now := s.Minions["web1"].Status().Since; !now.Equal(since) {
		t.Error("the minion's connection was lost")
	}
	now := shown(t, s, "m1")
	for what, der := range map[string][]byte{
		"older": before["m1"].Raw, "of another key": shown(t, s, "m2").Raw, "garbage": []byte("x"),
	} {
		for _, at := range []string{"m1", "m2"} {
			c := s.At(at)
			req := &proto.CertificateRequest{Master: "m1", Certificate: der}
			if err := c.Call(within(t), "master.certificate", req, &proto.Empty{}); err == nil {
				t.Errorf("%s, through %s: taken", what, at)
			}
			c.Close()
		}
	}
	s.Stop("m1")
	s.StartMaster("m1")
	if again := shown(t, s, "m1"); !again.Equal(now) {
		t.Error("after a restart: another certificate")
	}
	s.Together()
	works(t, s, 1)
}

// rotate gives a master a new key and returns the old one.
func rotate(t *testing.T, s *lab.Site, c *client.Client, name string) ed25519.PrivateKey {
	t.Helper()
	old, err := pki.LoadIdentity(s.Masters[name].Layout().State())
	must(t, err)
	key, _, err := client.RotateMaster(within(t), c, name, lab.Passphrase)
	must(t, err)
	next, err := pki.LoadIdentity(s.Masters[name].Layout().State())
	must(t, err)
	if got := pki.KeyFingerprint(next.Public()); got != key || next.Key.Equal(old.Key) {
		t.Fatalf("the key of %s is %v, want %v", name, got, key)
	}
	return old.Key
}

// TestAMasterTakesANewKey while jobs run and wait: none is lost, nobody is enrolled anew, and nobody
// believes the old key any more.
func TestAMasterTakesANewKey(t *testing.T) {
	t.Parallel()
	for _, through := range []string{"m1", "m2"} {
		t.Run("asked at "+through, func(t *testing.T) {
			t.Parallel()
			s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1", "web2"}})
			m1, m2 := s.At("m1"), s.At("m2")
			defer m1.Close()
			defer m2.Close()
			s.Stop("web2")
			waiting := m1.NewJob(glob("*"), "test.sleep", []*proto.Argument{text("2")})
			waiting.WaitOffline, waiting.Window = true, patience.Microseconds()
			job, err := m1.Submit(within(t), waiting)
			must(t, err)
			doomed := m1.NewJob(glob("web2"), "test.echo", []*proto.Argument{text("cancelled")})
			doomed.WaitOffline, doomed.Window = true, patience.Microseconds()
			_, err = m1.Submit(within(t), doomed)
			must(t, err)
			must(t, m1.Call(within(t), "job.cancel", &proto.CancelRequest{Jid: doomed.Jid}, &proto.CancelReply{}))

			old := rotate(t, s, map[string]*client.Client{"m1": m1, "m2": m2}[through], "m1")
			s.AddMinion("web2")
			r, err := m2.Watch(within(t), job.Job.Jid, func(*client.Result, []string) {})
			must(t, err)
			if r.Counts()["ok"] != 2 {
				t.Errorf("the job that was under way: got %v", r.Counts())
			}
			if r, err := m2.Watch(within(t), doomed.Jid, func(*client.Result, []string) {}); err != nil || r.Counts()["cancelled"] != 1 {
				t.Errorf("the job that was cancelled: got %v, %v", r.Counts(), err)
			}
			s.Together()
			works(t, s, 2)
			for _, c := range []*client.Client{m1, m2} {
				must(t, c.Call(within(t), "master.list", &proto.Empty{}, &proto.MasterListReply{}))
			}
			for name, trust := range map[string]*pki.Trust{"operator at m1": m1.Trust(), "operator at m2": m2.Trust()} {
				if err := trust.Check(publicOf(old)); !errors.Is(err, pki.ErrRevokedMaster) {
					t.Errorf("%s: got %v", name, err)
				}
			}
			list := &proto.MasterListReply{}
			must(t, m2.Call(within(t), "master.list", &proto.Empty{}, list))
			if len(list.Masters) != 2 {
				t.Errorf("%d masters are listed", len(list.Masters))
			}
			oldKeyIsRefused(t, s, old)
			for range 2 {
				rotate(t, s, m2, "m2")
				rotate(t, s, m2, "m1")
			}
			s.Together()
			works(t, s, 2)
		})
	}
}

// oldKeyIsRefused by a minion, of what the bus brings it.
func oldKeyIsRefused(t *testing.T, s *lab.Site, old ed25519.PrivateKey) {
	t.Helper()
	req := s.Client.NewJob(glob("*"), "test.ping", nil)
	request := pki.Sign(operatorKey(t, s), s.Client.Trust().Pin(), proto.Kind_KIND_JOB_REQUEST, marshal(t, req))
	job := &proto.Job{Request: request, Master: "m1", IssuedAt: time.Now().UnixMicro(), NotAfter: time.Now().Add(time.Minute).UnixMicro()}
	data := signed(t, s, old, proto.Kind_KIND_JOB, job)
	bundle, err := os.ReadFile(filepath.Join(s.HostRoot("web1"), "var/lib/brine/minion/bundle"))
	must(t, err)
	known, env, trust := &proto.Envelope{}, &proto.Envelope{}, pki.NewTrust(s.Client.Trust().Pin())
	must(t, errors.Join(pb.Unmarshal(bundle, known), pb.Unmarshal(data, env)))
	if _, err := trust.Update(known); err != nil {
		t.Error(err)
	}
	if _, err := pki.Verify(env, trust.Pin(), proto.Kind_KIND_JOB, trust.Check); !errors.Is(err, pki.ErrRevokedMaster) {
		t.Errorf("a job signed with the old key: got %v", err)
	}
}

// TestASiteOfOneMasterTakesANewKey: nobody else is there to tell its minions.
func TestASiteOfOneMasterTakesANewKey(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Masters: 1, Minions: []string{"web1"}})
	for range 2 {
		rotate(t, s, s.Client, "m1")
		works(t, s, 1)
	}
	s.Stop("m1")
	s.StartMaster("m1")
	must(t, s.Minions["web1"].WaitLinked(within(t)))
	works(t, s, 1)
}

// TestAMasterThatWasAwayLearnsOfANewKey by whichever way.
func TestAMasterThatWasAwayLearnsOfANewKey(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	s.Stop("m2")
	rotate(t, s, s.Client, "m1")
	if _, _, err := client.RotateMaster(within(t), s.Client, "m2", lab.Passphrase); !client.IsCode(err, proto.ApiError_NOT_FOUND) {
		t.Errorf("of a master that is away: got %v", err)
	}
	s.Stop("m1")
	s.StartMaster("m2") // it knows of nothing
	rotate(t, s, s.Client, "m2")
	s.StartMaster("m1")
	s.Together()
	must(t, s.Minions["web1"].WaitLinked(within(t)))
	works(t, s, 1)
}

// TestARotationThatWasCutShort at each of its steps leaves a master that starts.
func TestARotationThatWasCutShort(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	dir := s.Masters["m1"].Layout().State()
	current := func() *pki.Identity {
		t.Helper()
		id, err := pki.LoadIdentity(dir)
		must(t, err)
		return id
	}
	before := current()
	change := &proto.KeyChange{}
	must(t, s.Client.Call(within(t), "master.key", &proto.NewKeyRequest{Master: "m1"}, change))
	s.Stop("m1")
	s.StartMaster("m1")
	s.Together()
	if !current().Key.Equal(before.Key) {
		t.Fatal("a key is in use that nobody lists")
	}
	works(t, s, 1)

	// The other master has the trust bundle, this one only the certificate: it was killed before it stored more.
	must(t, s.Client.Call(within(t), "master.key", &proto.NewKeyRequest{Master: "m1"}, change))
	s.Stop("m1")
	next := &proto.NewKey{}
	must(t, pb.Unmarshal(change.ByNew.Body, next))
	data, err := os.ReadFile(s.Masters["m1"].Layout().SiteKey())
	must(t, err)
	site, err := pki.DecryptSiteKey(data, lab.Passphrase)
	must(t, err)
	der, err := site.IssueMaster("m1", next.Key, time.Now())
	must(t, err)
	id, err := before.NextIdentity(dir, der)
	must(t, err)
	must(t, id.SaveNext(dir))
	bundle := pb.CloneOf(s.Client.Trust().Bundle())
	for _, m := range bundle.Masters {
		if m.Name == "m1" {
			m.Revoked, m.Rotated = true, true
		}
	}
	bundle.Serial++
	bundle.Masters = append(bundle.Masters, &proto.MasterKey{Name: "m1", Key: next.Key})
	env, err := site.SignBundle(bundle)
	must(t, err)
	must(t, s.Client.Call(within(t), "master.bundle", &proto.BundleSet{Bundle: env}, &proto.BundleSetReply{}))
	s.StartMaster("m1")
	s.Together()
	if now := current(); !now.Key.Equal(id.Key) || !now.Certificate.Equal(id.Certificate) {
		t.Error("the next key is not in use")
	}
	must(t, s.Minions["web1"].WaitLinked(within(t)))
	works(t, s, 1)
}

// TestOnlyItsOwnNextKeyIsTakenByAMaster, and only with a trust bundle that lists it.
func TestOnlyItsOwnNextKeyIsTakenByAMaster(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	data, err := os.ReadFile(s.Masters["m1"].Layout().SiteKey())
	must(t, err)
	site, err := pki.DecryptSiteKey(data, lab.Passphrase)
	must(t, err)
	own, foreign := &proto.KeyChange{}, newKey(t)
	must(t, s.Client.Call(within(t), "master.key", &proto.NewKeyRequest{Master: "m1"}, own))
	next := &proto.NewKey{}
	must(t, pb.Unmarshal(own.ByNew.Body, next))
	for what, c := range map[string]struct {
		key       []byte
		name      string
		listed    []byte
		unrevoked bool
	}{
		"a key that it has not made":   {key: publicOf(foreign), name: "m1", listed: publicOf(foreign)},
		"another master's name":        {key: next.Key, name: "m3", listed: next.Key},
		"a bundle with another key":    {key: next.Key, name: "m1", listed: publicOf(foreign)},
		"a bundle without the old one": {key: next.Key, name: "m1", listed: next.Key, unrevoked: true},
	} {
		der, err := site.IssueMaster(c.name, c.key, time.Now())
		must(t, err)
		bundle := pb.CloneOf(s.Client.Trust().Bundle())
		bundle.Serial++
		bundle.Masters = slices.DeleteFunc(bundle.Masters, func(m *proto.MasterKey) bool { return c.unrevoked && m.Name == "m1" })
		for _, m := range bundle.Masters {
			if m.Name == "m1" {
				m.Revoked, m.Rotated = true, true
			}
		}
		bundle.Masters = append(bundle.Masters, &proto.MasterKey{Name: c.name, Key: c.listed})
		env, err := site.SignBundle(bundle)
		must(t, err)
		for _, at := range []string{"m1", "m2"} {
			client := s.At(at)
			req := &proto.RotateRequest{Master: "m1", Certificate: der, Bundle: env}
			if err := client.Call(within(t), "master.rotate", req, &proto.BundleSetReply{}); err == nil {
				t.Errorf("%s, through %s: taken", what, at)
			}
			client.Close()
		}
	}
	works(t, s, 1)
}

// rekey has minions take new keys and returns what each had.
func rekey(t *testing.T, s *lab.Site, ids ...string) map[string]*pki.MinionKey {
	t.Helper()
	old := map[string]*pki.MinionKey{}
	for _, id := range ids {
		old[id] = s.Minions[id].Key()
	}
	r := s.Run("*", "saltutil.regen_keys")
	for _, id := range ids {
		if m := r.Minions[id]; m == nil || m.Status != "ok" || s.Minions[id].Key().Fingerprint() == old[id].Fingerprint() {
			t.Fatalf("%s: got %v %s", id, m, m.GetValue())
		}
	}
	return old
}

// accepted waits until the one key that a master lists for a minion is the one that it has, and is accepted.
func accepted(t *testing.T, s *lab.Site, master, id string) {
	t.Helper()
	c := s.At(master)
	defer c.Close()
	eventually(t, master+" accepts the key of "+id+" alone", func() bool {
		list := &proto.KeyListReply{}
		err := c.Call(within(t), "key.list", &proto.KeyListRequest{Patterns: []string{id}}, list)
		return err == nil && len(list.Keys) == 1 && list.Keys[0].State == proto.KeyState_KEY_ACCEPTED &&
			list.Keys[0].Fingerprint == s.Minions[id].Key().Fingerprint().String()
	})
}

// TestMinionsTakeNewKeys and are never without one that is accepted.
func TestMinionsTakeNewKeys(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1", "web2"}})
	for range 2 {
		old := rekey(t, s, "web1", "web2")
		for _, master := range []string{"m1", "m2"} {
			for id, key := range old {
				accepted(t, s, master, id)
				refusedAt(t, s, master, key.Signing)
			}
		}
		linkedTwice(t, s, "web1", "web2")
		works(t, s, 2)
	}
	s.Stop("web1")
	s.AddMinion("web1")
	must(t, s.Minions["web1"].WaitLinked(within(t)))
	works(t, s, 2)
}

// linkedTwice waits until minions have a standby too, with their new keys alone.
func linkedTwice(t *testing.T, s *lab.Site, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, s.Minions[id].Wait(within(t), func(st link.Status) bool { return st.State == link.Linked && st.Standby != "" }))
	}
}

// nextKey puts a key where a minion that does not run keeps its next one, as it does before it asks.
func nextKey(t *testing.T, s *lab.Site, id string) *pki.MinionKey {
	t.Helper()
	key, err := pki.NewMinionKey()
	must(t, err)
	must(t, key.Save(minion.Layout{Root: s.HostRoot(id)}.NextKey()))
	return key
}

// changeOf is what proves the change of a minion's key.
func changeOf(t *testing.T, s *lab.Site, id string, old, next *pki.MinionKey) *proto.KeyChange {
	t.Helper()
	c, err := pki.NewKeyChange(s.Client.Trust().Pin(), proto.Kind_KIND_MINION_KEY, id, old.Signing, next.Signing, next.SealingPublic())
	must(t, err)
	return c
}

// rotates asks, on a minion's connection and as that minion, again and again for a change, and returns why it is refused.
func (p *party) rotates(id string, c *proto.KeyChange) string {
	p.t.Helper()
	inbox := subject.Inbox(subject.Token(id)) + "." + strings.ToLower(rand.Text())
	heard := p.hears(inbox)
	reply := &proto.KeyChangeReply{}
	eventually(p.t, "an answer to the change of a key", func() bool { // a master that takes the minion for one of another's says nothing
		must(p.t, p.conn.PublishRequest(subject.Request(subject.Token(id), subject.Rotate), inbox, marshal(p.t, c)))
		select {
		case m := <-heard:
			return pb.Unmarshal(m.Data, reply) == nil
		case <-time.After(time.Second):
			return false
		}
	})
	return reply.Error + reply.Busy
}

// has waits until a minion is linked with a key, and both masters accept it alone.
func has(t *testing.T, s *lab.Site, id string, key *pki.MinionKey) {
	t.Helper()
	must(t, s.Minions[id].Wait(within(t), func(st link.Status) bool {
		return st.State == link.Linked && s.Minions[id].Key().Fingerprint() == key.Fingerprint()
	}))
	for name := range s.Masters {
		accepted(t, s, name, id)
	}
	linkedTwice(t, s, id)
	works(t, s, len(s.Minions))
}

// TestAMinionThatWasKilledWhileItChangedItsKey signs in with one that is accepted, at each step.
func TestAMinionThatWasKilledWhileItChangedItsKey(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	l := minion.Layout{Root: s.HostRoot("web1")}
	current := func() *pki.MinionKey { return s.Minions["web1"].Key() }

	s.Stop("web1") // it has made the key, and no master knows of it
	next := nextKey(t, s, "web1")
	s.AddMinion("web1")
	has(t, s, "web1", next)

	old := current() // a master has stored it, and the answer was lost
	s.Stop("web1")
	next = nextKey(t, s, "web1")
	if why := mustSignIn(t, s, "m2", old.Signing).rotates("web1", changeOf(t, s, "web1", old, next)); why != "" {
		t.Fatalf("refused: %s", why)
	}
	s.AddMinion("web1")
	has(t, s, "web1", next)

	old = current() // likewise, and it had written down how it came by it
	s.Stop("web1")
	next = nextKey(t, s, "web1")
	if why := mustSignIn(t, s, "m1", old.Signing).rotates("web1", changeOf(t, s, "web1", old, next)); why != "" {
		t.Fatalf("refused: %s", why)
	}
	all := &proto.KeyChanges{}
	data, err := os.ReadFile(l.KeyChanges())
	must(t, errors.Join(err, pb.Unmarshal(data, all)))
	all.Changes = append(all.Changes, changeOf(t, s, "web1", old, next))
	must(t, os.WriteFile(l.KeyChanges(), marshal(t, all), 0o600))
	must(t, old.Save(l.OldKey()))
	s.AddMinion("web1")
	has(t, s, "web1", next)

	s.Stop("web1") // the new key is in use, and lies in the next one's place too
	must(t, next.Save(l.NextKey()))
	s.AddMinion("web1")
	has(t, s, "web1", next)
	rekey(t, s, "web1")
	has(t, s, "web1", current())
	data, err = os.ReadFile(l.KeyChanges())
	must(t, errors.Join(err, pb.Unmarshal(data, all)))
	if len(all.Changes) != 4 {
		t.Errorf("%d changes are kept, want 4", len(all.Changes))
	}
}

// TestAMasterThatWasAwayBelievesTheMinionsProof although the masters that know of it are gone.
func TestAMasterThatWasAwayBelievesTheMinionsProof(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	first := s.Minions["web1"].Key()
	s.Stop("m2")
	rekey(t, s, "web1")
	second := s.Minions["web1"].Key()
	rekey(t, s, "web1")
	s.Stop("m1")
	s.StartMaster("m2")
	must(t, s.Minions["web1"].WaitLinked(within(t)))
	if r := s.Run("*", "test.ping"); r.Counts()["ok"] != 1 {
		t.Errorf("got %v", r.Counts())
	}
	for _, old := range []*pki.MinionKey{first, second} {
		refusedAt(t, s, "m2", old.Signing)
	}
	s.StartMaster("m1")
	s.Together()
	has(t, s, "web1", s.Minions["web1"].Key())
}

// TestChangesOfAKeyThatAreRefused leave everything as it is.
func TestChangesOfAKeyThatAreRefused(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1", "web2"}})
	settled := func() { // each master knows of the keys, and the minions are linked to both
		for _, id := range []string{"web1", "web2"} {
			has(t, s, id, s.Minions[id].Key())
		}
	}
	first := rekey(t, s, "web1", "web2")["web1"]
	settled()
	second := rekey(t, s, "web1", "web2")["web1"]
	settled()
	third, web2 := s.Minions["web1"].Key(), s.Minions["web2"].Key()
	thief, err := pki.NewMinionKey()
	must(t, err)
	swap := changeOf(t, s, "web1", third, thief)
	swap.ByNew = changeOf(t, s, "web1", third, web2).ByNew
	stolen := changeOf(t, s, "web1", third, thief)
	stolen.ByOld = changeOf(t, s, "web1", second, thief).ByOld
	site := s.Client.Trust().Pin()
	operators, err := pki.NewKeyChange(site, proto.Kind_KIND_MINION_KEY, "web1", third.Signing, operatorKey(t, s), thief.SealingPublic())
	must(t, err)
	foreign, err := pki.NewKeyChange(pki.Fingerprint{1}, proto.Kind_KIND_MINION_KEY, "web1", third.Signing, thief.Signing, thief.SealingPublic())
	must(t, err)
	other, err := pki.NewKeyChange(site, proto.Kind_KIND_OPERATOR_KEY, "web1", third.Signing, thief.Signing, thief.SealingPublic())
	must(t, err)
	unsealed, err := pki.NewKeyChange(site, proto.Kind_KIND_MINION_KEY, "web1", third.Signing, thief.Signing, nil)
	must(t, err)
	for _, master := range []string{"m1", "m2"} {
		p := mustSignIn(t, s, master, third.Signing)
		for what, c := range map[string]*proto.KeyChange{
			"played back":                  changeOf(t, s, "web1", first, second),
			"played back, to the end":      changeOf(t, s, "web1", first, third),
			"by a key of before":           changeOf(t, s, "web1", second, thief),
			"back to a key of before":      changeOf(t, s, "web1", third, second),
			"of another minion":            changeOf(t, s, "web2", web2, thief),
			"of another minion, by itself": changeOf(t, s, "web2", third, thief),
			"to another minion's key":      changeOf(t, s, "web1", third, web2),
			"to an operator's key":         operators,
			"at another site":              foreign,
			"for another purpose":          other,
			"without a sealing key":        unsealed,
			"not by the new key":           swap,
			"not by the old key":           stolen,
			"nothing":                      {},
		} {
			if why := p.rotates("web1", c); why == "" && what != "played back, to the end" {
				t.Errorf("%s, at %s: taken", what, master)
			}
		}
		// A thief of an old key can't sign in with it; the proof of another is of no use either.
		refusedAt(t, s, master, second.Signing)
		th := mustSignIn(t, s, master, thief.Signing)
		heard := th.hears(subject.EnrolReply(th.nkey))
		must(t, th.conn.Publish(subject.EnrolRequest(th.nkey), marshal(t, &proto.EnrolRequest{
			Id: "web1", SigningKey: thief.Public(), SealingKey: thief.SealingPublic(), Version: "test",
			Changes: []*proto.KeyChange{changeOf(t, s, "web1", second, thief)},
		})))
		reply := &proto.EnrolReply{}
		await(t, "an answer to the enrolment", heard, func(m *nats.Msg) bool { return pb.Unmarshal(m.Data, reply) == nil })
		if reply.Status != proto.EnrolReply_TURNED_AWAY {
			t.Errorf("a thief at %s: got %v", master, reply)
		}
	}
	has(t, s, "web1", third)
	has(t, s, "web2", web2)
}
