package link

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	pb "brine/proto"
)

func testRoster(configured []string, known ...*pb.MasterAddress) *roster {
	return newRoster(configured, known, rand.New(rand.NewPCG(1, 2)))
}

func anyPlace(*place) bool { return true }

func TestPickPrefersTheNearButNotTheSlightlyNearer(t *testing.T) {
	r := testRoster([]string{"far:1", "near:1", "nearer:1"})
	r.at("far:1").rtt = 200 * time.Millisecond
	r.at("near:1").rtt = 2 * time.Millisecond
	r.at("nearer:1").rtt = time.Millisecond
	count := map[string]int{}
	for range 1000 {
		p, _ := r.pick(time.Now(), anyPlace)
		count[p.addr]++
	}
	if count["far:1"] > 0 || count["near:1"] < 350 || count["nearer:1"] < 350 {
		t.Errorf("picked %v", count)
	}
}

func TestFailuresPutOffAttempts(t *testing.T) {
	r := testRoster([]string{"a:1"})
	now := time.Now()
	var last time.Duration
	for i := range 30 {
		p := r.at("a:1")
		r.failed(p, now, 100*time.Millisecond, 5*time.Second)
		last = p.next.Sub(now)
		if i == 0 && (last < 50*time.Millisecond || last > 150*time.Millisecond) {
			t.Errorf("first wait %v", last)
		}
		if best, due := r.pick(now, anyPlace); best != nil || !due.Equal(p.next) {
			t.Fatalf("got %v due %v, want none before %v", best, due, p.next)
		}
	}
	if last < 2500*time.Millisecond || last > 7500*time.Millisecond {
		t.Errorf("last wait %v, want about 5 s", last)
	}
	r.answered(r.at("a:1"), "m1")
	if best, _ := r.pick(now, anyPlace); best == nil {
		t.Error("an address that answered is not tried")
	}
}

func TestLearntAddressReplacesTheOldOne(t *testing.T) {
	r := testRoster([]string{"salt:1"}, &pb.MasterAddress{Name: "m1", Bus: "old:1"})
	if r.learn([]*pb.MasterAddress{{Name: "m1", Bus: "old:1"}}) {
		t.Error("nothing new, yet a change")
	}
	if !r.learn([]*pb.MasterAddress{{Name: "m1", Bus: "new:1"}, {Name: "", Bus: "x:1"}, {Name: "m2"}, nil}) {
		t.Error("no change")
	}
	if r.at("old:1") != nil || r.at("new:1") == nil || r.at("salt:1") == nil || len(r.places) != 2 {
		t.Errorf("places %+v", r.places)
	}
	if !r.drop(func(name string) bool { return name == "m1" }) || r.at("new:1") != nil || len(r.addresses()) != 0 {
		t.Error("a master that is gone is still known")
	}
}

func TestLearningIsBounded(t *testing.T) {
	r := testRoster([]string{"salt:1"})
	for i := range 10 * maxPlaces {
		r.learn([]*pb.MasterAddress{{Name: fmt.Sprint("m", i), Bus: fmt.Sprint("h", i, ":1")}})
	}
	if len(r.places) > maxPlaces+1 || len(r.addresses()) > maxPlaces {
		t.Errorf("%d places", len(r.places))
	}
}

func TestFairnessFollowsPresence(t *testing.T) {
	r := testRoster(nil, &pb.MasterAddress{Name: "m1", Bus: "a:1"}, &pb.MasterAddress{Name: "m2", Bus: "b:1"})
	if !r.fair("m2") {
		t.Error("known from the start, yet unfair")
	}
	r.failed(r.at("b:1"), time.Now(), time.Second, time.Second)
	r.chosen()
	if r.present() != 1 || r.fair("m2") || !r.fair("m2") {
		t.Error("one that was away must get its chance exactly once")
	}
	r.learn([]*pb.MasterAddress{{Name: "m3", Bus: "c:1"}})
	if r.fair("m3") {
		t.Error("a new one must get its chance")
	}
	if n := r.present(); n != 3 {
		t.Errorf("the share of the third to come is that of one of %d", n)
	}
}
