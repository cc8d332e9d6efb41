package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

// OfMinion tells of the last jobs that a minion returned, the newest first, and
// of its last highstate; nil when none is known.
func (m *Manager) OfMinion(ctx context.Context, id string, limit int) (jobs []*proto.MinionJob, highstate *proto.MinionJob, err error) {
	last, runs, err := m.o.Store.LastJobs(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	for _, jid := range last {
		if len(jobs) >= limit {
			break
		}
		info, _, err := m.ofMinion(ctx, jid, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // pruned
		}
		if err != nil {
			return nil, nil, err
		}
		jobs = append(jobs, info)
	}
	for _, jid := range runs {
		info, args, err := m.ofMinion(ctx, jid, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && !isHighstate(info.Function, args) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		info.Test = says(args, "test")
		return jobs, info, m.countStates(ctx, id, info)
	}
	return jobs, nil, nil
}

// ofMinion tells of a job on a minion, and its arguments.
func (m *Manager) ofMinion(ctx context.Context, jid, id string) (*proto.MinionJob, []*proto.Argument, error) {
	j, err := m.o.Store.MinionJob(ctx, jid, id)
	if err != nil {
		return nil, nil, err
	}
	status, _ := ending(j.Outcome.Outcome)
	info := &proto.MinionJob{Jid: j.JID, Status: string(status), Retcode: j.Retcode, FinishedAt: j.FinishedAt, Duration: j.Duration}
	if j.Record == nil {
		r, err := m.o.Store.Return(ctx, jid, id)
		info.Function, info.Operator = r.GetFunction(), r.GetCause()
		return info, nil, err
	}
	job, request := new(proto.Job), new(proto.JobRequest)
	if err := pb.Unmarshal(j.Record.GetJob().GetBody(), job); err != nil {
		return nil, nil, err
	}
	err = pb.Unmarshal(job.GetRequest().GetBody(), request)
	info.Function, info.Operator = request.Function, request.Operator
	return info, request.Args, err
}

// isHighstate tells whether a job applies what the top file gives.
func isHighstate(function string, args []*proto.Argument) bool {
	if function != "state.apply" {
		return function == "state.highstate"
	}
	for _, a := range args {
		if a.Name == "" || a.Name == "mods" {
			return false
		}
	}
	return true
}

// says tells whether an argument of this name is true.
func says(args []*proto.Argument, name string) bool {
	for _, a := range args {
		if a.Name == name {
			return strings.EqualFold(a.GetText(), "true") || bytes.Equal(a.GetJson(), []byte("true"))
		}
	}
	return false
}

// countStates reads how the states of a highstate ended; what is none, such as a list of mistakes, counts for nothing.
func (m *Manager) countStates(ctx context.Context, id string, info *proto.MinionJob) error {
	r, err := m.o.Store.Return(ctx, info.Jid, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil // pruned meanwhile
	}
	if err != nil {
		return err
	}
	var states map[string]struct {
		Result  *bool                      `json:"result"`
		Changes map[string]json.RawMessage `json:"changes"`
	}
	if json.Unmarshal(r.Value, &states) != nil {
		return nil
	}
	for _, s := range states {
		switch {
		case s.Result != nil && !*s.Result:
			info.Failed++
		default:
			info.Succeeded++
		}
		if len(s.Changes) > 0 || s.Result == nil {
			info.Changed++
		}
	}
	return nil
}
