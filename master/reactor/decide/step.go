package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"brine/master/reactor/rule"
	"brine/proto"
)

// The steps of rules, as the ends of the tags of their events say.
const (
	Fired      = "fired"
	WouldFire  = "would-fire"
	Waiting    = "waiting"    // for somebody to approve
	Approved   = "approved"   // by an operator
	Denied     = "denied"     // likewise
	Suppressed = "suppressed" // the reason says why
	Action     = "action"     // how it ended
	Verified   = "verified"
	Unverified = "unverified"
	Retried    = "retried" // it will be tried again
	Escalated  = "escalated"
	Closed     = "closed"
	Paused     = "paused"  // by an operator; of one rule, or of all
	Resumed    = "resumed" // likewise
)

// What an action, and a run at its end, has come to.
const (
	OK        = "ok"
	Failed    = "failed"
	Done      = "done"      // the action was ok, nothing verifies it
	Resolved  = "resolved"  // what it was about has ended by itself
	Forgotten = "forgotten" // nobody approved, or the rule is gone
)

// A Step is what a rule did, or did not do and why. Its event has the tag brine/rule/NAME/STEP; that of a step of all rules
// brine/rules/STEP.
type Step struct {
	Rule    string   `json:"rule,omitempty"`
	Step    string   `json:"step"`
	Key     string   `json:"key,omitempty"`
	Run     string   `json:"run,omitempty"` // which the rule began by firing
	Reason  string   `json:"reason,omitempty"`
	Attempt int      `json:"attempt,omitempty"`
	Outcome string   `json:"outcome,omitempty"`
	For     string   `json:"for,omitempty"`    // what an action was for, when it is not that of the rule
	Do      string   `json:"do,omitempty"`     // what is, or would be, done
	Origin  string   `json:"origin,omitempty"` // of the event that the rule looked at
	Began   int64    `json:"began,omitempty"`  // when that came to be, microseconds of Unix time
	Event   string   `json:"event,omitempty"`  // its id
	Until   int64    `json:"until,omitempty"`  // of a pause, and of a retry from then on
	Times   int      `json:"times,omitempty"`  // how many events it is about
	Events  []string `json:"events,omitempty"` // their ids, where they are several

	Cause string    `json:"-"` // of its event
	Depth uint32    `json:"-"`
	Actor string    `json:"-"`
	At    time.Time `json:"-"`
}

const allPrefix = "brine/rules/"

// Tag is that of the step's event.
func (s Step) Tag() string {
	if s.Rule == "" {
		return allPrefix + s.Step
	}
	return rule.TagPrefix + s.Rule + "/" + s.Step
}

// Data is that of the step's event.
func (s Step) Data() []byte {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // it has only texts and numbers
	}
	return data
}

// ReadStep reads the step of an event; ok is false for any other. Only masters may use its tag.
func ReadStep(e *proto.Event) (s Step, ok bool) {
	if !strings.HasPrefix(e.Tag, rule.TagPrefix) && !strings.HasPrefix(e.Tag, allPrefix) || json.Unmarshal(e.Data, &s) != nil || s.Tag() != e.Tag {
		return Step{}, false
	}
	s.Cause, s.Depth, s.Actor, s.At = e.Cause, e.Depth, e.Actor, time.UnixMicro(e.At)
	switch s.Step {
	case Paused, Resumed, Approved, Denied:
		return s, strings.HasPrefix(s.Actor, "operator ")
	}
	return s, s.Rule != "" && s.Actor == rule.Own(s.Rule)
}

// RunID names what a rule does about an event, at whichever master.
func RunID(name, event string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "run of a rule\x00%s\x00%s", name, event))
	return hex.EncodeToString(sum[:6])
}

// MessageKey is the Idempotency-Key of what an order tells somebody.
func MessageKey(o Order) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "message of a rule\x00%s\x00%s", o.Event, o.Key()))
	return hex.EncodeToString(sum[:16])
}
