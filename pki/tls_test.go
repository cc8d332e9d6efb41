package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// handshake connects two configurations and returns what each side made of it.
func handshake(t *testing.T, server, client *tls.Config) (cs tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	sc, cc := tls.Server(a, server), tls.Client(b, client)
	var wg sync.WaitGroup
	wg.Go(func() {
		if serverErr = sc.Handshake(); serverErr != nil {
			a.Close()
		} else {
			_, serverErr = sc.Write([]byte("x"))
		}
	})
	if clientErr = cc.Handshake(); clientErr != nil {
		b.Close()
	} else {
		_, clientErr = cc.Read(make([]byte, 1)) // a refused client certificate shows here
	}
	wg.Wait()
	return sc.ConnectionState(), serverErr, clientErr
}

func TestClientTrustsOnlyMastersOfItsSite(t *testing.T) {
	site, foreign, now := newSite(t), newSite(t), time.Now()
	m1, m2 := newIdentity(t, site, "m1", now), newIdentity(t, site, "m2", now)
	expired := newIdentity(t, site, "m1", now.Add(-2*masterLife))
	future := newIdentity(t, site, "m1", now.Add(2*time.Hour))
	late := newIdentity(t, site, "m1", now.Add(50*time.Minute)) // this side's clock is late
	other := newIdentity(t, foreign, "m1", now)
	// The foreign leaf under the pinned CA's certificate.
	forged := &Identity{Name: other.Name, Key: other.Key, Certificate: other.Certificate, CA: site.CA()}
	renamed := &Identity{Name: "m1", Key: m2.Key, Certificate: m2.Certificate, CA: m2.CA}

	trust := NewTrust(site.Site())
	if _, err := trust.Update(bundleOf(t, site, 1, entry(m1, false), entry(m2, true))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server *Identity
		trust  *Trust
		want   string
	}{
		"in the bundle":         {m1, trust, ""},
		"no bundle yet":         {m2, NewTrust(site.Site()), ""},
		"clock 50 minutes late": {late, NewTrust(site.Site()), ""},
		"first use":             {other, NewTrust(Fingerprint{}), ""},
		"revoked":               {m2, trust, "revoked"},
		"revoked, renamed":      {renamed, trust, "revoked"},
		"not in the bundle yet": {late, trust, ""},
		"another site":          {other, trust, "want " + site.Site().String()},
		"forged":                {forged, NewTrust(site.Site()), "certificate"},
		"expired":               {expired, NewTrust(site.Site()), "expired"},
		"not yet valid":         {future, NewTrust(site.Site()), "not yet valid"},
	} {
		_, _, err := handshake(t, ServerTLS(c.server), ClientTLS(c.trust))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestFirstUsePinsOnce(t *testing.T) {
	a, b := newSite(t), newSite(t)
	trust := NewTrust(Fingerprint{})
	if !trust.Pin().IsZero() {
		t.Error("pinned before the first use")
	}
	if _, _, err := handshake(t, ServerTLS(newIdentity(t, a, "m1", time.Now())), ClientTLS(trust)); err != nil {
		t.Fatal(err)
	}
	if trust.Pin() != a.Site() {
		t.Errorf("got %v, want %v", trust.Pin(), a.Site())
	}
	if _, _, err := handshake(t, ServerTLS(newIdentity(t, b, "m1", time.Now())), ClientTLS(trust)); err == nil {
		t.Error("another site was taken afterwards")
	}
	bad := newIdentity(t, b, "m1", time.Now().Add(-2*masterLife))
	trust = NewTrust(Fingerprint{})
	if _, _, err := handshake(t, ServerTLS(bad), ClientTLS(trust)); err == nil || !trust.Pin().IsZero() {
		t.Errorf("a bad certificate was pinned: %v, %v", err, trust.Pin())
	}
}

// leaf makes a certificate with the site's key that is not a master's.
func leaf(t *testing.T, site *SiteKey, change func(*x509.Certificate)) *Identity {
	t.Helper()
	model := newIdentity(t, site, "m1", time.Now())
	template := &x509.Certificate{SerialNumber: model.Certificate.SerialNumber, URIs: model.Certificate.URIs,
		NotBefore: model.Certificate.NotBefore, NotAfter: model.Certificate.NotAfter,
		ExtKeyUsage: model.Certificate.ExtKeyUsage}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, site.CA(), model.Public(), site.key)
	if err != nil {
		t.Fatal(err)
	}
	if model.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return model
}

func TestOnlyMastersCertificatesCount(t *testing.T) {
	site := newSite(t)
	uri := func(s string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			u := *c.URIs[0]
			u.Path = strings.Replace(u.Path, "/master/m1", s, 1)
			c.URIs = append(c.URIs[:0:0], &u)
		}
	}
	for name, change := range map[string]func(*x509.Certificate){
		"no URI":       func(c *x509.Certificate) { c.URIs = nil },
		"two URIs":     func(c *x509.Certificate) { c.URIs = append(c.URIs, c.URIs...) },
		"other kind":   uri("/minion/m1"),
		"no name":      uri("/master/"),
		"deeper":       uri("/master/m1/x"),
		"escape":       uri("/master/m%31"),
		"query":        func(c *x509.Certificate) { u := *c.URIs[0]; u.RawQuery = "x"; c.URIs = append(c.URIs[:0:0], &u) },
		"client only":  func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] },
		"for mail":     func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} },
		"another site": func(c *x509.Certificate) { c.URIs = append(c.URIs[:0:0], masterURI(siteB, "m1")) },
	} {
		_, _, err := handshake(t, ServerTLS(leaf(t, site, change)), ClientTLS(NewTrust(site.Site())))
		if err == nil {
			t.Errorf("%s: trusted", name)
		}
	}
	if _, _, err := handshake(t, ServerTLS(leaf(t, site, func(*x509.Certificate) {})),
		ClientTLS(NewTrust(site.Site()))); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestPeersCheckEachOther(t *testing.T) {
	site, foreign, now := newSite(t), newSite(t), time.Now()
	m1, m2, m3 := newIdentity(t, site, "m1", now), newIdentity(t, site, "m2", now), newIdentity(t, site, "m3", now)
	stranger := newIdentity(t, foreign, "m2", now)
	trust := NewTrust(site.Site())
	if _, err := trust.Update(bundleOf(t, site, 1, entry(m1, false), entry(m2, false), entry(m3, true))); err != nil {
		t.Fatal(err)
	}
	lax := PeerTLS(stranger, NewTrust(foreign.Site()))
	lax.VerifyConnection = nil
	bare := ClientTLS(trust)
	for name, c := range map[string]struct {
		client *tls.Config
		ok     bool
	}{
		"peer":           {PeerTLS(m2, trust), true},
		"revoked":        {PeerTLS(m3, trust), false},
		"another site":   {lax, false},
		"no certificate": {bare, false},
	} {
		cs, serverErr, _ := handshake(t, PeerTLS(m1, trust), c.client)
		if (serverErr == nil) != c.ok {
			t.Errorf("%s: got %v", name, serverErr)
		}
		if c.ok {
			if got, err := MasterName(cs); got != "m2" || err != nil {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
	}
	if _, _, err := handshake(t, PeerTLS(m3, trust), PeerTLS(m1, trust)); !errors.Is(err, ErrRevokedMaster) {
		t.Errorf("dialling a revoked master: %v", err)
	}
}

func TestFilesListenerTellsMastersFromMinions(t *testing.T) {
	site, now := newSite(t), time.Now()
	m1, m2, m3 := newIdentity(t, site, "m1", now), newIdentity(t, site, "m2", now), newIdentity(t, site, "m3", now)
	trust := NewTrust(site.Site())
	if _, err := trust.Update(bundleOf(t, site, 1, entry(m1, false), entry(m2, false), entry(m3, true))); err != nil {
		t.Fatal(err)
	}
	cs, serverErr, clientErr := handshake(t, FilesTLS(m1, trust), ClientTLS(trust))
	if serverErr != nil || clientErr != nil {
		t.Fatalf("minion: %v, %v", serverErr, clientErr)
	}
	if name, err := MasterName(cs); err == nil {
		t.Errorf("a minion passes for master %q", name)
	}
	cs, serverErr, _ = handshake(t, FilesTLS(m1, trust), PeerTLS(m2, trust))
	if name, err := MasterName(cs); name != "m2" || err != nil || serverErr != nil {
		t.Errorf("master: %q, %v, %v", name, err, serverErr)
	}
	if _, serverErr, _ = handshake(t, FilesTLS(m1, trust), PeerTLS(m3, trust)); serverErr == nil {
		t.Error("a revoked master came in")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	site := newSite(t)
	old := ClientTLS(NewTrust(site.Site()))
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, err, _ := handshake(t, ServerTLS(newIdentity(t, site, "m1", time.Now())), old); err == nil {
		t.Error("TLS 1.2 was spoken")
	}
}

func FuzzNameInCertificate(f *testing.F) {
	site := newSite(f)
	f.Add(newIdentity(f, site, "m1", time.Now()).Certificate.Raw)
	f.Add(site.CA().Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		name, err := nameInCertificate(cert, site.Site())
		if err == nil && masterURI(site.Site(), name).String() != cert.URIs[0].String() {
			t.Errorf("%q is another spelling of %q", cert.URIs[0], name)
		}
	})
}

func BenchmarkHandshake(b *testing.B) {
	site := newSite(b)
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	der, _ := site.IssueMaster("m1", key.Public().(ed25519.PublicKey), time.Now())
	id, err := NewIdentity(key, der, site.CA().Raw)
	if err != nil {
		b.Fatal(err)
	}
	server, client := ServerTLS(id), ClientTLS(NewTrust(site.Site()))
	for b.Loop() {
		x, y := net.Pipe()
		go tls.Server(x, server).Handshake()
		if err := tls.Client(y, client).Handshake(); err != nil {
			b.Fatal(err)
		}
		x.Close()
	}
}
