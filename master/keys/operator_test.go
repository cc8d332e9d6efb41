package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"path/filepath"
	"strings"
	"testing"

	"brine/master/keys"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

func sum(data []byte) []byte {
	h := sha256.Sum256(data)
	return h[:]
}

// newFuzzMaster is a master without hooks, whose store lives as long as the fuzzing.
func newFuzzMaster(f *testing.F) *master {
	f.Helper()
	m := &master{}
	s, err := store.Open(filepath.Join(f.TempDir(), "store.db"), store.Options{Master: "m1", Now: m.now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	m.store = &flaky{Store: s}
	if m.DB, err = keys.New(f.Context(), keys.Options{Master: "m1", Store: s, Now: m.now}); err != nil {
		f.Fatal(err)
	}
	return m
}

func lists(functions, targets string) *proto.Role {
	return &proto.Role{Functions: strings.Fields(functions), Targets: strings.Fields(targets)}
}

func TestAllowed(t *testing.T) {
	m := newMaster(t, "m1")
	admin := []*proto.Role{lists("*", "*")}
	web := []*proto.Role{lists("*", "web*")}
	ops := []*proto.Role{lists("test.* cmd.run", "web*"), lists("test.*", "db*"), lists("@job.* @key.list", "")}
	for _, c := range []struct {
		name     string
		roles    []*proto.Role
		function string
		ids      string
		want     string // in the error; "" is allowed
	}{
		{"admin", admin, "cmd.run", "web1 db1", ""},
		{"admin on brine", admin, "@key.decide", "", ""},
		{"within the target", web, "cmd.run", "web1 web2", ""},
		{"beyond the target", web, "cmd.run", "web1 db1", `operator "alice" may not use cmd.run on 1 of 2 minions: db1`},
		{"a partial role is no right on brine", web, "@key.decide", "", `operator "alice" may not use @key.decide`},
		{"roles add up", ops, "test.ping", "web1 db1", ""},
		{"each role for itself", ops, "cmd.run", "web1 db1", "db1"},
		{"unknown function", ops, "state.apply", "web1", "may not use state.apply"},
		{"function without minions", ops, "test.ping", "", ""},
		{"verb by name", ops, "@key.list", "", ""},
		{"verb by glob", ops, "@job.show", "", ""},
		{"another verb", ops, "@key.decide", "", "may not use"},
		{"no roles", nil, "test.ping", "", "may not use"},
		{"many denied", ops, "cmd.run", "a b c d e f g", "on 7 of 7 minions: a, b, c, d, e ..."},
		{"a bad glob allows nothing", []*proto.Role{lists("[", "*")}, "test.ping", "web1", "may not use"},
		{"a bad target allows nothing", []*proto.Role{lists("*", "[")}, "test.ping", "web1", "web1"},
	} {
		op := &proto.OperatorRecord{Name: "alice", Roles: c.roles}
		err := m.Allowed(op, c.function, strings.Fields(c.ids))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if m.Allowed(&proto.OperatorRecord{Name: "bob", Roles: admin, Revoked: true}, "test.ping", nil) == nil ||
		m.Allowed(nil, "test.ping", nil) == nil {
		t.Error("a revoked or unknown operator is allowed something")
	}
}

func TestOperators(t *testing.T) {
	m, other := newMaster(t, "m1"), newMaster(t, "m2")
	key := func(b byte) ed25519.PublicKey { return bytes.Repeat([]byte{b}, 32) }
	if _, err := m.SetOperator(t.Context(), &proto.OperatorRecord{Name: "root", Key: key(99), Roles: []*proto.Role{lists("*", "*")}}); err != nil {
		t.Fatal(err)
	}
	set := func(name string, k byte, revoked bool) error {
		_, err := m.SetOperator(t.Context(), &proto.OperatorRecord{
			Name: name, Key: key(k), Roles: []*proto.Role{lists("*", "*")}, Revoked: revoked,
		})
		return err
	}
	if err := set("alice", 1, false); err != nil {
		t.Fatal(err)
	}
	if name, ok := m.Operator(key(1)); !ok || name != "alice" {
		t.Errorf("got %q, %v", name, ok)
	}
	if err := set("bob", 1, false); err == nil {
		t.Error("two operators have one key")
	}
	// With a new key the old one is nobody's, and its connections go.
	if err := set("alice", 2, false); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Operator(key(1)); ok {
		t.Error("the replaced key is still alice's")
	}
	if m.count(&m.revoked, pki.NKey(key(1))) != 1 {
		t.Errorf("hooks: %v", m.revoked)
	}
	if err := set("alice", 2, true); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Operator(key(2)); ok {
		t.Error("a revoked operator is known")
	}
	if err := set("alice", 2, false); err == nil {
		t.Error("a revoked key came back")
	}
	if err := set("alice", 3, false); err != nil {
		t.Errorf("a new key under the name: %v", err)
	}
	m.copyTo(other)
	if name, ok := other.Operator(key(3)); !ok || name != "alice" {
		t.Errorf("at another master: got %q, %v", name, ok)
	}
	m.ask("A", "web1", nil)
	for _, bad := range []*proto.OperatorRecord{
		{Name: "a b", Key: key(9)}, {Name: "carol"}, {Name: "carol", Key: key(9)[:31]},
		{Name: "carol", Key: key(9), Roles: []*proto.Role{lists("[", "*")}},
		{Name: "carol", Key: minion(t, "A").Public()}, nil,
	} {
		if _, err := m.SetOperator(t.Context(), bad); err == nil {
			t.Errorf("operator %v was set", bad)
		}
	}
}
