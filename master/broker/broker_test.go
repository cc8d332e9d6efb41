package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

func TestJobsAndReturnsCrossMasters(t *testing.T) {
	l := newLab(t)
	a, b := l.pair()
	conn := l.mustDial(l.minion("web1", proto.KeyState_KEY_ACCEPTED), b)
	jobs := mustSubscribe(t, conn, subject.Job("web1"))
	await(t, "web1 online at m1", func() bool { return a.Online("web1") })
	if !b.Online("web1") || !b.OnlineHere("web1") || a.OnlineHere("web1") || a.Online("web2") {
		t.Error("presence is wrong")
	}
	returns := mustSubscribe(t, a.Site(), subject.Returns)
	spread(t, a, b)
	if err := a.Site().Publish(subject.Job("web1"), []byte("job")); err != nil {
		t.Fatal(err)
	}
	if m, err := jobs.NextMsg(patience); err != nil || string(m.Data) != "job" {
		t.Fatalf("got %v, %v", m, err)
	}
	if err := conn.Publish(subject.Final("web1", "1"), []byte("ok")); err != nil {
		t.Fatal(err)
	}
	if m, err := returns.NextMsg(patience); err != nil || string(m.Data) != "ok" {
		t.Fatalf("got %v, %v", m, err)
	}
	conn.Close()
	await(t, "web1 offline everywhere", func() bool { return !a.Online("web1") && !b.Online("web1") })
}

func TestMastersTalkInAnAccountOfTheirOwn(t *testing.T) {
	l := newLab(t)
	a, b := l.pair()
	heard := mustSubscribe(t, b.Peers(), subject.Heartbeat)
	leaked := mustSubscribe(t, b.Site(), ">")
	await(t, "m2's subscription at m1", func() bool {
		account, err := a.server.LookupAccount(accountMasters)
		return err == nil && account.SubscriptionInterest(subject.Heartbeat)
	})
	if err := a.Peers().Publish(subject.Heartbeat, []byte("alive")); err != nil {
		t.Fatal(err)
	}
	if m, err := heard.NextMsg(patience); err != nil || string(m.Data) != "alive" {
		t.Fatalf("got %v, %v", m, err)
	}
	mustSubscribe(t, b.Peers(), subject.Peer("repl", "m2", "pull"))
	if n, _, _ := leaked.Pending(); n != 0 {
		t.Errorf("%d messages of masters were heard by others", n)
	}
}

func TestThreeMastersFindEachOther(t *testing.T) {
	l := newLab(t)
	a, b := l.pair()
	c := l.master("m3", nil, b) // knows nothing of m1
	l.awaitPeers(a, "m2", "m3")
	l.awaitPeers(b, "m1", "m3")
	l.awaitPeers(c, "m1", "m2")
}

func TestDisconnectClosesLiveConnections(t *testing.T) {
	l := newLab(t)
	a, _ := l.pair()
	p, other := l.minion("web1", proto.KeyState_KEY_ACCEPTED), l.minion("web2", proto.KeyState_KEY_ACCEPTED)
	first, second, bystander := l.mustDial(p, a), l.mustDial(p, a), l.mustDial(other, a)
	l.keys.set(p.key.Public(), "web1", proto.KeyState_KEY_REVOKED)
	if n := a.Disconnect(p.key.Public()); n != 2 {
		t.Errorf("closed %d connections, want 2", n)
	}
	await(t, "both to be closed", func() bool { return first.IsClosed() && second.IsClosed() })
	if _, err := l.dial(p, a); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("came back: %v", err)
	}
	if err := bystander.Flush(); err != nil {
		t.Errorf("another minion was hit: %v", err)
	}
	if n := a.Disconnect(p.key.Public()); n != 0 {
		t.Errorf("closed %d connections more", n)
	}
}

func TestHooksTellOfConnections(t *testing.T) {
	l := newLab(t)
	type event struct {
		what string
		Connection
	}
	events := make(chan event, 10)
	refused := make(chan error, 10)
	a := l.master("m1", func(o *Options) {
		o.OnConnect = func(c Connection) { events <- event{"connect", c} }
		o.OnDisconnect = func(c Connection) { events <- event{"disconnect", c} }
		o.OnRefused = func(_, _ string, err error) { refused <- err }
	})
	p := l.minion("web1", proto.KeyState_KEY_ACCEPTED)
	conn := l.mustDial(p, a)
	next := func() event {
		select {
		case e := <-events:
			return e
		case <-time.After(patience):
			t.Fatal("no event")
			return event{}
		}
	}
	if e := next(); e.what != "connect" || e.ID != "web1" || e.Role != RoleMinion || !e.Key.Equal(p.key.Public()) {
		t.Errorf("got %+v", e)
	}
	if err := a.SetRoutes([]string{"127.0.0.1:1"}); err != nil { // asks again about everyone
		t.Fatal(err)
	}
	conn.Close()
	if e := next(); e.what != "disconnect" || e.ID != "web1" {
		t.Errorf("got %+v", e)
	}
	if _, err := l.dial(l.minion("web2", proto.KeyState_KEY_REVOKED), a); err == nil {
		t.Error("a revoked minion came in")
	}
	select {
	case err := <-refused:
		if !errors.Is(err, ErrRevoked) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error("nobody was told")
	}
	await(t, "no connection known", func() bool { return len(a.clients.all()) == 0 })
	if len(events) != 0 {
		t.Errorf("one event more: %+v", <-events)
	}
}

func TestConnectionsTellFullFromStandby(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	full, standby := l.minion("web1", proto.KeyState_KEY_ACCEPTED), l.minion("web2", proto.KeyState_KEY_ACCEPTED)
	conn := l.mustDial(full, a)
	mustSubscribe(t, conn, subject.Pulse("m1", "web1"))
	online(t, conn, "web1")
	mustSubscribe(t, l.mustDial(standby, a), subject.Link("web2"))
	l.mustDial(l.operator("root"), a)
	pending := l.peer()
	l.mustDial(pending, a)
	got := map[string]Connection{}
	for _, c := range a.Connections() {
		got[c.ID] = c
	}
	if len(got) != 4 || !got["web1"].Full || got["web2"].Full || got["root"].Role != RoleOperator ||
		got[pending.key.NKey()].Role != RoleUnaccepted {
		t.Errorf("got %+v", got)
	}
	if !a.ConnectedHere("web1") || !a.ConnectedHere("web2") || a.ConnectedHere("web3") {
		t.Error("two minions are connected, whatever they hear")
	}
	if !a.OnlineHere("web1") || a.OnlineHere("web2") {
		t.Error("full and standby are mixed up")
	}
	if hearing := a.Hearing(); !maps.Equal(hearing, map[string]Hearing{"web1": {Jobs: true, Pulse: true}, "web2": {}}) {
		t.Errorf("hearing jobs: %v", hearing)
	}
	if n := a.Minions(); n != 1 {
		t.Errorf("got %d minions, want 1", n)
	}
	online(t, l.mustDial(l.minion("web3", proto.KeyState_KEY_ACCEPTED), a), "web3")
	if !a.Hearing()["web3"].Jobs {
		t.Error("one that has just come is not seen")
	}
}

func TestUnacceptedConnectionsAreLimited(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	conns := make([]*nats.Conn, maxUnaccepted)
	for i := range conns {
		conns[i] = l.mustDial(l.peer(), a)
	}
	if _, err := l.dial(l.peer(), a); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("one more came in: %v", err)
	}
	l.mustDial(l.minion("web1", proto.KeyState_KEY_ACCEPTED), a) // is not concerned
	conns[0].Close()
	await(t, "a free place", func() bool {
		conn, err := l.dial(l.peer(), a)
		if err == nil {
			t.Cleanup(conn.Close)
		}
		return err == nil
	})
}

func TestOneKeyDoesNotPileUpConnections(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	p := l.minion("web1", proto.KeyState_KEY_ACCEPTED)
	first := l.mustDial(p, a)
	for range maxPerKey[RoleMinion] - 1 {
		l.mustDial(p, a)
	}
	if first.IsClosed() {
		t.Fatal("closed too early")
	}
	l.mustDial(p, a)
	await(t, "the oldest to be closed", first.IsClosed)
}

func TestHeldClientsStayOutside(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	b := l.master("m2", func(o *Options) { o.HoldClients = true }, a)
	l.awaitPeers(b, "m1") // routes don't wait
	p := l.minion("web1", proto.KeyState_KEY_ACCEPTED)
	_, err := l.dial(p, b)
	if err == nil || errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("got %v, want a refusal that does not blame the key", err)
	}
	if err := b.Site().Flush(); err != nil {
		t.Errorf("the master's own connection is held too: %v", err)
	}
	b.OpenClients()
	l.mustDial(p, b)
}

func TestLameDuckSendsClientsAwayAndGoesOnAnswering(t *testing.T) {
	l := newLab(t)
	a, b := l.pair()
	var gone sync.WaitGroup
	for _, id := range []string{"web1", "web2", "web3"} {
		p := l.minion(id, proto.KeyState_KEY_ACCEPTED)
		conn := l.mustDial(p, a)
		online(t, conn, id)
		gone.Go(func() {
			<-p.lame
			if err := a.Site().Flush(); err != nil {
				t.Errorf("the master stopped answering: %v", err)
			}
			<-p.closed
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a.LameDuck(ctx)
	gone.Wait()
	if ctx.Err() != nil {
		t.Error("it lasted too long")
	}
	if _, err := l.dial(l.minion("web4", proto.KeyState_KEY_ACCEPTED), a); err == nil {
		t.Error("a minion came in afterwards")
	}
	l.awaitPeers(b, "m1")
	if err := a.Peers().Flush(); err != nil {
		t.Errorf("its masters' connection ended: %v", err)
	}
	a.Stop()
	a.Stop() // again
	await(t, "m1 to be gone", func() bool { return len(b.Routes()) == 0 })
}

func TestLameDuckEndsWithItsContext(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	l.mustDial(l.minion("web1", proto.KeyState_KEY_ACCEPTED), a)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a.LameDuck(ctx)
}

func TestStartTellsWhatIsWrong(t *testing.T) {
	l := newLab(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"bus in use":    {func(o *Options) { o.Listen = busy.Addr().String() }, "in use"},
		"route in use":  {func(o *Options) { o.RouteListen = busy.Addr().String() }, "in use"},
		"no port":       {func(o *Options) { o.Listen = "127.0.0.1" }, "missing port"},
		"bad port":      {func(o *Options) { o.RouteListen = "127.0.0.1:x" }, "not a port"},
		"bad route":     {func(o *Options) { o.Routes = []string{"m2"} }, "want host:port"},
		"bad advertise": {func(o *Options) { o.RouteAdvertise = "m2:x" }, "invalid syntax"},
	} {
		id := l.identity("m1")
		o := Options{Identity: id, Trust: l.trust, Keys: l.keys, Listen: "127.0.0.1:0", RouteListen: "127.0.0.1:0",
			Log: hclog.NewNullLogger()}
		c.change(&o)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		b, err := Start(ctx, o)
		cancel()
		if err == nil {
			b.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot start broker") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestSetRoutesConnectsWithoutDisturbingClients(t *testing.T) {
	l := newLab(t)
	a, b := l.master("m1", nil), l.master("m2", nil)
	conn := l.mustDial(l.minion("web1", proto.KeyState_KEY_ACCEPTED), a)
	jobs := mustSubscribe(t, conn, subject.Job("web1"))
	_, route := b.Addr()
	if err := a.SetRoutes([]string{route}); err != nil {
		t.Fatal(err)
	}
	if err := a.SetRoutes([]string{route}); err != nil {
		t.Fatal(err)
	}
	l.awaitPeers(a, "m2")
	await(t, "web1 online at m2", func() bool { return b.Online("web1") })
	if err := b.Site().Publish(subject.Job("web1"), []byte("job")); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.NextMsg(patience); err != nil {
		t.Error(err)
	}
	if len(a.Connections()) != 1 || conn.IsClosed() {
		t.Error("the minion was disturbed")
	}
	if err := conn.Publish(subject.JobAll, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.SetRoutes([]string{"nonsense"}); err == nil {
		t.Error("nonsense was taken")
	}
	if err := a.SetRoutes(nil); err != nil {
		t.Error(err)
	}
}

func TestRevokedMasterIsDroppedAndStaysAway(t *testing.T) {
	l := newLab(t)
	bad := make(chan error, 1000)
	id1, id2, id3 := l.identity("m1"), l.identity("m2"), l.identity("m3")
	for _, id := range []*pki.Identity{id1, id2, id3} {
		l.enter(id, false)
	}
	report := func(o *Options) {
		o.OnBadPeer = func(_ string, err error) {
			select {
			case bad <- err:
			default:
			}
		}
	}
	a := l.start(id1, report)
	b := l.start(id2, nil, a)
	c := l.start(id3, nil, a, b)
	l.awaitPeers(a, "m2", "m3")
	l.awaitPeers(b, "m1", "m3")
	l.enter(id3, true)
	for _, m := range []*Broker{a, b} {
		if _, err := m.DropPeer("m3"); err != nil { // how many there are yet depends on the moment
			t.Error(err)
		}
	}
	l.awaitPeers(a, "m2")
	l.awaitPeers(b, "m1")
	l.awaitPeers(c)
	select {
	case err := <-bad: // it tries to come back
		if !errors.Is(err, pki.ErrRevokedMaster) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error("its return was not reported")
	}
	if len(c.Routes()) != 0 {
		t.Errorf("it is back: %v", c.Routes())
	}
	if n, err := a.DropPeer("nobody"); n != 0 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestPeerOfAnotherSiteIsReported(t *testing.T) {
	l, foreign := newLab(t), newLab(t)
	bad := make(chan error, 1000)
	hook := func(o *Options) { o.OnBadPeer = func(_ string, err error) { bad <- err } }
	told := func(want pki.Fingerprint) {
		t.Helper()
		select {
		case err := <-bad:
			if !strings.Contains(err.Error(), "want "+want.String()) {
				t.Errorf("got %v", err)
			}
		case <-time.After(patience):
			t.Error("not reported")
		}
	}
	a := l.master("m1", hook)
	_, route := a.Addr()
	lax := pki.PeerTLS(foreign.identity("m2"), foreign.trust)
	lax.VerifyConnection = nil
	if conn, err := tls.Dial("tcp", route, lax); err == nil { // the one who dials hears of it when it reads
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("m1 said %d bytes", n)
		}
	}
	told(l.site.Site())
	b := foreign.master("m2", hook, a)
	told(foreign.site.Site())
	if len(a.Routes()) != 0 || len(b.Routes()) != 0 {
		t.Errorf("connected to %v and %v", a.Routes(), b.Routes())
	}
}

func TestSecondMasterOfOneNameIsTurnedAwayLoudly(t *testing.T) {
	l := newLab(t)
	told := make(chan string, 10)
	hook := func(o *Options) { o.OnDuplicate = func(name, _ string) { told <- name } }
	id1 := l.identity("m1")
	l.enter(id1, false)
	a := l.start(id1, func(o *Options) { o.OnDuplicate = func(string, string) { t.Error("the first one was told") } })
	b := l.master("m2", nil, a)
	l.awaitPeers(b, "m1")
	clone := l.start(id1, hook, b) // b is neither of the two, and knows one of them
	select {
	case name := <-told:
		if name != "m1" {
			t.Errorf("got %q", name)
		}
	case <-time.After(patience):
		t.Fatal("the clone was not told")
	}
	second := l.start(id1, nil, a) // directly
	// Whoever dials sees a route for the moment until it is refused.
	await(t, "no routes of the clones", func() bool { return len(clone.Routes()) == 0 && len(second.Routes()) == 0 })
	for _, m := range []*Broker{a, b} {
		live, err := m.server.Routez(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range live.Routes {
			if r.RemoteID != a.server.ID() && r.RemoteID != b.server.ID() {
				t.Errorf("%s is connected to a clone", m.server.Name())
			}
		}
	}
}

func TestRestartedMasterComesBack(t *testing.T) {
	l := newLab(t)
	id2 := l.identity("m2")
	l.enter(id2, false)
	a := l.master("m1", func(o *Options) { o.OnDuplicate = func(string, string) { t.Error("taken for a duplicate") } })
	b := l.start(id2, nil, a)
	l.awaitPeers(a, "m2")
	b.Stop()
	b = l.start(id2, func(o *Options) { o.OnDuplicate = func(string, string) { t.Error("taken for a duplicate") } }, a)
	l.awaitPeers(a, "m2")
	l.awaitPeers(b, "m1")
}

func TestManyLargeReturnsReachTheMaster(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	const minions, each = 4, 60
	got := make(chan struct{}, minions*each)
	sub, err := a.Site().Subscribe(subject.Returns, func(*nats.Msg) { got <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	if err := a.Site().Flush(); err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	part := make([]byte, 256<<10) // 60 MiB in all: just what may be pending
	for _, id := range []string{"w1", "w2", "w3", "w4"} {
		conn := l.mustDial(l.minion(id, proto.KeyState_KEY_ACCEPTED), a)
		sending.Go(func() {
			for n := range each {
				if err := conn.Publish(subject.Part(id, "1", n), part); err != nil {
					t.Error(err)
					return
				}
			}
			if err := conn.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
	deadline := time.After(4 * patience)
	for n := range minions * each {
		select {
		case <-got:
		case <-deadline:
			t.Fatalf("got %d of %d", n, minions*each)
		}
	}
}

func TestOwnConnectionComesBack(t *testing.T) {
	l := newLab(t)
	gap := make(chan struct{}, 10)
	a := l.master("m1", func(o *Options) { o.OnGap = func() { gap <- struct{}{} } })
	returns := mustSubscribe(t, a.Site(), subject.Returns)
	own, err := a.Site().GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.server.DisconnectClientByID(own); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gap:
	case <-time.After(patience):
		t.Fatal("nobody was told")
	}
	if err := a.Site().Flush(); err != nil {
		t.Fatal(err)
	}
	conn := l.mustDial(l.minion("web1", proto.KeyState_KEY_ACCEPTED), a)
	if err := conn.Publish(subject.Final("web1", "1"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := returns.NextMsg(patience); err != nil {
		t.Error(err)
	}
}

// TestOnlyOlderConnectionsAreMadeAnew when a master has another key: one that began since has that key already.
func TestOnlyOlderConnectionsAreMadeAnew(t *testing.T) {
	l := newLab(t)
	a, b := l.pair()
	began := func() uint64 {
		live, err := a.server.Routez(nil)
		if err != nil || len(live.Routes) == 0 {
			return 0
		}
		return live.Routes[0].Rid
	}
	a.RenewPeer("m2")
	first := began()
	a.routes.renewDue(time.Now().Add(RenewAfter + time.Second))
	await(t, "another connection", func() bool { now := began(); return now != 0 && now != first })
	l.awaitPeers(a, "m2")

	a.routes.mu.Lock()
	a.routes.renew["m2"] = time.Now().Add(-time.Hour) // it was asked before this connection began
	a.routes.mu.Unlock()
	second := began()
	a.routes.renewDue(time.Now())
	spread(t, a, b) // through the connection that is there
	if now := began(); now != second {
		t.Errorf("connection %d was closed", second)
	}
}
