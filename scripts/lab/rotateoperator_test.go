package lab_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/scripts/lab"
)

// TestAnOperatorTakesANewKey that works whenever the change was cut short, and nobody else can change it.
func TestAnOperatorTakesANewKey(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	path := filepath.Join(filepath.Dir(s.Masters["m1"].Layout().OperatorConfig()), "operator.key")
	first := operatorKey(t, s)
	change := func(name string, old, next ed25519.PrivateKey) *proto.KeyChange {
		c, err := pki.NewKeyChange(s.Client.Trust().Pin(), proto.Kind_KIND_OPERATOR_KEY, name, old, next, nil)
		must(t, err)
		return c
	}
	if _, _, err := client.RotateKey(within(t), s.Client); err != nil {
		t.Fatal(err)
	}
	second := operatorKey(t, s)
	if second.Equal(first) {
		t.Fatal("the key is the same")
	}
	works(t, s, 1)

	// A thief of the first key can neither ask nor change the key.
	for _, master := range []string{"m1", "m2"} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		thief := operator(t, s, "admin", first, master)
		if err := thief.Call(ctx, "operator.rotate", change("admin", first, newKey(t)), &proto.KeyDecideReply{}); err == nil {
			t.Errorf("a key of before changed the key at %s", master)
		}
		cancel()
	}
	// Played back it changes nothing: it is how an answer that was lost is asked for again.
	must(t, s.Client.Call(within(t), "operator.rotate", change("admin", first, second), &proto.KeyDecideReply{}))
	for what, c := range map[string]*proto.KeyChange{
		"of another":         change("root", second, newKey(t)),
		"by a key of before": change("admin", first, newKey(t)),
		"back":               change("admin", second, first),
		"to a minion's key":  change("admin", second, s.Minions["web1"].Key().Signing),
	} {
		if err := s.Client.Call(within(t), "operator.rotate", c, &proto.KeyDecideReply{}); err == nil {
			t.Errorf("%s: taken", what)
		}
	}

	// Cut short: the next key is made and no master knows it; then they do, and it is not in its place yet.
	next := newKey(t)
	must(t, pki.SaveOperatorKey(path+".new", next))
	works(t, s, 1)
	must(t, s.Client.Call(within(t), "operator.rotate", change("admin", second, next), &proto.KeyDecideReply{}))
	works(t, s, 1)
	if now := operatorKey(t, s); !now.Equal(next) {
		t.Error("the next key is not in its place")
	}

	// The masters take it, and it cannot be put into its place: it serves from where it is, and what is to be done is said.
	must(t, errors.Join(os.RemoveAll(path+".old"), os.MkdirAll(path+".old/in the way", 0o700)))
	if _, _, err := client.RotateKey(within(t), s.Client); err == nil || !strings.Contains(err.Error(), "it lies in "+path+".new, which brine uses") {
		t.Errorf("got %v", err)
	}
	for range 2 {
		works(t, s, 1)
		again := s.At("m2")
		must(t, again.Call(within(t), "master.list", &proto.Empty{}, &proto.MasterListReply{}))
		again.Close()
	}
	waiting, err := pki.LoadOperatorKey(path + ".new")
	must(t, err)
	must(t, os.RemoveAll(path+".old"))
	m1 := s.At("m1")
	defer m1.Close()
	if _, _, err := client.RotateKey(within(t), m1); err != nil {
		t.Error(err)
	}
	if now := operatorKey(t, s); now.Equal(next) || now.Equal(waiting) {
		t.Error("the key was not changed")
	}
	works(t, s, 1)
}
