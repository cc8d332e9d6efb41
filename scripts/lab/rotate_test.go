package lab_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
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
