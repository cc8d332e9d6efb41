package master

import (
	"fmt"
	"testing"
	"time"

	"brine/master/job"
	"brine/master/peer"
	"brine/proto"
)

func TestPresence(t *testing.T) {
	var p presences
	now := time.Unix(1_800_000_000, 0)
	all := []string{"db1", "web1", "web2"}
	for i, c := range []struct {
		after  time.Duration
		online map[string]bool
		want   string // who came, who is lost
	}{
		{0, map[string]bool{"db1": true, "web1": true}, "[] []"}, // who was there before is no news
		{2 * time.Second, map[string]bool{"db1": true, "web1": true, "web2": true}, "[web2] []"},
		{2 * time.Second, map[string]bool{"db1": true}, "[] []"},
		{2 * time.Second, map[string]bool{"db1": true, "web1": true}, "[] []"}, // it has only moved
		{2 * time.Second, map[string]bool{"db1": true, "web1": true}, "[] [web2]"},
		{20 * time.Second, map[string]bool{"db1": true}, "[] [web1]"},
		{2 * time.Second, map[string]bool{"web1": true, "web2": true}, "[web1 web2] []"},
	} {
		now = now.Add(c.after)
		came, lost := p.look(all, func(id string) bool { return c.online[id] }, now)
		if got := fmt.Sprintf("%v %v", came, lost); got != c.want {
			t.Errorf("look %d: got %s, want %s", i+1, got, c.want)
		}
	}
}

func TestComers(t *testing.T) {
	var c comers
	now := time.Unix(1_800_000_000, 0)
	c.came("web1", now)
	if c.awaits("web2", now) {
		t.Error("somebody is on the way before minions are let in")
	}
	c.begin(now)
	c.came("web1", now.Add(time.Second))
	if at := now.Add(2 * time.Second); c.awaits("web1", at) || !c.awaits("web2", at) {
		t.Error("who has come and gone is not on the way, who has not come is")
	}
	late := now.Add(job.ComingTime + time.Second)
	if c.came("web3", late); c.awaits("web2", late) || len(c.seen) != 0 {
		t.Error("nobody is on the way for ever")
	}
}

func TestNobodyIsAwaitedWhereAnOlderMasterLives(t *testing.T) {
	const now = 1_800_000_000_000_000
	beat := func(before time.Duration, live bool) peer.Beat {
		return peer.Beat{Live: live, Beat: &proto.Heartbeat{StartedAt: now - before.Microseconds()}}
	}
	for _, c := range []struct {
		others []peer.Beat
		want   bool
	}{
		{nil, false},
		{[]peer.Beat{beat(5*time.Second, true), beat(-5*time.Second, true)}, false},
		{[]peer.Beat{beat(time.Hour, false)}, false},
		{[]peer.Beat{beat(time.Second, true), beat(time.Hour, true)}, true},
	} {
		if got := older(c.others, now); got != c.want {
			t.Errorf("%v: got %v", c.others, got)
		}
	}
}
