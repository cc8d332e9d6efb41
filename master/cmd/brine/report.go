package main

import (
	"encoding/json"
	"strings"

	"brine/master/client"
)

// statuses is every status of a job on a minion, in the order a summary shows them.
var statuses = []string{
	"queued", "sent", "running", "ok", "failed", "interrupted", "cancelled", "expired", "refused", "no-answer", "offline",
}

// ended tells whether a status is the job's end on a minion.
func ended(status string) bool {
	switch status {
	case "ok", "failed", "interrupted", "cancelled", "expired", "refused":
		return true
	}
	return false
}

// A report is a job's results as `--out json` prints them.
type report struct {
	JID      string                   `json:"jid"`
	Function string                   `json:"function"`
	State    string                   `json:"state"` // running or done
	Targeted int                      `json:"targeted"`
	Minions  map[string]*minionReport `json:"minions"`
	Summary  map[string]int           `json:"summary"`
	Commits  []string                 `json:"commits,omitempty"`  // of git that it has files of
	LeftOut  map[string]string        `json:"left_out,omitempty"` // minions of which nobody could tell whether they are meant, and why
}

// A minionReport is one minion's part of it. What is not known is null.
type minionReport struct {
	Status   string          `json:"status"`
	Retcode  *int32          `json:"retcode"`
	Return   json.RawMessage `json:"return"`
	Duration *float64        `json:"duration_ms"`
	Reason   string          `json:"reason,omitempty"`
	Cut      bool            `json:"truncated,omitempty"` // return was over the limit
}

func newReport(r *client.Result) *report {
	rep := &report{State: "running", Minions: map[string]*minionReport{}, Summary: map[string]int{}}
	if r.Job != nil {
		rep.JID, rep.Function, rep.Commits = r.Job.Jid, r.Job.Function, r.Job.Commits
	}
	for _, l := range r.Job.GetLeftOut() {
		if rep.LeftOut == nil {
			rep.LeftOut = map[string]string{}
		}
		for _, id := range l.Minions {
			rep.LeftOut[id] = l.Why
		}
	}
	if r.Done && !r.Job.GetIncomplete() {
		rep.State = "done"
	}
	for _, s := range statuses {
		rep.Summary[strings.ReplaceAll(s, "-", "_")] = 0
	}
	for id, m := range r.Minions {
		rep.Minions[id] = newMinionReport(m)
		rep.Summary[strings.ReplaceAll(m.Status, "-", "_")]++
	}
	rep.Targeted = len(r.Minions)
	return rep
}

func newMinionReport(m *client.Minion) *minionReport {
	out := &minionReport{Status: m.Status, Reason: m.Reason, Cut: m.Truncated, Return: json.RawMessage("null")}
	if ended(m.Status) {
		ms := float64(m.Duration) / 1000
		out.Retcode, out.Duration = &m.Retcode, &ms
	}
	if json.Valid(m.Value) {
		out.Return = m.Value
	}
	return out
}

// worst is the exit code of a job's results. Where several apply, the order
// is bad state files, a failure, no answer.
func worst(r *client.Result) int {
	counts := r.Counts()
	failed := counts["failed"]
	if failed > 0 && compileErrors(r) == failed {
		return exitData
	}
	if failed+counts["interrupted"]+counts["cancelled"]+counts["refused"] > 0 {
		return exitFailed
	}
	if r.Job.GetIncomplete() || len(r.Job.GetLeftOut()) > 0 || len(r.Minions) == 0 || len(r.Minions) > counts["ok"] {
		return exitUnanswered
	}
	return exitOK
}

// compileErrors counts the minions on which state files did not compile: the
// return of a state function is then a list of texts, as in Salt, which ends
// with 5 where it is the pillar that could not be made.
func compileErrors(r *client.Result) int {
	if r.Job == nil || !appliesStates(r.Job.Function) {
		return 0
	}
	n := 0
	for _, m := range r.Minions {
		if m.Status == "failed" && (m.Retcode == 1 || m.Retcode == 5) && len(m.Value) > 0 && m.Value[0] == '[' {
			n++
		}
	}
	return n
}
