package rule

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A Line is a step of what a rule makes of an event, for people.
type Line struct {
	Rule string
	Step string // match, condition, for, count, action ...
	Text string
}

// An Asking is what Explain is asked.
type Asking struct {
	Name   string    // of the only rule that is meant; "": all
	Now    time.Time // zero: nobody asks for ages and maintenance windows
	Paused func(rule string) string
	// Reactions tell what reaction SLS would do about the event; nil: nobody knows here.
	Reactions func(files []string) (does []string, err error)
}

// Explain tells step by step what each rule would make of an event; of those that don't match only that they don't, and only where
// they are asked for by name.
func (s *Set) Explain(e *Event, ask Asking) []Line {
	var all []Line
	for _, r := range s.Rules {
		if ask.Name != "" && r.Name != ask.Name {
			continue
		}
		x := &explainer{set: s, rule: r, event: e, ask: ask}
		if matches := x.explain(); matches || ask.Name != "" {
			all = append(all, x.lines...)
		}
	}
	return all
}

type explainer struct {
	set   *Set
	ask   Asking
	rule  *Rule
	event *Event
	lines []Line
}

func (x *explainer) say(step, format string, args ...any) {
	x.lines = append(x.lines, Line{x.rule.Name, step, fmt.Sprintf(format, args...)})
}

// explain tells whether the event is for the rule.
func (x *explainer) explain() bool {
	r, e := x.rule, x.event
	closes := r.Close != nil && r.Close.chooses(e)
	switch {
	case e.Actor == Own(r.Name) || quiet(e):
		x.say("match", "no: a rule does not look at what it did itself, nor at what rules did not do")
		return false
	case !r.Match.chooses(e) && !closes:
		x.say("match", "no: the tag %s is none of %s, or the filter does not choose it", e.Tag, strings.Join(r.Match.texts, ", "))
		return false
	}
	if closes {
		x.say("close", "it ends what an earlier event of its key began%s", x.holds(r.Close.Condition))
	}
	if !r.Match.chooses(e) {
		return true
	}
	x.say("match", "yes: %s of %s", e.Tag, e.Origin)
	if !x.condition() {
		return true
	}
	key, err := r.key(e)
	if err != nil {
		x.say("key", "it can't be worked out: %v", err)
		return true
	}
	x.say("key", "%s", key)
	x.against()
	x.guards()
	x.does(&r.Action, "action")
	x.after()
	return true
}

func (x *explainer) holds(c *Expr) string {
	if c == nil {
		return ""
	}
	ok, err := c.Holds(x.event, nil)
	if err != nil {
		return fmt.Sprintf("; its condition can't be worked out: %v", err)
	}
	return fmt.Sprintf(", if its condition holds: it is %v", ok)
}

func (x *explainer) condition() bool {
	c := x.rule.Match.Condition
	if c == nil {
		return true
	}
	ok, err := c.Holds(x.event, nil)
	switch {
	case err != nil:
		x.say("condition", "it can't be worked out, so it counts as neither: %v", err)
	case !ok && x.rule.For > 0 && x.rule.Close == nil:
		x.say("condition", "does not hold: %s; the event ends what an earlier one of its key began", c.Text)
	case !ok:
		x.say("condition", "does not hold: %s", c.Text)
	default:
		x.say("condition", "holds: %s", c.Text)
	}
	return ok && err == nil
}

// against tells what keeps the rule from acting now.
func (x *explainer) against() {
	r, e := x.rule, x.event
	if e.Depth >= MaxDepth {
		x.say("loop", "it does not act: %d reactions led to the event", e.Depth)
	}
	if x.ask.Paused != nil {
		if why := x.ask.Paused(r.Name); why != "" {
			x.say("paused", "it does not act: %s", why)
		}
	}
	if x.ask.Now.IsZero() {
		return
	}
	if at := time.UnixMicro(e.At); r.MaxAge > 0 && x.ask.Now.Sub(at) > r.MaxAge {
		x.say("stale", "it does not act: the event is older than %v", r.MaxAge)
	}
	for i := range x.set.Windows {
		if w := &x.set.Windows[i]; w.Covers(r.Name, e.Origin, x.ask.Now) {
			x.say("maintenance", "it does not act: %s is open now", w.Name)
		}
	}
}

// guards tells what has to be waited for, and what may keep the rule from acting.
func (x *explainer) guards() {
	r := x.rule
	if r.For > 0 {
		x.say("for", "it acts if nothing ends it within %v", r.For)
	}
	if r.Count > 1 {
		x.say("count", "it acts on the event that is number %d within %v", r.Count, r.Within)
	}
	if r.CoolDown > 0 {
		x.say("cool-down", "not again on this key for %v", r.CoolDown)
	}
	for _, limit := range []struct {
		of   string
		rate Rate
	}{{"this key", r.KeyRate}, {"the rule", r.RuleRate}} {
		if limit.rate.Times > 0 {
			x.say("rate", "at most %d times within %v for %s", limit.rate.Times, limit.rate.Per, limit.of)
		}
	}
	if b := r.Breaker; b.Share > 0 || b.Failed > 0 {
		x.say("breaker", "not on more than %v %% of the fleet (or %d minions), nor after %d failures, within %v", b.Share, b.AtLeast, b.Failed, b.Within)
	}
	switch r.Mode {
	case Observe:
		x.say("mode", "observe: it only tells what it would do")
	case Approve:
		x.say("mode", "approve: it waits for somebody to say brine rules approve")
	case Enforce:
		x.say("mode", "enforce: it acts")
	}
}

// does tells what an action is for this event.
func (x *explainer) does(a *Action, step string) {
	text := a.String()
	if a.Kind == React && x.ask.Reactions != nil {
		x.say(step, "%s", text)
		x.reactions(a)
		return
	}
	if a.Kind == Apply || a.Kind == Run {
		ids, expression, err := a.Whom(x.event)
		switch {
		case err != nil:
			text += fmt.Sprintf(", but for whom can't be worked out: %v", err)
		case expression != "":
			text += " on " + expression
		default:
			text += " on " + strings.Join(ids, ", ")
		}
	}
	args, err := a.Arguments(x.event)
	if err != nil {
		text += fmt.Sprintf(", but its arguments can't be worked out: %v", err)
	}
	for i, p := range args {
		if a.Kind == Apply && i == 0 && len(a.SLS) > 0 {
			continue // the text names it
		}
		if p.Name != "" {
			text += " " + p.Name + "=" + string(p.GetJson())
		} else {
			text += " " + string(p.GetJson())
		}
	}
	if a.Text != nil {
		v, err := a.Text.Of(x.event)
		if err != nil {
			text += fmt.Sprintf(", but its text can't be worked out: %v", err)
		} else if data, err := json.Marshal(v); err == nil {
			text += " " + string(data)
		}
	}
	x.say(step, "%s", text)
}

// reactions tells what reaction SLS say about the event.
func (x *explainer) reactions(a *Action) {
	does, err := x.ask.Reactions(a.Reactions)
	for _, text := range does {
		x.say("reaction", "%s", text)
	}
	if err != nil {
		x.say("reaction", "%v", err)
	} else if len(does) == 0 {
		x.say("reaction", "nothing: the reaction says so")
	}
}

// after tells what follows the action.
func (x *explainer) after() {
	r := x.rule
	if v := r.Verify; v != nil {
		x.does(&v.Action, "verify")
		x.say("verify", "wants within %v: %s", v.Within, v.Condition.Text)
	}
	if r.Retry.Times > 0 {
		x.say("retry", "up to %d times, the first after %v", r.Retry.Times, r.Retry.Backoff)
	}
	if r.Escalate != nil {
		x.does(r.Escalate, "escalate")
	}
}
