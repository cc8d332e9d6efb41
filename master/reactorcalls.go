package master

import (
	"context"
	"fmt"
	"time"

	"brine/master/notify"
	"brine/master/orchestrate"
	"brine/master/reactor"
	"brine/master/runner"
	"brine/states/value"
)

// callFor calls a function of the masters for a rule.
func (m *Master) callFor(ctx context.Context, c reactor.Call) (any, error) {
	kind, function := runner.Split(c.Function)
	o := orchestrate.Call{Kind: kind, Function: function, Named: &value.Dict{}, Cause: c.Cause, Key: c.Key, At: c.At,
		By: orchestrate.Cause{Actor: c.Actor, Record: c.Cause, Depth: c.Depth}}
	for _, v := range c.Args {
		arg, err := value.Of(v)
		if err != nil {
			return nil, err
		}
		o.Args = append(o.Args, arg)
	}
	for k, v := range c.Kwargs {
		arg, err := value.Of(v)
		if err != nil {
			return nil, err
		}
		o.Named.Put(k, arg)
	}
	a, err := calls{m}.Call(ctx, o)
	if err == nil && !a.Success {
		err = fmt.Errorf("%s.%s failed: %s", kind, function, a.Failure())
	}
	return a.Value, err
}

// orchestrateFor carries an SLS out for a rule.
func (m *Master) orchestrateFor(ctx context.Context, c reactor.Call) (any, error) {
	sls := c.Function
	c.Function, c.Args = "state.orchestrate", []any{sls}
	return m.callFor(ctx, c)
}

// notifyFor takes charge of what a rule tells somebody.
func (m *Master) notifyFor(ctx context.Context, n reactor.Message) error {
	return m.notes.Send(ctx, notify.Message{
		ID: n.Key, Channel: n.To, Subject: "rule " + n.Rule + ": " + n.Event.Origin, Text: n.Text, Cause: n.Cause, Depth: n.Event.Depth + 1,
		Actor: "rule " + n.Rule, At: time.UnixMicro(n.Event.At).UTC(),
		Event: notify.Event{ID: n.Cause, Tag: n.Event.Tag, Origin: n.Event.Origin, At: time.UnixMicro(n.Event.At).UTC(), Data: n.Event.Data},
	})
}
