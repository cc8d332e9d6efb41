package job_test

import (
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

func TestAJobOfAMinionsOwnNeedsNoRecord(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*") // never submitted
		r := returnOf(q, "web1")
		r.Function, r.Cause = "state.highstate", "startup_states"
		w.say(subject.Final(subject.Token("web1"), q.Jid), r)
		if len(w.acks("web1")) != 1 {
			t.Error("it was not acknowledged")
		}
		check := func(v *watching, when string) {
			t.Helper()
			j := v.job
			if j.Incomplete || !j.Done || j.Function != "state.highstate" || j.Operator != "startup_states" ||
				j.Target.GetExpression() != "web1" || j.Targeted != 1 || j.IssuedAt == 0 {
				t.Errorf("%s: got job %v", when, j)
			}
		}
		v := w.watch(q.Jid, true)
		w.pass(0)
		v.want(t, "shown", "web1 ok; done")
		check(v, "shown")
		followed := w.watch(q.Jid, false)
		followed.want(t, "just followed", "web1 ok") // the minion's word that there is no record is not taken at once
		w.pass(10 * time.Second)
		followed.want(t, "followed", "web1 ok; done")
		check(followed, "followed")
		w.pass(time.Minute) // it is forgotten, and read from the store again
		v = w.watch(q.Jid, true)
		w.pass(0)
		check(v, "read again")
	})
}

func TestARecordCountsMoreThanAMinionsWordThatThereIsNone(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		r := pb.Clone(returnOf(q, "web1")).(*proto.Return)
		r.Cause = "startup_states"
		w.say(subject.Final(subject.Token("web1"), q.Jid), r)
		w.submit(q)
		w.pass(0)
		v := w.watch(q.Jid, true)
		w.pass(0)
		if v.job.Incomplete || v.job.Operator == "startup_states" || v.job.Targeted != 2 || v.job.Done {
			t.Errorf("got job %v", v.job)
		}
	})
}
