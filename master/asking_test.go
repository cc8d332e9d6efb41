package master

import (
	"testing"

	"github.com/nats-io/nats.go"

	"brine/proto/subject"
)

// TestOneMinionLeavesRoomForOthers: however often one asks, others find a place in the queue, and an asker.
func TestOneMinionLeavesRoomForOthers(t *testing.T) {
	m := &Master{pillarAsks: make(chan pillarAsk, maxAsks)}
	asks := func(minion, verb string) {
		if !m.askedPillar(&nats.Msg{Subject: subject.Request(subject.Token(minion), verb)}) {
			t.Errorf("%s of %s was not taken", verb, minion)
		}
	}
	for range 2 * maxAsks {
		asks("wild", subject.Pillar)
		asks("wild", subject.Mined)
	}
	asks("calm", subject.Pillar)
	waiting := map[string]int{}
	for range len(m.pillarAsks) {
		waiting[(<-m.pillarAsks).id]++
	}
	if waiting["wild"] != maxOfOne || waiting["wild"] >= askers || waiting["calm"] != 1 {
		t.Errorf("got %v, want %d of wild and 1 of calm", waiting, maxOfOne)
	}
	m.asking.end("wild")
	asks("wild", subject.Pillar)
	asks("wild", subject.Pillar)
	if n := len(m.pillarAsks); n != 1 {
		t.Errorf("after one was answered %d wait, want 1", n)
	}
	m.asks = make(chan ask, maxAsks)
	for range 2 * maxAsks {
		m.asked(&nats.Msg{Subject: subject.Request("wild", subject.Tree)})
	}
	m.asked(&nats.Msg{Subject: subject.Request("calm", subject.Tree)})
	if n := len(m.asks); n != maxShort+1 {
		t.Errorf("%d short questions wait, want %d of wild and 1 of calm", n, maxShort)
	}
	if m.askedPillar(&nats.Msg{Subject: subject.Request("wild", subject.Bundle)}) {
		t.Error("another question was taken for one for pillar")
	}
}
