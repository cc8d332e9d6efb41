package lab_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

// TestAMinionThatSendsTooManyEvents keeps no other's from being kept, and is
// named with how many of its own were dropped.
func TestAMinionThatSendsTooManyEvents(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Masters: 1, Minions: []string{"web1", "web2"}})
	const sent, burst = 2000, 600
	for id, n := range map[string]int{"web1": sent, "web2": 10} {
		p := mustSignIn(t, s, "m1", s.Minions[id].Key().Signing)
		for range n {
			e := &proto.Event{Tag: "my/beacon", Data: []byte(`{"n": 1}`), At: time.Now().UnixMicro()}
			must(t, p.conn.Publish(subject.Event(id, e.Tag), marshal(t, e)))
		}
		must(t, p.conn.FlushTimeout(patience))
	}
	eventually(t, "web1's events are dropped", func() bool {
		list := &proto.MinionListReply{}
		must(t, s.Client.Call(within(t), "minion.list", &proto.MinionListRequest{}, list))
		dropped := map[string]uint64{}
		for _, m := range list.Minions {
			dropped[m.Id] = m.EventsDropped
		}
		if dropped["web1"] > sent+1-burst || dropped["web2"] > 0 { // its start was an event too
			t.Fatalf("got %v", dropped)
		}
		return dropped["web1"] > sent-2*burst
	})
	works(t, s, 2)
}

// TestAMinionThatTellsTooMuchOfItself has new grains and a new mine all the time: masters store what its quota allows, and
// others', and say so; what it tells later is taken again.
func TestAMinionThatTellsTooMuchOfItself(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Masters: 1, Minions: []string{"web1", "web2"}})
	p := mustSignIn(t, s, "m1", s.Minions["web1"].Key().Signing)
	before := size(t, s, "m1")
	noise := make([]byte, 100<<10)
	for i := range 1000 {
		_, _ = rand.Read(noise)
		g := &proto.Grains{At: time.Now().UnixMicro() + int64(i), Data: fmt.Appendf(nil, `{"noise": "%x"}`, noise)}
		must(t, p.conn.Publish(subject.Grains("web1"), marshal(t, g)))
		m := &proto.Mine{At: time.Now().UnixMicro() + int64(i), Key: publicOf(p.key), Packed: noise}
		must(t, p.conn.Publish(subject.Mine("web1"), marshal(t, m)))
	}
	must(t, p.conn.FlushTimeout(patience))
	eventually(t, "status tells", func() bool {
		list := &proto.MasterListReply{}
		must(t, s.Client.Call(within(t), "master.list", &proto.Empty{}, list))
		return strings.Contains(strings.Join(list.Masters[0].Warnings, "\n"), "it does not take grains and mines over the quota of minions: of web1")
	})
	if grown := size(t, s, "m1") - before; grown > 16<<20 { // of 300 MiB
		t.Errorf("the store has grown by %d bytes", grown)
	}
	run := s.Run("web2", "grains.setval", "role", "db")
	if run.Counts()["ok"] != 1 {
		t.Fatalf("got %v", run.Minions["web2"])
	}
	told(t, s, "web2", role("db"))
	works(t, s, 2)
}

// size is what the store of a master takes on disk.
func size(t *testing.T, s *lab.Site, name string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(s.Masters[name].Layout().Store() + "*")
	must(t, err)
	for _, f := range files {
		st, err := os.Stat(f)
		must(t, err)
		n += st.Size()
	}
	return n
}
