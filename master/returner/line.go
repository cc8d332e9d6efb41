package returner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/states/plan"
)

// A returned is what a program gets of one minion's return: Salt's fields, and what brine knows besides.
type returned struct {
	JID      string            `json:"jid"`
	ID       string            `json:"id"`
	Fun      string            `json:"fun"`
	FunArgs  []json.RawMessage `json:"fun_args"` // named ones as objects of one key; those that were sealed are not there
	Return   json.RawMessage   `json:"return"`
	Retcode  int32             `json:"retcode"`
	Success  bool              `json:"success"`
	Stamp    string            `json:"_stamp"` // when it ended
	Status   string            `json:"status"`
	Reason   string            `json:"reason,omitempty"` // for a status but ok and failed
	Duration float64           `json:"duration_ms"`
	User     string            `json:"user,omitempty"`  // the operator
	Cause    string            `json:"cause,omitempty"` // why the minion ran it by itself
	Tgt      string            `json:"tgt,omitempty"`
	TgtType  string            `json:"tgt_type,omitempty"`
	Cut      bool              `json:"truncated,omitempty"`
}

// line is the return of a minion as a program gets it; nil when it is none of the functions that it wants, or is gone.
func (r *Returner) line(ctx context.Context, p Program, jid, minion string) ([]byte, error) {
	ret, err := r.o.Store.Return(ctx, jid, minion)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	job, err := r.request(ctx, jid)
	if err != nil {
		return nil, err
	}
	out := returned{
		JID: jid, ID: minion, Fun: ret.Function, FunArgs: arguments(job.Args), Return: ret.Value, Retcode: ret.Retcode,
		Success: ret.Outcome == proto.Outcome_OK, Status: strings.ToLower(strings.ReplaceAll(ret.Outcome.String(), "_", "-")), Reason: ret.Reason,
		Stamp: time.UnixMicro(ret.FinishedAt).UTC().Format("2006-01-02T15:04:05.000000"), Duration: float64(ret.Duration) / 1000,
		User: job.Operator, Cause: ret.Cause, Tgt: job.GetTarget().GetExpression(), Cut: ret.Truncated,
	}
	if job.Target != nil {
		out.TgtType = strings.ToLower(job.Target.Syntax.String())
	}
	if out.Fun == "" {
		out.Fun = job.Function
	}
	if len(ret.Value) == 0 {
		out.Return = json.RawMessage("null")
	}
	if !json.Valid(out.Return) { // of one that was cut
		out.Return, _ = json.Marshal(strings.ToValidUTF8(string(ret.Value), "\ufffd"))
	}
	if len(p.Functions) > 0 && !slices.ContainsFunc(p.Functions, func(g string) bool { return plan.Glob(g)(out.Fun) }) {
		return nil, nil
	}
	line, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("cannot write the return of job %s on minion %q as JSON: %w", jid, minion, err)
	}
	return line, nil
}

// request is what was asked for; an empty one when it is not known here.
func (r *Returner) request(ctx context.Context, jid string) (*proto.JobRequest, error) {
	req := &proto.JobRequest{}
	rec, err := r.o.Store.Job(ctx, jid)
	if errors.Is(err, store.ErrNotFound) {
		return req, nil
	}
	if err != nil {
		return nil, err
	}
	job := &proto.Job{}
	if err := pb.Unmarshal(rec.GetJob().GetBody(), job); err != nil {
		return nil, fmt.Errorf("cannot read the record of job %s: %w", jid, err)
	}
	if err := pb.Unmarshal(job.GetRequest().GetBody(), req); err != nil {
		return nil, fmt.Errorf("cannot read the request of job %s: %w", jid, err)
	}
	return req, nil
}

func arguments(args []*proto.Argument) []json.RawMessage {
	all := []json.RawMessage{}
	for _, a := range args {
		v := json.RawMessage(a.GetJson())
		if len(v) == 0 || !json.Valid(v) {
			v, _ = json.Marshal(strings.ToValidUTF8(a.GetText(), "\ufffd")) // a text can always be written
		}
		if a.GetName() != "" {
			v, _ = json.Marshal(map[string]json.RawMessage{a.Name: v})
		}
		all = append(all, v)
	}
	return all
}
