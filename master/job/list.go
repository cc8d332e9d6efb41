package job

import (
	"context"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/target"
)

// Bounds of a list; it goes in one message of the bus.
const (
	maxListed   = 200
	listedBytes = 700 << 10
	listedText  = 2 << 10 // of one job's arguments, or of its target

	defaultListed = 50
	maxRounds     = 20 // of questions to the store, for one list
)

// List tells about the newest jobs that fit the filter. A refusal is an *Error.
func (m *Manager) List(ctx context.Context, r *proto.JobListRequest) (*proto.JobListReply, error) {
	return m.list(ctx, r, false)
}

// Asked is a List without the jobs that minions made themselves.
func (m *Manager) Asked(ctx context.Context, r *proto.JobListRequest) (*proto.JobListReply, error) {
	return m.list(ctx, r, true)
}

func (m *Manager) list(ctx context.Context, r *proto.JobListRequest, asked bool) (*proto.JobListReply, error) {
	if r.GetBefore() != "" {
		if err := checkJID(r.GetBefore()); err != nil {
			return nil, err
		}
	}
	for _, pattern := range []string{r.GetFunction(), r.GetTarget(), r.GetOperator()} {
		if _, err := target.ParseGlob(pattern); err != nil {
			return nil, refuse(proto.ApiError_INVALID, "%v", err)
		}
	}
	f := store.JobFilter{
		Before: r.GetBefore(), Function: r.GetFunction(), Target: r.GetTarget(), Operator: r.GetOperator(), Failed: r.GetFailed(), Asked: asked,
	}
	if r.GetSince() > 0 {
		f.Since = time.UnixMicro(r.GetSince())
	}
	wanted := min(int(r.GetLimit()), maxListed)
	if wanted <= 0 {
		wanted = defaultListed
	}
	l := &listing{wanted: wanted, reply: &proto.JobListReply{}}
	for rounds := 0; ; rounds++ {
		f.Limit = wanted
		entries, err := m.o.Store.Jobs(ctx, f)
		if err != nil {
			return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot list jobs: %v", err)
		}
		full, err := m.listAll(ctx, l, entries, r.GetFailed())
		if err != nil {
			return nil, err
		}
		if len(entries) < wanted && !full {
			l.reply.Next = ""
			return l.reply, nil
		}
		if full || rounds >= maxRounds {
			return l.reply, nil
		}
		f.Before = l.reply.Next
	}
}

// listing is a list that is being made.
type listing struct {
	reply  *proto.JobListReply
	wanted int
	size   int
}

// listAll adds jobs to a list, until it is full. Next is then before what has been looked at.
func (m *Manager) listAll(ctx context.Context, l *listing, entries []store.JobEntry, failed bool) (full bool, err error) {
	for _, e := range entries {
		if len(l.reply.Jobs) >= l.wanted {
			return true, nil
		}
		info, err := m.listed(ctx, e)
		if err != nil {
			return false, refuse(proto.ApiError_UNAVAILABLE, "cannot list job %s: %v", e.JID, err)
		}
		if !failed || hasFailed(info.Summary) {
			if l.size += pb.Size(info); l.size > listedBytes && len(l.reply.Jobs) > 0 {
				return true, nil
			}
			l.reply.Jobs = append(l.reply.Jobs, info)
		}
		l.reply.Next = e.JID
	}
	return len(l.reply.Jobs) >= l.wanted, nil
}

// hasFailed tells whether a job has ended other than ok somewhere. One that gave no answer has not.
func hasFailed(counts map[string]uint32) bool {
	for _, s := range []Status{Failed, Interrupted, Cancelled, Expired, Refused} {
		if counts[string(s)] > 0 {
			return true
		}
	}
	return false
}

// listed tells about one job, with no more than the beginning of what is long.
func (m *Manager) listed(ctx context.Context, e store.JobEntry) (info *proto.JobInfo, err error) {
	m.mu.Lock()
	j := m.jobs[e.JID]
	m.mu.Unlock()
	switch {
	case j != nil:
		info = m.infoOf(j, m.look(j, nil, true))
	case e.Sum != nil:
		info, err = m.summedUp(ctx, e)
	default:
		j = newJob(e.JID, m.started)
		if _, err = m.recall(ctx, j); err == nil {
			info = m.infoOf(j, m.look(j, nil, true))
		}
	}
	if err != nil {
		return nil, err
	}
	shorten(info)
	return info, nil
}

// shorten leaves of what is long in a job only the beginning.
func shorten(info *proto.JobInfo) {
	size := 0
	for _, a := range info.Args {
		size += pb.Size(a)
	}
	for _, c := range info.Calls {
		size += pb.Size(c)
	}
	if size > listedText {
		info.Args, info.Calls = nil, nil
	}
	if t := info.Target; len(t.GetExpression()) > listedText {
		begin := strings.ToValidUTF8(t.Expression[:listedText], "")
		info.Target = &proto.Target{Syntax: t.Syntax, Expression: begin + "..."}
	}
}
