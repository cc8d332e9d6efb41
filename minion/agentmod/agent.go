// Package agentmod is what modules may ask of the minion that runs them: its
// jobs, and to apply states.
package agentmod

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/plan"
	"brine/states/sls"
	"brine/states/value"
)

// Jobs are the jobs of a minion.
type Jobs interface {
	Running() []host.Job
	Signal(jid string, sig syscall.Signal) error
	SoftStop(jid, id string) error
}

// An Agent serves one job. Its fields are set before it is used.
type Agent struct {
	Jobs        Jobs       // nil where no minion runs
	Host        *host.Host // that states are applied to
	Index       *module.Index
	Source      sls.Source // the files that the job sees
	Environment string     // that they are of; "" is base
	Pinned      bool       // whoever asked named Environment: of top files its part alone counts
	Trees       sls.Trees  // the environments beside it; nil for none
	JID         string     // of the job; "" for a run without a master
	Progress    func(done, total int, current string)
	Events      bool                 // masters are told of each state as it ends, where a run does not say otherwise
	Stop        func(id string) bool // whether the run is to end before the states of an ID; nil never does

	// Strategy is how the top files of several environments are brought together; "" is sls.TopMerge.
	Strategy string
	// Lenient makes warnings of unknown arguments.
	Lenient bool
	// Grains and Pillar collect anew what states with reload_grains and reload_pillar change; nil leaves it as it is.
	Grains func(ctx context.Context) (*value.Dict, error)
	Pillar func(ctx context.Context) (*value.Dict, error)

	// Secrets hides what it knows, and the secrets of the pillar of a run, in what the run returns; nil hides nothing.
	Secrets *pillar.Mask

	wait func(ctx context.Context, d time.Duration) // between attempts of a state; nil waits
}

var _ host.Agent = (*Agent)(nil)

// Running returns the jobs that run or wait, as Salt does without the one that asks.
func (a *Agent) Running() []host.Job {
	if a.Jobs == nil {
		return nil
	}
	return slices.DeleteFunc(a.Jobs.Running(), func(j host.Job) bool { return j.JID == a.JID })
}

// Signal sends a signal to the commands of a job.
func (a *Agent) Signal(jid string, sig syscall.Signal) error {
	if a.Jobs == nil {
		return fmt.Errorf("cannot signal job %q: no minion runs here", jid)
	}
	return a.Jobs.Signal(jid, sig)
}

// SoftStop lets the state run of a job end before a state.
func (a *Agent) SoftStop(jid, id string) error {
	if a.Jobs == nil {
		return fmt.Errorf("cannot end the state run of job %q: no minion runs here", jid)
	}
	return a.Jobs.SoftStop(jid, id)
}

func mistakes(errs []*plan.Error) *value.List {
	list := value.NewList()
	for _, e := range errs {
		list.Items = append(list.Items, e.Error())
	}
	return list
}
