package link

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

// two starts a site with two masters, m1 active for the minion and m2 standby.
func two(t *testing.T, change func(*Options)) (*site, *master, *master, *minion) {
	t.Helper()
	s := newSite(t)
	m1, m2 := s.master("m1"), s.master("m2")
	b := s.bundle()
	m1.start(b)
	// Where both were there from the start, chance would choose.
	min := newMinion(t, pki.NewTrust(s.key.Site()), func(o *Options) {
		o.Timings.SpreadMin, o.Timings.SpreadMax = time.Hour, time.Hour
		if change != nil {
			change(o)
		}
	}, m1.addr, m2.addr)
	min.until("linked to m1", func(s Status) bool { return s.Master == "m1" })
	m2.start(b)
	min.until("standby at m2", func(s Status) bool { return s.Standby == "m2" })
	return s, m1, m2, min
}

func TestPendingIsAcceptedWithoutRestart(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.accepted = false
	m.start(s.bundle())
	enrolled := make(chan struct{}, 1)
	min := newMinion(t, pki.NewTrust(s.key.Site()), func(o *Options) {
		o.Token = []byte("secret")
		o.Enrolled = func() { enrolled <- struct{}{} }
	}, m.addr)
	min.until("pending", func(s Status) bool { return s.State == Pending && s.Reason != "" })
	m.set(func() {
		m.accepted = true
		r := m.enrols[0]
		if r.Id != minionID || string(r.Token) != "secret" || len(r.SigningKey) != 32 || len(r.SealingKey) != 32 {
			t.Errorf("enrolment asks %v", r)
		}
	})
	m.publish(subject.EnrolReply(min.nkey), &pb.EnrolReply{Status: pb.EnrolReply_ACCEPTED})
	min.linked("linked after acceptance")
	take(t, "call of Enrolled", enrolled)
	min.hears(m, "hello")
}

func TestPendingAsksAgain(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.accepted = false
	m.start(s.bundle())
	newMinion(t, pki.NewTrust(s.key.Site()), nil, m.addr)
	eventually(t, "three enrolment requests", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.enrols) >= 3
	})
}

func TestStartsBeforeAnyMaster(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	min := newMinion(t, pki.NewTrust(s.key.Site()), nil, m.addr)
	min.until("told why it waits", func(s Status) bool {
		return s.State == Connecting && strings.Contains(s.Reason, "connection refused")
	})
	m.start(s.bundle())
	min.linked("linked")
	min.hears(m, "hello")
}

func TestSeenIsFetchedBeforeJobsAreTaken(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.mute = true
	m.start(s.bundle())
	min := newMinion(t, pki.NewTrust(s.key.Site()), nil, m.addr)
	for range 3 { // asked again and again, no answer
		for take(t, "request", m.log) != subject.Request(subject.Token(minionID), subject.Seen) {
		}
	}
	m.conn.Publish(subject.JobAll, []byte("#too early"))
	m.conn.Flush()
	if st := min.Status(); st.State == Linked {
		t.Fatalf("got %+v before seen was answered", st)
	}
	m.set(func() { m.mute = false })
	min.linked("linked")
	min.hears(m, "hello")
	if got := take(t, "event", min.order); got != "seen" {
		t.Errorf("got %s first, want seen", got)
	}
}

func TestKilledMasterIsReplacedByTheStandby(t *testing.T) {
	_, m1, m2, min := two(t, nil)
	min.hears(m1, "one")
	m1.kill()
	min.until("moved to m2", func(s Status) bool { return s.State == Linked && s.Master == "m2" })
	min.hears(m2, "two")
	if err := min.Publish(subject.Final(min.token, "20260131120000000123"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	for take(t, "return at m2", m2.log) != subject.Final(min.token, "20260131120000000123") {
	}
}

func TestSilentMasterIsNoticed(t *testing.T) {
	s := newSite(t)
	m1, m2 := s.master("m1"), s.master("m2")
	b := s.bundle()
	m1.start(b)
	front := newProxy(t, m1.addr)
	min := newMinion(t, pki.NewTrust(s.key.Site()), func(o *Options) {
		o.Timings.SpreadMin, o.Timings.SpreadMax = time.Hour, time.Hour
		o.Timings.Dial = time.Second
	}, front.addr, m2.addr)
	min.until("linked to m1", func(s Status) bool { return s.Master == "m1" })
	m2.start(b)
	min.until("standby at m2", func(s Status) bool { return s.Standby == "m2" })
	front.freeze()
	start := time.Now()
	min.until("moved to m2", func(s Status) bool { return s.State == Linked && s.Master == "m2" })
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	min.hears(m2, "hello")
}

func TestStopsWhileAMasterIsSilent(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.start(s.bundle())
	front := newProxy(t, m.addr)
	min := newMinion(t, pki.NewTrust(s.key.Site()), func(o *Options) { o.Timings.Ping = time.Hour }, front.addr)
	min.linked("linked")
	front.freeze()
	start := time.Now()
	min.stop()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v to stop", took)
	}
}

func TestLameDuckMovesFirst(t *testing.T) {
	_, m1, m2, min := two(t, nil)
	go m1.server.LameDuckShutdown()
	before := min.Status().Since
	min.until("moved to m2", func(s Status) bool {
		if s.State != Linked {
			t.Errorf("was %+v in between", s)
		}
		return s.Master == "m2" && s.Since.After(before)
	})
	min.hears(m2, "hello")
}

func TestOrderToHearOnTheStandbyTooAndBack(t *testing.T) {
	_, m1, m2, min := two(t, nil)
	both := func(s Status) bool { return len(s.Full) == 2 && s.Full[0] == "m1" && s.Full[1] == "m2" }
	one := func(s Status) bool { return len(s.Full) == 1 && s.Full[0] == "m1" }
	m2.order(true, 10)
	min.until("full at both", both)
	min.hears(m2, "from two")
	min.hears(m1, "from one")
	name := subject.Final(min.token, "20260131120000000123")
	if err := min.Publish(name, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*master{m1, m2} {
		for take(t, "return at "+m.name, m.log) != name {
		}
	}
	m2.order(false, 11)
	min.until("full at one", one)
	m2.order(true, 10) // an old one comes again
	m2.order(true, 12)
	min.until("full at both again", both)
	m1.kill()
	min.until("moved to m2", func(s Status) bool { return s.Master == "m2" })
	min.hears(m2, "still here")
}

func TestForgedOrderIsRefused(t *testing.T) {
	s, _, m2, min := two(t, nil)
	stranger := newSite(t).master("m2")
	stranger.conn = m2.conn
	stranger.order(true, 10)
	stranger.conn = nil
	other := pki.Sign(m2.id.Key, s.key.Site(), pb.Kind_KIND_NOTICE, nil)
	m2.publish(subject.Link(min.token), other)
	m2.conn.Publish(subject.Link(min.token), []byte("\xff\xff garbage"))
	m2.conn.Publish(subject.JobAll, []byte("\xff\xff garbage"))
	m2.conn.Flush()
	m2.order(true, 11) // a genuine one after them is obeyed
	min.until("full at both", func(s Status) bool { return len(s.Full) == 2 })
}

func TestReturnedMasterGetsItsShare(t *testing.T) {
	s := newSite(t)
	m1, m2 := s.master("m1"), s.master("m2")
	b := s.bundle()
	m1.start(b)
	const n = 40
	var minions []*minion
	trust := pki.NewTrust(s.key.Site())
	for range n {
		minions = append(minions, newMinion(t, trust, nil, m1.addr, m2.addr))
	}
	for _, m := range minions {
		m.until("linked to m1", func(s Status) bool { return s.Master == "m1" })
	}
	m2.start(b)
	moved := func() (count int) {
		for _, m := range minions {
			if m.Status().Master == "m2" {
				count++
			}
		}
		return count
	}
	for _, m := range minions {
		m.until("with a standby", func(s Status) bool { return s.Standby != "" })
	}
	// 40 fair coins: below 8 or above 32 heads about once in 10,000 runs.
	eventually(t, "enough have moved", func() bool { return moved() >= 8 })
	eventually(t, "no move is left", func() bool {
		for _, m := range minions {
			waits := make(chan bool, 1)
			m.post(func() { waits <- m.spread != nil || m.next != nil })
			if <-waits {
				return false
			}
		}
		return true
	})
	if got := moved(); got > 32 {
		t.Errorf("%d of %d moved, want about half", got, n)
	}
}

func TestNoticeBringsTheNewMasterAndTheBundle(t *testing.T) {
	s := newSite(t)
	m1 := s.master("m1")
	m1.start(s.bundle())
	min := newMinion(t, pki.NewTrust(s.key.Site()), nil, m1.addr)
	min.linked("linked")
	m2 := s.master("m2")
	b := s.bundle()
	m2.start(b)
	m1.set(func() { m1.bundle = b })
	m1.signed(subject.JobAll, pb.Kind_KIND_NOTICE, &pb.Notice{
		Master: "m1", IssuedAt: time.Now().UnixMicro(), Live: []*pb.MasterAddress{m1.address(), m2.address()},
		BundleSerial: s.serial,
	})
	min.until("connected to m2 too", func(s Status) bool { return s.Standby != "" })
	eventually(t, "m1 knows that the new bundle is in force", func() bool {
		m1.mu.Lock()
		defer m1.mu.Unlock()
		return len(m1.serials) > 0 && m1.serials[len(m1.serials)-1] == s.serial
	})
	saved := take(t, "saved addresses", min.saved)
	if len(saved) != 2 || !proto.Equal(saved[1], m2.address()) {
		t.Errorf("saved %v", saved)
	}
}

func TestFirstUsePinsTheSite(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.start(s.bundle())
	min := newMinion(t, pki.NewTrust(pki.Fingerprint{}), nil, m.addr)
	min.linked("linked")
	if got := take(t, "pin", min.pins); got != s.key.Site() {
		t.Errorf("pinned %v, want %v", got, s.key.Site())
	}
}

func TestWrongPinIsRefused(t *testing.T) {
	s, other := newSite(t), newSite(t)
	m := s.master("m1")
	m.start(s.bundle())
	min := newMinion(t, pki.NewTrust(other.key.Site()), nil, m.addr)
	st := min.until("refused", func(st Status) bool {
		return strings.Contains(st.Reason, s.key.Site().String()) && strings.Contains(st.Reason, other.key.Site().String())
	})
	if st.State != Connecting {
		t.Errorf("state %v", st.State)
	}
}

func TestOlderBundleIsRefused(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	old := s.bundle()
	trust := pki.NewTrust(s.key.Site())
	if _, err := trust.Update(s.bundle()); err != nil {
		t.Fatal(err)
	}
	m.start(old)
	min := newMinion(t, trust, nil, m.addr)
	min.linked("linked") // the newer bundle knows the master too
	if got := trust.Serial(); got != 2 {
		t.Errorf("serial is %d, want 2", got)
	}
	select {
	case <-min.bundle:
		t.Error("the older bundle was saved")
	default:
	}
}

func TestRevokedMasterIsLeftAndRefused(t *testing.T) {
	s, m1, m2, min := two(t, func(o *Options) { o.Timings.Refresh = 100 * time.Millisecond })
	s.revoke("m1")
	b := s.bundle()
	m2.set(func() { m2.bundle = b })
	min.until("moved to m2, m1 left", func(s Status) bool { return s.Master == "m2" && s.Standby == "" })
	min.hears(m2, "hello")
	m1.order(true, 10)
	// It stays away: every further attempt fails at the certificate.
	eventually(t, "refusal of m1", func() bool { return strings.Contains(trouble(min), "revoked") })
	if st := min.Status(); len(st.Full) != 1 || st.Master != "m2" {
		t.Errorf("status %+v", st)
	}
}

func trouble(m *minion) string {
	text := make(chan string, 1)
	m.post(func() {
		if m.trouble != nil {
			text <- m.trouble.Error()
			return
		}
		text <- ""
	})
	return <-text
}

func TestRevokedMinionGoesOnAsking(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.refused = true
	m.start(s.bundle())
	min := newMinion(t, pki.NewTrust(s.key.Site()), nil, m.addr)
	min.until("refused", func(s Status) bool { return s.State == Refused && strings.Contains(s.Reason, "revoked") })
	m.set(func() { m.refused = false })
	min.linked("linked once it is let in")
}

func TestRequestMovesToTheNextMaster(t *testing.T) {
	_, m1, _, min := two(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := min.Request(ctx, "mine", []byte("q"))
	if err != nil || string(got) != "m1 q" {
		t.Fatalf("got %q, %v", got, err)
	}
	m1.set(func() { m1.conn.Close() }) // the bus lives, nobody answers
	got, err = min.Request(ctx, "mine", []byte("q"))
	if err != nil || string(got) != "m2 q" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestRequestEndsWithItsContext(t *testing.T) {
	s := newSite(t)
	min := newMinion(t, pki.NewTrust(s.key.Site()), nil, freeAddr(t))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := min.Request(ctx, "mine", nil); err == nil || !strings.Contains(err.Error(), "no master is connected") {
		t.Errorf("got %v", err)
	}
	if err := min.Publish("evt.x", nil); err == nil {
		t.Error("published without a master")
	}
}
