package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// offers is when returns that masters have not acked are offered again. Runner.mu guards it.
type offers struct {
	timer *time.Timer
	armed bool // it will fire
	busy  bool // a round is under way
	again bool // another must follow, for a master has changed
}

// arm sees to it that returns which were sent, or could not be, are looked after. With mu held.
func (r *Runner) arm() {
	if r.closing || r.offers.armed {
		return
	}
	r.offers.armed = true
	if r.offers.timer == nil {
		r.offers.timer = time.AfterFunc(offerFirst, r.offerLate)
	} else {
		r.offers.timer.Reset(offerFirst)
	}
}

// answer sends what the journal knows of a job that came again.
func (r *Runner) answer(e *entry) {
	r.journal.mu.Lock()
	state, offered, kept := e.state, e.offered, e.fin.n > 0 || e.memory != nil
	r.journal.mu.Unlock()
	if state == settled && !kept {
		return // a master has the return, this minion forgot it
	}
	if state >= returned {
		if offered.IsZero() || time.Since(offered) > resendDelay {
			r.offer(e)
		}
		return
	}
	r.mu.Lock()
	t := r.tasks[e.key]
	tell := t != nil && (t.told || !t.running) // else the timer tells soon
	r.mu.Unlock()
	switch {
	case t == nil:
	case state < queued && !isQuiet(t.req): // the disk is slow: no acceptance yet, but a sign of life
		r.publish(subject.Progress(r.token, t.jid), &pb.Progress{Jid: t.jid, RequestId: t.req[:]})
	case state >= queued && tell:
		r.sendAccepted(t)
	}
}

// sendAccepted tells the masters that a job is on disk.
func (r *Runner) sendAccepted(t *task) {
	if isQuiet(t.req) {
		return
	}
	m := &pb.Accepted{Jid: t.jid, RequestId: t.req[:], State: pb.Accepted_QUEUED}
	r.mu.Lock()
	if r.tasks[t.key] != t {
		r.mu.Unlock()
		return // it has its return, which tells more
	}
	if t.running {
		m.State, t.told = pb.Accepted_STARTED, true
	} else if first := r.otherState(); t.state && first != nil && first != t {
		m.WaitsFor = first.jid
	}
	r.mu.Unlock()
	r.publish(subject.Accepted(r.token, t.jid), m)
}

func (r *Runner) publish(subject string, m proto.Message) {
	if err := r.o.Publish(subject, marshal(m)); err != nil {
		r.log.Debug("message not sent", "subject", subject, "err", err)
	}
}

// deliver sends a return that is not kept.
func (r *Runner) deliver(ret *pb.Return) {
	if err := r.o.Publish(subject.Final(r.token, ret.Jid), r.pack(ret).fin); err != nil {
		r.log.Debug("return not sent", "job", ret.Jid, "err", err)
	}
}

// offer sends a return as the journal has it.
func (r *Runner) offer(e *entry) error {
	fin, parts, err := r.journal.load(e)
	if err != nil {
		r.log.Error("return lost", "job", e.jid, "err", err)
	}
	return r.send(e, fin, parts, func(i int) ([]byte, error) { return r.journal.part(e, i) })
}

// send sends a return: its parts first, then what completes them. An error
// means that there is no connection; then it waits for a later offer.
func (r *Runner) send(e *entry, fin []byte, parts int, part func(int) ([]byte, error)) error {
	r.mu.Lock()
	r.arm()
	r.mu.Unlock()
	r.journal.touch(e)
	for i := range parts {
		data, err := part(i)
		if err != nil {
			r.log.Error("value of a return lost", "job", e.jid, "err", err)
			fin = strip(fin, reasonUnreadable)
			break
		}
		m := &pb.Part{Jid: e.jid, RequestId: e.req[:], Index: uint32(i), Count: uint32(parts), Data: data}
		if err := r.o.Publish(subject.Part(r.token, e.jid, i), marshal(m)); err != nil {
			return err
		}
	}
	return r.o.Publish(subject.Final(r.token, e.jid), fin)
}

// Reoffer sends what masters may not have: .acc of jobs that run or wait and
// returns that were not acked by all. To be called after each change of master. It does not wait.
func (r *Runner) Reoffer() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return
	}
	for _, t := range r.tasks {
		if t.ready || t.cancel != nil {
			r.spawn(func() { r.sendAccepted(t) })
		}
	}
	if r.offers.busy {
		r.offers.again = true
		return
	}
	r.offers.busy = true
	r.spawn(func() { r.offerRound(true) })
}

// offerLate is a round for returns that were not acked for a while.
func (r *Runner) offerLate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offers.armed = false
	if r.closing || r.offers.busy {
		return
	}
	r.offers.busy = true
	r.spawn(func() { r.offerRound(false) })
}

// offerRound offers the returns that are owed: all, or those that were offered long ago.
func (r *Runner) offerRound(all bool) {
	r.journal.retry()
	r.makeSpace(nil)
	owed := r.journal.owing()
	for _, e := range owed {
		if r.stopped() || !r.journal.due(e, all) {
			continue
		}
		if err := r.offer(e); err != nil {
			r.log.Debug("returns wait", "jobs", len(owed), "err", err)
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.offers.again && !r.closing
	r.offers.busy, r.offers.again = again, false
	if again {
		r.spawn(func() { r.offerRound(true) })
	} else if len(owed) > 0 {
		r.arm()
	}
}

func (r *Runner) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// Ack takes the word of one or more masters for the returns that they have committed.
func (r *Runner) Ack(data []byte) {
	ack := &pb.Ack{}
	err := proto.Unmarshal(data, ack)
	if err == nil {
		err = checkAck(ack)
	}
	if err != nil {
		r.drop("ack", subject.Ack(r.token), err)
		return
	}
	r.acked(ack)
	for _, other := range ack.Others {
		r.acked(other)
	}
}

func checkAck(ack *pb.Ack) error {
	if err := subject.CheckID(ack.GetMaster()); err != nil {
		return err
	}
	if !slices.Contains(ack.Live, ack.Master) {
		return fmt.Errorf("it does not count its own master %q as live", ack.Master)
	}
	for _, other := range ack.Others {
		if len(other.GetOthers()) > 0 {
			return errors.New("it hands on what was handed on")
		}
		if err := checkAck(other); err != nil {
			return err
		}
	}
	return nil
}

// acked takes one master's word.
func (r *Runner) acked(ack *pb.Ack) {
	r.mu.Lock()
	r.heard[ack.Master] = time.Now()
	need := r.needed(ack.Live)
	r.mu.Unlock()
	for _, item := range ack.Items {
		if len(item.GetRequestId()) != len(requestID{}) {
			continue
		}
		if e := r.journal.ack(key{item.Jid, requestID(item.RequestId)}, ack.Master, clip(item.Refused), need); e != nil {
			r.turnedDown(e)
		}
	}
	for _, e := range r.journal.reconsider(need) {
		r.turnedDown(e)
	}
}

// turnedDown tells of a return that is not offered any more although a master
// does not have it. The masters have others of the same job.
func (r *Runner) turnedDown(e *entry) {
	r.log.Warn("return given up: a master has too many others of this job and will not take it",
		"job", e.jid, "function", e.function, "refused", e.refused)
}

// needed is who must have a return: whoever is live in the eyes of the master
// that tells, and whoever acked lately. In a cut between masters each thinks it is alone,
// but this minion hears both. With mu held.
func (r *Runner) needed(live []string) []string {
	need := slices.Clone(live)
	for m, at := range r.heard {
		if time.Since(at) > heardLately {
			delete(r.heard, m)
		} else if !slices.Contains(need, m) {
			need = append(need, m)
		}
	}
	return need
}

// makeSpace gives up what has waited too long for masters, or is too much
// together with res: the values of the oldest returns first.
func (r *Runner) makeSpace(res *result) {
	var size int64
	if res != nil {
		size = res.bytes()
	}
	values, returns := r.journal.excess(size)
	for _, e := range values {
		n := e.size()
		if err := r.journal.dropValue(e, "no master took the value, and newer ones needed the space"); err != nil {
			r.log.Error("value of a return not dropped", "job", e.jid, "err", err)
			continue
		}
		r.lost("value of a return dropped: no master took it", e, n)
	}
	for _, e := range returns {
		r.journal.drop(e)
		r.lost("return dropped: not all masters took it within 7 days", e, 0)
	}
}

// lost tells of a result that is gone, in the log and by an event.
func (r *Runner) lost(what string, e *entry, bytes int64) {
	r.log.Error(what, "job", e.jid, "function", e.function, "bytes", bytes)
	data, err := json.Marshal(map[string]any{"what": what, "jid": e.jid, "function": e.function, "bytes": bytes})
	if err != nil {
		return
	}
	const tag = "brine/journal/dropped"
	r.publish(subject.Event(r.token, tag), &pb.Event{Tag: tag, Origin: r.o.ID, Data: data, At: r.o.Now().UnixMicro()})
}
