package returner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/states/host"
)

// line is what the program gets of one return, on a line of its standard input.
type line struct {
	Key       string          `json:"key"` // the same whenever and by whichever master this return is given again
	JID       string          `json:"jid"`
	Minion    string          `json:"minion"`
	Function  string          `json:"function"`
	Arguments []any           `json:"arguments"` // as they were typed, of several functions a list each; sealed ones are not among them
	Sealed    bool            `json:"sealed"`    // there were such
	Target    string          `json:"target"`
	Operator  string          `json:"operator"` // or why the minion made the job itself
	Success   bool            `json:"success"`
	Outcome   string          `json:"outcome"` // ok, failed, interrupted, cancelled, expired, refused or not-matched
	Retcode   int32           `json:"retcode"`
	Return    json.RawMessage `json:"return"`
	Reason    string          `json:"reason"`
	Truncated bool            `json:"truncated"`
	Started   string          `json:"started"` // by the minion's clock; "" when it never began
	Finished  string          `json:"finished"`
	Duration  float64         `json:"duration_ms"`
	Master    string          `json:"master"` // that gives it
}

// run gives returns to one process of the program. They are given when it ends with 0.
func (r *Returner) run(ctx context.Context, all []store.StoredReturn) error {
	input, err := r.lines(ctx, all)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.o.Timeout, fmt.Errorf("it took longer than %v, and was ended", r.o.Timeout))
	defer cancel()
	out, err := r.o.Exec(ctx, host.Command{Argv: r.o.Command, Stdin: input, Bytes: true, Limit: 64 << 10, Grace: time.Second, Clean: true})
	switch {
	case errors.Is(err, exec.ErrNotFound):
		err = errors.New("there is no such program, or it is not executable")
	case err == nil && out.Code != 0:
		err = fmt.Errorf("it ended with %d", out.Code)
	}
	if err != nil {
		return fmt.Errorf("cannot give %d returns to %s: %w%s", len(all), r.o.Command[0], err, said(out.Stderr))
	}
	return nil
}

func (r *Returner) lines(ctx context.Context, all []store.StoredReturn) ([]byte, error) {
	requests := map[string]*proto.JobRequest{}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, e := range all {
		q, looked := requests[e.Return.Jid]
		if !looked {
			var err error
			if q, err = r.request(ctx, e.Return.Jid); err != nil {
				return nil, err
			}
			requests[e.Return.Jid] = q
		}
		if err := enc.Encode(r.line(e, q)); err != nil {
			return nil, fmt.Errorf("cannot write return %s: %w", e.ID, err)
		}
	}
	return b.Bytes(), nil
}

// request is what a job was asked for; an empty one when its record is not here.
func (r *Returner) request(ctx context.Context, jid string) (*proto.JobRequest, error) {
	q, job := new(proto.JobRequest), new(proto.Job)
	rec, err := r.o.Store.Job(ctx, jid)
	if errors.Is(err, store.ErrNotFound) {
		return q, nil
	}
	if err == nil {
		err = pb.Unmarshal(rec.GetJob().GetBody(), job)
	}
	if err == nil {
		err = pb.Unmarshal(job.GetRequest().GetBody(), q)
	}
	return q, err
}

func (r *Returner) line(e store.StoredReturn, q *proto.JobRequest) line {
	ret := e.Return
	l := line{
		Key: e.ID, JID: ret.Jid, Minion: ret.Minion, Function: ret.Function, Sealed: len(q.Sealed) > 0,
		Target: q.GetTarget().GetExpression(), Operator: q.Operator, Success: ret.Outcome == proto.Outcome_OK,
		Outcome: strings.ReplaceAll(strings.ToLower(ret.Outcome.String()), "_", "-"), Retcode: ret.Retcode,
		Return: json.RawMessage("null"), Reason: ret.Reason, Truncated: ret.Truncated,
		Started: stamp(ret.StartedAt), Finished: stamp(ret.FinishedAt), Duration: float64(ret.Duration) / 1000, Master: r.o.Master,
	}
	if ret.Cause != "" {
		l.Operator = ret.Cause
	}
	if json.Valid(ret.Value) {
		l.Return = ret.Value
	}
	l.Arguments = arguments(q.Args)
	for _, c := range q.Calls {
		l.Arguments = append(l.Arguments, arguments(c.Args))
	}
	return l
}

func arguments(args []*proto.Argument) []any {
	all := []any{}
	for _, a := range args {
		all = append(all, argument(a))
	}
	return all
}

// argument is a text as it was typed, or a value; a named one is an object of its name.
func argument(a *proto.Argument) any {
	var v any = a.GetText()
	if raw := a.GetJson(); raw != nil {
		v = json.RawMessage(raw)
	}
	if a.Name != "" {
		return map[string]any{a.Name: v}
	}
	return v
}

func stamp(micro int64) string {
	if micro == 0 {
		return ""
	}
	return time.UnixMicro(micro).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// said is the beginning of what the program wrote to its standard error, in one line.
func said(stderr []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(stderr[:min(len(stderr), 300)]), "")), " ")
	if text == "" {
		return ""
	}
	return ": " + text
}

func clip(text string) string { return strings.ToValidUTF8(text[:min(len(text), 500)], "") }
