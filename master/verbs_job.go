package master

import (
	"context"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// jobRun makes a job; what the operator may run is the job's own to decide.
func (m *Master) jobRun(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RunRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	return nil, m.jobs.Request(ctx, c.operator, req, c.frame)
}

// jobWatch follows a job, or tells once what is known of it.
func (m *Master) jobWatch(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.WatchRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if err := c.may("@job.show"); err != nil && !m.ownJob(ctx, c.operator, req.Jid) {
		return nil, err
	}
	return nil, m.jobs.Watch(ctx, req.Jid, req.Once, c.frame)
}

// ownJob tells whether an operator asked for a job: who did may always see what comes of it.
func (m *Master) ownJob(ctx context.Context, op *proto.OperatorRecord, jid string) bool {
	rec, err := m.store.Job(ctx, jid)
	if err != nil {
		return false
	}
	made, asked := &proto.Job{}, &proto.JobRequest{}
	return pb.Unmarshal(rec.GetJob().GetBody(), made) == nil && pb.Unmarshal(made.GetRequest().GetBody(), asked) == nil &&
		asked.Operator == op.Name
}

func (m *Master) jobList(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.JobListRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	return m.listJobs(ctx, req)
}

func (m *Master) jobCancel(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.CancelRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if by, err := m.orchestrations.By(ctx, req.Jid); err == nil {
		return m.orchestrationCancel(ctx, c, req.Jid, by)
	}
	reply, err := m.jobs.Cancel(ctx, c.operator, req.Jid)
	if err == nil {
		m.audit(c, "job.cancel", req.Jid)
	}
	return reply, err
}
