// Package event makes one stream of what happens on a site: events that minions, masters and operators tell, and jobs and
// their returns, which are kept as what they are, under Salt's tags.
package event

import (
	"encoding/json"
	"fmt"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/jid"
	"brine/states/module"
	"brine/states/value"
)

// A Source finds the jobs that returns belong to.
type Source interface {
	// Asked is the request of a job; nil when it is not here.
	Asked(jid string) *proto.JobRequest
}

// Of makes the event of a record: of an event itself, of a job and of a return what Salt has. It is nil for any other, and
// for a return whose body is left out a short one.
func Of(rec *proto.Record, jobs Source) (*proto.Event, error) {
	switch rec.Kind {
	case proto.RecordKind_RECORD_EVENT:
		e := &proto.Event{}
		if err := pb.Unmarshal(rec.Body, e); err != nil {
			return nil, err
		}
		Deepen(e, jobs)
		return e, nil
	case proto.RecordKind_RECORD_JOB:
		return ofJob(rec)
	case proto.RecordKind_RECORD_RETURN:
		return ofReturn(rec, jobs)
	}
	return nil, nil
}

// Deepen gives an event of a minion, which names the job that was running as its cause, the depth of that.
func Deepen(e *proto.Event, jobs Source) {
	if e.Depth > 0 || len(e.Cause) != jid.Len {
		return
	}
	e.Depth = jobs.Asked(e.Cause).GetDepth()
}

// job is the data of salt/job/<jid>/new.
type job struct {
	JID     string   `json:"jid"`
	Kind    string   `json:"tgt_type"`
	Target  string   `json:"tgt"`
	User    string   `json:"user"`
	Fun     string   `json:"fun"`
	Args    any      `json:"arg"`
	Minions []string `json:"minions"`
	Missing []string `json:"missing"`
}

// maxNamed bounds the minions that the event of a job names.
const maxNamed = 10_000

// Asked reads the request of a job's record.
func Asked(rec *proto.JobRecord) (*proto.JobRequest, error) {
	j, q := &proto.Job{}, &proto.JobRequest{}
	if err := pb.Unmarshal(rec.GetJob().GetBody(), j); err != nil {
		return nil, fmt.Errorf("cannot read a job: %w", err)
	}
	if err := pb.Unmarshal(j.GetRequest().GetBody(), q); err != nil {
		return nil, fmt.Errorf("cannot read what a job was asked: %w", err)
	}
	return q, nil
}

func ofJob(rec *proto.Record) (*proto.Event, error) {
	body := &proto.JobRecord{}
	if err := pb.Unmarshal(rec.Body, body); err != nil {
		return nil, err
	}
	q, err := Asked(body)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(job{
		JID: q.Jid, Kind: strings.ToLower(q.GetTarget().GetSyntax().String()), Target: q.GetTarget().GetExpression(), User: q.Operator, Fun: q.Function,
		Args: arguments(q), Minions: some(body.Expected), Missing: some(body.Offline),
	})
	return &proto.Event{Tag: "salt/job/" + q.Jid + "/new", Origin: rec.Origin, Actor: actor(q), At: rec.Stamp, Data: data,
		Cause: q.Cause, Depth: q.Depth}, err
}

// actor is who had a job made.
func actor(q *proto.JobRequest) string {
	if q.Automatic() {
		return q.Operator
	}
	return "operator " + q.Operator
}

func some(ids []string) []string { return append([]string{}, ids[:min(len(ids), maxNamed)]...) }

// arguments are those of a job as Salt shows them: named ones together at the end.
func arguments(q *proto.JobRequest) any {
	all, named := []any{}, value.NewDict()
	for _, a := range q.GetArgs() {
		v := module.Typed(a.GetText()).Data
		if raw := a.GetJson(); raw != nil {
			var err error
			if v, err = value.FromJSON(raw); err != nil {
				continue
			}
		}
		if a.Name == "" {
			all = append(all, v)
		} else {
			named.Put(a.Name, v)
		}
	}
	if named.Len() > 0 {
		named.Put("__kwarg__", true)
		all = append(all, named)
	}
	raw, err := value.MarshalJSON(value.NewList(all...))
	if err != nil {
		return []any{}
	}
	return json.RawMessage(raw)
}

// returned is the data of salt/job/<jid>/ret/<minion>.
type returned struct {
	Cmd     string          `json:"cmd"`
	ID      string          `json:"id"`
	JID     string          `json:"jid"`
	Fun     string          `json:"fun"`
	Args    any             `json:"fun_args"`
	User    string          `json:"user"`
	Success bool            `json:"success"`
	Retcode int32           `json:"retcode"`
	Return  json.RawMessage `json:"return"`
	Reason  string          `json:"reason,omitempty"` // brine's: why it did not run
	Left    int64           `json:"left_out,omitempty"`
}

// maxReturned is how long a return value is that an event shows, in bytes.
const maxReturned = 256 << 10

func ofReturn(rec *proto.Record, jobs Source) (*proto.Event, error) {
	r := &proto.Return{}
	if err := pb.Unmarshal(rec.Body, r); err != nil {
		return nil, err
	}
	d := returned{Cmd: "_return", ID: r.Minion, JID: r.Jid, Fun: r.Function, Args: []any{}, Retcode: r.Retcode,
		Success: r.Outcome == proto.Outcome_OK, Return: r.Value, Reason: r.Reason}
	if len(d.Return) > maxReturned || !json.Valid(d.Return) {
		d.Left, d.Return = int64(len(d.Return)), json.RawMessage("null")
	}
	q := jobs.Asked(r.Jid)
	if q != nil {
		d.Fun, d.Args, d.User = q.Function, arguments(q), q.Operator
	}
	data, err := json.Marshal(d)
	return &proto.Event{Tag: "salt/job/" + r.Jid + "/ret/" + r.Minion, Origin: r.Minion, At: rec.Stamp, Data: data,
		Cause: r.Jid, Depth: q.GetDepth()}, err
}
