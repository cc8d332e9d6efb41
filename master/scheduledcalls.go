package master

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"brine/master/orchestrate"
	"brine/master/runner"
	"brine/master/schedule"
	"brine/master/store"
	"brine/proto/jid"
	"brine/states/module"
	"brine/states/value"
)

// scheduledCall is the call of a due time, of an entry that names no minions: a function of masters.
func scheduledCall(d schedule.Due) (runner.Call, error) {
	kind, function := runner.Split(d.Function)
	c := runner.Call{Kind: kind, Function: function, Caller: runner.Caller{
		Actor: scheduledBy(d.Name), Key: d.At.UTC().Format(time.RFC3339), At: d.At,
	}}
	list, named, err := argumentsOfDue(d)
	if err != nil {
		return c, err
	}
	var errs []error
	add := func(name string, v any) {
		data, err := value.Of(v)
		errs = append(errs, err)
		c.Input.Args = append(c.Input.Args, module.Arg{Name: name, Value: module.Data(data)})
	}
	for _, v := range list {
		add("", v)
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		add(name, named[name])
	}
	return c, errors.Join(errs...)
}

// checkScheduled finds what is wrong with an entry.
func checkScheduled(d schedule.Due, functions *runner.Functions) error {
	if d.Target != "" {
		_, err := derivedOf(d)
		return err
	}
	c, err := scheduledCall(d)
	if err == nil {
		err = functions.Check(c)
	}
	if err != nil {
		return fmt.Errorf("%w; tgt is missing if %s is for minions, as in tgt = \"web*\"", err, d.Function)
	}
	return nil
}

// idsTried is how many job ids of a second are tried for a call, until one is not another's.
const idsTried = 16

// beginCall has a function of masters called at a due time, or finds that it was. An orchestration survives the death of this
// master; another call ends with it, and is called again by another one where it only reads.
func (m *Master) beginCall(ctx context.Context, d schedule.Due) error {
	c, err := scheduledCall(d)
	if err != nil {
		return err
	}
	for n := range idsTried {
		c.JID, c.RequestID = orchestrate.Derive(scheduledBy(d.Name), fmt.Sprintf("%s/%d", c.Key, n), d.At)
		switch taken, err := m.callTaken(ctx, c); {
		case err != nil:
			return err
		case taken:
			continue
		}
		if !m.runners.Own(c.Kind, c.Function) {
			return m.callLater(ctx, c)
		}
		o, err := m.runners.Orchestration(c)
		if err == nil {
			r := orchestration(c, o)
			r.Derived = true
			err = m.orchestrations.Start(ctx, r)
		}
		if !errors.Is(err, orchestrate.ErrTaken) {
			return err
		}
	}
	return fmt.Errorf("%d job ids of the second %s are taken", idsTried, c.Key)
}

// callTaken tells whether the id of a call is that of another's.
func (m *Master) callTaken(ctx context.Context, c runner.Call) (bool, error) {
	for _, family := range []string{familyOf(runner.Runner), familyOf(runner.Wheel)} {
		found, err := records{m}.Events(ctx, family+c.JID+"/new", c.At.Add(-aheadMost), 1)
		if err != nil {
			return false, err
		}
		if len(found) > 0 && found[0].Event.Actor != c.Actor {
			return true, nil
		}
	}
	return false, nil
}

// callLater writes down that a function is called, unless it was, and returns: the call goes on until ctx ends.
func (m *Master) callLater(ctx context.Context, c runner.Call) error {
	if found, err := (records{m}).Events(ctx, familyOf(c.Kind)+c.JID+"/new", c.At.Add(-aheadMost), 1); err != nil || len(found) > 0 {
		return err
	}
	begun, err := m.tellCall(ctx, c, "new", map[string]any{})
	if err != nil {
		return err
	}
	c.Record = begun
	m.carryOn(ctx, c)
	return nil
}

// carryOn calls a function that was written down, until ctx ends.
func (m *Master) carryOn(ctx context.Context, c runner.Call) {
	m.scheduled.Go(func() {
		a, err := m.callAndTell(ctx, c)
		if err != nil || a.Retcode != 0 {
			m.log.Named("schedule").Warn("scheduled function failed", "by", c.Actor, "function", c.Function, "job", c.JID, "err", err)
		}
	})
}

// scheduledCalls are the last calls that were made of an entry, newest first.
func (m *Master) scheduledCalls(ctx context.Context, name string) (runs []schedule.Run, err error) {
	found, err := m.store.Calls(ctx, store.CallFilter{Actor: globbed(scheduledBy(name)), First: true, Limit: runsAsked})
	last := ""
	for _, e := range found {
		c, err := m.callingOf(ctx, e.Event)
		if err != nil {
			return nil, err
		}
		if c.id == last {
			continue // it was taken up by another master
		}
		last = c.id
		at, err := jid.Time(c.id)
		if err != nil {
			return nil, err
		}
		runs = append(runs, schedule.Run{At: at.Truncate(time.Second), JID: c.id, Running: c.goes})
	}
	return runs, err
}
