package keys_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/proto"
)

// Each case is what is done, line by line, each with its outcome (the number
// of keys for a decision), and what is in force in the end.
var ruleCases = []struct {
	name  string
	lines string
	want  string
}{
	{"a new key waits", "A ask web1 = PENDING; A ask web1 = PENDING", "A web1 pending"},
	{"accepted", "A ask web1 = PENDING; accept web1 = 1; A ask web1 = ACCEPTED", "A web1 accepted"},
	{"accepted again is no error", "A ask web1 = PENDING; accept web1 = 1; accept web1 = 1", "A web1 accepted"},
	{"rejected", "A ask web1 = PENDING; reject web1 = 1; A ask web1 = REJECTED", "A web1 rejected"},
	{"glob accepts what waits", "A ask web1 = PENDING; B ask web2 = PENDING; C ask db1 = PENDING; accept web* = 2",
		"A web1 accepted, B web2 accepted, C db1 pending"},
	{"several patterns count a key once", "A ask web1 = PENDING; B ask db1 = PENDING; accept web* web1 d* = 2",
		"A web1 accepted, B db1 accepted"},
	{"a glob does not accept rejected keys",
		"A ask web1 = PENDING; reject web1 = 1; B ask web2 = PENDING; accept * = 1", "A web1 rejected, B web2 accepted"},
	{"an id accepts a rejected key", "A ask web1 = PENDING; reject web1 = 1; accept web1 = 1", "A web1 accepted"},
	{"a fingerprint accepts a rejected key", "A ask web1 = PENDING; reject web1 = 1; accept #A = 1", "A web1 accepted"},
	{"a glob does not reject accepted keys",
		"A ask web1 = PENDING; accept * = 1; B ask web2 = PENDING; reject * = 1", "A web1 accepted, B web2 rejected"},
	{"an id rejects an accepted key", "A ask web1 = PENDING; accept web1 = 1; reject web1 = 1", "A web1 rejected"},
	{"nothing matches", "A ask web1 = PENDING; accept db1 = no key; accept web1 db* = no key", "A web1 pending"},
	{"a pattern that cannot be read", "A ask web1 = PENDING; accept web[ = invalid", "A web1 pending"},

	{"two keys of one id: accept needs a fingerprint",
		"A ask web1 = PENDING; B ask web1 = PENDING; accept web1 = conflict; accept * = conflict; accept web1 #B = 1",
		"A web1 pending, B web1 accepted"},
	{"two keys of one id: all or nothing",
		"A ask web1 = PENDING; B ask web1 = PENDING; C ask db1 = PENDING; accept * = conflict",
		"A web1 pending, B web1 pending, C db1 pending"},
	{"two keys of one id: both rejected", "A ask web1 = PENDING; B ask web1 = PENDING; reject web1 = 2",
		"A web1 rejected, B web1 rejected"},
	{"two keys of one id: revoke needs a fingerprint",
		"A ask web1 = PENDING; B ask web1 = PENDING; revoke web1 = conflict; revoke #A = 1",
		"A web1 revoked, B web1 pending"},
	{"a fingerprint of another id", "A ask web1 = PENDING; B ask web2 = PENDING; accept web1 #B = no key",
		"A web1 pending, B web2 pending"},

	{"no takeover by asking", "A ask web1 = PENDING; accept web1 = 1; B ask web1 = TURNED_AWAY", "A web1 accepted"},
	{"no takeover by accepting",
		"A ask web1 = PENDING; B ask web1 = PENDING; accept #A = 1; accept web1 = conflict; accept #B = conflict; accept * = conflict",
		"A web1 accepted, B web1 pending"},
	{"a rejected key does not take over",
		"A ask web1 = PENDING; reject web1 = 1; B ask web1 = PENDING; accept #B = 1; accept #A = conflict",
		"A web1 rejected, B web1 accepted"},
	{"deleting frees the id",
		"A ask web1 = PENDING; accept web1 = 1; delete web1 = 1; B ask web1 = PENDING; accept web1 = 1; A ask web1 = TURNED_AWAY",
		"B web1 accepted"},
	{"revoking frees the id",
		"A ask web1 = PENDING; accept web1 = 1; revoke web1 = 1; B ask web1 = PENDING; accept web1 = 1",
		"A web1 revoked, B web1 accepted"},

	{"revoked is final",
		"A ask web1 = PENDING; revoke web1 = 1; A ask web1 = REVOKED; accept web1 = conflict; accept #A = conflict; reject web1 = conflict",
		"A web1 revoked"},
	{"revoked again is no error", "A ask web1 = PENDING; revoke web1 = 1; revoke web1 = 1", "A web1 revoked"},
	{"a glob passes revoked keys by", "A ask web1 = PENDING; revoke web1 = 1; accept * = 0", "A web1 revoked"},
	{"revoked survives delete",
		"A ask web1 = PENDING; accept web1 = 1; revoke web1 = 1; delete web1 = 1; A ask web1 = REVOKED; A ask web2 = REVOKED; accept #A = no key",
		"A web1 revoked"},
	{"revoked and deleted leaves the name",
		"A ask web1 = PENDING; revoke web1 = 1; delete web1 = 1; accept web1 = no key; B ask web1 = PENDING; accept web1 = 1",
		"A web1 revoked, B web1 accepted"},
	{"deleted may ask again, under any id",
		"A ask web1 = PENDING; accept web1 = 1; delete web1 = 1; A ask web2 = PENDING", "A web2 pending"},
	{"rejected and deleted may ask again", "A ask web1 = PENDING; reject web1 = 1; delete * = 1; A ask web1 = PENDING",
		"A web1 pending"},

	{"a key keeps its id", "A ask web1 = PENDING; A ask web2 = TURNED_AWAY; accept web1 = 1; A ask web2 = TURNED_AWAY",
		"A web1 accepted"},
	{"no decision without keys", "A ask web1 = PENDING; accept #B = no key", "A web1 pending"},
}

func TestRules(t *testing.T) {
	for _, c := range ruleCases {
		t.Run(c.name, func(t *testing.T) {
			m := newMaster(t, "m1")
			for line := range strings.SplitSeq(c.lines, ";") {
				do, want, _ := strings.Cut(strings.TrimSpace(line), " = ")
				if got := m.act(do); got != want {
					t.Fatalf("%s: got %s, want %s", do, got, want)
				}
			}
			if got := m.state(); got != c.want {
				t.Errorf("in the end: got %s, want %s", got, c.want)
			}
			// Another master that gets the records, and this one when it starts
			// again, come to the same.
			other := newMaster(t, "m2")
			m.copyTo(other)
			if got := other.state(); got != c.want {
				t.Errorf("at another master: got %s, want %s", got, c.want)
			}
			m.load("m1")
			if got := m.state(); got != c.want {
				t.Errorf("after a new start: got %s, want %s", got, c.want)
			}
		})
	}
}

// Two masters that are cut off from each other decide; once healed, both
// come to the same, whichever way the records travelled.
func TestCutBetweenMasters(t *testing.T) {
	for _, c := range []struct{ name, before, at1, at2, want string }{
		{"a late request does not undo a decision", "", "A ask web1; accept web1", "A ask web1", "A web1 accepted"},
		{"the later decision wins", "A ask web1", "accept web1", "reject web1", "A web1 rejected"},
		{"revocation beats a later acceptance", "A ask web1", "revoke web1", "accept web1", "A web1 revoked"},
		{"the first accepted key has the id", "A ask web1; B ask web1", "accept #A", "accept #B",
			"A web1 accepted, B web1 pending"},
		{"revocation survives deletion elsewhere", "A ask web1; accept web1", "revoke web1", "delete web1; A ask web1",
			"A web1 revoked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m1, m2 := newMaster(t, "m1"), newMaster(t, "m2")
			run := func(m *master, lines string) {
				for line := range strings.SplitSeq(lines, ";") {
					if line = strings.TrimSpace(line); line != "" {
						if got := m.act(line); got == "conflict" || got == "TURNED_AWAY" {
							t.Fatalf("%s: %s", line, got)
						}
					}
				}
			}
			run(m1, c.before)
			m1.copyTo(m2)
			run(m1, c.at1)
			m2.note(func() { m2.offset = m1.offset + time.Second })
			run(m2, c.at2)
			m1.copyTo(m2)
			m2.copyTo(m1)
			if got1, got2 := m1.state(), m2.state(); got1 != c.want || got2 != c.want {
				t.Errorf("got %q and %q, want %q", got1, got2, c.want)
			}
		})
	}
}

func TestErrorsNameTheRemedy(t *testing.T) {
	m := newMaster(t, "m1")
	m.act("A ask web1")
	m.act("B ask web1")
	m.act("C ask db1")
	m.act("revoke db1")
	a, b := minion(t, "A").Fingerprint().String(), minion(t, "B").Fingerprint().String()
	_, err := m.Decide(t.Context(), "alice", &proto.KeyDecideRequest{
		Patterns: []string{"web1", "db1", "nosuch"}, State: proto.KeyState_KEY_ACCEPTED,
	})
	for _, want := range []string{a, b, "name one by its fingerprint", `cannot accept "db1"`, "revoked", `"nosuch"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	m.act("accept #A")
	if r := m.ask("D", "web1", nil); !strings.Contains(r.Reason, a) {
		t.Errorf("taken id: got %q, want the fingerprint %s in it", r.Reason, a)
	}
	for _, req := range []*proto.KeyDecideRequest{
		{State: proto.KeyState_KEY_ACCEPTED},
		{State: proto.KeyState_KEY_PENDING, Patterns: []string{"*"}},
		{State: proto.KeyState_KEY_ACCEPTED, Patterns: []string{"*"}, Fingerprint: "x"},
	} {
		if _, err := m.Decide(t.Context(), "alice", req); err == nil {
			t.Errorf("%v was decided", req)
		}
	}
}

func TestDecisionIsToldAndHandedOn(t *testing.T) {
	m := newMaster(t, "m1")
	m.act("A ask web1")
	if len(m.sent) != 1 {
		t.Errorf("%d records of a request were handed on, want 1", len(m.sent))
	}
	dry, err := m.Decide(t.Context(), "alice", &proto.KeyDecideRequest{
		Patterns: []string{"web1"}, State: proto.KeyState_KEY_ACCEPTED, Dry: true,
	})
	if err != nil || len(dry.Keys) != 1 || dry.Keys[0].State != proto.KeyState_KEY_PENDING || m.state() != "A web1 pending" {
		t.Errorf("dry: got %v, %v, then %s", dry, err, m.state())
	}
	reply, err := m.Decide(t.Context(), "alice", &proto.KeyDecideRequest{
		Patterns: []string{"web1"}, State: proto.KeyState_KEY_ACCEPTED,
	})
	if err != nil || len(reply.Keys) != 1 || reply.Keys[0].By != "alice" ||
		reply.Keys[0].State != proto.KeyState_KEY_ACCEPTED || !slices.Equal(reply.Unconfirmed, []string{"away"}) {
		t.Errorf("got %v, %v", reply, err)
	}
	if len(m.sent) != 2 {
		t.Errorf("%d records were handed on, want 2", len(m.sent))
	}
	if n := m.count(&m.accepted, "web1"); n != 1 {
		t.Errorf("OnAccept was called %d times", n)
	}
	if n := m.count(&m.events, "salt/key accept <nil>"); n != 1 {
		t.Errorf("events: %v", m.events)
	}
	m.act("revoke web1")
	if n := m.count(&m.revoked, minion(t, "A").NKey()); n != 1 {
		t.Errorf("OnRevoke was called %d times", n)
	}
	infos, err := m.List([]string{"web*"})
	if err != nil || len(infos) != 1 || infos[0].Fingerprint != minion(t, "A").Fingerprint().String() ||
		infos[0].Address != "10.0.0.1" {
		t.Errorf("list: got %v, %v", infos, err)
	}
}

func TestHooksFollowOtherMasters(t *testing.T) {
	m1, m2 := newMaster(t, "m1"), newMaster(t, "m2")
	m1.act("A ask web1")
	m1.act("accept web1")
	m1.copyTo(m2)
	if got := m2.Accepted(); !slices.Equal(got, []string{"web1"}) {
		t.Errorf("accepted: got %v", got)
	}
	if k, ok := m2.SigningKey("web1"); !ok || !k.Equal(minion(t, "A").Public()) {
		t.Errorf("key of web1: got %v, %v", k, ok)
	}
	m1.act("revoke web1")
	m1.copyTo(m2)
	if m2.count(&m2.accepted, "web1") != 1 || m2.count(&m2.revoked, minion(t, "A").NKey()) != 1 {
		t.Errorf("hooks: accepted %v, revoked %v", m2.accepted, m2.revoked)
	}
	if len(m2.events) > 0 || len(m2.sent) > 0 {
		t.Error("a decision made elsewhere was told or handed on again")
	}
	if got := m2.Accepted(); len(got) > 0 {
		t.Errorf("accepted after revocation: got %v", got)
	}
	if _, ok := m2.ByID("web1"); ok {
		t.Error("the key of a revoked minion is still given")
	}
	m2.accepted = nil
	m1.copyTo(m2)
	m2.load("m2")
	if len(m2.accepted) > 0 {
		t.Error("a start calls hooks")
	}
}

func TestStoreThatFails(t *testing.T) {
	m := newMaster(t, "m1")
	m.act("A ask web1")
	m.act("B ask web2")
	m.store.fail(errors.New("disk full"), nil)
	if r := m.ask("C", "db1", nil); r.Status != proto.EnrolReply_TURNED_AWAY {
		t.Errorf("enrolled on a full disk: %v", r)
	}
	if _, err := m.Decide(t.Context(), "alice", &proto.KeyDecideRequest{
		Patterns: []string{"*"}, State: proto.KeyState_KEY_ACCEPTED,
	}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("decided on a full disk: %v", err)
	}
	// The projection cannot be read: a revocation counts all the same.
	m.store.fail(nil, errors.New("bad sector"))
	m.act("revoke web1")
	if got := m.state(); got != "A web1 revoked, B web2 pending" {
		t.Errorf("got %s", got)
	}
	m.act("accept web2")
	m.store.fail(nil, nil)
	m.act("C ask db1")
	if got := m.state(); got != "A web1 revoked, B web2 accepted, C db1 pending" {
		t.Errorf("after the store has recovered: got %s", got)
	}
}
