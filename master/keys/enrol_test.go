package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

func TestBadRequests(t *testing.T) {
	m := newMaster(t, "m1")
	a, b := minion(t, "A"), minion(t, "B")
	with := func(change func(*proto.EnrolRequest)) []byte {
		req := &proto.EnrolRequest{Id: "web1", SigningKey: a.Public(), SealingKey: a.SealingPublic()}
		change(req)
		data, err := pb.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	good := with(func(*proto.EnrolRequest) {})
	for name, c := range map[string]struct {
		pub  string
		data []byte
		want string
	}{
		"garbage":            {a.NKey(), []byte("\xff\xff\xff"), "not an EnrolRequest"},
		"empty":              {a.NKey(), nil, "empty id"},
		"too large":          {a.NKey(), with(func(r *proto.EnrolRequest) { r.Version = strings.Repeat("x", 4<<10) }), "4096"},
		"another's key":      {b.NKey(), good, "not the one of the connection"},
		"no nkey":            {"UABC", good, "nkey"},
		"bad id":             {a.NKey(), with(func(r *proto.EnrolRequest) { r.Id = "../etc" }), "id"},
		"glob as id":         {a.NKey(), with(func(r *proto.EnrolRequest) { r.Id = "web*" }), "id"},
		"long id":            {a.NKey(), with(func(r *proto.EnrolRequest) { r.Id = strings.Repeat("x", 129) }), "id"},
		"no sealing key":     {a.NKey(), with(func(r *proto.EnrolRequest) { r.SealingKey = nil }), "sealing"},
		"short signing key":  {a.NKey(), with(func(r *proto.EnrolRequest) { r.SigningKey = r.SigningKey[:31] }), "signing"},
		"token of odd size":  {a.NKey(), with(func(r *proto.EnrolRequest) { r.Token = []byte("x") }), "token"},
		"version of a novel": {a.NKey(), with(func(r *proto.EnrolRequest) { r.Version = strings.Repeat("x", 65) }), "version"},
	} {
		m.wait(10 * time.Second)
		r := m.Enrol(t.Context(), c.pub, c.data, "10.0.0.1")
		if r.Status != proto.EnrolReply_TURNED_AWAY || !strings.Contains(r.Reason, c.want) {
			t.Errorf("%s: got %v, want %q", name, r, c.want)
		}
	}
	if got := m.state(); got != "" {
		t.Errorf("something was kept: %s", got)
	}
	m.ask("A", "web1", nil)
	m.wait(10 * time.Second)
	other := with(func(r *proto.EnrolRequest) { r.SealingKey = b.SealingPublic() })
	if r := m.Enrol(t.Context(), a.NKey(), other, ""); r.Status != proto.EnrolReply_TURNED_AWAY {
		t.Errorf("the sealing key was changed: %v", r)
	}
}

func TestOneRequestInTenSeconds(t *testing.T) {
	m := newMaster(t, "m1")
	m.ask("A", "web1", nil)
	a := minion(t, "A")
	data := request(t, a, "web1", nil)
	m.wait(5 * time.Second)
	if r := m.Enrol(t.Context(), a.NKey(), data, ""); r.Status != proto.EnrolReply_TURNED_AWAY {
		t.Errorf("after 5 s: got %v", r)
	}
	if r := m.ask("A", "web1", nil); r.Status != proto.EnrolReply_PENDING {
		t.Errorf("after 15 s: got %v", r)
	}
	if n := m.count(&m.events, "salt/auth denied rate"); n != 1 {
		t.Errorf("events: %v", m.events)
	}
	for range 100 {
		m.Enrol(t.Context(), a.NKey(), data, "")
	}
	if n := m.count(&m.events, "salt/auth denied rate"); n != 1 {
		t.Errorf("a flood made %d events", n)
	}
}

func TestThousandPending(t *testing.T) {
	m := newMaster(t, "m1")
	sealing := bytes.Repeat([]byte{7}, 32)
	ask := func(i int, token []byte) *proto.EnrolReply {
		pub := make(ed25519.PublicKey, ed25519.PublicKeySize)
		pub[0], pub[1], pub[31] = byte(i), byte(i>>8), 9
		data, err := pb.Marshal(&proto.EnrolRequest{Id: fmt.Sprintf("web%d", i), SigningKey: pub, SealingKey: sealing, Token: token})
		if err != nil {
			t.Error(err)
		}
		return m.Enrol(t.Context(), pki.NKey(pub), data, "10.0.0.1")
	}
	var wait sync.WaitGroup
	for worker := range 20 {
		wait.Go(func() {
			for i := worker; i < 1000; i += 20 {
				// Near the limit those being written may turn a request away.
				if r := ask(i, nil); r.Status != proto.EnrolReply_PENDING && i < 900 {
					t.Errorf("request %d: got %v", i, r)
				}
			}
		})
	}
	wait.Wait()
	infos, err := m.List(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2000; len(infos) < 1000 && i < 3000; i++ {
		ask(i, nil)
		if infos, err = m.List(nil); err != nil {
			t.Fatal(err)
		}
	}
	if r := ask(5000, nil); r.Status != proto.EnrolReply_TURNED_AWAY || !strings.Contains(r.Reason, "1000") {
		t.Errorf("one too many: got %v", r)
	}
	if n := m.count(&m.events, "salt/auth denied pending"); n != 1 {
		t.Errorf("%d events about too many", n)
	}
	// A token needs no room.
	if r := ask(5001, m.token(&proto.TokenRequest{Pattern: "*", Ttl: 1e9})); r.Status != proto.EnrolReply_ACCEPTED {
		t.Errorf("with a token: got %v", r)
	}
	if got := m.act("delete web1*"); got == "0" {
		t.Error("nothing deleted")
	}
	if r := ask(5002, nil); r.Status != proto.EnrolReply_PENDING {
		t.Errorf("after some were deleted: got %v", r)
	}
}

// token makes an enrolment token and returns its secret.
func (m *master) token(req *proto.TokenRequest) []byte {
	m.t.Helper()
	text, err := m.Token(m.t.Context(), req, pki.Fingerprint{1}, []string{"h:1"})
	if err != nil {
		m.t.Fatal(err)
	}
	raw, ok := strings.CutPrefix(text, "brine-enrol-")
	data, err := base64.RawURLEncoding.DecodeString(raw)
	token := &proto.EnrolToken{}
	if err != nil || !ok || pb.Unmarshal(data, token) != nil {
		m.t.Fatalf("token %q: %v", text, err)
	}
	if len(token.Secret) != 32 || len(token.Masters) != 1 || token.CaFingerprint[0] != 1 {
		m.t.Fatalf("token %v", token)
	}
	return token.Secret
}

func TestTokens(t *testing.T) {
	hour := time.Hour.Microseconds()
	m, other := newMaster(t, "m1"), newMaster(t, "m2")
	once := m.token(&proto.TokenRequest{Pattern: "web*", Ttl: hour, Uses: 1})
	twice := m.token(&proto.TokenRequest{Pattern: "*", Ttl: hour, Uses: 2})
	always := m.token(&proto.TokenRequest{Pattern: "*", Ttl: hour})
	want := func(name string, r *proto.EnrolReply, status proto.EnrolReply_Status, reason string) {
		t.Helper()
		if r.Status != status || !strings.Contains(r.Reason, reason) {
			t.Errorf("%s: got %v, want %v %q", name, r, status, reason)
		}
	}
	accepted, pending := proto.EnrolReply_ACCEPTED, proto.EnrolReply_PENDING
	want("wrong id", m.ask("A", "db1", once), pending, `is for "web*", not for "db1"`)
	want("right id", m.ask("B", "web1", once), accepted, "")
	want("same again", m.ask("B", "web1", once), accepted, "")
	want("used up", m.ask("C", "web2", once), pending, "used up")
	want("pending, then with a token", m.ask("C", "web2", twice), accepted, "")
	want("second use", m.ask("D", "web3", twice), accepted, "")
	want("no third use", m.ask("E", "web4", twice), pending, "used up")
	m.copyTo(other)
	want("used up at another master", other.ask("F", "web5", twice), pending, "used up")
	want("good at another master", other.ask("F", "web5", always), accepted, "")
	want("takeover", m.ask("G", "web1", always), proto.EnrolReply_TURNED_AWAY, "accepted with another key")
	want("unknown", m.ask("H", "web6", bytes.Repeat([]byte{1}, 32)), pending, "unknown")
	m.act("reject web6")
	want("rejected stays rejected", m.ask("H", "web6", always), proto.EnrolReply_REJECTED, "alice")
	m.act("revoke web1")
	want("revoked stays revoked", m.ask("B", "web1", always), proto.EnrolReply_REVOKED, "new one")
	m.act("delete web2")
	want("deleted comes back by token", m.ask("C", "web2", always), accepted, "")
	if infos, err := m.List([]string{"web3"}); err != nil || len(infos) != 1 || !strings.HasPrefix(infos[0].By, "token t") {
		t.Errorf("list: %v, %v", infos, err)
	}
	m.wait(2 * time.Hour)
	want("expired", m.ask("I", "web7", always), pending, "expired")
	m.load("m1")
	want("used up after a new start", m.ask("K", "web8", once), pending, "used up")

	for _, req := range []*proto.TokenRequest{
		{Pattern: "*"}, {Pattern: "*", Ttl: -1}, {Pattern: "*", Ttl: 1 << 60}, {Ttl: hour}, {Pattern: "web[", Ttl: hour},
	} {
		if _, err := m.Token(t.Context(), req, pki.Fingerprint{1}, nil); err == nil {
			t.Errorf("token made for %v", req)
		}
	}
}

// A token of n uses serves n minions, however many ask at the same moment.
func TestTokenUsesAreCounted(t *testing.T) {
	m := newMaster(t, "m1")
	secret := m.token(&proto.TokenRequest{Pattern: "*", Ttl: 1e9, Uses: 5})
	var mu sync.Mutex
	accepted := 0
	var wait sync.WaitGroup
	for i := range 20 {
		k, err := pki.NewMinionKey()
		if err != nil {
			t.Fatal(err)
		}
		data := request(t, k, fmt.Sprintf("web%d", i), secret)
		wait.Go(func() {
			r := m.Enrol(t.Context(), k.NKey(), data, "")
			mu.Lock()
			defer mu.Unlock()
			if r.Status == proto.EnrolReply_ACCEPTED {
				accepted++
			}
		})
	}
	wait.Wait()
	if accepted != 5 || len(m.Accepted()) != 5 {
		t.Errorf("%d were told, %d are accepted, want 5", accepted, len(m.Accepted()))
	}
}

// Of two keys that ask for one id by token at the same moment one gets it.
func TestTokenRaceForOneID(t *testing.T) {
	m := newMaster(t, "m1")
	secret := m.token(&proto.TokenRequest{Pattern: "*", Ttl: 1e9})
	var wait sync.WaitGroup
	for range 10 {
		k, err := pki.NewMinionKey()
		if err != nil {
			t.Fatal(err)
		}
		data := request(t, k, "web1", secret)
		wait.Go(func() { m.Enrol(t.Context(), k.NKey(), data, "") })
	}
	wait.Wait()
	infos, err := m.List(nil)
	if err != nil || len(infos) != 1 || infos[0].State != proto.KeyState_KEY_ACCEPTED {
		t.Errorf("got %v, %v", infos, err)
	}
}

func TestJoinTokens(t *testing.T) {
	m, other := newMaster(t, "m1"), newMaster(t, "m2")
	secret := bytes.Repeat([]byte{5}, 32)
	hash := sum(secret)
	err := m.Invite(t.Context(), &proto.InviteRequest{Name: "m3", Ttl: 1e9, SecretSha256: hash, Kit: []byte("kit")})
	if err != nil {
		t.Fatal(err)
	}
	m.copyTo(other)
	if !m.Invited("m3") || !other.Invited("m3") || m.Invited("m4") {
		t.Error("nobody knows who was invited")
	}
	if _, err := other.Join(t.Context(), secret, "m4"); err == nil {
		t.Error("another name joined")
	}
	if _, err := other.Join(t.Context(), []byte("wrong"), "m3"); err == nil {
		t.Error("a wrong secret joined")
	}
	if r := m.ask("A", "m3", secret); r.Status != proto.EnrolReply_PENDING {
		t.Errorf("a minion enrolled with a join token: %v", r)
	}
	if kit, err := other.Join(t.Context(), secret, "m3"); err != nil || string(kit) != "kit" {
		t.Errorf("got %q, %v", kit, err)
	}
	other.copyTo(m)
	for _, m := range []*master{m, other} {
		if _, err := m.Join(t.Context(), secret, "m3"); err == nil {
			t.Error("the token served twice")
		}
		if m.Invited("m3") {
			t.Error("who has joined still counts as invited")
		}
	}
	for _, req := range []*proto.InviteRequest{
		{}, {Name: "m5", Ttl: 1e9, Kit: []byte("k")}, {Name: "a/b", Ttl: 1e9, SecretSha256: hash, Kit: []byte("k")},
		{Name: "m5", SecretSha256: hash, Kit: []byte("k")},
	} {
		if err := m.Invite(t.Context(), req); err == nil {
			t.Errorf("invited %v", req)
		}
	}
}

func FuzzEnrol(f *testing.F) {
	k, err := pki.NewMinionKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := pb.Marshal(&proto.EnrolRequest{Id: "web1", SigningKey: k.Public(), SealingKey: k.SealingPublic()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.NKey(), good, "10.0.0.1")
	f.Add("", []byte{}, "")
	f.Add(k.NKey(), good[:20], "x")
	m := newFuzzMaster(f)
	f.Fuzz(func(t *testing.T, pub string, data []byte, address string) {
		m.note(func() { m.offset += 10 * time.Second })
		before := m.store.Last()
		r := m.Enrol(t.Context(), pub, data, address)
		switch r.Status {
		case proto.EnrolReply_PENDING:
			key, err := pki.ParseNKey(pub)
			if id, state := m.Minion(key); err != nil || id == "" || state != proto.KeyState_KEY_PENDING {
				t.Errorf("pending without a key: %v", err)
			}
		case proto.EnrolReply_TURNED_AWAY:
			if m.store.Last() != before || r.Reason == "" {
				t.Errorf("turned away, but kept: %v", r)
			}
		default:
			t.Errorf("got %v", r)
		}
	})
}
