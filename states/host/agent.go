package host

import (
	"context"
	"syscall"
	"time"

	"brine/states/value"
)

// Agent is the running minion, as far as modules may ask it. Safe for concurrent use.
type Agent interface {
	// Running returns the jobs that run or wait, by jid, without the one that asks.
	Running() []Job
	// Signal sends a signal to all commands of a running job. SIGTERM and SIGKILL also cancel the job
	// itself. It returns an error that names the jid when no such job runs.
	Signal(jid string, sig syscall.Signal) error
	// SoftStop lets the state run of a job end before the state with an ID, or before its next state where id
	// is "". It returns an error that names the jid when no such state run is here.
	SoftStop(jid, id string) error
	// Apply compiles and runs states. The value is Salt's: a dict of results, or a list of texts when
	// nothing ran; the retcode 0, 1 (did not compile) or 2 (a state failed).
	Apply(ctx context.Context, run StateRun) (v any, retcode int, err error)
	// Show compiles as Apply does and returns what a View sees of it. Mistakes are a list of texts and the
	// retcode 1. Nothing of the host is touched.
	Show(ctx context.Context, view View, run StateRun) (v any, retcode int, err error)
}

// A Job is a job that runs or waits on this minion.
type Job struct {
	JID      string
	Function string
	Args     []any // named ones as dicts of one key
	Operator string
	Master   string
	Started  time.Time // zero while it waits
}

// A StateRun is what state.apply and its like are asked to do. Of Mods, Single, Text and Path at most one is set; with
// none the top file says what is applied.
type StateRun struct {
	Mods   []string // sls names, in order
	Single *Single  // one state by itself
	Text   string   // the text of an SLS
	Path   string   // a file of this host that holds one

	ID          string      // only this ID of Mods, and what it requires
	Top         string      // the top file that says what is applied; "" is top.sls
	Exclude     []string    // "id: ID" or "sls: GLOB", or a bare GLOB of SLS names
	Pillar      *value.Dict // laid over the minion's
	Environment string      // "" is the job's
	Test        bool        // only say what would change
	Events      *bool       // tell masters of each state as it ends; nil is as the minion is configured
}

// Single is one state with its arguments, such as pkg.installed with name nginx.
type Single struct {
	State string
	Args  []SingleArg
}

// A SingleArg is an argument by name. Value is a *module.Value, which keeps its text, or a plain value.
type SingleArg struct {
	Name  string
	Value any
}

// A View is a stage of compiling states that can be looked at.
type View uint8

// The views, named as Salt's functions are.
const (
	ShowTop    View = iota // the SLS that the top file gives this minion, by environment
	ShowStates             // the names of the SLS of a run, in the order in which they were read
	ShowHigh               // IDs with their states as declared, after extend and exclude
	ShowLow                // states in the order in which they run
)

// Modules is what can be called by name on a host. Patterns are globs over full names; a bare module
// name stands for all of the module, no pattern for everything. Results are in order of name.
// *module.Index implements it. Safe for concurrent use.
type Modules interface {
	Modules() []string
	StateModules() []string
	Functions(patterns ...string) []string
	States(patterns ...string) []string
	// FunctionDocs and StateDocs map full names to documentation.
	FunctionDocs(patterns ...string) *value.Dict
	StateDocs(patterns ...string) *value.Dict
	// FunctionArgs and StateArgs map full names to Salt's argspec: args, defaults, varargs, kwargs.
	FunctionArgs(patterns ...string) *value.Dict
	StateArgs(patterns ...string) *value.Dict
	// Call calls an execution function with values that are no text of a command line.
	Call(ctx context.Context, h *Host, function string, args []any, named *value.Dict) (any, int, error)
}
