package job

import (
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

const (
	frameBytes = 200 << 10
	pieceBytes = 128 << 10 // of a value that has no room in a frame
)

// stream packs updates into frames.
type stream struct {
	send  Send
	frame proto.WatchFrame
	size  int
	sent  bool // something was, since the owner last looked
}

// add puts an update into the frame, after sending that when it is full. A
// large value goes in several updates.
func (s *stream) add(u *proto.MinionUpdate) error {
	for len(u.Value) > pieceBytes {
		piece := withoutValue(u)
		piece.Value, piece.ValueOffset, piece.MoreValue = u.Value[:pieceBytes], u.ValueOffset, true
		if err := s.put(piece); err != nil {
			return err
		}
		rest := withoutValue(u)
		rest.Value, rest.ValueOffset = u.Value[pieceBytes:], u.ValueOffset+pieceBytes
		u = rest
	}
	return s.put(u)
}

func (s *stream) put(u *proto.MinionUpdate) error {
	n := pb.Size(u)
	if s.size > 0 && s.size+n > frameBytes {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.frame.Minions = append(s.frame.Minions, u)
	s.size += n
	return nil
}

// flush sends the frame if there is something in it.
func (s *stream) flush() error {
	if s.frame.Job == nil && len(s.frame.Minions) == 0 {
		return nil
	}
	f := &proto.WatchFrame{Job: s.frame.Job, Minions: s.frame.Minions}
	s.frame.Job, s.frame.Minions, s.size = nil, nil, 0
	s.sent = true
	return s.send(f, true)
}

// withoutValue is a copy of all else.
func withoutValue(u *proto.MinionUpdate) *proto.MinionUpdate {
	return &proto.MinionUpdate{
		Minion: u.Minion, Status: u.Status, Retcode: u.Retcode, Duration: u.Duration,
		Reason: u.Reason, Truncated: u.Truncated, Done: u.Done, Total: u.Total, Current: u.Current,
	}
}

// sendLarge sends one frame as several when it is too large for a message.
func sendLarge(f *proto.WatchFrame, send Send) error {
	s := &stream{send: send}
	s.frame.Job = f.Job
	for _, u := range f.Minions {
		if err := s.add(u); err != nil {
			return err
		}
	}
	last := &proto.WatchFrame{Job: s.frame.Job, Minions: s.frame.Minions, Done: f.Done}
	return send(last, false)
}
