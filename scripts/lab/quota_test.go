package lab_test

import (
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
		if dropped["web1"] > sent-burst || dropped["web2"] > 0 {
			t.Fatalf("got %v", dropped)
		}
		return dropped["web1"] > sent-2*burst
	})
	works(t, s, 2)
}
