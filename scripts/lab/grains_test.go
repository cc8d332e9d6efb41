package lab_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/minion"
	"brine/proto"
	"brine/scripts/lab"
)

// told asks a master for the grains of a minion until ok holds.
func told(t *testing.T, s *lab.Site, minion string, ok func(*proto.Grains, map[string]any) bool) {
	t.Helper()
	ctx := within(t)
	for {
		reply := &proto.MinionListReply{}
		err := s.Client.Call(ctx, "minion.list", &proto.MinionListRequest{Patterns: []string{minion}, Grains: true}, reply)
		var g *proto.Grains
		grains := map[string]any{}
		if err == nil && len(reply.Minions) == 1 {
			g = reply.Minions[0].Grains
			if g != nil {
				must(t, json.Unmarshal(g.Data, &grains))
			}
			if ok(g, grains) {
				return
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the masters say %v, %v of %s: %v", g.GetWarnings(), grains["role"], minion, err)
		}
	}
}

func role(want string) func(*proto.Grains, map[string]any) bool {
	return func(_ *proto.Grains, grains map[string]any) bool { return grains["role"] == want }
}

func run(t *testing.T, s *lab.Site, function string, args ...string) any {
	t.Helper()
	r := s.Run("web1", function, args...).Minions["web1"]
	if r == nil || r.Status != "ok" {
		t.Fatalf("%s %v: got %v", function, args, r)
	}
	var v any
	must(t, json.Unmarshal(r.Value, &v))
	return v
}

// TestGrainsReachEveryMaster sets grains while all masters are there, while one
// is away, and while the minion is.
func TestGrainsReachEveryMaster(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	if got := run(t, s, "grains.get", "id"); got != "web1" {
		t.Errorf("the id is %v", got)
	}
	told(t, s, "web1", func(g *proto.Grains, grains map[string]any) bool {
		return g != nil && grains["id"] == "web1" && grains["kernel"] == "Linux" && grains["os"] != nil
	})
	run(t, s, "grains.setval", "role", "db")
	if got := run(t, s, "grains.get", "role"); got != "db" {
		t.Errorf("at once: got %v", got)
	}
	told(t, s, "web1", role("db"))

	s.Stop("m1")
	told(t, s, "web1", role("db")) // m2 heard it for itself
	run(t, s, "grains.setval", "role", "cache")
	told(t, s, "web1", role("cache"))
	s.StartMaster("m1")
	s.Together()
	s.Stop("m2")
	told(t, s, "web1", role("cache")) // m1 read it in m2's log
	s.StartMaster("m2")
	s.Together()

	s.Stop("web1")
	file := filepath.Join(s.HostRoot("web1"), "etc/brine/grains")
	must(t, os.WriteFile(file, []byte("- no\n- grains\n"), 0o644))
	must(t, s.AddMinion("web1").WaitLinked(within(t)))
	told(t, s, "web1", func(g *proto.Grains, grains map[string]any) bool {
		return g != nil && grains["role"] == nil && grains["id"] == "web1" &&
			len(g.Warnings) == 1 && strings.Contains(g.Warnings[0], "grains:1: want names with values")
	})
	must(t, os.WriteFile(file, []byte("role: mended\n"), 0o644))
	if got := run(t, s, "grains.get", "role"); got != "mended" { // without a refresh
		t.Errorf("edited by hand: got %v", got)
	}
	told(t, s, "web1", role("mended"))
}

// TestGrainsOfAClockThatWasAhead: what a minion tells counts although its clock has been set back.
func TestGrainsOfAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Masters: 1, Minions: []string{"web1"}})
	told(t, s, "web1", func(g *proto.Grains, _ map[string]any) bool { return g != nil })
	run(t, s, "grains.setval", "role", "one")
	told(t, s, "web1", role("one"))
	s.Stop("web1")
	m := s.AddMinion("web1", func(o *minion.Options) {
		o.Now = func() time.Time { return time.Now().Add(-4 * time.Second) }
	})
	must(t, m.WaitLinked(within(t)))
	run(t, s, "grains.setval", "role", "two")
	told(t, s, "web1", role("two"))
}
