package broker

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

var nonce = []byte("abcdefgh-_12345")

func key(seed byte) ed25519.PrivateKey {
	s := make([]byte, ed25519.SeedSize)
	s[0] = seed
	return ed25519.NewKeyFromSeed(s)
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func TestDecide(t *testing.T) {
	keys := &fakeKeys{minions: map[string]fakeMinion{}, operators: map[string]string{}}
	states := []proto.KeyState{
		proto.KeyState_KEY_UNSPECIFIED, proto.KeyState_KEY_PENDING, proto.KeyState_KEY_ACCEPTED,
		proto.KeyState_KEY_REJECTED, proto.KeyState_KEY_REVOKED, proto.KeyState_KEY_DELETED,
	}
	want := map[proto.KeyState]Role{
		proto.KeyState_KEY_UNSPECIFIED: RoleUnaccepted, proto.KeyState_KEY_PENDING: RoleUnaccepted,
		proto.KeyState_KEY_ACCEPTED: RoleMinion, proto.KeyState_KEY_REJECTED: RoleUnaccepted,
		proto.KeyState_KEY_REVOKED: RoleNone, proto.KeyState_KEY_DELETED: RoleUnaccepted,
	}
	for i, state := range states {
		k := key(byte(i))
		keys.set(public(k), "web.1", state)
		sig, err := pki.SignNonce(k, nonce)
		if err != nil {
			t.Fatal(err)
		}
		d := Decide(keys, pki.NKey(public(k)), nonce, sig)
		if d.Role != want[state] || (d.Err != nil) != (want[state] == RoleNone) {
			t.Errorf("%v: got %v, %v", state, d.Role, d.Err)
		}
		if state == proto.KeyState_KEY_REVOKED && !errors.Is(d.Err, ErrRevoked) {
			t.Errorf("%v: got %v", state, d.Err)
		}
		if d.Role == RoleMinion && (d.ID != "web.1" || d.Token != "web_2e1") {
			t.Errorf("got %q, %q", d.ID, d.Token)
		}
		if d.Role == RoleUnaccepted && d.Token != "" {
			t.Errorf("%v has the token %q", state, d.Token)
		}
	}
	root := key(100)
	keys.operators[string(public(root))] = "root"
	sig, _ := pki.SignNonce(root, nonce)
	if d := Decide(keys, pki.NKey(public(root)), nonce, sig); d.Role != RoleOperator || d.ID != "root" ||
		d.Token != subject.OperatorToken("root") {
		t.Errorf("got %+v", d)
	}
}

func TestDecideRefusesWhoDoesNotHoldTheKey(t *testing.T) {
	keys := &fakeKeys{minions: map[string]fakeMinion{}, operators: map[string]string{}}
	k := key(1)
	keys.set(public(k), "web1", proto.KeyState_KEY_ACCEPTED)
	good, _ := pki.SignNonce(k, nonce)
	other, _ := pki.SignNonce(key(2), nonce)
	for name, c := range map[string]struct {
		nkey       string
		nonce, sig []byte
	}{
		"another's signature": {pki.NKey(public(k)), nonce, other},
		"another nonce":       {pki.NKey(public(k)), []byte("abcdefgh-_12346"), good},
		"no signature":        {pki.NKey(public(k)), nonce, nil},
		"no nonce":            {pki.NKey(public(k)), nil, ed25519.Sign(k, nil)},
		"no key":              {"", nonce, good},
		"another's key":       {pki.NKey(public(key(3))), nonce, good},
		"a job as nonce":      {pki.NKey(public(k)), []byte("\x00brine 1 job"), ed25519.Sign(k, []byte("\x00brine 1 job"))},
	} {
		if d := Decide(keys, c.nkey, c.nonce, c.sig); d.Err == nil || d.Role != RoleNone || d.Permissions.Publish != nil {
			t.Errorf("%s: got %+v", name, d)
		}
	}
	keys.set(public(k), "a/b", proto.KeyState_KEY_ACCEPTED)
	if d := Decide(keys, pki.NKey(public(k)), nonce, good); d.Err == nil {
		t.Error("a bad id was let in")
	}
}

func TestRepliesStayInTheSendersInbox(t *testing.T) {
	for _, good := range []string{"_INBOX_web1.x", "_INBOX_web1.AbC123.7", "_INBOX_web1.ack"} {
		if err := checkReply(good, "web1"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "_INBOX_web1", "_INBOX_web1.", "_INBOX_web1..x", "_INBOX_web1.x.", "_INBOX_web1.*",
		"_INBOX_web1.>", "_INBOX_web1.a b", "_INBOX_web1.a\r\nPUB job.all 0", "_INBOX_web2.x", "_INBOX_web11.x",
		"_INBOX_web.x", "_INBOX_.x", "_INBOX.x", "job.all", "job.id.web1", "job.id.web2", "$SYS.REQ.SERVER.PING",
		"ret.web1.1.fin", "_INBOX_op_op-root.x", "_INBOX_web1.$x", "_INBOX_web1.\u00e9"} {
		if err := checkReply(bad, "web1"); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for _, token := range []string{"", "web1.x", "web1.*"} {
		if err := checkReply("_INBOX_"+token+".x", token); err == nil {
			t.Errorf("token %q was taken", token)
		}
	}
}

func TestLogTellsRoutesFromClients(t *testing.T) {
	for text, want := range map[string][3]string{
		"10.0.0.1:6222 - rid:12 - Route Error 'x'":                      {"10.0.0.1:6222", "rid", "Route Error 'x'"},
		"10.0.0.1:4711 - cid:5 - \"v1\" - trouble":                      {"10.0.0.1:4711", "cid", "\"v1\" - trouble"},
		"10.0.0.1:4711 - cid:5 - \"x - rid:1 - Route Error\" - trouble": {"10.0.0.1:4711", "cid", "\"x - rid:1 - Route Error\" - trouble"},
		"Error listening": {"", "", "Error listening"},
		"a - b":           {"", "", "a - b"},
		"[::1]:1 - rid:3": {"[::1]:1", "rid", ""},
	} {
		remote, kind, rest := splitConnection(text)
		if got := [3]string{remote, kind, rest}; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzDecide(f *testing.F) {
	k := key(1)
	sig, _ := pki.SignNonce(k, nonce)
	f.Add(pki.NKey(public(k)), []byte(nonce), sig)
	f.Add("U", []byte{}, []byte{})
	keys := &fakeKeys{minions: map[string]fakeMinion{}, operators: map[string]string{}}
	keys.set(public(k), "web1", proto.KeyState_KEY_ACCEPTED)
	f.Fuzz(func(t *testing.T, nkey string, n, s []byte) {
		d := Decide(keys, nkey, n, s)
		if d.Err == nil && d.Role == RoleMinion && (string(n) != string(nonce) || string(s) != string(sig)) {
			t.Errorf("let in with %q, %q, %q", nkey, n, s)
		}
	})
}

func FuzzCheckReply(f *testing.F) {
	f.Add("_INBOX_web1.x", "web1")
	f.Add("job.all", "web1")
	f.Fuzz(func(t *testing.T, reply, token string) {
		if checkReply(reply, token) != nil {
			return
		}
		prefix := subject.Inbox(token) + "."
		if len(reply) <= len(prefix) || reply[:len(prefix)] != prefix || len(reply) > maxReply {
			t.Errorf("%q is not in the inbox of %q", reply, token)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	keys := &fakeKeys{minions: map[string]fakeMinion{}, operators: map[string]string{}}
	k := key(1)
	keys.set(public(k), "web1", proto.KeyState_KEY_ACCEPTED)
	sig, _ := pki.SignNonce(k, nonce)
	nkey := pki.NKey(public(k))
	for b.Loop() {
		if d := Decide(keys, nkey, nonce, sig); d.Err != nil {
			b.Fatal(d.Err)
		}
	}
}
