package reactor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/master/reactor/salt"
	"brine/proto"
)

// perform carries an order out and hands in what came of it.
func (r *Reactor) perform(ctx context.Context, o decide.Order, w written) {
	res := r.carry(ctx, o, w)
	if ctx.Err() != nil {
		return // this master ends: another goes on, or this one when it is back
	}
	select {
	case r.results <- finished{o, res}:
	case <-ctx.Done():
	}
}

func fault(format string, args ...any) decide.Result {
	return decide.Result{Reason: fmt.Sprintf(format, args...)}
}

func (r *Reactor) carry(ctx context.Context, o decide.Order, steps written) decide.Result {
	x := r.Set().Rule(o.Rule)
	if x == nil {
		return fault("the rule is gone")
	}
	ev, err := r.o.Log.Event(ctx, o.Event)
	if err != nil {
		return fault("cannot read event %s: %v", o.Event, err)
	}
	e := r.event(ctx, o.Event, ev)
	a := &x.Action
	switch o.For {
	case decide.ToEscalate:
		a = x.Escalate
	case decide.ToVerify:
		if x.Verify == nil {
			return fault("nothing verifies the rule any more")
		}
		a = &x.Verify.Action
	}
	if a == nil {
		return fault("the rule has no such action any more")
	}
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	var res decide.Result
	switch a.Kind {
	case rule.Apply, rule.Run:
		res = r.onMinions(ctx, o, x, a, e, steps.fired[o.Run])
	case rule.React:
		steps.confirm(ctx)
		res = r.react(ctx, o, e, a)
	default:
		steps.confirm(ctx)
		res = r.onMaster(ctx, o, x, a, e)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		res.OK, res.Reason = false, cmp.Or(res.Reason, fmt.Sprintf("it took longer than %v", a.Timeout))
	}
	return res
}

// onMinions makes a job and waits for it.
func (r *Reactor) onMinions(ctx context.Context, o decide.Order, x *rule.Rule, a *rule.Action, e *rule.Event, fired *proto.Event) decide.Result {
	w := r.workOf(o)
	w.Fired = fired
	var err error
	if w.Target, err = r.targetOf(a, e); err != nil {
		return fault("%v", err)
	}
	w.Function, w.Environment = a.Name, a.Environment
	if w.Args, err = a.Arguments(e); err != nil {
		return fault("cannot make the arguments: %v", err)
	}
	jid, all, err := r.job(ctx, w)
	res := decide.Result{Cause: jid, Do: w.Function}
	if err != nil {
		res.Reason = err.Error()
		return res
	}
	if res.Reason = failures(all); o.For == decide.ToVerify && res.Reason == "" {
		res.Reason = unverified(x.Verify.Condition, e, all)
	}
	res.OK = res.Reason == ""
	return res
}

func (r *Reactor) workOf(o decide.Order) Work {
	return Work{Cause: o.Event, Key: o.Key(), At: o.Began, Depth: o.Depth, Actor: rule.Own(o.Rule)}
}

// job makes a job and waits until it has ended.
func (r *Reactor) job(ctx context.Context, w Work) (jid string, all []Returned, err error) {
	if r.o.Act.Derive == nil {
		return "", nil, errors.New("this master makes no jobs")
	}
	if jid, err = r.o.Act.Derive(ctx, w); err != nil {
		return "", nil, err
	}
	all, err = r.o.Act.Wait(ctx, jid)
	return jid, all, err
}

// targetOf is whom an action is for.
func (r *Reactor) targetOf(a *rule.Action, e *rule.Event) (*proto.Target, error) {
	ids, expression, err := a.Whom(e)
	if err != nil {
		return nil, err
	}
	if expression != "" {
		return &proto.Target{Syntax: proto.Target_COMPOUND, Expression: expression}, nil
	}
	for _, id := range ids {
		if r.o.Minion != nil && !r.o.Minion(id) {
			return nil, fmt.Errorf("%q is no minion: say whom the action is for (target)", id)
		}
	}
	return &proto.Target{Syntax: proto.Target_LIST, Expression: strings.Join(ids, ",")}, nil
}

// maxNamed bounds the minions that a reason names.
const maxNamed = 3

// failures says on which minions a job did not end well; "" when it did on all.
func failures(all []Returned) string {
	var texts []string
	for _, x := range all {
		if !x.OK {
			text := x.Minion + ": " + x.Status
			var said string // what failed mostly returns why
			if json.Unmarshal(x.Value, &said) != nil || x.Reason != "" {
				said = x.Reason
			}
			if said != "" {
				text += fmt.Sprintf(": %.200s", said)
			}
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	if n := len(texts); n > maxNamed {
		texts = append(texts[:maxNamed], fmt.Sprintf("and %d more", n-maxNamed))
	}
	if len(all) == 0 {
		return "it ran on no minion"
	}
	return strings.Join(texts, "; ")
}

// unverified says on which minion a condition does not hold; "" when it does on all.
func unverified(x *rule.Expr, e *rule.Event, all []Returned) string {
	for _, m := range all {
		var ret any
		d := json.NewDecoder(strings.NewReader(string(m.Value)))
		d.UseNumber()
		if err := d.Decode(&ret); err != nil {
			return fmt.Sprintf("%s: its return can't be read: %v", m.Minion, err)
		}
		ok, err := x.Holds(e, rule.Plain(ret))
		if err != nil {
			return fmt.Sprintf("%s: %v", m.Minion, err)
		}
		if !ok {
			return fmt.Sprintf("%s: %s does not hold of %.200s", m.Minion, x.Text, m.Value)
		}
	}
	return ""
}

// onMaster does what makes no job, within the places that there are.
func (r *Reactor) onMaster(ctx context.Context, o decide.Order, x *rule.Rule, a *rule.Action, e *rule.Event) decide.Result {
	select {
	case r.workers <- struct{}{}:
		defer func() { <-r.workers }()
	case <-ctx.Done():
		return fault("too much is under way")
	}
	var err error
	switch a.Kind {
	case rule.Orchestrate:
		c := r.callOf(o, "")
		c.Function = a.SLS[0]
		if c.Kwargs, err = a.Named(e); err == nil {
			err = call(ctx, r.o.Act.Orchestrate, c, "orchestrations")
		}
	default:
		err = r.notify(ctx, o, x, a, e)
	}
	if err != nil {
		return fault("%v", err)
	}
	return decide.Result{OK: true, Do: a.String()}
}

func call(ctx context.Context, f func(context.Context, Call) (any, error), c Call, what string) error {
	if f == nil {
		return fmt.Errorf("cannot do %s: this master has no %s", c.Function, what)
	}
	_, err := f(ctx, c)
	return err
}

func (r *Reactor) callOf(o decide.Order, part string) Call {
	w := r.workOf(o)
	return Call{Cause: w.Cause, Key: w.Key + part, At: w.At, Depth: w.Depth, Actor: w.Actor}
}

// notify tells somebody.
func (r *Reactor) notify(ctx context.Context, o decide.Order, x *rule.Rule, a *rule.Action, e *rule.Event) error {
	text := fmt.Sprintf("rule %s: %s of %s", x.Name, e.Tag, e.Origin)
	if a.Text != nil {
		v, err := a.Text.Of(e)
		if err != nil {
			return fmt.Errorf("cannot make the text: %w", err)
		}
		text = fmt.Sprint(v)
	}
	if r.o.Act.Notify == nil {
		return fmt.Errorf("cannot tell %s: this master sends no messages", a.Name)
	}
	return r.o.Act.Notify(ctx, Message{Key: decide.MessageKey(o), Webhook: a.Kind == rule.Webhook, To: a.Name, Rule: x.Name, Run: o.Run, Text: text,
		Cause: o.Event, Event: e.Event})
}

// react does what reaction SLS say. All begin at once, as in Salt.
func (r *Reactor) react(ctx context.Context, o decide.Order, e *rule.Event, a *rule.Action) decide.Result {
	if r.o.Act.React == nil {
		return fault("this master renders no reactions")
	}
	all, err := r.o.Act.React(ctx, a.Reactions, e.Event)
	if len(all) == 0 {
		if err != nil {
			return fault("%v", err)
		}
		return decide.Result{OK: true, Do: "nothing: the reaction says so"}
	}
	var wait sync.WaitGroup
	texts, does := make([]string, len(all)), make([]string, len(all))
	for i, x := range all {
		does[i] = x.Kind + "." + x.Function
		wait.Go(func() {
			if err := r.reaction(ctx, o, e, x); err != nil {
				texts[i] = x.ID + ": " + err.Error()
			}
		})
	}
	wait.Wait()
	if err != nil { // of other files
		texts = append(texts, err.Error())
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	return decide.Result{OK: len(texts) == 0, Reason: strings.Join(texts, "; "), Do: strings.Join(does, ", ")}
}

// reaction does one of them.
func (r *Reactor) reaction(ctx context.Context, o decide.Order, e *rule.Event, x salt.Reaction) error {
	if x.Kind == "runner" || x.Kind == "wheel" {
		select {
		case r.workers <- struct{}{}:
			defer func() { <-r.workers }()
		case <-ctx.Done():
			return ctx.Err()
		}
		c := r.callOf(o, "/"+x.ID)
		c.Function, c.Args, c.Kwargs = x.Function, x.Args, x.Kwargs
		if x.Kind == "wheel" {
			c.Function = "wheel." + x.Function
		}
		return call(ctx, r.o.Act.Runner, c, "runners")
	}
	w := r.workOf(o)
	w.Key += "/" + x.ID
	w.Function, w.Target = x.Function, x.Target
	var err error
	if w.Target == nil { // caller: where it happened
		if w.Target, err = r.targetOf(&rule.Action{}, e); err != nil {
			return err
		}
	}
	if w.Args, err = rule.Arguments(x.Args, x.Kwargs); err != nil {
		return err
	}
	_, all, err := r.job(ctx, w)
	if err != nil {
		return err
	}
	if text := failures(all); text != "" {
		return errors.New(text)
	}
	return nil
}
