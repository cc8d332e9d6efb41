package lab_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

// table is every subject of the architecture, of web1, web2, an operator and
// the two keys, and what should reach nobody.
func table(own, other string) []string {
	root := subject.Inbox(subject.OperatorToken("admin"))
	all := []string{
		subject.JobAll, "job.*", "job.>", "job", "job.all.x", "job.id.*", "job.id.>",
		subject.Ack("web1"), subject.Link("web1"), subject.Ack("web2"), subject.Link("web2"),
		subject.Pulse("m1", "web1"), subject.Pulse("m2", "web1"), subject.Pulse("m1", "web2"), "pulse.m1.*", "pulse.>",
		root + ".x", root + ".>", subject.Inbox(subject.OperatorToken("nobody")) + ".x",
		subject.Inbox(subject.OperatorToken("nobody")) + ".>",
		"_INBOX.x", "_INBOX.>", "_INBOX_*.>", subject.PeerInbox("m1") + ".x", subject.PeerInbox("m2") + ".>",
		subject.EnrolRequest(own), subject.EnrolReply(own), subject.EnrolRequest(other), subject.EnrolReply(other),
		"enrol.req.*", "enrol.res.*", "enrol.>",
		subject.APIs("m1"), "api.>", "api.*.key.list", subject.API("m2", "key.decide"), subject.API("m1", "job.run"),
		subject.Heartbeat, "sys.>", "repl.>", subject.Peer("sys", "m1", "drain"), subject.Peer("repl", "m2", "commit"),
		">", "*", "*.*", "*.web2.>", "$SYS.>", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO", "$SYS.ACCOUNT.*.>",
		"$SYS.ACCOUNT.SITE.CONNECT", "$JS.>", "$JS.API.INFO", "$JS.API.STREAM.CREATE.x", "$KV.x.y", "$SRV.PING",
		"$G.x", "_R_.x", "_GR_.x", "other",
	}
	for _, id := range []string{"web1", "web2", "*"} {
		inbox := subject.Inbox(id)
		all = append(all, subject.Job(id), subject.Job(id)+".x", inbox, inbox+".x", inbox+".*", inbox+".>",
			subject.Accepted(id, "1"), subject.Progress(id, "1"), subject.Part(id, "1", 0), subject.Final(id, "1"),
			subject.Relay("m1", subject.Final(id, "1")), subject.Relay("m2", subject.Part(id, "1", 0)), subject.Relay(id, "ret.x.1.fin"),
			"relay."+id, "relay.m1."+id,
			"ret."+id, "ret."+id+".>", subject.Request(id, "pillar"), subject.Request(id, subject.File),
			subject.Request(id, "mine"), subject.Request(id, subject.Bundle), subject.Request(id, subject.Seen),
			"req."+id, "req."+id+".>", subject.Event(id, "load/high"), "evt."+id, "evt."+id+".>",
			subject.Grains(id), "grains."+id+".x", "grains."+id+".>", subject.Mine(id), "mine."+id+".x", "mine."+id+".>")
	}
	all = append(all, subject.Returns, subject.Requests, subject.Events, subject.AllGrains, "grains.>", subject.AllMines, "mine.>", subject.Relays("m1"), "relay.>", "relay.*.web2.>", "relay")
	slices.Sort(all)
	return slices.Compact(all)
}

// plain are the subjects that one can publish on.
func plain(subjects []string) []string {
	return slices.DeleteFunc(slices.Clone(subjects), func(s string) bool { return strings.ContainsAny(s, "*>") })
}

func hasPrefix(prefixes ...string) func(string) bool {
	return func(s string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
	}
}

func is(list ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(list, s) }
}

func TestTrust(t *testing.T) {
	t.Parallel()
	nobody := newKey(t)
	files := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(files, "web"), 0o755))
	must(t, os.WriteFile(filepath.Join(files, "web/init.sls"), []byte(secretFile), 0o644))
	s := lab.Start(t, lab.SiteOptions{
		Minions: []string{"web1", "web2"}, FileRoot: files,
		Operators: []*proto.OperatorRecord{{Name: "nobody", Key: publicOf(nobody)}},
	})
	t.Run("subjects", func(t *testing.T) { subjectsOfAll(t, s, nobody) })
	t.Run("overhearing", func(t *testing.T) { overhearing(t, s, nobody) })
	t.Run("sign in", func(t *testing.T) { badSignIns(t, s) })
	t.Run("operator without rights", func(t *testing.T) { withoutRights(t, s, nobody) })
	t.Run("replies", func(t *testing.T) { repliesGoHome(t, s) })
	t.Run("files", func(t *testing.T) { filesAreForMinions(t, s) })
	t.Run("revocation", func(t *testing.T) { revocation(t, s) }) // the last: web2 is gone after it
}

// subjectsOfAll tries every subject as everyone, at both masters.
func subjectsOfAll(t *testing.T, s *lab.Site, nobody ed25519.PrivateKey) {
	fresh, pending, rejected := newKey(t), newKey(t), newKey(t)
	for id, key := range map[string]ed25519.PrivateKey{"db1": pending, "db2": rejected} {
		pends(t, s, "m1", id, key)
	}
	must(t, decide(t, s.Client, "db2", proto.KeyState_KEY_REJECTED))
	enrolSubjects := func(key ed25519.PrivateKey) (sub, pub func(string) bool) {
		nkey := pki.NKey(publicOf(key))
		return is(subject.EnrolReply(nkey)), is(subject.EnrolRequest(nkey))
	}
	type actor struct {
		name     string
		key      ed25519.PrivateKey
		sub, pub func(string) bool
	}
	actors := []actor{
		{"stolen minion key", s.Minions["web1"].Key().Signing,
			func(x string) bool {
				return is(subject.JobAll, subject.Job("web1"), subject.Pulse("m1", "web1"), subject.Pulse("m2", "web1"))(x) || hasPrefix("_INBOX_web1.")(x)
			}, func(x string) bool {
				return hasPrefix("ret.web1.", "relay.m1.web1.", "relay.m2.web1.", "req.web1.", "evt.web1.")(x) || x == subject.Grains("web1") || x == subject.Mine("web1")
			}},
		{"operator without rights", nobody, hasPrefix("_INBOX_op_op-nobody."), hasPrefix("api.")},
	}
	for name, key := range map[string]ed25519.PrivateKey{"unknown": fresh, "pending": pending, "rejected": rejected} {
		sub, pub := enrolSubjects(key)
		actors = append(actors, actor{name, key, sub, pub})
	}
	for _, a := range actors {
		for _, master := range []string{"m1", "m2"} {
			p := mustSignIn(t, s, master, a.key)
			all := table(p.nkey, pki.NKey(publicOf(s.Minions["web2"].Key().Signing)))
			compare(t, a.name+" subscribes at "+master, p.maySubscribe(all), all, a.sub)
			compare(t, a.name+" publishes at "+master, p.mayPublish(plain(all), []byte("x")), plain(all), a.pub)
			p.conn.Close()
		}
	}
	must(t, decide(t, s.Client, "db*", proto.KeyState_KEY_DELETED))
	works(t, s, 2)
}

func compare(t *testing.T, what string, got, all []string, allowed func(string) bool) {
	t.Helper()
	for _, x := range all {
		if may := slices.Contains(got, x); may != allowed(x) {
			t.Errorf("%s %q: got %v, want %v", what, x, may, allowed(x))
		}
	}
}

// overhearing: a stolen key and an operator without rights listen wherever
// they may, while others' secrets pass by.
func overhearing(t *testing.T, s *lab.Site, nobody ed25519.PrivateKey) {
	var ears []chan *nats.Msg
	for _, master := range []string{"m1", "m2"} {
		thief := mustSignIn(t, s, master, s.Minions["web1"].Key().Signing)
		ears = append(ears, thief.hears(subject.JobAll, subject.Job("web1"), subject.Inbox("web1")+".>"))
		other := mustSignIn(t, s, master, nobody)
		ears = append(ears, other.hears(subject.Inbox(subject.OperatorToken("nobody"))+".>"))
	}
	for _, master := range []string{"m1", "m2"} {
		c := s.At(master)
		target := &proto.Target{Syntax: proto.Target_LIST, Expression: "web2"}
		r, err := c.Run(within(t), c.NewJob(target, "test.echo", []*proto.Argument{text("only-for-web2")}),
			func(*client.Result, []string) {})
		c.Close()
		must(t, err)
		if got := string(r.Minions["web2"].Value); got != `"only-for-web2"` {
			t.Fatalf("got %s", got)
		}
	}
	works(t, s, 2) // something that all hear comes after it
	for i, heard := range ears {
		for len(heard) > 0 {
			if m := <-heard; bytes.Contains(m.Data, []byte("only-for-web2")) {
				t.Errorf("%d overheard it on %s", i, m.Subject)
			}
		}
	}
}

func badSignIns(t *testing.T, s *lab.Site) {
	key, other := s.Minions["web1"].Key().Signing, newKey(t)
	nkey := pki.NKey(publicOf(key))
	var heard []byte
	for name, o := range map[string]nats.Option{
		"no key":          nats.Name("x"),
		"password":        nats.UserInfo("SYS", "SYS"),
		"token":           nats.Token("x"),
		"garbage key":     nats.Nkey("UGARBAGE", func(n []byte) ([]byte, error) { return pki.SignNonce(key, n) }),
		"long key":        nats.Nkey("U"+strings.Repeat("A", 5000), func(n []byte) ([]byte, error) { return pki.SignNonce(key, n) }),
		"account key":     nats.Nkey("A"+nkey[1:], func(n []byte) ([]byte, error) { return pki.SignNonce(key, n) }),
		"other signature": nats.Nkey(nkey, func(n []byte) ([]byte, error) { return pki.SignNonce(other, n) }),
		"other nonce": nats.Nkey(nkey, func([]byte) ([]byte, error) {
			return pki.SignNonce(key, []byte("ABCDEFGHIJKLMNOP"))
		}),
		"no signature":   nats.Nkey(nkey, func([]byte) ([]byte, error) { return nil, nil }),
		"long signature": nats.Nkey(nkey, func([]byte) ([]byte, error) { return bytes.Repeat([]byte{1}, 3000), nil }),
		"of a label": nats.Nkey(nkey, func(n []byte) ([]byte, error) {
			return pki.Sign(key, s.Client.Trust().Pin(), proto.Kind_KIND_FILE_TOKEN, n).Signature, nil
		}),
		"replay": nats.Nkey(nkey, func(n []byte) ([]byte, error) {
			if heard == nil {
				heard, _ = pki.SignNonce(key, []byte("an-earlier-nonce"))
			}
			return heard, nil
		}),
	} {
		for _, master := range []string{"m1", "m2"} {
			conn, err := nats.Connect("tls://"+s.Masters[master].Addresses.Bus, nats.NoReconnect(),
				nats.Secure(pki.ClientTLS(s.Client.Trust())), nats.Timeout(patience), o)
			if err == nil {
				conn.Close()
				t.Errorf("%s: came in at %s", name, master)
			}
		}
	}
}

// withoutRights: an operator who may nothing asks each master for everything.
func withoutRights(t *testing.T, s *lab.Site, key ed25519.PrivateKey) {
	revoke := &proto.KeyDecideRequest{Patterns: []string{"web2"}, State: proto.KeyState_KEY_REVOKED}
	for _, master := range []string{"m1", "m2"} {
		c := operator(t, s, "nobody", key, master)
		admin := s.At(master)
		running, err := admin.Submit(within(t), admin.NewJob(glob("web1"), "test.sleep", []*proto.Argument{text("2")}))
		must(t, err)
		id := running.Job.Jid
		for verb, req := range map[string]pb.Message{
			"job.cancel": &proto.CancelRequest{Jid: id}, "job.list": &proto.JobListRequest{},
			"job.watch": &proto.WatchRequest{Jid: id, Once: true},
			"key.list":  &proto.KeyListRequest{}, "key.decide": revoke, "key.token": &proto.TokenRequest{Pattern: "*"},
			"master.bundle": &proto.BundleSet{Bundle: s.Client.Trust().Envelope()}, "master.list": &proto.Empty{},
			"master.drain": &proto.DrainRequest{Master: master}, "master.invite": &proto.InviteRequest{Name: "m9"},
			"master.site": &proto.Empty{}, "minion.list": &proto.MinionListRequest{},
		} {
			err := c.Call(within(t), verb, req, &proto.Empty{})
			if !client.IsCode(err, proto.ApiError_NOT_PERMITTED) {
				t.Errorf("%s at %s: got %v", verb, master, err)
			}
		}
		if err := c.Call(within(t), "job.steal", &proto.Empty{}, &proto.Empty{}); !client.IsCode(err, proto.ApiError_INVALID) {
			t.Errorf("an unknown verb at %s: got %v", master, err)
		}
		for _, test := range []bool{false, true} {
			var err error
			req := c.NewJob(glob("*"), "test.ping", nil)
			if test {
				_, err = c.Resolve(within(t), req)
			} else {
				_, err = c.Submit(within(t), req)
			}
			if !client.IsCode(err, proto.ApiError_NOT_PERMITTED) {
				t.Errorf("job.run at %s (test %v): got %v", master, test, err)
			}
		}
		// In the administrator's name, and with the administrator's request.
		forged := c.NewJob(glob("*"), "test.ping", nil)
		forged.Operator = "admin"
		if _, err := c.Submit(within(t), forged); !client.IsCode(err, proto.ApiError_NOT_PERMITTED) {
			t.Errorf("in another's name at %s: got %v", master, err)
		}
		if _, err := admin.Watch(within(t), id, func(*client.Result, []string) {}); err != nil {
			t.Error(err)
		}
		r, err := admin.Show(within(t), id)
		must(t, err)
		if r.Minions["web1"].Status != "ok" {
			t.Errorf("the job that was not to be cancelled: got %v", r.Minions["web1"])
		}
		admin.Close()
	}
	works(t, s, 2)
}

const secretFile = "marker:\n  test.nop: []\n"

// filesAreForMinions: content is for accepted minions, under their own name.
func filesAreForMinions(t *testing.T, s *lab.Site) {
	if r := s.Run("*", "state.apply", "web"); r.Counts()["ok"] != 2 {
		t.Fatalf("got %v", r.Minions["web1"])
	}
	sum := sha256.Sum256([]byte(secretFile))
	site := s.Client.Trust().Pin()
	key := s.Minions["web1"].Key()
	stranger, err := pki.NewMinionKey()
	must(t, err)
	token := func(k *pki.MinionKey, site pki.Fingerprint, id string, at time.Time) string {
		text, err := pki.NewFileToken(k, site, id, at)
		must(t, err)
		return "Bearer " + text
	}
	good := token(key, site, "web1", time.Now())
	web := webClient(s)
	get := func(master, path, authorization string) (int, []byte) {
		req, err := http.NewRequestWithContext(within(t), http.MethodGet, "https://"+s.Masters[master].Addresses.Files+path, nil)
		must(t, err)
		req.Header.Set("Authorization", authorization)
		resp, err := web.Do(req)
		must(t, err)
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, data
	}
	blob := "/blob/" + hex.EncodeToString(sum[:])
	for _, master := range []string{"m1", "m2"} {
		eventually(t, master+" gives web1 the file", func() bool {
			status, data := get(master, blob, good)
			return status == http.StatusOK && string(data) == secretFile
		})
		for name, authorization := range map[string]string{
			"nothing": "", "garbage": "Bearer x", "not base64": "Bearer !!!!", "long": "Bearer " + strings.Repeat("A", 5000),
			"truncated": good[:len(good)-4], "without Bearer": good[7:],
			"stranger": token(stranger, site, "web1", time.Now()), "other's name": token(key, site, "web2", time.Now()),
			"other site": token(key, pki.Fingerprint{1}, "web1", time.Now()), "old": token(key, site, "web1", time.Now().Add(-time.Hour)),
			"of the future": token(key, site, "web1", time.Now().Add(time.Hour)),
		} {
			if status, data := get(master, blob, authorization); status < 400 || bytes.Contains(data, []byte("marker")) {
				t.Errorf("%s at %s: got %d %q", name, master, status, data)
			}
		}
		for _, path := range []string{
			"/", "/blob/", "/blob/../master.key", "/blob/%2e%2e%2fmaster.key", "/join", "/blob/" + strings.Repeat("0", 64),
		} {
			if status, _ := get(master, path, good); status < 300 {
				t.Errorf("%s at %s: got %d", path, master, status)
			}
		}
	}
}

// revocation closes live connections on both masters and is final.
func revocation(t *testing.T, s *lab.Site) {
	key := s.Minions["web2"].Key().Signing
	var thieves []*party
	for _, master := range []string{"m1", "m2", "m1", "m2"} {
		p := mustSignIn(t, s, master, key)
		p.hears(subject.Job("web2"), subject.JobAll)
		thieves = append(thieves, p)
	}
	must(t, decide(t, s.Client, "web2", proto.KeyState_KEY_REVOKED))
	for i, p := range thieves {
		select {
		case <-p.closed:
		case <-time.After(patience):
			t.Errorf("connection %d is still open", i)
		}
	}
	for _, master := range []string{"m1", "m2"} {
		refusedAt(t, s, master, key)
		c := s.At(master)
		for _, state := range []proto.KeyState{proto.KeyState_KEY_ACCEPTED, proto.KeyState_KEY_REJECTED} {
			if err := decide(t, c, "web2", state); !client.IsCode(err, proto.ApiError_CONFLICT) {
				t.Errorf("%v of a revoked key at %s: got %v", state, master, err)
			}
		}
		c.Close()
	}
	must(t, decide(t, s.Client, "web2", proto.KeyState_KEY_DELETED))
	for _, master := range []string{"m1", "m2"} {
		refusedAt(t, s, master, key)
	}
	s.Stop("m2")
	s.StartMaster("m2")
	refusedAt(t, s, "m2", key)

	again := mustSignIn(t, s, "m2", newKey(t)) // the id is free for a new key, and pending
	if r := again.enrol("web2"); r.Status != proto.EnrolReply_PENDING {
		t.Errorf("got %v", r)
	}
	s.Together()
	works(t, s, 1)
}

func refusedAt(t *testing.T, s *lab.Site, master string, key ed25519.PrivateKey) {
	t.Helper()
	if _, err := signIn(t, s, master, key); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a revoked key at %s: got %v", master, err)
	}
}
