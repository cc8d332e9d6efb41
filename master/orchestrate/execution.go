package orchestrate

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"brine/proto"
	"brine/states/host"
	"brine/states/pillar"
	"brine/states/plan"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

// An execution is the driving of one orchestration by this master.
type execution struct {
	*Orchestrator
	course *course
	host   *host.Host // what templates and states see: nothing of this machine
	mask   pillar.Mask
	source sls.Source

	given *value.Dict // the pillar of a request that is only shown
	show  bool        // keep what states are declared as
}

// returned is the data of salt/run/<jid>/ret.
type returned struct {
	JID     string          `json:"jid"`
	Fun     string          `json:"fun"`
	FunArgs []any           `json:"fun_args"`
	User    string          `json:"user"`
	Success bool            `json:"success"`
	Retcode int             `json:"retcode"`
	Return  json.RawMessage `json:"return"`
	Drivers []string        `json:"drivers"` // every master that drove it
	Commits []string        `json:"commits,omitempty"`
}

// Suffix is what the name of a master has behind it where it stands for a minion, as in Salt.
const Suffix = "_master"

// name is what the orchestration is shown as, and by which its pillar is chosen: that of the master that took it.
func (x *execution) name() string { return x.course.order.Master + Suffix }

// carryOut runs the steps. An error means that it could not begin now; what is wrong with the files is told by the return.
func (x *execution) carryOut(ctx context.Context) (*returned, error) {
	if err := x.prepare(ctx); err != nil {
		return x.unprepared(err)
	}
	program, mistakes := x.compile(ctx)
	if len(mistakes) > 0 {
		return x.ended(x.mask.Value(mistakes.list()), run.RetcodeNotCompiled)
	}
	if _, err := x.keep(ctx, x.course, map[string]int{"total": len(program.Plan.Nodes)}, "plan"); err != nil {
		return nil, err
	}
	results, retcode := run.Run(ctx, program.Plan, x.host, run.Options{
		Test: x.course.order.Test, Do: x.do, Fire: x.fire, Reload: x.reload,
		Stop: func(*plan.Node) bool { return x.cancelled() },
	})
	x.addJobs(results)
	if x.cancelled() {
		retcode = run.RetcodeFailed
	}
	return x.ended(x.mask.Results(results), retcode)
}

// operator is who asked, as the masters know them now: nil when nobody did.
func (x *execution) operator() *proto.OperatorRecord {
	ord := x.course.order
	if ord.Key == "" {
		return nil
	}
	key, err := hex.DecodeString(ord.Key)
	if op, ok := x.o.Operator(key); err == nil && ok {
		return op
	}
	return &proto.OperatorRecord{Name: ord.User, Revoked: true} // who may do nothing any more
}

func (x *execution) cancelled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.course.cancel != ""
}

// addJobs tells the job of each step, as Salt does.
func (x *execution) addJobs(results *value.Dict) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, out := range x.course.ended {
		if v, ok := results.Get(out.Step); ok && out.JID != "" {
			if d, ok := v.(*value.Dict); ok {
				d.Put("__jid__", out.JID)
			}
		}
	}
}

// maxReturn bounds what is kept of the end of an orchestration: a record holds a megabyte.
const maxReturn = 900 << 10

// ended makes the return of Salt's orchestrations: retcode 0, or 1 when something failed.
func (x *execution) ended(data any, retcode int) (*returned, error) {
	ord := x.course.order
	if results, ok := data.(*value.Dict); ok {
		shrink(results, maxReturn)
	}
	code := min(retcode, 1)
	body, err := value.MarshalJSON(value.NewDict("data", value.NewDict(x.name(), data), "outputter", "highstate", "retcode", int64(code)))
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	drivers := slices.Compact(slices.Clone(x.course.drivers))
	x.mu.Unlock()
	return &returned{JID: ord.JID, Fun: ord.Fun, FunArgs: ord.FunArgs, User: ord.User, Success: retcode == 0, Retcode: code, Return: body,
		Drivers: drivers, Commits: ord.Commits}, nil
}

// shrink leaves the changes of the largest states out until results are within a size.
func shrink(results *value.Dict, limit int) {
	type sized struct {
		state *value.Dict
		size  int
	}
	var all []sized
	total := 0
	for _, v := range results.All() {
		d, ok := v.(*value.Dict)
		if !ok {
			continue
		}
		data, err := value.MarshalJSON(d)
		if err != nil {
			continue
		}
		total += len(data)
		all = append(all, sized{d, len(data)})
	}
	slices.SortStableFunc(all, func(a, b sized) int { return b.size - a.size })
	for _, s := range all {
		if total <= limit {
			return
		}
		note := fmt.Sprintf("left out: %d KiB", s.size>>10)
		if jid, ok := s.state.Get("__jid__"); ok {
			note += fmt.Sprintf("; brine job show %v has them", jid)
		}
		s.state.Put("changes", value.NewDict("note", note))
		total -= s.size
	}
}

// fire sends the event of a state with fire_event.
func (x *execution) fire(ctx context.Context, n *plan.Node, result *value.Dict) error {
	tag := fmt.Sprintf("salt/state_result/%s/%s/%s", x.course.order.JID, x.name(), n.FireEvent)
	return x.send(ctx, x.mask.Text(tag), value.NewDict("ret", x.mask.Result(result)))
}

// send stores an event that a step tells.
func (x *execution) send(ctx context.Context, tag string, data *value.Dict) error {
	body, err := value.MarshalJSON(data)
	if err != nil {
		return err
	}
	_, err = x.o.Records.Keep(ctx, &proto.Event{Tag: tag, Data: body, Cause: x.course.record, Depth: x.course.event.Depth, Actor: x.course.event.Actor})
	return err
}
