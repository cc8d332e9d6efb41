package job

import (
	"slices"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// pulseEach is how often this master tells its minions that it lives, which
// spares it the question that each asks after half a second of silence.
// What is stored is told with it, and costs no message of its own.
const pulseEach = 400 * time.Millisecond

// maxMarks bounds one pulse.
const maxMarks = 1000

// pulse is what the minions are told next.
type pulse struct {
	master string
	all    []string                // subjects
	live   []string                // each has stored what is marked
	marks  map[string][]proto.Mark // by subject
}

func newPulse(master string) *pulse {
	return &pulse{master: master, all: subject.Pulses(master), marks: map[string][]proto.Mark{}}
}

// add has a minion told that all masters which are live have stored what
// the ack says.
func (p *pulse) add(id string, ack *proto.Ack) {
	p.live = ack.Live
	s := subject.Pulse(p.master, subject.Token(id))
	for _, item := range ack.Items {
		p.marks[s] = append(p.marks[s], proto.MarkOf(id, item.Jid, item.RequestId))
	}
}

// takes tells whether p can tell a minion all that is in an ack, in the same words as to others.
func (p *pulse) takes(h *holding) bool {
	return h.pulse && h.unanimous() && (len(p.marks) == 0 || slices.Equal(p.live, h.ack.Live))
}

// unanimous tells whether all masters that are live in the eyes of each have
// stored the same returns.
func (h *holding) unanimous() bool {
	for _, name := range h.ack.Live {
		if name == h.ack.Master {
			continue
		}
		i := slices.IndexFunc(h.ack.Others, func(o *proto.Ack) bool { return o.Master == name })
		if i < 0 || !slices.Equal(h.ack.Others[i].Live, h.ack.Live) ||
			!slices.EqualFunc(h.ack.Others[i].Items, h.ack.Items, sameItem) {
			return false
		}
	}
	return len(h.ack.Live) > 0
}

func sameItem(a, b *proto.AckItem) bool {
	return a.Jid == b.Jid && string(a.RequestId) == string(b.RequestId) && a.Refused == "" && b.Refused == ""
}

// sendPulse tells all minions here that this master lives, and what is stored.
func (m *Manager) sendPulse(p *pulse) {
	for _, s := range p.all {
		if err := m.publishPulse(p, s); err != nil {
			m.log.Warn("pulse not sent", "err", err)
			break // minions ask, and offer their returns again
		}
	}
	clear(p.marks)
}

func (m *Manager) publishPulse(p *pulse, subj string) error {
	marks := p.marks[subj]
	if len(marks) == 0 {
		return m.o.Publish(subj, nil)
	}
	for some := range slices.Chunk(marks, maxMarks) {
		said := &proto.Pulse{Master: p.master, Live: p.live}
		for _, mark := range some {
			said.Stored = append(said.Stored, mark[:]...)
		}
		data, err := pb.Marshal(said)
		if err == nil {
			err = m.o.Publish(subj, data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
