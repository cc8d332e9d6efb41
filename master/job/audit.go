package job

import (
	"context"
	"fmt"
	"time"

	"brine/proto"
	"brine/proto/jid"
)

// letters are those that a compound target has before each kind.
var letters = map[proto.Target_Syntax]string{
	proto.Target_LIST: "L@", proto.Target_PCRE: "E@", proto.Target_GRAIN: "G@", proto.Target_GRAIN_PCRE: "P@",
	proto.Target_PILLAR: "I@", proto.Target_PILLAR_EXACT: "I@", proto.Target_PILLAR_PCRE: "J@", proto.Target_IPCIDR: "S@", proto.Target_NODEGROUP: "N@",
}

// TargetText writes a target as a compound has it.
func TargetText(t *proto.Target) string { return letters[t.GetSyntax()] + t.GetExpression() }

// audits are the records that go with that of a job: they are committed together.
func (m *Manager) audits(q *request) ([]*proto.Record, error) {
	if m.o.Audit == nil {
		return nil, nil
	}
	rec, err := m.o.Audit(q.operator, &proto.Audit{
		Action: "job.run", Function: q.Function, Detail: TargetText(q.Target), Jid: q.Jid,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot write down who asked for job %s: %w", q.Jid, err)
	}
	return []*proto.Record{rec}, nil
}

// Summary tells of how many minions a job has which status.
func (m *Manager) Summary(ctx context.Context, id string) (map[string]uint32, error) {
	at, err := jid.Time(id)
	if err != nil {
		return nil, err
	}
	reply, err := m.List(ctx, &proto.JobListRequest{Before: jid.FromTime(at.Add(time.Microsecond)), Limit: 1})
	if err != nil {
		return nil, err
	}
	for _, j := range reply.Jobs {
		if j.Jid == id {
			return j.Summary, nil
		}
	}
	return nil, fmt.Errorf("cannot find job %s", id)
}
