package job

import (
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// Pulse takes what a master told many minions together, as on tells, of the
// returns that all live masters have committed.
func (r *Runner) Pulse(on string, data []byte) {
	if len(data) == 0 {
		return // the master lives
	}
	owed := r.journal.owing()
	if len(owed) == 0 {
		return // it is about others
	}
	p := &pb.Pulse{}
	err := proto.Unmarshal(data, p)
	if err == nil {
		err = checkPulse(p)
	}
	if err != nil {
		r.drop("pulse", on, err)
		return
	}
	need := r.told(p.Live)
	for _, e := range owed {
		if !marked(p.Stored, pb.MarkOf(r.o.ID, e.jid, e.req[:])) {
			continue
		}
		for _, master := range p.Live {
			if refused := r.journal.ack(e.key, master, "", need); refused != nil {
				r.turnedDown(refused)
			}
		}
	}
}

func checkPulse(p *pb.Pulse) error {
	for _, master := range p.Live {
		if err := subject.CheckID(master); err != nil {
			return err
		}
	}
	if !slices.Contains(p.Live, p.Master) {
		return errors.New("it does not count its own master as live")
	}
	if len(p.Stored)%len(pb.Mark{}) != 0 {
		return errors.New("it ends within a mark")
	}
	return nil
}

// marked tells whether one of the marks, which lie side by side, is m.
func marked(marks []byte, m pb.Mark) bool {
	for some := range slices.Chunk(marks, len(m)) {
		if pb.Mark(some) == m {
			return true
		}
	}
	return false
}

// told notes that masters have stored a return, and says who must have it.
func (r *Runner) told(live []string) (need []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, master := range live {
		r.heard[master] = time.Now()
	}
	return r.needed(live)
}
