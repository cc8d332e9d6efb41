package job

import (
	"context"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/target"
)

// Bounds of a list; it goes in one message of the bus.
const (
	maxListed   = 500
	listedBytes = 700 << 10
	listedText  = 2 << 10 // of one job's arguments, or of its target
)

// List tells about the newest jobs that fit the filter. A refusal is an *Error.
func (m *Manager) List(ctx context.Context, r *proto.JobListRequest) (*proto.JobListReply, error) {
	if r.GetBefore() != "" {
		if err := checkJID(r.GetBefore()); err != nil {
			return nil, err
		}
	}
	for _, pattern := range []string{r.GetFunction(), r.GetTarget()} {
		if _, err := target.ParseGlob(pattern); err != nil {
			return nil, refuse(proto.ApiError_INVALID, "%v", err)
		}
	}
	entries, err := m.o.Store.Jobs(ctx, store.JobFilter{
		Limit: min(int(r.GetLimit()), maxListed), Before: r.GetBefore(),
		Function: r.GetFunction(), Target: r.GetTarget(),
	})
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot list jobs: %v", err)
	}
	reply, size := &proto.JobListReply{}, 0
	for _, e := range entries {
		info, err := m.listed(ctx, e.JID)
		if err != nil {
			return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot list job %s: %v", e.JID, err)
		}
		if size += pb.Size(info); size > listedBytes {
			break
		}
		reply.Jobs = append(reply.Jobs, info)
	}
	return reply, nil
}

// listed tells about one job, with no more than the beginning of what is long.
func (m *Manager) listed(ctx context.Context, jid string) (*proto.JobInfo, error) {
	m.mu.Lock()
	j := m.jobs[jid]
	m.mu.Unlock()
	if j == nil {
		j = newJob(jid, m.started)
		if _, err := m.recall(ctx, j); err != nil {
			return nil, err
		}
	}
	info := m.infoOf(j, m.look(j, nil, true))
	size := 0
	for _, a := range info.Args {
		size += pb.Size(a)
	}
	if size > listedText {
		info.Args = nil
	}
	if t := info.Target; len(t.GetExpression()) > listedText {
		begin := strings.ToValidUTF8(t.Expression[:listedText], "")
		info.Target = &proto.Target{Syntax: t.Syntax, Expression: begin + "..."}
	}
	return info, nil
}
