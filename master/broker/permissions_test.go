package broker

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"brine/proto"
	"brine/proto/subject"
)

// table is every subject of brine, as web1, which has the key nkey, could try
// it, and those that nobody should ever reach.
func table(nkey, otherNKey string) []string {
	subjects := []string{
		subject.JobAll, "job.*", "job.>", "job", "job.id", "job.all.x",
		subject.Job("web1"), subject.Job("web2"), subject.Job("web1") + ".x", "job.id.*", "job.id.>",
		subject.Inbox("web1"), subject.Inbox("web1") + ".x", subject.Inbox("web1") + ".*", subject.Inbox("web1") + ".>",
		subject.Ack("web1"), subject.Link("web1"), subject.Ack("web2"), subject.Link("web2"),
		subject.Pulse("m1", "web1"), subject.Pulse("m2", "web1"), subject.Pulse("m1", "web2"), "pulse.m1.*", "pulse.>",
		subject.Inbox("web2") + ".x", subject.Inbox("web2") + ".>", subject.Inbox("web11") + ".x",
		subject.Inbox(subject.OperatorToken("root")) + ".x", subject.Inbox(subject.OperatorToken("root")) + ".>",
		subject.Inbox(subject.OperatorToken("eve")) + ".x", subject.Inbox(subject.OperatorToken("eve")) + ".>",
		"_INBOX.x", "_INBOX.>", "_INBOX_web1x.>", subject.PeerInbox("m1") + ".x", subject.PeerInbox("m1") + ".>",
		subject.EnrolRequest(nkey), subject.EnrolReply(nkey), subject.EnrolRequest(otherNKey),
		subject.EnrolReply(otherNKey), "enrol.req.*", "enrol.res.*", "enrol.>", subject.EnrolRequest(nkey) + ".x",
		subject.API("m1", "job.run"), subject.API("m2", "key.decide"), subject.APIs("m1"), "api.>", "api.*.>", "api",
		subject.Heartbeat, "sys.>", "repl.>", subject.Peer("repl", "m1", "pull"), subject.Peer("sys", "m1", "key"),
		">", "*", "*.*", "*.web1.>", "$SYS.>", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO",
		"$SYS.ACCOUNT.SITE.CONNECT", "$SYS.ACCOUNT.*.*", "$JS.API.INFO", "$JS.>", "$SRV.PING", "$G.x", "_R_.x", "other",
	}
	for _, id := range []string{"web1", "web2", "web11", "*", ">"} {
		subjects = append(subjects, subject.Accepted(id, "1"), subject.Progress(id, "1"), subject.Part(id, "1", 0),
			subject.Final(id, "1"), subject.Relay("m1", subject.Final(id, "1")), "ret."+id+".>", "ret."+id, subject.Request(id, subject.Bundle),
			subject.Request(id, subject.File), subject.Request(id, subject.Seen), "req."+id+".>", "req."+id,
			subject.Event(id, "beacon/load"), "evt."+id+".>", "evt."+id, subject.Grains(id), "grains."+id+".x", "grains."+id+".>",
			subject.Mine(id), "mine."+id+".x", "mine."+id+".>")
	}
	subjects = append(subjects, subject.Returns, subject.Requests, subject.Events, subject.Enrols, subject.AllGrains, "grains.>", "grains", subject.AllMines, "mine.>", "mine",
		subject.Relays("m1"), "relay.>")
	return slices.DeleteFunc(subjects, func(s string) bool { return strings.Contains(s, ">.") }) // no subject at all
}

func TestNobodyReachesMoreThanTheTable(t *testing.T) {
	l := newLab(t)
	a, b := l.pair()
	heard := make(chan string, 10000)
	sub, err := b.Site().Subscribe(">", func(m *nats.Msg) { heard <- m.Subject })
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	spread(t, b, a)

	pending, other := l.peer(), l.minion("web2", proto.KeyState_KEY_ACCEPTED)
	for name, c := range map[string]struct {
		peer               *peer
		subscribe, publish func(s string) bool
	}{
		"minion": {
			l.minion("web1", proto.KeyState_KEY_ACCEPTED),
			func(s string) bool {
				return s == "job.all" || s == "job.id.web1" || strings.HasPrefix(s, "_INBOX_web1.") ||
					s == subject.Pulse("m1", "web1") || s == subject.Pulse("m2", "web1")
			},
			func(s string) bool {
				return strings.HasPrefix(s, "ret.web1.") || strings.HasPrefix(s, "relay.m1.web1.") || strings.HasPrefix(s, "req.web1.") ||
					strings.HasPrefix(s, "evt.web1.") || s == subject.Grains("web1") || s == subject.Mine("web1")
			},
		},
		"operator": {
			l.operator("root"),
			func(s string) bool { return strings.HasPrefix(s, "_INBOX_op_op-root.") },
			func(s string) bool { return strings.HasPrefix(s, "api.") },
		},
		"unaccepted": {
			pending,
			func(s string) bool { return s == subject.EnrolReply(pending.key.NKey()) },
			func(s string) bool { return s == subject.EnrolRequest(pending.key.NKey()) },
		},
		"rejected": {
			l.minion("web1", proto.KeyState_KEY_REJECTED),
			func(s string) bool { return strings.HasPrefix(s, "enrol.res.") && s != "enrol.res.*" },
			func(s string) bool { return strings.HasPrefix(s, "enrol.req.") },
		},
	} {
		conn := l.mustDial(c.peer, a)
		own := c.peer.key.NKey()
		for _, s := range table(own, other.key.NKey()) {
			foreign := strings.Contains(s, other.key.NKey())
			if got, want := maySubscribe(t, conn, s), c.subscribe(s) && !foreign; got != want {
				t.Errorf("%s subscribes to %q: got %v, want %v", name, s, got, want)
			}
			if strings.ContainsAny(s, "*>") {
				continue // nobody publishes on a pattern
			}
			want := c.publish(s) && !foreign && s != subject.EnrolRequest(own)+".x"
			if got := mayPublish(t, conn, s); got != want {
				t.Errorf("%s publishes on %q: got %v, want %v", name, s, got, want)
			}
		}
		if conn.IsClosed() {
			t.Errorf("%s was cut off", name)
		}
	}
	if err := b.Site().Flush(); err != nil {
		t.Fatal(err)
	}
	for len(heard) > 0 {
		s := <-heard
		if s == subject.JobAll || strings.HasPrefix(s, "job.") || strings.HasPrefix(s, "_INBOX") {
			t.Errorf("%q was heard", s)
		}
	}
	revoked := l.minion("web1", proto.KeyState_KEY_REVOKED)
	if _, err := l.dial(revoked, a); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a revoked minion: got %v", err)
	}
}

func maySubscribe(t *testing.T, conn *nats.Conn, s string) bool {
	t.Helper()
	for _, queue := range []string{"", "q"} {
		before := conn.LastError()
		sub, err := conn.QueueSubscribeSync(s, queue)
		if err != nil {
			return false
		}
		denied := wasDenied(t, conn, before)
		_ = sub.Unsubscribe() // of one that was denied: gone already
		if denied {
			return false
		}
	}
	return true
}

func mayPublish(t *testing.T, conn *nats.Conn, s string) bool {
	t.Helper()
	before := conn.LastError()
	if err := conn.Publish(s, []byte("x")); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return !wasDenied(t, conn, before)
}

// wasDenied asks the server, whose answer to a flush comes after its
// complaint: that is a new error of the connection.
func wasDenied(t *testing.T, conn *nats.Conn, before error) bool {
	t.Helper()
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	after := conn.LastError()
	if after == before {
		return false
	}
	if !errors.Is(after, nats.ErrPermissionViolation) {
		t.Fatalf("got %v", after)
	}
	return true
}

func TestNobodyNetworkedGetsIntoAnotherAccount(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	bus, _ := a.Addr()
	for name, options := range map[string][]nats.Option{
		"nothing":          {},
		"a user":           {nats.UserInfo(accountSystem, "")},
		"the secret":       {nats.UserInfo(accountMasters, a.clients.secret)},
		"a token":          {nats.Token(a.clients.secret)},
		"a key, no answer": {nats.Nkey(l.minion("web1", proto.KeyState_KEY_ACCEPTED).key.NKey(), emptyAnswer)},
		"no encryption":    {nats.Nkey(l.minion("web1", proto.KeyState_KEY_ACCEPTED).key.NKey(), emptyAnswer)},
	} {
		options = append(options, nats.NoReconnect(), nats.Timeout(patience))
		if name != "no encryption" {
			options = append(options, nats.Secure(clientTLS(l)))
		}
		if conn, err := nats.Connect(bus, options...); err == nil {
			conn.Close()
			t.Errorf("%s: came in", name)
		}
	}
	// What looks like the master's own connection needs the secret, and comes through memory.
	for name, c := range map[string]struct {
		login *login
		want  bool
	}{
		"own":                {&login{account: accountSystem, password: a.clients.secret, network: "pipe"}, true},
		"no password":        {&login{account: accountSystem, network: "pipe"}, false},
		"another password":   {&login{account: accountSystem, password: a.clients.secret + "x", network: "pipe"}, false},
		"an unknown account": {&login{account: "OTHER", password: a.clients.secret, network: "pipe"}, false},
		"over the network":   {&login{account: accountSystem, password: a.clients.secret, network: "tcp"}, false},
		"a leaf node":        {&login{account: accountSystem, password: a.clients.secret, network: "pipe", kind: server.LEAF}, false},
	} {
		if got := a.clients.Check(c.login); got != c.want || c.login.registered != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// login is a login as nats-server presents it.
type login struct {
	account, password, network string
	kind                       int
	registered                 bool
}

func (l *login) GetOpts() *server.ClientOpts {
	return &server.ClientOpts{Username: l.account, Password: l.password}
}
func (l *login) GetTLSConnectionState() *tls.ConnectionState { return nil }
func (l *login) RegisterUser(*server.User)                   { l.registered = true }
func (l *login) RemoteAddress() net.Addr                     { return &net.UnixAddr{Name: "x", Net: l.network} }
func (l *login) GetNonce() []byte                            { return nil }
func (l *login) Kind() int                                   { return l.kind }
func (l *login) GetID() uint64                               { return 1 << 40 }

func emptyAnswer([]byte) ([]byte, error) { return nil, nil }

func TestReplySubjectsAreNotTrusted(t *testing.T) {
	l := newLab(t)
	a, b := l.pair()
	victim := l.mustDial(l.minion("web2", proto.KeyState_KEY_ACCEPTED), b)
	online(t, victim, "web2")
	inbox := mustSubscribe(t, victim, subject.Inbox("web2")+".>")
	everyone := mustSubscribe(t, victim, subject.JobAll)
	operator := l.mustDial(l.operator("root"), b)
	answers := mustSubscribe(t, operator, subject.Inbox(subject.OperatorToken("root"))+".>")
	spread(t, b, a)

	refusals := make(chan error, 100)
	sub, err := a.Site().Subscribe(subject.Requests, func(m *nats.Msg) {
		id, _, err := subject.ParseRequest(m.Subject)
		if err != nil {
			t.Error(err)
		}
		refusals <- a.Reply(m, subject.Token(id), []byte("secret"))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := a.Site().Flush(); err != nil {
		t.Fatal(err)
	}
	next := func(reply string) error {
		t.Helper()
		select {
		case err := <-refusals:
			return err
		case <-time.After(patience):
			t.Fatalf("no request with the reply subject %q", reply)
			return nil
		}
	}
	thief := l.minion("web1", proto.KeyState_KEY_ACCEPTED)
	conn := l.mustDial(thief, a)
	bad := []string{""}
	for _, s := range table(thief.key.NKey(), "U") {
		if strings.HasPrefix(s, "_R_.") {
			continue // nats-server itself drops a message with one of its own reply subjects
		}
		if !strings.ContainsAny(s, "*>") && !strings.HasPrefix(s, subject.Inbox("web1")+".") {
			bad = append(bad, s)
		}
	}
	for _, reply := range bad {
		err := conn.PublishMsg(&nats.Msg{Subject: subject.Request("web1", subject.Bundle), Reply: reply})
		if err != nil {
			t.Fatal(err)
		}
		if err := next(reply); err == nil {
			t.Errorf("answered on %q", reply)
		}
	}
	own := subject.Inbox("web1") + ".1"
	heard := mustSubscribe(t, conn, own)
	if err := conn.PublishRequest(subject.Request("web1", subject.Bundle), own, nil); err != nil {
		t.Fatal(err)
	}
	if err := next(own); err != nil {
		t.Error(err)
	}
	if m, err := heard.NextMsg(patience); err != nil || string(m.Data) != "secret" {
		t.Errorf("got %v, %v", m, err)
	}
	// Headers that make the server itself send something elsewhere.
	for _, header := range []string{"Nats-Trace-Dest", "Nats-Reply", "Nats-Expected-Last-Msg-Id"} {
		m := nats.NewMsg(subject.Request("web1", subject.Bundle))
		m.Header.Set(header, subject.JobAll)
		if err := conn.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []*nats.Conn{conn, a.Site(), b.Site(), victim, operator} {
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range map[string]*nats.Subscription{"inbox": inbox, "job.all": everyone, "operator": answers} {
		if n, _, err := s.Pending(); n != 0 || err != nil {
			t.Errorf("%s heard %d messages, %v", name, n, err)
		}
	}
}

// A minion whose key is accepted cannot take on another identity on the same
// connection, nor be closed out of its own by whoever only names its key.
func TestNamingAKeyIsNotHoldingIt(t *testing.T) {
	l := newLab(t)
	a := l.master("m1", nil)
	p := l.minion("web1", proto.KeyState_KEY_ACCEPTED)
	conn := l.mustDial(p, a)
	thief := l.peer()
	bus, _ := a.Addr()
	for range 3 * maxPerKey[RoleMinion] {
		c, err := nats.Connect(bus, nats.Secure(clientTLS(l)), nats.NoReconnect(), nats.Timeout(patience),
			nats.Nkey(p.key.NKey(), func(nonce []byte) ([]byte, error) {
				return thief.key.Signing.Sign(nil, nonce, noHash{})
			}))
		if err == nil {
			c.Close()
			t.Fatal("came in with another's key")
		}
	}
	if err := conn.Flush(); err != nil || conn.IsClosed() {
		t.Errorf("the minion was cut off: %v", err)
	}
	if n := len(a.clients.all()); n != 1 {
		await(t, "the refused logins to be forgotten", func() bool { return len(a.clients.all()) == 1 })
	}
}
