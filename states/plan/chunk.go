// Package plan orders the chunks of a state run by what they require of one another.
// It is pure: no clock, no files, no host.
package plan

import (
	"fmt"
	"strconv"
	"time"

	"brine/states/module"
	"brine/states/value"
)

// A Place is where something stands in a state tree.
type Place struct {
	File string // from the tree's root; "" for what stands in no file
	Line int    // from 1

	Column int // in characters, from 1; 0 where it is not known
}

// String returns file:line.
func (p Place) String() string {
	if p.File == "" {
		return "command line"
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// An Error is one mistake found before anything ran.
type Error struct {
	Place Place // File is "" when the mistake stands in no file
	Text  string

	Lacks   *Requisite // what it names and the run does not have; another run may
	Unknown bool       // it names a state, a function or an argument that there is not
}

// Error returns "file:line: text".
func (e *Error) Error() string {
	if e.Place.File == "" {
		return e.Text
	}
	return e.Place.String() + ": " + e.Text
}

// Errorf makes an Error.
func Errorf(at Place, format string, args ...any) *Error {
	return &Error{Place: at, Text: fmt.Sprintf(format, args...)}
}

// lacking makes an Error of something that the run does not have.
func lacking(r Requisite, format string, args ...any) *Error {
	e := Errorf(r.Place, format, args...)
	e.Lacks = &r
	return e
}

// A Chunk is one state to run: what Salt calls a low chunk.
type Chunk struct {
	ID, Name     string
	Module, Func string   // of "file.managed": "file" and "managed"
	SLS          string   // the SLS that declares it, such as "web.config"
	Env          string   // the environment of the SLS
	Through      []string // the SLS that included SLS, directly or through others
	Place        Place

	Order      int // where it stands when no requisite says otherwise
	Nth        int // its place among the names of its ID
	Requisites []Requisite

	State    *module.Bound
	OnlyIf   []Check  // all must hold, or the state is skipped
	Unless   []Check  // when all hold the state is skipped
	Creates  []string // when all exist the state is skipped
	CheckCmd []Check  // all must hold afterwards, or the state failed
	Retry    *Retry   // nil: it is tried once
	Failhard bool     // when it fails nothing further runs
	Parallel bool     // it runs beside the states that don't need it

	// Aggregate says whether it may be done in one with its like: nil where it stands next to them, true
	// wherever its requisites allow it, false never.
	Aggregate *bool
	// FireEvent is the end of the tag of the event that tells how it ended: "" for no event.
	FireEvent string
	// Reload is what the state may change of what is known of the host: "grains", "pillar".
	Reload []string
	// HandlesFailure says that what failed and made this state run, as its onfail, counts as no failure of the run.
	HandlesFailure bool

	Warnings []string    // for the result
	Low      *value.Dict // how Salt shows it; only when asked for
}

// Retry says how often a state is tried.
type Retry struct {
	Attempts int
	Until    bool // the result that ends it
	Interval time.Duration
	Splay    time.Duration // at most so much longer, at random
}

// A Check is what onlyif and unless ask: a function and its arguments, or a plain true or false.
type Check struct {
	Func     *module.Func // nil for a constant
	Input    module.Input
	Command  bool   // Func runs a command: it holds when that ends with 0
	Text     string // the command or the function's name
	Get      string // where in the function's value to look: keys and indexes, with colons
	Constant bool
}

// Tag is the key of the chunk's result.
func (c *Chunk) Tag() string {
	return c.Module + "_|-" + c.ID + "_|-" + c.Name + "_|-" + c.Func
}
