package job_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"brine/proto"
)

func (w *world) compound(expr string) *proto.JobRequest {
	q := w.request("*")
	q.Target = &proto.Target{Syntax: proto.Target_COMPOUND, Expression: expr}
	return q
}

// left is what a job tells of minions that it leaves out, a line for each reason.
func left(info *proto.JobInfo) string {
	var lines []string
	for _, l := range info.GetLeftOut() {
		lines = append(lines, fmt.Sprintf("%s: %s", strings.Join(l.Minions, " "), l.Why))
	}
	return strings.Join(lines, "\n")
}

// TestUnknownPillarLeavesOut: a minion whose pillar is not known is meant by no target that asks for it, and named.
func TestUnknownPillarLeavesOut(t *testing.T) {
	run(t, names(5), func(t *testing.T, w *world) {
		w.roles = map[string]string{"web1": "web", "web3": "db"}
		w.broken = map[string]error{"web1": errors.New("broken"), "web2": errors.New("broken"), "web3": errors.New("other")}
		const all = "web1 web2: its pillar is not known: broken\nweb3: its pillar is not known: other"
		q := w.compound("not I@role:web")
		frame, err := w.m.Resolve(t.Context(), w.op, w.sign(q))
		if err != nil || len(frame.Minions) != 2 || left(frame.Job) != all {
			t.Errorf("resolved to %v, %v", frame, err)
		}
		info := w.submit(q)
		if got := left(info); got != all || info.Targeted != 2 {
			t.Errorf("submitted: got %d targeted, left out %q", info.Targeted, got)
		}
		if got, want := w.subjects("job."), []string{"job.id.web4", "job.id.web5"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		w.boot("m2") // another master tells the same
		if v := w.watch(q.Jid, true); left(v.job) != all {
			t.Errorf("shown: left out %q", left(v.job))
		}
		_, err = w.m.Submit(t.Context(), w.op, w.sign(w.compound("I@role:web")))
		wantCode(t, "nobody else", err, proto.ApiError_NO_MATCH)
		if !strings.Contains(fmt.Sprint(err), "\nweb1, web2 left out: its pillar is not known: broken\nweb3 left out: ") {
			t.Errorf("nobody else: got %v", err)
		}
		info = w.submit(w.compound("web1 or not I@role:web"))
		if got := left(info); got != "web2: its pillar is not known: broken\nweb3: its pillar is not known: other" || info.Targeted != 3 {
			t.Errorf("one by its id: got %d targeted, left out %q", info.Targeted, got)
		}
	})
}

// TestOnlyAskableMinionsAreLeftOut: an operator is told nothing of minions that are none of its business.
func TestOnlyAskableMinionsAreLeftOut(t *testing.T) {
	run(t, []string{"db1", "web1", "web2"}, func(t *testing.T, w *world) {
		w.may = "web"
		w.broken = map[string]error{"web1": errors.New("broken"), "db1": errors.New("broken")}
		if got := left(w.submit(w.compound("web* and not I@role:db"))); got != "web1: its pillar is not known: broken" {
			t.Errorf("left out %q", got)
		}
		_, err := w.m.Submit(t.Context(), w.op, w.sign(w.compound("not I@role:db")))
		wantCode(t, "others too", err, proto.ApiError_NOT_PERMITTED)
	})
}

// TestPillarIsNoBroadcast: a minion that masters did not find to be meant must not decide by a pillar that is old.
func TestPillarIsNoBroadcast(t *testing.T) {
	run(t, names(5), func(t *testing.T, w *world) {
		w.roles = map[string]string{"web1": "web"}
		w.submit(w.compound("not I@role:web"))
		if got := w.subjects("job.all"); len(got) > 0 {
			t.Errorf("got %v, want each minion asked by its id", got)
		}
		w.submit(w.compound("not G@role:web"))
		if got := w.subjects("job.all"); len(got) != 1 {
			t.Errorf("of grains: got %d broadcasts, want 1", len(got))
		}
	})
}
