package client

import (
	"testing"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// FuzzFrames: whatever frames a master sends, the result stays one that can be shown.
func FuzzFrames(f *testing.F) {
	for _, frame := range []*proto.WatchFrame{
		{Job: &proto.JobInfo{Jid: "1"}, Minions: []*proto.MinionUpdate{{Minion: "web1", Status: "ok", Value: []byte("1")}}},
		{Minions: []*proto.MinionUpdate{
			{Minion: "web1", Value: []byte("[1,"), MoreValue: true}, {Minion: "web1", Value: []byte("2]"), ValueOffset: 3},
		}},
		{Minions: []*proto.MinionUpdate{{ValueOffset: -1, MoreValue: true}, nil}, Done: true},
	} {
		data, err := pb.Marshal(frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, data)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		r := newResult()
		for _, data := range [][]byte{first, second, first} {
			frame := &proto.WatchFrame{}
			if pb.Unmarshal(data, frame) != nil {
				continue
			}
			for _, id := range r.merge(frame) {
				if r.Minions[id].MinionUpdate == nil || r.Minions[id].Minion != id {
					t.Errorf("%q: got %v", id, r.Minions[id])
				}
			}
		}
		total := 0
		for _, n := range r.Counts() {
			total += n
		}
		if total != len(r.IDs()) {
			t.Errorf("%d of %d minions counted", total, len(r.IDs()))
		}
	})
}
