package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/master/orchestrate"
	"brine/master/runner"
	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/target"
	"brine/states/value"
)

// A calling is a call of a function of masters, as events tell of it: an orchestration is one.
type calling struct {
	id    string
	kind  string
	begun *proto.Event
	ended *proto.Event // nil: no end is known
	goes  bool         // it is under way
	ofCall
}

// ofCall is what the events of a call have, of its beginning or its end.
type ofCall struct {
	Function string          `json:"fun"`
	Args     json.RawMessage `json:"fun_args"`
	User     string          `json:"user"`
	Success  bool            `json:"success"`
	Retcode  int             `json:"retcode"`
	Return   json.RawMessage `json:"return"`
	LeftOut  int             `json:"left_out"`
	Cut      bool            `json:"interrupted"` // it did not come to its end
}

// idOfCall reads the tag of a call.
func idOfCall(tag string) (kind, id, what string) {
	kind, rest := runner.Runner, ""
	rest, ok := strings.CutPrefix(tag, familyOf(kind))
	if !ok {
		kind = runner.Wheel
		rest = strings.TrimPrefix(tag, familyOf(kind))
	}
	id, what, _ = strings.Cut(rest, "/")
	return kind, id, what
}

// callingOf tells of a call by the event of its beginning.
func (m *Master) callingOf(ctx context.Context, begun *proto.Event) (*calling, error) {
	c := &calling{begun: begun}
	c.kind, c.id, _ = idOfCall(begun.Tag)
	if err := json.Unmarshal(begun.Data, &c.ofCall); err != nil {
		return nil, err
	}
	at, err := jid.Time(c.id)
	if err != nil {
		return nil, err
	}
	found, err := records{m}.Events(ctx, familyOf(c.kind)+c.id+"/ret", at.Add(-aheadMost), 1)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		c.ended = found[0].Event
		return c, json.Unmarshal(c.ended.Data, &c.ofCall)
	}
	c.goes = m.goesOn(ctx, c.id, begun)
	return c, nil
}

// calling finds a call; nil when none has that id.
func (m *Master) calling(ctx context.Context, id string) (*calling, error) {
	if _, err := jid.Time(id); err != nil {
		return nil, err
	}
	found, err := m.store.Calls(ctx, store.CallFilter{Since: id, Before: id + "\x00", Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return m.callingOf(ctx, found[0].Event)
}

// goesOn tells whether a call of which no end is known has not been cut short: an orchestration waits for a master that drives
// it, another call ends with the master that began it.
func (m *Master) goesOn(ctx context.Context, id string, begun *proto.Event) bool {
	goes, err := m.orchestrations.Goes(ctx, id)
	if !errors.Is(err, orchestrate.ErrNotFound) {
		return goes || err != nil
	}
	return slices.Contains(m.peers.Live(), begun.Origin) && m.peers.Beat(begun.Origin).GetStartedAt() <= begun.At
}

// status is how a call ended, in the words of what becomes of a job on a minion.
func (c *calling) status() string {
	switch {
	case c.ended != nil && c.Cut:
		return string(job.Interrupted)
	case c.ended != nil && c.Success:
		return string(job.OK)
	case c.ended != nil:
		return string(job.Failed)
	case c.goes:
		return string(job.Running)
	}
	return string(job.Interrupted)
}

// answer is what a call returned, as far as it was kept.
func (c *calling) answer() runner.Answer {
	a := runner.Answer{Retcode: c.Retcode}
	if !c.Success {
		a.Retcode = max(1, a.Retcode)
	}
	v, err := value.FromJSON(c.Return)
	if a.Value = v; c.LeftOut > 0 || err != nil {
		a.Value = fmt.Sprintf("what it returned is not kept: %d bytes that are secret, or too many", c.LeftOut)
	}
	return a
}

// name is what a call is called in lists: "runner.manage.up".
func (c *calling) name() string { return c.kind + "." + strings.TrimPrefix(c.Function, c.kind+".") }

// info is a call as lists of jobs have it: one that has a master where others have minions.
func (c *calling) info() *proto.JobInfo {
	info := &proto.JobInfo{
		Jid: c.id, Function: c.name(), Operator: c.User, Master: c.begun.Origin, IssuedAt: c.begun.At, Targeted: 1, Done: !c.goes, Cause: c.begun.Cause,
		Summary: map[string]uint32{c.status(): 1},
	}
	list, _ := value.FromJSON(c.Args)
	args, _ := list.(*value.List)
	if args == nil || len(c.Args) > callArgsListed {
		return info
	}
	for _, v := range args.Items {
		if d, ok := v.(*value.Dict); ok {
			if _, named := d.Get("__kwarg__"); named {
				for k, v := range d.All() {
					if k != "__kwarg__" {
						info.Args = append(info.Args, jsonArgument(fmt.Sprint(k), v))
					}
				}
				continue
			}
		}
		info.Args = append(info.Args, jsonArgument("", v))
	}
	return info
}

// callArgsListed is how long arguments may be that lists have, in bytes.
const callArgsListed = 2 << 10

func jsonArgument(name string, v any) *proto.Argument {
	data, _ := value.MarshalJSON(v) // it was JSON
	return &proto.Argument{Name: name, Value: &proto.Argument_Json{Json: data}}
}

// Bounds of a list of jobs and calls.
const (
	listedMost  = 200
	listedBytes = 700 << 10 // it goes in one message of the bus
	callRounds  = 20        // of questions to the store
)

// listJobs lists jobs on minions and what masters were asked for, as one list by job id.
func (m *Master) listJobs(ctx context.Context, q *proto.JobListRequest) (*proto.JobListReply, error) {
	jobs, err := m.jobs.List(ctx, q)
	if err != nil || q.Target != "" { // masters have no target
		return jobs, err
	}
	calls, err := m.listCalls(ctx, q)
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot list what masters were asked for: %v", err)
	}
	complete := max(jobs.Next, calls.Next) // of what is below, one of the lists has not told all
	all := append(jobs.Jobs, calls.Jobs...)
	slices.SortStableFunc(all, func(a, b *proto.JobInfo) int { return strings.Compare(b.Jid, a.Jid) })
	reply, size := &proto.JobListReply{Next: complete}, 0
	for i, info := range all {
		size += pb.Size(info)
		if info.Jid < complete {
			break
		}
		if i >= wantedOf(q) || size > listedBytes && i > 0 {
			reply.Next = reply.Jobs[i-1].Jid
			break
		}
		reply.Jobs = append(reply.Jobs, info)
	}
	return reply, nil
}

// wantedOf is how many jobs a request wants.
func wantedOf(q *proto.JobListRequest) int {
	if q.Limit == 0 {
		return 50
	}
	return min(int(q.Limit), listedMost)
}

// listCalls lists calls: those that somebody asked for, or the schedule, and what they led to that changes something. What templates and
// steps only look up stands with the orchestration.
func (m *Master) listCalls(ctx context.Context, q *proto.JobListRequest) (*proto.JobListReply, error) {
	f := store.CallFilter{Before: q.Before, Limit: wantedOf(q)}
	if q.Since > 0 {
		f.Since = jid.FromTime(time.UnixMicro(q.Since))
	}
	functions, err := target.ParseGlob(q.Function)
	if err != nil {
		return nil, err
	}
	operators, err := target.ParseGlob(q.Operator)
	if err != nil {
		return nil, err
	}
	reply, size := &proto.JobListReply{}, 0
	for range callRounds {
		found, err := m.store.Calls(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			kind, id, _ := idOfCall(e.Event.Tag)
			if id == f.Before { // told twice, by masters that were cut from each other
				continue
			}
			f.Before = id
			c, err := m.callingOf(ctx, e.Event)
			if err != nil {
				continue // not as masters write it
			}
			function := strings.TrimPrefix(c.Function, kind+".")
			failed := c.status() != string(job.OK) && c.status() != string(job.Running)
			looksUp := m.runners.Reads(kind, function) && (c.begun.Cause != "" || c.goes && strings.HasPrefix(function, "jobs.")) // this very question
			if looksUp || q.Failed && !failed || q.Operator != "" && !operators.Match(c.User) ||
				q.Function != "" && !functions.Match(function) && !functions.Match(c.name()) {
				continue
			}
			info := c.info()
			size += pb.Size(info)
			reply.Jobs = append(reply.Jobs, info)
			if len(reply.Jobs) >= wantedOf(q) || size > listedBytes {
				reply.Next = id
				return reply, nil
			}
		}
		if len(found) < f.Limit {
			return reply, nil
		}
	}
	reply.Next = f.Before
	return reply, nil
}
