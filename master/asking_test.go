package master

import (
	"testing"

	"github.com/nats-io/nats.go"

	"brine/proto/subject"
)

// TestOneMinionLeavesRoomForOthers: however often one asks, others find a place in the queue, and an asker.
func TestOneMinionLeavesRoomForOthers(t *testing.T) {
	m := &Master{pillarAsks: make(chan pillarAsk, maxAsks)}
	ask := func(minion, verb string) {
		if !m.askedPillar(&nats.Msg{Subject: subject.Request(subject.Token(minion), verb)}) {
			t.Errorf("%s of %s was not taken", verb, minion)
		}
	}
	for range 2 * maxAsks {
		ask("wild", subject.Pillar)
		ask("wild", subject.Mined)
	}
	ask("calm", subject.Pillar)
	waiting := map[string]int{}
	for range len(m.pillarAsks) {
		waiting[(<-m.pillarAsks).id]++
	}
	if waiting["wild"] != maxOfOne || waiting["wild"] >= askers || waiting["calm"] != 1 {
		t.Errorf("got %v, want %d of wild and 1 of calm", waiting, maxOfOne)
	}
	m.asking.end("wild")
	ask("wild", subject.Pillar)
	ask("wild", subject.Pillar)
	if n := len(m.pillarAsks); n != 1 {
		t.Errorf("after one was answered %d wait, want 1", n)
	}
	if m.askedPillar(&nats.Msg{Subject: subject.Request("wild", subject.Bundle)}) {
		t.Error("another question was taken for one for pillar")
	}
}
