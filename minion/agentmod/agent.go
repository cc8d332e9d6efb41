// Package agentmod is what modules may ask of the minion that runs them: its
// jobs, and to apply states.
package agentmod

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"syscall"

	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

// Jobs are the jobs of a minion.
type Jobs interface {
	Running() []host.Job
	Signal(jid string, sig syscall.Signal) error
}

// An Agent serves one job. Its fields are set before it is used.
type Agent struct {
	Jobs        Jobs       // nil where no minion runs
	Host        *host.Host // that states are applied to
	Index       *module.Index
	Source      sls.Source // the files that the job sees
	Environment string     // that they are of; "" is base
	Progress    func(done, total int, current string)
}

var _ host.Agent = (*Agent)(nil)

// Running returns the jobs that run or wait.
func (a *Agent) Running() []host.Job {
	if a.Jobs == nil {
		return nil
	}
	return a.Jobs.Running()
}

// Signal sends a signal to the commands of a job.
func (a *Agent) Signal(jid string, sig syscall.Signal) error {
	if a.Jobs == nil {
		return fmt.Errorf("cannot signal job %q: no minion runs here", jid)
	}
	return a.Jobs.Signal(jid, sig)
}

// Apply compiles the SLS files named and runs their states. With a mistake
// in any of them nothing is touched, and the value lists all mistakes.
func (a *Agent) Apply(ctx context.Context, r host.StateRun) (v any, retcode int, err error) {
	env := cmp.Or(a.Environment, "base")
	if len(r.Mods) == 0 {
		return nil, 0, errors.New("cannot apply states: name the SLS files to apply")
	}
	if r.Environment != "" && r.Environment != env {
		return nil, 0, fmt.Errorf("cannot apply states of environment %q: the job was sent for %q (brine apply --saltenv %s)",
			r.Environment, env, r.Environment)
	}
	p, errs := sls.Compile(ctx, a.Source, r.Mods, sls.Options{Env: env, Index: a.Index})
	if len(errs) > 0 {
		return mistakes(errs), run.RetcodeNotCompiled, nil
	}
	results, retcode := run.Run(ctx, p, a.Host, run.Options{Test: r.Test, Progress: a.Progress})
	return results, retcode, nil
}

func mistakes(errs []*plan.Error) *value.List {
	list := value.NewList()
	for _, e := range errs {
		list.Items = append(list.Items, e.Error())
	}
	return list
}
