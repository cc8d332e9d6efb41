package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"brine/proto"
	"brine/states/module"
	"brine/states/value"
)

// A Job is what a step wants minions to do. Jobs of one Cause and one Key are the same job.
type Job struct {
	Cause string    // id of the record of the orchestration
	Key   string    // of the step within it
	At    time.Time // when the step began
	By    Cause     // whose rights count

	Target      *proto.Target
	Function    string
	Args        []*proto.Argument
	Secret      []*proto.Argument // only the minions may read them
	Environment string
	Batch       *proto.Batch
	Subset      int // only so many of the minions; 0 is all
}

// Jobs are the jobs on minions.
type Jobs interface {
	// Make makes a job, or finds the one that was made before, and returns its id. A *Refusal says what an operator can mend.
	Make(ctx context.Context, j Job) (jid string, err error)
	// Follow tells what becomes of a job on each minion until nothing more will come by itself, or ctx ends.
	Follow(ctx context.Context, jid string, each func(*proto.MinionUpdate)) error
	// Return is what a minion returned, as JSON.
	Return(ctx context.Context, jid, minion string) ([]byte, error)
	// Cancel ends a job.
	Cancel(ctx context.Context, jid string, by Cause) error
}

// A Refusal is why a job is not made. None tells that no minion is meant.
type Refusal struct {
	Text string
	None bool
}

func (r *Refusal) Error() string { return r.Text }

// by is for whom a step works.
func (x *execution) by() Cause {
	e := x.course.event
	return Cause{Operator: x.operator(), Record: x.course.record, Depth: e.Depth, Actor: e.Actor}
}

// ran is what became of a job on one minion.
type ran struct {
	status  string
	reason  string
	retcode int32
	value   any
}

// there tells whether the minion returned something.
func (r ran) there() bool { return r.status == "ok" || r.status == "failed" }

// away tells whether the minion gave no answer at all.
func (r ran) away() bool { return r.status == "offline" || r.status == "no-answer" }

// why is what is said of a minion that returned nothing.
func (r ran) why() string {
	if r.reason != "" {
		return r.status + ": " + r.reason
	}
	return r.status
}

// perform makes the job of a step and waits for it.
func (s *step) perform(ctx context.Context, j Job, timeout time.Duration) (map[string]ran, error) {
	j.Cause, j.Key, j.At, j.By = s.course.record, s.key, s.began, s.by()
	j.Args, j.Secret = s.conceal(j.Args, j.Secret)
	id, err := s.o.Jobs.Make(ctx, j)
	if err != nil {
		return nil, err
	}
	s.jid = id
	s.note(id, true)
	defer s.note(id, false)
	within, stop := ctx, func() {}
	if timeout > 0 {
		within, stop = context.WithTimeout(ctx, max(0, timeout-time.Since(s.began)))
	}
	defer stop()
	last := map[string]ran{}
	err = s.o.Jobs.Follow(within, id, func(u *proto.MinionUpdate) {
		last[u.Minion] = ran{status: u.Status, reason: u.Reason, retcode: u.Retcode}
	})
	switch {
	case errors.Is(context.Cause(ctx), errCancelled):
		if err := s.o.Jobs.Cancel(context.WithoutCancel(ctx), id, s.by()); err != nil {
			s.log.Warn("job of a cancelled orchestration not cancelled", "job", id, "err", err)
		}
		return nil, errCancelled
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case within.Err() != nil:
		overdue(last, timeout)
	case err != nil:
		return nil, err
	}
	return last, s.values(ctx, id, last)
}

// overdue says of minions that have not ended what they are waited for.
func overdue(last map[string]ran, timeout time.Duration) {
	for id, r := range last {
		if !r.there() && !r.away() {
			last[id] = ran{status: "no-answer", reason: fmt.Sprintf("not done after %s; the job goes on", timeout)}
		}
	}
}

// values reads what minions returned.
func (s *step) values(ctx context.Context, jid string, last map[string]ran) error {
	for id, r := range last {
		if !r.there() {
			continue
		}
		data, err := s.o.Jobs.Return(ctx, jid, id)
		if err != nil {
			return fmt.Errorf("cannot read the return of minion %q: %w", id, err)
		}
		if r.value, err = value.FromJSON(data); err != nil {
			r.value = string(data)
		}
		last[id] = r
	}
	return nil
}

// note keeps which jobs of steps are under way.
func (s *step) note(jid string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.course.jobs[jid] = struct{}{}
	} else {
		delete(s.course.jobs, jid)
	}
}

// conceal moves arguments that hold secrets of the pillar to those that only minions may read. What is positional behind one
// goes along, so that they stay in their order.
func (s *step) conceal(open, secret []*proto.Argument) (rest, hidden []*proto.Argument) {
	hidden = secret
	behind := false
	for _, a := range open {
		text := a.GetText()
		if raw := a.GetJson(); raw != nil {
			text = string(raw)
		}
		tells := s.mask.Text(text) != text
		behind = behind || tells && a.Name == ""
		if tells || behind && a.Name == "" {
			hidden = append(hidden, a)
		} else {
			rest = append(rest, a)
		}
	}
	return rest, hidden
}

// argument makes one of a job.
func argument(name string, v any) (*proto.Argument, error) {
	data, err := value.MarshalJSON(v)
	return &proto.Argument{Name: name, Value: &proto.Argument_Json{Json: data}}, err
}

// named makes arguments of a dict.
func named(d *value.Dict) (all []*proto.Argument, err error) {
	for k, v := range d.All() {
		a, err := argument(fmt.Sprint(k), v)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// ids are those of a job's minions, in order.
func ids(of map[string]ran) []string { return slices.Sorted(maps.Keys(of)) }

// some names minions, with why.
func reasons(of map[string]ran, names []string) string {
	var all []string
	for _, id := range names {
		text := id
		if r := of[id]; !r.there() {
			text += " (" + r.why() + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// done makes what a step did of its changes and its comment.
func done(changes *value.Dict, comment string, failed bool) (module.Done, error) {
	if changes == nil {
		changes = &value.Dict{}
	}
	if failed {
		return module.Done{Changes: changes}, errors.New(comment)
	}
	return module.Done{Changes: changes, Comment: comment}, nil
}
