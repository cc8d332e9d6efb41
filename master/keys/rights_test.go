package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"brine/master/keys"
	"brine/pki"
	"brine/proto"
	"brine/proto/role"
)

func roles(t *testing.T, texts ...string) (all []*proto.Role) {
	t.Helper()
	for _, text := range texts {
		r, err := role.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func pub(b byte) ed25519.PublicKey { return bytes.Repeat([]byte{b}, 32) }

// set keeps an operator, and tells what is wrong with it.
func (m *master) set(op *proto.OperatorRecord) error {
	_, err := m.SetOperator(m.t.Context(), op)
	return err
}

func TestEnvironments(t *testing.T) {
	m := newMaster(t, "m1")
	op := &proto.OperatorRecord{Name: "alice", Roles: roles(t, "state.* on web* in base,dev*", "state.apply on db1 in qa", "test.* on * in none")}
	old := &proto.OperatorRecord{Name: "old", Roles: []*proto.Role{{Functions: []string{"*"}, Targets: []string{"web*"}}}}
	for _, c := range []struct {
		op            *proto.OperatorRecord
		function, ids string
		environments  string
		want          string // in the error; "" is allowed
	}{
		{op, "state.apply", "web1 web2", "base", ""},
		{op, "state.apply", "web1", "base dev2", ""},
		{op, "state.apply", "web1", "base qa", "may not use state.apply in environment qa on 1 of 1 minions: web1; missing is a role such as 'state.apply on web1 in base,qa'"},
		{op, "state.apply", "web1 db1", "qa", "in environment qa on 1 of 2 minions: web1"},
		{op, "state.apply", "db1", "qa", ""},
		{op, "test.ping", "web1 x", "", ""},
		{op, "test.ping", "web1", "base", "in environment base"},
		{old, "state.apply", "web1", "base qa", ""},
	} {
		err := m.Allowed(c.op, c.function, strings.Fields(c.ids), strings.Fields(c.environments)...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s of %s on %s in %s: got %v, want %q", c.function, c.op.Name, c.ids, c.environments, err, c.want)
		}
	}
}

func TestARefusalSaysWhoCanGiveWhatIsMissing(t *testing.T) {
	m := newMaster(t, "m1")
	for i, name := range []string{"root", "bob"} {
		if err := m.set(&proto.OperatorRecord{Name: name, Key: pub(byte(i + 1)), Roles: roles(t, "admin")}); err != nil {
			t.Fatal(err)
		}
	}
	err := m.Allowed(&proto.OperatorRecord{Name: "alice"}, "cmd.run", []string{"a", "b", "c", "d", "e", "f"})
	want := `operator "alice" may not use cmd.run; missing is a role such as 'cmd.run on a,b,c,d,e,... in base', ` +
		`which bob, root can give (brine operator set alice --add-role)`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAnExpiredOperatorIsNoneAndItsConnectionsGo(t *testing.T) {
	m, other := newMaster(t, "m1"), newMaster(t, "m2")
	op := &proto.OperatorRecord{Name: "alice", Key: pub(1), Roles: roles(t, "admin"), NotAfter: m.now().Add(time.Hour).Unix()}
	if err := m.set(op); err != nil {
		t.Fatal(err)
	}
	m.copyTo(other)
	if err := m.set(&proto.OperatorRecord{Name: "root", Key: pub(2), Roles: roles(t, "admin")}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []*master{m, other} {
		at.Expire()
		if _, ok := at.OperatorRecord(pub(1)); !ok || at.count(&at.revoked, pki.NKey(pub(1))) != 0 {
			t.Error("over before its time")
		}
		at.wait(time.Hour)
		if _, ok := at.Operator(pub(1)); ok || at.Allowed(op, "test.ping", nil) == nil {
			t.Error("known after its time")
		}
		at.Expire()
		at.Expire()
		if at.count(&at.revoked, pki.NKey(pub(1))) != 1 {
			t.Errorf("connections closed: %v", at.revoked)
		}
		if name, past := at.PastOperator(pub(1)); name != "alice" || !past {
			t.Errorf("got %q, %v", name, past)
		}
	}
	if _, past := m.PastOperator(pub(2)); past {
		t.Error("root is past")
	}
	op.NotAfter = m.now().Add(time.Hour).Unix()
	if err := m.set(op); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Operator(pub(1)); !ok {
		t.Error("not known again after its time was made longer")
	}
}

func TestSignInsDoNotTakeTheKeysPlace(t *testing.T) {
	m := newMaster(t, "m1")
	until := m.now().Add(time.Hour).Unix()
	for _, op := range []*proto.OperatorRecord{
		{Name: "admin", Key: pub(1), Roles: roles(t, "admin")},
		{Name: "pam:admin", Key: pub(2), Roles: roles(t, "test.* on *"), Via: "pam", NotAfter: until},
		{Name: "ldap:admin", Key: pub(3), Roles: roles(t, "test.* on *"), Via: "ldap", NotAfter: until},
	} {
		if err := m.set(op); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{1: "admin", 2: "pam:admin", 3: "ldap:admin"} {
		if name, ok := m.Operator(pub(byte(i))); i > 0 && (!ok || name != want) {
			t.Errorf("key %d: %q, %v, want %q", i, name, ok, want)
		}
	}
	if op, _ := m.OperatorRecord(pub(2)); len(op.GetRoles()) > 0 {
		t.Errorf("a sign-in has roles that no configuration gives: %v", op.Roles)
	}
	if err := m.set(&proto.OperatorRecord{Name: "admin", Key: pub(5), Via: "pam", NotAfter: until}); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("a sign-in under the name of an operator with a key: %v", err)
	}
	if err := m.set(&proto.OperatorRecord{Name: "pam:x", Key: pub(4), Via: "pam"}); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("a sign-in without an end: %v", err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	m := newMaster(t, "m1")
	ctx := t.Context()
	if err := m.set(&proto.OperatorRecord{Name: "root", Key: pub(1), Roles: roles(t, "admin")}); err != nil {
		t.Fatal(err)
	}
	for _, op := range []*proto.OperatorRecord{
		{Name: "root", Key: pub(1), Revoked: true},
		{Name: "root", Key: pub(1), Roles: roles(t, "* on web*")},
		{Name: "root", Key: pub(1), Roles: roles(t, "admin"), NotAfter: m.now().Add(time.Hour).Unix()},
	} {
		if err := m.set(op); !errors.Is(err, keys.ErrConflict) {
			t.Errorf("%v: %v", op, err)
		}
	}
	if _, _, err := m.RevokeOperator(ctx, "root", "root", ""); !errors.Is(err, keys.ErrConflict) {
		t.Errorf("revoked the last admin: %v", err)
	}
	// With a new key it is still there, and the old one is good for nothing, for good.
	if err := m.set(&proto.OperatorRecord{Name: "root", Key: pub(2), Roles: roles(t, "admin")}); err != nil {
		t.Fatal(err)
	}
	if err := m.set(&proto.OperatorRecord{Name: "bob", Key: pub(3), Roles: roles(t, "admin")}); err != nil {
		t.Fatal(err)
	}
	gone, unconfirmed, err := m.RevokeOperator(ctx, "bob", "root", "")
	if err != nil || len(gone) != 2 || !gone[0].Revoked || !gone[1].Revoked || gone[1].AddedBy != "bob" || len(unconfirmed) != 1 {
		t.Errorf("got %v, %v, %v", gone, unconfirmed, err)
	}
	for i := byte(1); i <= 2; i++ {
		if _, ok := m.Operator(pub(i)); ok {
			t.Errorf("key %d is root's", i)
		}
	}
	if _, _, err := m.RevokeOperator(ctx, "bob", "nobody", ""); !errors.Is(err, keys.ErrNoKey) || !strings.Contains(err.Error(), "there are bob, root") {
		t.Errorf("got %v", err)
	}
	if _, _, err := m.RevokeOperator(ctx, "bob", "bob", "no"); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("got %v", err)
	}
}

func TestNobodyGrantsMoreThanTheyHave(t *testing.T) {
	m := newMaster(t, "m1")
	own := &proto.OperatorRecord{Name: "lead", Roles: roles(t, "test.*,state.apply on web*,db? in base,dev*", "@operator.*,@job.list")}
	for text, want := range map[string]bool{
		"test.ping on web1":             true,
		"test.* on web*,db1":            true,
		"test.p* on web1* in dev1,dev*": true,
		"test.* on db?":                 true,
		"test.* on db*":                 false, // the "?" is one letter
		"test.* on web[12]":             false, // not worth the trouble
		"test.*,cmd.run on web1":        false,
		"test.* on *":                   false,
		"test.* on web1 in qa":          false,
		"test.* on web1 in *":           false,
		"@operator.set,@job.list":       true,
		"@key.list":                     false,
		"* on web*":                     false,
		"admin":                         false,
	} {
		if err := m.MayGrant(own, roles(t, text)); (err == nil) != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	if err := m.MayGrant(&proto.OperatorRecord{Roles: roles(t, "admin")}, roles(t, "admin", "@x")); err != nil {
		t.Error(err)
	}
	site := &proto.OperatorRecord{Roles: roles(t, "* on *")} // all verbs, but one environment
	if m.MayGrant(site, roles(t, "@key.list", "cmd.run on x")) != nil || m.MayGrant(site, roles(t, "admin")) == nil {
		t.Error("who may do all in base grants otherwise")
	}
}
