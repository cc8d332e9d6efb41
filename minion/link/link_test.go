package link

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/minion/link/linktest"
	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

// two starts a site with two masters, m1 active for the minion and m2 standby.
func two(t *testing.T, change func(*Options)) (*linktest.Site, *linktest.Master, *linktest.Master, *minion) {
	t.Helper()
	s := linktest.NewSite(t, minionID)
	m1, m2 := s.Master("m1"), s.Master("m2")
	b := s.Bundle()
	m1.Start(b)
	// Where both were there from the start, chance would choose.
	min := newMinion(t, pki.NewTrust(s.Key.Site()), func(o *Options) {
		o.Timings.SpreadMin, o.Timings.SpreadMax = time.Hour, time.Hour
		if change != nil {
			change(o)
		}
	}, m1.Addr, m2.Addr)
	min.until("linked to m1", func(s Status) bool { return s.Master == "m1" })
	m2.Start(b)
	min.until("standby at m2", func(s Status) bool { return s.Standby == "m2" })
	return s, m1, m2, min
}

func TestPendingIsAcceptedWithoutRestart(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Set(func(b *linktest.Behaviour) { b.Accepted = false })
	m.Start(s.Bundle())
	enrolled := make(chan struct{}, 1)
	min := newMinion(t, pki.NewTrust(s.Key.Site()), func(o *Options) {
		o.Token = []byte("secret")
		o.Enrolled = func() { enrolled <- struct{}{} }
	}, m.Addr)
	min.until("pending", func(s Status) bool { return s.State == Pending && s.Reason != "" })
	m.Set(func(b *linktest.Behaviour) {
		b.Accepted = true
		r := b.Enrols[0]
		if r.Id != minionID || string(r.Token) != "secret" || len(r.SigningKey) != 32 || len(r.SealingKey) != 32 {
			t.Errorf("enrolment asks %v", r)
		}
	})
	m.Publish(subject.EnrolReply(min.signs.Load().nkey), &pb.EnrolReply{Status: pb.EnrolReply_ACCEPTED})
	min.linked("linked after acceptance")
	take(t, "call of Enrolled", enrolled)
	min.hears(m, "hello")
}

func TestPendingAsksAgain(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Set(func(b *linktest.Behaviour) { b.Accepted = false })
	m.Start(s.Bundle())
	newMinion(t, pki.NewTrust(s.Key.Site()), nil, m.Addr)
	eventually(t, "three enrolment requests", func() bool {
		n := 0
		m.Set(func(b *linktest.Behaviour) { n = len(b.Enrols) })
		return n >= 3
	})
}

func TestStartsBeforeAnyMaster(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	min := newMinion(t, pki.NewTrust(s.Key.Site()), nil, m.Addr)
	min.until("told why it waits", func(s Status) bool {
		return s.State == Connecting && strings.Contains(s.Reason, "connection refused")
	})
	m.Start(s.Bundle())
	min.linked("linked")
	min.hears(m, "hello")
}

func TestSeenIsFetchedBeforeJobsAreTaken(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Set(func(b *linktest.Behaviour) { b.Mute = true })
	m.Start(s.Bundle())
	min := newMinion(t, pki.NewTrust(s.Key.Site()), nil, m.Addr)
	for range 3 { // asked again and again, no answer
		for take(t, "request", m.Heard).Subject != subject.Request(subject.Token(minionID), subject.Seen) {
		}
	}
	m.PublishRaw(subject.JobAll, []byte("#too early"))
	if st := min.Status(); st.State == Linked {
		t.Fatalf("got %+v before seen was answered", st)
	}
	m.Set(func(b *linktest.Behaviour) { b.Mute = false })
	min.linked("linked")
	min.hears(m, "hello")
	if got := take(t, "event", min.order); got != "seen" {
		t.Errorf("got %s first, want seen", got)
	}
}

// relayed is the subject of what a master passes on that was published under name.
func relayed(t *testing.T, name string) string {
	t.Helper()
	heard, err := subject.ParseRelay(subject.Relay("m1", name))
	if err != nil {
		t.Fatal(err)
	}
	return heard
}

func TestKilledMasterIsReplacedByTheStandby(t *testing.T) {
	_, m1, m2, min := two(t, nil)
	min.hears(m1, "one")
	m1.Kill()
	min.until("moved to m2", func(s Status) bool { return s.State == Linked && s.Master == "m2" })
	min.hears(m2, "two")
	if err := min.Publish(subject.Final(min.token, "20260131120000000123"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	for take(t, "return at m2", m2.Heard).Subject != relayed(t, subject.Final(min.token, "20260131120000000123")) {
	}
}

func TestSilentMasterIsNoticed(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m1, m2 := s.Master("m1"), s.Master("m2")
	b := s.Bundle()
	m1.Start(b)
	front := linktest.NewProxy(t, m1.Addr)
	min := newMinion(t, pki.NewTrust(s.Key.Site()), func(o *Options) {
		o.Timings.SpreadMin, o.Timings.SpreadMax = time.Hour, time.Hour
		o.Timings.Dial = time.Hour // nothing that waits for a silent master so long is waited for
	}, front.Addr, m2.Addr)
	min.until("linked to m1", func(s Status) bool { return s.Master == "m1" })
	m2.Start(b)
	min.until("standby at m2", func(s Status) bool { return s.Standby == "m2" })
	front.Freeze()
	min.until("moved to m2", func(s Status) bool { return s.State == Linked && s.Master == "m2" })
	min.hears(m2, "hello")
}

func TestStopsWhileAMasterIsSilent(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Start(s.Bundle())
	front := linktest.NewProxy(t, m.Addr)
	min := newMinion(t, pki.NewTrust(s.Key.Site()), func(o *Options) { o.Timings.Ping, o.Timings.Dial = time.Hour, time.Hour }, front.Addr)
	min.linked("linked")
	front.Freeze()
	min.stop()
}

func TestLameDuckMovesFirst(t *testing.T) {
	_, m1, m2, min := two(t, nil)
	before := min.Status().Since
	go m1.LameDuck()
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
	m1.Notice(1, m1, m2)
	min.until("full at one", one)
	m2.Order(true, 10)
	min.until("full at both", both)
	min.hears(m2, "from two")
	min.hears(m1, "from one")
	name := subject.Final(min.token, "20260131120000000123")
	if err := min.Publish(name, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*linktest.Master{m1, m2} {
		for take(t, "return at "+m.Name, m.Heard).Subject != relayed(t, name) {
		}
	}
	m2.Order(false, 11)
	min.until("full at one", one)
	m2.Order(true, 10) // an old one comes again
	m2.Order(true, 12)
	min.until("full at both again", both)
	m1.Kill()
	min.until("moved to m2", func(s Status) bool { return s.Master == "m2" })
	min.hears(m2, "still here")
}

func TestMasterOutOfSightIsHeardTooUntilItIsSeenAgain(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m1, m2, m3 := s.Master("m1"), s.Master("m2"), s.Master("m3")
	b := s.Bundle()
	m1.Start(b)
	min := newMinion(t, pki.NewTrust(s.Key.Site()), func(o *Options) {
		o.Timings.SpreadMin, o.Timings.SpreadMax = time.Hour, time.Hour // chance would have it move
	}, m1.Addr)
	min.linked("to m1")
	m2.Start(b)
	m3.Start(b)
	m1.Notice(1, m1, m2, m3)
	min.until("full at m1 alone", func(s Status) bool { return len(s.Full) == 1 && s.Standby != "" })
	m1.Notice(2, m1)
	min.until("full at all", func(s Status) bool { return len(s.Full) == 3 })
	min.hears(m2, "from two")
	min.hears(m3, "from three")
	m1.Notice(3, m1, m2, m3)
	min.until("full at m1 alone again", func(s Status) bool { return len(s.Full) == 1 && s.Master == "m1" })
}

func TestForgedOrderIsRefused(t *testing.T) {
	s, _, m2, min := two(t, nil)
	stranger := linktest.NewSite(t, minionID).Master("m2")
	m2.Publish(subject.Link(min.token), stranger.Sign(pb.Kind_KIND_LINK_ORDER, &pb.LinkOrder{
		Master: "m2", Minion: minionID, IssuedAt: 10, Full: true,
	}))
	other := pki.Sign(m2.Identity.Key, s.Key.Site(), pb.Kind_KIND_NOTICE, nil)
	m2.Publish(subject.Link(min.token), other)
	m2.PublishRaw(subject.Link(min.token), []byte("\xff\xff garbage"))
	m2.PublishRaw(subject.JobAll, []byte("\xff\xff garbage"))
	m2.Order(true, 11) // a genuine one after them is obeyed
	min.until("full at both", func(s Status) bool { return len(s.Full) == 2 })
}

func TestReturnedMasterGetsItsShare(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m1, m2 := s.Master("m1"), s.Master("m2")
	b := s.Bundle()
	m1.Start(b)
	const n = 40
	var minions []*minion
	trust := pki.NewTrust(s.Key.Site())
	for range n {
		// As many as these in one process may be late with their answers, and none is to move for that.
		minions = append(minions, newMinion(t, trust, func(o *Options) { o.Timings.Ping = 10 * time.Second }, m1.Addr, m2.Addr))
	}
	for _, m := range minions {
		m.until("linked to m1", func(s Status) bool { return s.Master == "m1" })
	}
	m2.Start(b)
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
			if m.inside(func() bool { return m.spread != nil || m.next != nil }) {
				return false
			}
		}
		return true
	})
	if got := moved(); got > 32 {
		t.Errorf("%d of %d moved, want about half", got, n)
	}
}

// inside looks at what only the loop of the link may see.
func (m *minion) inside(look func() bool) bool {
	seen := make(chan bool, 1)
	m.post(func() { seen <- look() })
	return <-seen
}

// willMove lets it be drawn that the minion moves to a master at a time.
func (m *minion) willMove(master string, at time.Time) {
	m.inside(func() bool {
		m.spread = &spreading{master: master, active: true, at: at}
		return true
	})
}

func TestAMoveToAMasterThatWentAwayAgainIsForgotten(t *testing.T) {
	_, _, m2, min := two(t, nil)
	min.willMove("m2", time.Now().Add(time.Hour))
	m2.Kill()
	min.until("without a standby", func(s Status) bool { return s.Standby == "" })
	if min.inside(func() bool { return min.spread != nil }) {
		t.Error("the minion will move for sure when m2 is back, where chance is to choose")
	}
}

func TestAMasterThatComesBackIsDrawnForThoughAnotherMoveWaits(t *testing.T) {
	s, m1, _, min := two(t, nil)
	min.willMove("m2", time.Now().Add(time.Hour))
	m1.Kill()
	min.until("moved to m2", func(s Status) bool { return s.State == Linked && s.Master == "m2" })
	m1.Start(s.Bundle())
	min.until("with m1 as its standby", func(s Status) bool { return s.Standby == "m1" })
	if !min.inside(func() bool { return !min.drawn["m1"].IsZero() }) {
		t.Error("m1 had no chance to be chosen")
	}
}

func TestAMoveWaitsForItsMasterToAnswer(t *testing.T) {
	_, _, m2, min := two(t, nil)
	min.inside(func() bool {
		min.Link.t.Retry, min.Link.t.StandbyMax = time.Hour, time.Hour // not before: m2 may have been tried before it started
		return true
	})
	m2.Kill()
	min.until("without a standby", func(s Status) bool { return s.Standby == "" })
	min.willMove("m2", time.Now())
	if !min.inside(func() bool { return min.spread != nil }) {
		t.Error("the move was given up, though m2 may answer at the next attempt")
	}
}

func TestTheLastMasterThatIsLostHurriesTheAttemptAtTheOther(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m1, m2 := s.Master("m1"), s.Master("m2")
	b := s.Bundle()
	m1.Start(b)
	min := newMinion(t, pki.NewTrust(s.Key.Site()), func(o *Options) { o.Timings.Retry, o.Timings.StandbyMax = time.Hour, time.Hour }, m1.Addr, m2.Addr)
	min.until("linked to m1", func(s Status) bool { return s.Master == "m1" })
	eventually(t, "m2 is put off for long", func() bool {
		return min.inside(func() bool { return time.Until(min.roster.at(m2.Addr).next) > time.Minute })
	})
	m2.Start(b)
	m1.Kill()
	min.until("moved to m2", func(s Status) bool { return s.State == Linked && s.Master == "m2" })
}

func TestNoticeBringsTheNewMasterAndTheBundle(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m1 := s.Master("m1")
	m1.Start(s.Bundle())
	min := newMinion(t, pki.NewTrust(s.Key.Site()), nil, m1.Addr)
	min.linked("linked")
	m2 := s.Master("m2")
	b := s.Bundle()
	m2.Start(b)
	m1.Set(func(m *linktest.Behaviour) { m.Bundle = b })
	m1.Publish(subject.JobAll, m1.Sign(pb.Kind_KIND_NOTICE, &pb.Notice{
		Master: "m1", IssuedAt: time.Now().UnixMicro(), Live: []*pb.MasterAddress{m1.Address(), m2.Address()},
		BundleSerial: s.Serial,
	}))
	min.until("connected to m2 too", func(s Status) bool { return s.Standby != "" })
	eventually(t, "m1 knows that the new bundle is in force", func() bool {
		var last uint64
		m1.Set(func(b *linktest.Behaviour) { last = b.Serials[len(b.Serials)-1] })
		return last == s.Serial
	})
	saved := take(t, "saved addresses", min.saved)
	if len(saved) != 2 || !proto.Equal(saved[1], m2.Address()) {
		t.Errorf("saved %v", saved)
	}
}

// told waits until a master hears a bundle from the minion.
func told(t *testing.T, m *linktest.Master) *pb.BundleRequest {
	t.Helper()
	for {
		msg := take(t, "a bundle at "+m.Name, m.Heard)
		req := &pb.BundleRequest{}
		if msg.Subject == subject.Request(subject.Token(minionID), subject.Bundle) &&
			proto.Unmarshal(msg.Data, req) == nil && req.Bundle != nil {
			return req
		}
	}
}

func TestAMasterWithAnOlderBundleIsToldOfTheNewOne(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m1, m2 := s.Master("m1"), s.Master("m2")
	m2.Start(s.Bundle())
	b := s.Bundle()
	m1.Start(b)
	newMinion(t, pki.NewTrust(s.Key.Site()), nil, m1.Addr, m2.Addr).linked("linked")
	if req := told(t, m2); !proto.Equal(req.Bundle, b) || req.Serial != s.Serial {
		t.Errorf("told of bundle %d, want %d", req.Serial, s.Serial)
	}
}

func TestARevokedMasterIsToldBeforeItIsLeft(t *testing.T) {
	s, m1, m2, min := two(t, nil)
	s.Revoke("m2")
	b := s.Bundle()
	m1.Set(func(m *linktest.Behaviour) { m.Bundle = b })
	m1.Publish(subject.JobAll, m1.Sign(pb.Kind_KIND_NOTICE, &pb.Notice{
		Master: "m1", IssuedAt: time.Now().UnixMicro(), Live: []*pb.MasterAddress{m1.Address()}, BundleSerial: s.Serial,
	}))
	if req := told(t, m2); !proto.Equal(req.Bundle, b) {
		t.Errorf("told of bundle %d, want %d", req.Serial, s.Serial)
	}
	min.until("left it", func(s Status) bool { return s.Standby == "" && s.Master == "m1" })
}

func TestANoticeBringsTheOtherBundleOfOneSerial(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m1 := s.Master("m1")
	bundles := make([]*pb.Envelope, 2)
	for i := range bundles {
		s.Serial = 4
		bundles[i] = s.Bundle()
	}
	winner, loser := bundles[0], bundles[1]
	trust := pki.NewTrust(s.Key.Site())
	for _, b := range bundles {
		if changed, _ := trust.Update(b); changed {
			winner = b
		} else {
			loser = b
		}
	}
	if winner == bundles[1] {
		loser = bundles[0]
	}
	m1.Start(loser)
	own := pki.NewTrust(s.Key.Site())
	newMinion(t, own, nil, m1.Addr).linked("linked")
	m1.Set(func(m *linktest.Behaviour) { m.Bundle = winner })
	m1.Publish(subject.JobAll, m1.Sign(pb.Kind_KIND_NOTICE, &pb.Notice{
		Master: "m1", IssuedAt: time.Now().UnixMicro(), Live: []*pb.MasterAddress{m1.Address()},
		BundleSerial: 5, BundleDigest: trust.Digest(),
	}))
	eventually(t, "the winner is in force", func() bool { return bytes.Equal(own.Digest(), trust.Digest()) })
}

func TestFirstUsePinsTheSite(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Start(s.Bundle())
	min := newMinion(t, pki.NewTrust(pki.Fingerprint{}), nil, m.Addr)
	min.linked("linked")
	if got := take(t, "pin", min.pins); got != s.Key.Site() {
		t.Errorf("pinned %v, want %v", got, s.Key.Site())
	}
}

func TestWrongPinIsRefused(t *testing.T) {
	s, other := linktest.NewSite(t, minionID), linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Start(s.Bundle())
	min := newMinion(t, pki.NewTrust(other.Key.Site()), nil, m.Addr)
	st := min.until("refused", func(st Status) bool {
		return strings.Contains(st.Reason, s.Key.Site().String()) && strings.Contains(st.Reason, other.Key.Site().String())
	})
	if st.State != Connecting {
		t.Errorf("state %v", st.State)
	}
}

func TestOlderBundleIsRefused(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	old := s.Bundle()
	trust := pki.NewTrust(s.Key.Site())
	if _, err := trust.Update(s.Bundle()); err != nil {
		t.Fatal(err)
	}
	m.Start(old)
	min := newMinion(t, trust, nil, m.Addr)
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
	s.Revoke("m1")
	b := s.Bundle()
	m2.Set(func(m *linktest.Behaviour) { m.Bundle = b })
	min.until("moved to m2, m1 left", func(s Status) bool { return s.Master == "m2" && s.Standby == "" })
	min.hears(m2, "hello")
	m1.Order(true, 10)
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
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Set(func(b *linktest.Behaviour) { b.Refused = true })
	m.Start(s.Bundle())
	min := newMinion(t, pki.NewTrust(s.Key.Site()), nil, m.Addr)
	min.until("refused", func(s Status) bool { return s.State == Refused && strings.Contains(s.Reason, "revoked") })
	m.Set(func(b *linktest.Behaviour) { b.Refused = false })
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
	m1.Mute()
	got, err = min.Request(ctx, "mine", []byte("q"))
	if err != nil || string(got) != "m2 q" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestRequestEndsWithItsContext(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	min := newMinion(t, pki.NewTrust(s.Key.Site()), nil, linktest.FreeAddr(t))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := min.Request(ctx, "mine", nil); err == nil || !strings.Contains(err.Error(), "no master is connected") {
		t.Errorf("got %v", err)
	}
	if err := min.Publish("evt.x", nil); err == nil {
		t.Error("published without a master")
	}
}

func TestSlowLineIsNoSilence(t *testing.T) {
	s := linktest.NewSite(t, minionID)
	m := s.Master("m1")
	m.Start(s.Bundle())
	line := linktest.NewProxy(t, m.Addr)
	line.Slow(500_000)
	min := newMinion(t, pki.NewTrust(s.Key.Site()), func(o *Options) { o.Timings.Ping = 500 * time.Millisecond }, line.Addr)
	before := min.linked("linked")
	// Pongs wait behind two seconds of returns.
	name := subject.Part(min.token, "20260131120000000123", 0)
	heard := relayed(t, name)
	for range 4 {
		if err := min.Publish(name, make([]byte, 250_000)); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		for take(t, "part", m.Heard).Subject != heard {
		}
	}
	if now := min.Status(); !now.Since.Equal(before.Since) {
		t.Errorf("the connection was given up: %+v, before %+v", now, before)
	}
}
