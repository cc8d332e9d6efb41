package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

const (
	pending  = proto.KeyState_KEY_PENDING
	accepted = proto.KeyState_KEY_ACCEPTED
	rejected = proto.KeyState_KEY_REJECTED
	revoked  = proto.KeyState_KEY_REVOKED
	deleted  = proto.KeyState_KEY_DELETED
)

func TestAKeysStateDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	tests := []struct {
		name  string
		says  []proto.KeyState // at second 0, 1, ...
		want  proto.KeyState
		freed bool
	}{
		{"asked", []proto.KeyState{pending}, pending, false},
		{"accepted", []proto.KeyState{pending, accepted}, accepted, false},
		{"the last decision counts", []proto.KeyState{accepted, rejected, accepted, rejected}, rejected, false},
		{"asking does not undo a decision", []proto.KeyState{accepted, pending}, accepted, false},
		{"deleted", []proto.KeyState{pending, accepted, deleted}, deleted, false},
		{"asked again after it was deleted", []proto.KeyState{accepted, deleted, pending}, pending, false},
		{"accepted, deleted, asked", []proto.KeyState{accepted, rejected, deleted, pending, pending}, pending, false},
		{"revoked is final", []proto.KeyState{accepted, revoked, accepted, pending, rejected}, revoked, false},
		{"a deleted revocation frees the id only", []proto.KeyState{accepted, revoked, deleted, accepted}, revoked, true},
		{"deleted before it was revoked", []proto.KeyState{deleted, revoked}, revoked, false},
		{"revoked again", []proto.KeyState{revoked, deleted, revoked}, revoked, true},
	}
	s, w := fresh(t, "m1")
	w.Add(time.Minute)
	for n, test := range tests {
		for try := range 10 {
			seed := fmt.Sprint("key ", n, " ", try)
			var recs []*proto.Record
			for i, state := range test.says {
				stamp := start.Add(time.Duration(i) * time.Second).UnixMicro()
				recs = append(recs, record(t, stamp, aKey("web1", seed, state)))
			}
			rand.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
			check(t, s.Append(t.Context(), recs...))
			got := must(s.Key(t.Context(), key(seed)))(t)
			if got.State != test.want || got.Freed != test.freed || got.Id != "web1" || got.Stamp == 0 {
				t.Errorf("%s: %v, freed %v", test.name, got, got.Freed)
			}
		}
	}
}

func TestKeysAreInOrderOfTheirIDs(t *testing.T) {
	s, _ := fresh(t, "m1")
	put(t, s, aKey("web2", "b", accepted), aKey("web1", "c", pending),
		aKey("web1", "a", rejected), aKey("db1", "z", revoked))
	var got []string
	for _, k := range must(s.Keys(t.Context()))(t) {
		got = append(got, fmt.Sprint(k.Id, " ", k.State))
	}
	slices.Sort(got[1:3])
	want := []string{"db1 KEY_REVOKED", "web1 KEY_PENDING", "web1 KEY_REJECTED", "web2 KEY_ACCEPTED"}
	if !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	if _, err := s.Key(t.Context(), key("nobody")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown key: %v, want ErrNotFound", err)
	}
}

func TestAnOperatorsRevocationIsFinalForTheKey(t *testing.T) {
	says := []*proto.OperatorRecord{
		{Name: "ann", Key: key("old"), Roles: []*proto.Role{{Functions: []string{"*"}}}},
		{Name: "ann", Key: key("old"), Revoked: true},
		{Name: "ann", Key: key("old"), Roles: []*proto.Role{{Functions: []string{"test.*"}}}}, // by a master cut off
		{Name: "bob", Key: key("bob")},
		{Name: "ann", Key: key("new")},
	}
	for n, want := range map[int]string{3: "old revoked", 4: "old revoked", 5: "new good, old revoked"} {
		s, w := fresh(t, "m1")
		w.Add(time.Minute)
		for _, i := range rand.Perm(n) {
			check(t, s.Append(t.Context(), record(t, start.Add(time.Duration(i)*time.Second).UnixMicro(), says[i])))
		}
		if got := operatorKeys(t, s, "ann"); got != want {
			t.Errorf("after %d records: %s, want %s", n, got, want)
		}
	}
}

// operatorKeys shows what counts of the keys "old", "new" ... of an operator.
func operatorKeys(t *testing.T, s *store.Store, name string) string {
	t.Helper()
	var texts []string
	for _, op := range must(s.Operators(t.Context(), name))(t) {
		state := "good"
		if op.Past {
			state = "past"
		}
		if op.Revoked {
			state = "revoked"
		}
		for _, seed := range []string{"old", "new", "one", "two"} {
			if bytes.Equal(op.Key, key(seed)) {
				texts = append(texts, seed+" "+state)
			}
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

func TestSignInsStandBesideTheLastingKeyUntilTheyArePruned(t *testing.T) {
	s, w := fresh(t, "m1")
	ends := start.Add(2 * day).Unix()
	put(t, s, &proto.OperatorRecord{Name: "ann", Key: key("old")}, &proto.OperatorRecord{Name: "ann", Key: key("new"), Via: "key"},
		&proto.OperatorRecord{Name: "pam:ann", Key: key("one"), Via: "pam", NotAfter: ends},
		&proto.OperatorRecord{Name: "pam:ann", Key: key("two"), Via: "pam", NotAfter: ends, Revoked: true})
	if got, want := operatorKeys(t, s, "ann")+"; "+operatorKeys(t, s, "pam:ann"), "new good, old past; one good, two revoked"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	page := must(s.Page(t.Context(), 0, 1000, false))(t)
	w.Add(10 * day)
	must(s.Prune(t.Context(), start.Add(day), 10))(t)
	if got := operatorKeys(t, s, "pam:ann"); !strings.Contains(got, "one good") {
		t.Errorf("pruned before it was old: %s", got)
	}
	must(s.Prune(t.Context(), start.Add(3*day), 10))(t)
	for _, e := range page.Entries { // what was pruned is not taken in again
		check(t, s.Append(t.Context(), e.Record))
	}
	if got, want := operatorKeys(t, s, "ann")+"; "+operatorKeys(t, s, "pam:ann"), "new good, old past; two revoked"; got != want {
		t.Errorf("after it was pruned: %s, want %s", got, want)
	}
	check(t, s.Check(t.Context()))
}

func TestTheNewestOfMastersBundlesAndTokensCounts(t *testing.T) {
	s, w := fresh(t, "m1")
	ctx := t.Context()
	if _, err := s.Bundle(ctx); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no bundle: %v, want ErrNotFound", err)
	}
	w.Add(time.Minute)
	token := func(withdrawn bool) *proto.TokenRecord {
		return &proto.TokenRecord{Name: "t", Purpose: "enrol", SecretSha256: key("s"), Withdrawn: withdrawn}
	}
	big := &proto.TokenRecord{Name: "u", Purpose: "join", SecretSha256: key("s"), Kit: make([]byte, 300_000)}
	put(t, s, aBundle(7), aBundle(9), aBundle(8), token(true), token(false), big,
		&proto.MasterAddress{Name: "m2", Bus: "b"}, &proto.MasterAddress{Name: "m1", Bus: "a"},
		&proto.MasterAddress{Name: "m2", Bus: "c"})
	check(t, s.Append(ctx, record(t, start.UnixMicro(), &proto.MasterAddress{Name: "m2", Bus: "old"})))
	if got := must(s.Bundle(ctx))(t); !pb.Equal(got, aBundle(9)) {
		t.Errorf("bundle %v", got)
	}
	masters := must(s.Masters(ctx))(t)
	if len(masters) != 2 || masters[0].Bus != "a" || masters[1].Bus != "c" {
		t.Errorf("masters %v", masters)
	}
	tokens := must(s.Tokens(ctx))(t)
	if len(tokens) != 2 || !tokens[0].Withdrawn || len(tokens[1].Kit) != len(big.Kit) {
		t.Errorf("%d tokens", len(tokens))
	}
}

func TestOfTwoBundlesOfOneSerialTheSameCountsEverywhere(t *testing.T) {
	a := envelope(proto.Kind_KIND_BUNDLE, &proto.Bundle{Serial: 7, IssuedAt: 1})
	b := envelope(proto.Kind_KIND_BUNDLE, &proto.Bundle{Serial: 7, IssuedAt: 2})
	x, y := sha256.Sum256(a.Body), sha256.Sum256(b.Body)
	if bytes.Compare(x[:], y[:]) > 0 {
		a, b = b, a // b wins
	}
	for _, order := range [][]pb.Message{{a, b}, {b, a}, {b, aBundle(6), a}} {
		s, w := fresh(t, "m1")
		w.Add(time.Minute)
		put(t, s, order...)
		if got := must(s.Bundle(t.Context()))(t); !pb.Equal(got, b) {
			t.Error("the loser counts")
		}
	}
}

func TestAHookMayAskForTheKeyThatCameIn(t *testing.T) {
	s, _ := fresh(t, "m1")
	var got store.Key
	var err error
	s.OnCommit(func([]*proto.Record) { got, err = s.Key(t.Context(), key("k")) })
	put(t, s, aKey("web1", "k", accepted))
	if err != nil || got.State != accepted {
		t.Errorf("the hook saw %v, %v", got, err)
	}
}
