package pki

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

func TestTrustKeepsTheNewestBundle(t *testing.T) {
	site := newSite(t)
	m1, m2 := newIdentity(t, site, "m1", time.Now()), newIdentity(t, site, "m2", time.Now())
	trust := NewTrust(site.Site())
	if _, err := trust.Master(m1.Public()); !errors.Is(err, ErrUnknownMaster) {
		t.Errorf("before a bundle: got %v", err)
	}
	first := bundleOf(t, site, 3, entry(m1, false))
	if changed, err := trust.Update(first); !changed || err != nil {
		t.Fatalf("got %v, %v", changed, err)
	}
	if changed, err := trust.Update(first); changed || err != nil {
		t.Errorf("the same again: got %v, %v", changed, err)
	}
	if name, err := trust.Master(m1.Public()); name != "m1" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
	if err := trust.Check(m2.Public()); !errors.Is(err, ErrUnknownMaster) {
		t.Errorf("got %v", err)
	}
	if _, err := trust.Update(bundleOf(t, site, 2, entry(m1, false))); !errors.Is(err, ErrOlderBundle) {
		t.Errorf("got %v, want ErrOlderBundle", err)
	}
	if changed, err := trust.Update(bundleOf(t, site, 9, entry(m1, true), entry(m2, false))); !changed || err != nil {
		t.Fatalf("got %v, %v", changed, err)
	}
	if err := trust.Check(m1.Public()); !errors.Is(err, ErrRevokedMaster) || !strings.Contains(err.Error(), "m1") {
		t.Errorf("got %v", err)
	}
	if trust.Serial() != 9 || len(trust.Bundle().Masters) != 2 || trust.Envelope() == nil {
		t.Errorf("got serial %d", trust.Serial())
	}
}

func TestAllAgreeOnOneOfTwoBundlesOfOneSerial(t *testing.T) {
	site := newSite(t)
	m1, m2, m3 := newIdentity(t, site, "m1", time.Now()), newIdentity(t, site, "m2", time.Now()),
		newIdentity(t, site, "m3", time.Now())
	a := bundleOf(t, site, 3, entry(m1, false), entry(m2, false))
	b := bundleOf(t, site, 3, entry(m1, false), entry(m3, false))
	x, y := sha256.Sum256(a.Body), sha256.Sum256(b.Body)
	if bytes.Compare(x[:], y[:]) > 0 {
		a, b = b, a // b wins
	}
	for _, order := range [][]*pb.Envelope{{a, b}, {b, a}, {b, a, b}} {
		trust := NewTrust(site.Site())
		for i, env := range order {
			changed, err := trust.Update(env)
			switch {
			case i == 0 || env == b && order[0] == a:
				if !changed || err != nil {
					t.Errorf("bundle %d: got %v, %v", i, changed, err)
				}
			case env == a:
				if changed || !errors.Is(err, ErrOlderBundle) || !errors.Is(err, ErrBundleConflict) {
					t.Errorf("the loser: got %v, %v", changed, err)
				}
			case changed || err != nil:
				t.Errorf("the winner again: got %v, %v", changed, err)
			}
		}
		if got := trust.Envelope(); !proto.Equal(got, b) {
			t.Error("the loser is in force")
		}
	}
}

func TestTheDigestIsOfAllThatIsInForce(t *testing.T) {
	site := newSite(t)
	m1, m2, m3 := newIdentity(t, site, "m1", time.Now()), newIdentity(t, site, "m2", time.Now()),
		newIdentity(t, site, "m3", time.Now())
	bundles := []*pb.Envelope{
		bundleOf(t, site, 3, entry(m1, false), entry(m2, false), entry(m3, false)),
		bundleOf(t, site, 3, entry(m1, false), entry(m2, true), entry(m3, false)),
		bundleOf(t, site, 3, entry(m1, false), entry(m2, false), entry(m3, true)),
	}
	seen := map[string][]int{}
	all := ""
	for _, order := range [][]int{{0}, {1}, {2}, {0, 1, 2}, {2, 1, 0}, {1, 0, 2, 1}} {
		trust := NewTrust(site.Site())
		if trust.Digest() != nil {
			t.Error("there is a digest of nothing")
		}
		for _, i := range order {
			_, _ = trust.Update(bundles[i]) // the loser is an error
		}
		digest := string(trust.Digest())
		if len(order) == 1 {
			if seen[digest] != nil {
				t.Errorf("bundle %v and %v have one digest", order, seen[digest])
			}
			seen[digest] = order
			continue
		}
		if all == "" {
			all = digest
		}
		if digest != all || seen[digest] != nil {
			t.Errorf("%v: another digest than in another order, or that of one bundle", order)
		}
	}
}

// revokedIn tells whether a bundle shows id's key as revoked.
func revokedIn(b *pb.Bundle, id *Identity) bool {
	return slices.ContainsFunc(b.Masters, func(m *pb.MasterKey) bool {
		return bytes.Equal(m.Key, id.Public()) && m.Revoked
	})
}

func TestARevokedKeyStaysRevoked(t *testing.T) {
	site := newSite(t)
	m1, m2, m3 := newIdentity(t, site, "m1", time.Now()), newIdentity(t, site, "m2", time.Now()),
		newIdentity(t, site, "m3", time.Now())
	revoking := bundleOf(t, site, 3, entry(m1, true), entry(m2, false), entry(m3, false))
	for name, other := range map[string]*pb.Envelope{
		"newer, valid again": bundleOf(t, site, 4, entry(m1, false), entry(m2, false)),
		"newer, forgotten":   bundleOf(t, site, 4, entry(m2, false)),
		"same serial":        bundleOf(t, site, 3, entry(m1, false), entry(m2, true), entry(m3, false)),
		"older":              bundleOf(t, site, 2, entry(m1, false), entry(m2, false)),
	} {
		for _, order := range [][]*pb.Envelope{{revoking, other}, {other, revoking}} {
			trust := NewTrust(site.Site())
			for i, env := range order {
				changed, err := trust.Update(env)
				old := name == "older" && env == other && i == 1
				if changed == old || errors.Is(err, ErrOlderBundle) != old {
					t.Errorf("%s, bundle %d: got %v, %v", name, i, changed, err)
				}
			}
			// Its envelope tells all of it to another, or after a restart.
			next := NewTrust(site.Site())
			if _, err := next.Update(trust.Envelope()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for who, tr := range map[string]*Trust{"holder": trust, "next": next} {
				if err := tr.Check(m1.Public()); !errors.Is(err, ErrRevokedMaster) || !revokedIn(tr.Bundle(), m1) {
					t.Errorf("%s, %s: m1: got %v", name, who, err)
				}
				if err := tr.Check(m2.Public()); (name == "same serial") != errors.Is(err, ErrRevokedMaster) {
					t.Errorf("%s, %s: m2: got %v", name, who, err)
				}
				if err := tr.meet(site.Site(), "m1", m1.Public()); !errors.Is(err, ErrRevokedMaster) {
					t.Errorf("%s, %s: m1 shows its certificate: %v", name, who, err)
				}
			}
			// The next bundle says so by itself.
			b := proto.CloneOf(trust.Bundle())
			b.Serial++
			if changed, err := trust.Update(bundleOf(t, site, b.Serial, b.Masters...)); !changed || err != nil {
				t.Errorf("%s: the next bundle: %v, %v", name, changed, err)
			}
			if env := trust.Envelope(); len(env.Lost) != 0 || !revokedIn(trust.Bundle(), m1) {
				t.Errorf("%s: the next bundle has %d more", name, len(env.Lost))
			}
		}
	}
}

func TestForgedBundlesThatTravelAlongAreLeftOut(t *testing.T) {
	site, other := newSite(t), newSite(t)
	m1, m2 := newIdentity(t, site, "m1", time.Now()), newIdentity(t, site, "m2", time.Now())
	env := bundleOf(t, site, 3, entry(m1, false), entry(m2, false))
	// One that is genuine, but newer, is not put in force by this way.
	env.Lost = []*pb.Envelope{nil, {}, bundleOf(t, other, 2, entry(m1, true)), bundleOf(t, site, 9, entry(m2, true))}
	trust := NewTrust(site.Site())
	if changed, err := trust.Update(env); !changed || err != nil || trust.Serial() != 3 {
		t.Fatalf("got %v, %v, serial %d", changed, err, trust.Serial())
	}
	if err := trust.Check(m1.Public()); err != nil {
		t.Errorf("revoked by another site: %v", err)
	}
	if err := trust.Check(m2.Public()); !errors.Is(err, ErrRevokedMaster) || len(trust.Envelope().Lost) != 1 {
		t.Errorf("got %v", err)
	}
	if trust.Envelope() == env || len(env.Lost) != 4 {
		t.Error("the caller's envelope is kept or changed")
	}
}

func TestTrustRefusesForeignBundles(t *testing.T) {
	site, other := newSite(t), newSite(t)
	m1 := newIdentity(t, site, "m1", time.Now())
	body, _ := proto.Marshal(&pb.Bundle{Serial: 1, Masters: []*pb.MasterKey{entry(m1, false)}})
	garbage := Sign(site.key, site.Site(), pb.Kind_KIND_BUNDLE, []byte("\xff\xff\xff"))
	for name, env := range map[string]*pb.Envelope{
		"nothing":        nil,
		"empty":          {},
		"another site's": bundleOf(t, other, 1, entry(m1, false)),
		"a master's":     Sign(m1.Key, site.Site(), pb.Kind_KIND_BUNDLE, body),
		"other purpose":  Sign(site.key, site.Site(), pb.Kind_KIND_JOB, body),
		"other label":    Sign(site.key, other.Site(), pb.Kind_KIND_BUNDLE, body),
		"garbage":        garbage,
		"no serial":      Sign(site.key, site.Site(), pb.Kind_KIND_BUNDLE, nil),
	} {
		trust := NewTrust(site.Site())
		if changed, err := trust.Update(env); changed || err == nil {
			t.Errorf("%s: got %v, %v", name, changed, err)
		}
		if trust.Serial() != 0 {
			t.Errorf("%s: in force", name)
		}
	}
	if _, err := NewTrust(Fingerprint{}).Update(bundleOf(t, site, 1)); err == nil {
		t.Error("taken without a pin")
	}
}

func TestBundlesAreCheckedBeforeTheyAreSigned(t *testing.T) {
	site := newSite(t)
	a, b := fixedKey(1).Public().(ed25519.PublicKey), fixedKey(2).Public().(ed25519.PublicKey)
	for name, masters := range map[string][]*pb.MasterKey{
		"nil entry":      {nil},
		"no name":        {{Key: a}},
		"bad name":       {{Name: "a/b", Key: a}},
		"short key":      {{Name: "m1", Key: a[:5]}},
		"key twice":      {{Name: "m1", Key: a}, {Name: "m2", Key: a}},
		"two valid keys": {{Name: "m1", Key: a}, {Name: "m1", Key: b}},
		"too many":       make([]*pb.MasterKey, maxMasters+1),
	} {
		if _, err := site.SignBundle(&pb.Bundle{Serial: 1, Masters: masters}); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	renewed := []*pb.MasterKey{{Name: "m1", Key: a, Revoked: true}, {Name: "m1", Key: b}}
	if _, err := site.SignBundle(&pb.Bundle{Serial: 1, Masters: renewed}); err != nil {
		t.Errorf("a master with a new key: %v", err)
	}
	if _, err := site.SignBundle(nil); err == nil {
		t.Error("signed nothing")
	}
}

func TestFileToken(t *testing.T) {
	k, now := newMinionKey(t), time.Now()
	keys := func(id string) (ed25519.PublicKey, bool) { return k.Public(), id == "web1" }
	token, err := NewFileToken(k, siteA, "web1", now)
	if err != nil {
		t.Fatal(err)
	}
	for _, late := range []time.Duration{-15 * time.Minute, 0, 19 * time.Minute} {
		if got, err := VerifyFileToken(token, siteA, now.Add(late), keys); got != "web1" || err != nil {
			t.Errorf("after %v: got %q, %v", late, got, err)
		}
	}
	stranger, _ := NewFileToken(k, siteA, "web2", now)
	forged, _ := NewFileToken(newMinionKey(t), siteA, "web1", now)
	for name, c := range map[string]struct {
		token string
		site  Fingerprint
		now   time.Time
	}{
		"old":              {token, siteA, now.Add(tokenLife + time.Second)},
		"of the future":    {token, siteA, now.Add(-16 * time.Minute)},
		"another site":     {token, siteB, now},
		"unknown minion":   {stranger, siteA, now},
		"another's key":    {forged, siteA, now},
		"empty":            {"", siteA, now},
		"garbage":          {"%%%", siteA, now},
		"torn":             {token[:len(token)-4], siteA, now},
		"something behind": {token + "AAAA", siteA, now},
		"huge":             {strings.Repeat("A", maxToken+1), siteA, now},
	} {
		if got, err := VerifyFileToken(c.token, c.site, c.now, keys); err == nil {
			t.Errorf("%s: taken for %q", name, got)
		}
	}
	if _, err := NewFileToken(k, Fingerprint{}, "web1", now); err == nil {
		t.Error("made without a site")
	}
	if _, err := NewFileToken(k, siteA, "a/b", now); err == nil {
		t.Error("made for a bad id")
	}
}

func FuzzVerifyFileToken(f *testing.F) {
	k := newMinionKey(f)
	token, _ := NewFileToken(k, siteA, "web1", time.Unix(1e9, 0))
	f.Add(token)
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := VerifyFileToken(token, siteA, time.Unix(1e9, 0), func(string) (ed25519.PublicKey, bool) {
			return k.Public(), true
		})
		if err == nil && got != "web1" {
			t.Errorf("forged for %q", got)
		}
	})
}

func FuzzUpdate(f *testing.F) {
	site := newSite(f)
	body, _ := proto.Marshal(&pb.Bundle{Serial: 1, Masters: []*pb.MasterKey{{Name: "m1", Key: make([]byte, 32)}}})
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		trust := NewTrust(site.Site())
		changed, err := trust.Update(Sign(site.key, site.Site(), pb.Kind_KIND_BUNDLE, body))
		if changed != (err == nil) || changed != (trust.Serial() > 0) {
			t.Errorf("got %v, %v, serial %d", changed, err, trust.Serial())
		}
	})
}
