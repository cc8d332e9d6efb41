package store

import (
	"crypto/sha256"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// A Told is something that a minion tells of itself, of which the latest counts: its grains or its mine.
type Told struct {
	Minion  string
	At      int64             // microseconds of Unix time
	Sum     [sha256.Size]byte // of all but the time
	Message pb.Message        // the body of its record
}

// Known is enough to tell whether something told is other than what is stored. The zero Known is of nothing.
type Known struct {
	At  int64
	Sum [sha256.Size]byte
}

// Keep stores what was told when it is later and other than what is known of that minion. done is called with the answer
// for the minion once it is stored, or is known not to need it; it must be quick.
func (s *Store) Keep(t Told, known Known, done func(answer *proto.ToldReply)) {
	switch {
	case known.At > 0 && known.Sum == t.Sum:
		done(&proto.ToldReply{At: t.At})
		return
	case known.At >= t.At:
		done(&proto.ToldReply{At: known.At})
		return
	}
	rec, err := NewRecord(t.At, t.Minion, t.Message)
	if err != nil {
		done(&proto.ToldReply{Error: err.Error()})
		return
	}
	s.Enqueue(rec, func(err error) {
		answer := &proto.ToldReply{At: t.At}
		if err != nil {
			answer.Error = err.Error()
		}
		done(answer)
	})
}
