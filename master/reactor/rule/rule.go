// Package rule reads the rules by which the masters react to events, tells every mistake in them, and finds the rules that an
// event is for. It has no clock and touches nothing.
package rule

import (
	"slices"
	"strings"
	"time"

	"brine/proto/event"
	"brine/proto/target"
)

// Mode says what a rule may do by itself.
type Mode string

// The modes. A rule that names none observes.
const (
	Observe Mode = "observe" // it tells what it would do
	Approve Mode = "approve" // it asks before it acts
	Enforce Mode = "enforce" // it acts
)

// MaxDepth is how many reactions may follow from each other.
const MaxDepth = 3

// Kind is the kind of an action.
type Kind string

// The kinds of actions.
const (
	Apply       Kind = "apply"       // state.apply of SLS, or a highstate
	Run         Kind = "run"         // a function on minions
	Orchestrate Kind = "orchestrate" // an SLS that the masters carry out
	Webhook     Kind = "webhook"     // an address that is told
	Notify      Kind = "notify"      // somebody who is told
	React       Kind = "reaction"    // reaction SLS of Salt
)

// A Rule is one rule. Nobody changes it.
type Rule struct {
	Name  string
	About string
	File  string
	Line  int
	Text  string // as it stands in the file
	Mode  Mode
	Salt  bool // one of Salt's reactor: each event by itself, also while an earlier one is acted upon

	Match Match
	Close *Match // ends what Match began; nil: what Match finds, and whose condition does not hold
	For   time.Duration
	Count int // of events within Within that it takes; 0: one
	Within,
	MaxAge, // older events are not acted upon
	ApproveWithin time.Duration
	Key *Expr // what is counted, cooled down and limited together; nil: the event's origin

	CoolDown          time.Duration
	KeyRate, RuleRate Rate
	Breaker           Breaker

	Action   Action
	Verify   *Verify
	Retry    Retry
	Escalate *Action
}

// A Match chooses events.
type Match struct {
	Tags      []*target.Glob // one of them
	Filter    *event.Filter  // nil: any
	Condition *Expr          // nil: any
	prefixes  []string       // what the tags begin with
	texts     []string       // the tags
}

// TagTexts are the tags as they were written.
func (m *Match) TagTexts() []string { return slices.Clone(m.texts) }

// Rate bounds how often something happens; the zero value does not.
type Rate struct {
	Times int
	Per   time.Duration
}

// A Breaker ends what goes wrong widely. A number that is zero does not count.
type Breaker struct {
	Share   float64 // of the fleet in percent, that may be acted upon within Within
	AtLeast int     // minions that may be in any case
	Failed  int     // actions that fail within Within
	Within  time.Duration
}

// An Action is what is done.
type Action struct {
	Kind        Kind
	Name        string   // function, or who is told
	SLS         []string // of apply and orchestrate
	Reactions   []string // files of reaction SLS
	Args        []Value
	Kwargs      []Named
	Target      string // "": the event's origin
	Data        bool   // Target is a place in the event's data
	Environment string
	Text        *Value        // what is told
	Timeout     time.Duration // until the action counts as failed
}

// A Named is a named argument.
type Named struct {
	Name  string
	Value Value
}

// Verify looks whether an action has helped.
type Verify struct {
	Action
	Condition *Expr // over ret
	Within    time.Duration
	Each      time.Duration // between two looks
}

// Retry says how often an action is tried again.
type Retry struct {
	Times   int
	Backoff time.Duration // before the first; doubled for each further one
}

// Wait is how long to wait before an attempt; the first retry is attempt 2.
func (r Retry) Wait(attempt int) time.Duration {
	wait := r.Backoff
	for range min(max(attempt-2, 0), 16) {
		wait *= 2
	}
	return min(wait, time.Hour)
}

// Window is when a function is not for rules to act: maintenance.
type Window struct {
	Name    string
	Rules   []*target.Glob // none: all
	Minions []*target.Glob // likewise
	From    time.Time      // of one that happens once
	Until   time.Time
	Days    []time.Weekday // of one that comes again each week; none: every day
	Start   time.Duration  // since midnight
	Length  time.Duration
	Zone    *time.Location
}

// A Set is all rules of a site. Nobody changes it.
type Set struct {
	Rules   []*Rule // in order of name
	Windows []Window
	Source  string // what it was read from, for people
	index   index
	byName  map[string]*Rule
}

// NewSet makes a set of rules whose names differ; of two with one name the first counts.
func NewSet(source string, rules []*Rule, windows []Window) *Set {
	s := &Set{Source: source, Windows: windows, byName: map[string]*Rule{}}
	for _, r := range rules {
		if s.byName[r.Name] == nil {
			s.byName[r.Name] = r
			s.Rules = append(s.Rules, r)
		}
	}
	slices.SortFunc(s.Rules, func(a, b *Rule) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	s.index = newIndex(s.Rules)
	return s
}

// Rule is the one of a name; nil when there is none.
func (s *Set) Rule(name string) *Rule { return s.byName[name] }

// Longest is how far back one has to look to know what the rules count.
func (s *Set) Longest() time.Duration {
	longest := time.Hour
	for _, r := range s.Rules {
		longest = max(longest, r.CoolDown, r.Within, r.For, r.KeyRate.Per, r.RuleRate.Per, r.Breaker.Within, r.MaxAge, r.ApproveWithin)
	}
	return longest
}

// Tells are whom the rule tells by notify and webhook.
func (r *Rule) Tells() (all []string) {
	actions := []Action{r.Action}
	if r.Escalate != nil {
		actions = append(actions, *r.Escalate)
	}
	for _, a := range actions {
		if a.Kind == Notify || a.Kind == Webhook {
			all = append(all, a.Name)
		}
	}
	return all
}

// String is an action for people.
func (a Action) String() string {
	switch a.Kind {
	case Apply:
		if len(a.SLS) == 0 {
			return "apply the highstate"
		}
		return "apply " + strings.Join(a.SLS, ", ")
	case Orchestrate:
		return "orchestrate " + strings.Join(a.SLS, ", ")
	case React:
		return "react by " + strings.Join(a.Reactions, ", ")
	}
	return string(a.Kind) + " " + a.Name
}
