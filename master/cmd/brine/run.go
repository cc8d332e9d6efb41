package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/proto"
)

// jobFlags are the switches of every command that makes a job.
type jobFlags struct {
	targetFlags
	async       bool
	yes         bool
	timeout     time.Duration
	waitOffline time.Duration
	environment string
	secrets     []string // NAME=FILE
	batch       batchFlags
}

func (f *jobFlags) add(a *app, c *cobra.Command) *cobra.Command {
	f.targetFlags.add(c)
	c.Flags().BoolVar(&f.async, "async", false, "print the job's id and do not wait")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask before a job on many minions")
	c.Flags().DurationVarP(&f.timeout, "timeout", "t", 0, "stop waiting after this long; the job goes on (default: wait for every minion that is there)")
	c.Flags().DurationVar(&f.waitOffline, "wait-offline", 0, "wait for minions that are offline: they have the job when back within this time, and without this within a minute, or a day with --batch")
	c.Flags().StringVar(&f.environment, "saltenv", "", "environment of the file tree (default base)")
	c.Flags().StringArrayVar(&f.secrets, "secret-file", nil, "NAME=FILE: an argument that only the minions can read, of a file (- is standard input)")
	f.batch.add(c)
	return a.jobOut(c)
}

func (a *app) runCommand() *cobra.Command {
	f := &jobFlags{}
	separator := proto.CallSeparator
	c := f.add(a, &cobra.Command{
		Use: "run TARGET FUNCTION[,FUNCTION]... [ARG|KEY=VALUE]...", Short: "Run a function on minions, or several",
		ValidArgsFunction: position(a.minionIDs, functions, namedArguments),
		Example: "  brine run '*' test.ping\n  brine run -L web1,web2 cmd.run 'uptime' cwd=/\n" +
			"  brine run '*' test.ping,cmd.run,test.arg , uptime , a b",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("run wants a target and a function, as in: brine run '*' test.ping")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			calls, err := calls(args[1], args[2:], separator)
			if err != nil {
				return usage("%v", err)
			}
			return a.job(c.Context(), f, args[0], calls)
		},
	})
	c.Flags().StringVar(&separator, "args-separator", separator, "what stands between the arguments of several functions")
	return c
}

// calls are the functions of a command line, each with its arguments, as Salt reads them: "f,g" are several, and
// arguments of the next begin after a separator. That is a word of its own, or, when there are not as many of those as
// functions, anywhere in a word.
func calls(function string, words []string, separator string) ([]*proto.Call, error) {
	if !strings.Contains(function, proto.CallSeparator) {
		return []*proto.Call{{Function: function, Args: arguments(words)}}, nil
	}
	if separator == "" {
		return nil, errors.New("cannot use an empty --args-separator")
	}
	names := strings.Split(function, proto.CallSeparator)
	groups := [][]string{nil}
	alone := 0
	for _, w := range words {
		if w == separator {
			alone++
		}
	}
	for _, w := range words {
		parts := []string{w}
		switch {
		case w == separator && alone == len(names)-1:
			parts = []string{"", ""}
		case alone != len(names)-1:
			parts = strings.Split(w, separator)
		}
		for i, part := range parts {
			if i > 0 {
				groups = append(groups, nil)
			}
			if part != "" || len(parts) == 1 {
				groups[len(groups)-1] = append(groups[len(groups)-1], part)
			}
		}
	}
	if len(words) > 0 && len(groups) != len(names) {
		return nil, fmt.Errorf("cannot tell whose arguments they are: %d functions, and arguments of %d; write %q between those "+
			"of one function and the next, as in: brine run '*' test.ping,cmd.run , uptime", len(names), len(groups), separator)
	}
	out := make([]*proto.Call, len(names))
	for i, name := range names {
		out[i] = &proto.Call{Function: strings.TrimSpace(name)}
		if i < len(groups) {
			out[i].Args = arguments(groups[i])
		}
	}
	return out, nil
}

// kwarg is what Salt takes for a named argument.
var kwarg = regexp.MustCompile(`(?s)^([A-Za-z_][\w.-]*)=(.*)$`)

func arguments(words []string) []*proto.Argument {
	var out []*proto.Argument
	for _, w := range words {
		if m := kwarg.FindStringSubmatch(w); m != nil && !strings.HasPrefix(m[2], "=") {
			out = append(out, text(m[1], m[2]))
			continue
		}
		out = append(out, text("", w))
	}
	return out
}

func text(name, value string) *proto.Argument {
	return &proto.Argument{Name: name, Value: &proto.Argument_Text{Text: value}}
}

// job makes a job of one or several functions, follows it and prints it.
func (a *app) job(ctx context.Context, f *jobFlags, expression string, calls []*proto.Call) error {
	t, err := f.target(expression)
	if err != nil {
		return err
	}
	cl, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	environment, sealed, err := f.prepare(calls)
	if err != nil {
		return &exit{exitUsage, err}
	}
	req := cl.NewJob(t, calls[0].Function, calls[0].Args)
	if len(calls) > 1 {
		req.Function, req.Args, req.Calls = proto.CallNames(calls), nil, calls
	}
	req.Environment = environment
	if req.Batch, err = f.batch.batch(); err != nil {
		return &exit{exitUsage, err}
	}
	if err := f.batch.choose(ctx, cl, req); err != nil {
		return err
	}
	if f.waitOffline > 0 {
		req.WaitOffline, req.Window = true, f.waitOffline.Microseconds()
	}
	p, err := a.newPrinter(req.Function)
	if err != nil {
		return err
	}
	ctx, stop := limited(ctx, f.timeout)
	defer stop()
	if err := a.announce(ctx, cl, req, f); err != nil {
		if why := timedOut(ctx); why != nil {
			return &exit{exitTryAgain, fmt.Errorf("nothing done: %w", why)}
		}
		return err
	}
	var keys []*proto.SealedKey
	if len(sealed) > 0 {
		if keys, err = cl.Seal(ctx, req, sealed); err != nil {
			return err
		}
	}
	if f.async {
		return a.submit(ctx, cl, req, keys)
	}
	known := func() *proto.JobInfo { return &proto.JobInfo{Jid: req.Jid, Function: req.Function} }
	return a.follow(ctx, cl, p, known, func(ctx context.Context, update client.Update) (*client.Result, error) {
		return cl.Run(ctx, req, update, keys...)
	})
}

// prepare takes out of the arguments of functions what a job has in another place: its environment, and what is sealed.
func (f *jobFlags) prepare(calls []*proto.Call) (environment string, sealed []*proto.Argument, err error) {
	environment = f.environment
	for _, c := range calls {
		args, named := saltenv(c.Function, byName(c.Function, c.Args))
		open, closed, err := f.sealed(c.Function, args)
		switch {
		case err != nil:
			return "", nil, err
		case named != "" && environment != "" && named != environment && len(calls) > 1:
			return "", nil, fmt.Errorf("cannot use environments %s and %s in one job", environment, named)
		case len(closed) > 0 && len(calls) > 1:
			return "", nil, fmt.Errorf("cannot use %s= with several functions: it is secret; run %s by itself", closed[0].Name, c.Function)
		}
		c.Args, sealed = open, closed
		environment = cmp.Or(environment, named)
	}
	return environment, sealed, nil
}

// saltenv takes the environment out of the arguments of a function for state trees, where
// Salt has it: the file tree that a job names is of one environment.
func saltenv(function string, args []*proto.Argument) (rest []*proto.Argument, environment string) {
	if !strings.HasPrefix(function, "state.") && !strings.HasPrefix(function, "saltutil.sync_") {
		return args, ""
	}
	for _, arg := range args {
		if arg.Name == "saltenv" {
			environment = arg.GetText()
		} else {
			rest = append(rest, arg)
		}
	}
	return rest, environment
}

// limited ends ctx after --timeout, which may be 0 for never.
func limited(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, timeout, &timeoutError{timeout})
}

type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("stopped waiting after %s", e.after) }

// timedOut returns what --timeout ended ctx with, or nil.
func timedOut(ctx context.Context) error {
	var e *timeoutError
	if errors.As(context.Cause(ctx), &e) {
		return e
	}
	return nil
}

// unheard ends a command that leaves before any master told of its job, which
// may have been made all the same.
func (a *app) unheard(job *proto.JobInfo, why error, code int) error {
	if a.out == "json" || a.out == "yaml" {
		if err := writeObject(a.stdout, a.out, newReport(&client.Result{Job: job})); err != nil {
			return err
		}
	}
	return &exit{code, fmt.Errorf("%w before a master told of job %s: brine job show %s tells what became of it",
		why, job.Jid, job.Jid)}
}

// announce tells who is meant and who of them is offline, and asks when they are many.
func (a *app) announce(ctx context.Context, cl *client.Client, req *proto.JobRequest, f *jobFlags) error {
	now := pb.Clone(req).(*proto.JobRequest)
	now.WaitOffline, now.Window = false, 0 // or who is offline would be told as queued
	r, err := cl.Resolve(ctx, now)
	if err != nil {
		return err
	}
	var offline []string
	for _, id := range r.IDs() {
		if r.Minions[id].Status == "offline" {
			offline = append(offline, id)
		}
	}
	if n := len(offline); n > 0 && a.out != "quiet" {
		will := "not waited for, though the job is theirs when back within a minute; --wait-offline 10m waits"
		if req.Batch != nil {
			will = "not waited for, though the job is theirs when back within a day, as for all of a batch"
		}
		if req.WaitOffline {
			will = fmt.Sprintf("waited for: they get the job when back within %s", f.waitOffline)
		}
		fmt.Fprintf(a.stderr, "offline: %s (%d of %d; %s)\n", some(offline), n, len(r.Minions), will)
	}
	a.tellLeftOut(r.Job.GetLeftOut())
	over := cl.Config().ConfirmOver
	if n := len(r.Minions); n > over && !f.yes && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())) {
		yes, err := a.confirm(ctx, fmt.Sprintf("%s on %s (%s)?", req.Function, plural(n, "minion"), some(r.IDs())))
		if err != nil {
			return err
		}
		if !yes {
			return &exit{exitFailed, errors.New("nothing done")}
		}
	}
	return nil
}

// tellLeftOut names the minions of which masters can't tell whether they are meant.
func (a *app) tellLeftOut(left []*proto.LeftOut) {
	for _, l := range left {
		if a.out != "quiet" {
			fmt.Fprintf(a.stderr, "left out: %s: %s\n", some(l.Minions), l.Why)
		}
	}
}

func (a *app) submit(ctx context.Context, cl *client.Client, req *proto.JobRequest, keys []*proto.SealedKey) error {
	r, err := cl.Submit(ctx, req, keys...)
	if err != nil {
		job := &proto.JobInfo{Jid: req.Jid, Function: req.Function}
		if why := timedOut(ctx); why != nil {
			return a.unheard(job, why, exitTryAgain)
		}
		if ctx.Err() != nil {
			return a.unheard(job, errDetached, exitInterrupted)
		}
		if errors.Is(err, client.ErrSilent) {
			return a.unheard(job, err, exitNoMaster)
		}
		return err
	}
	if names := r.Job.GetUnreachedMasters(); len(names) > 0 && a.out != "quiet" {
		fmt.Fprintln(a.stderr, unconfirmed(names))
	}
	switch a.out {
	case "json", "jsonl":
		fmt.Fprintf(a.stdout, "{\"jid\": %q}\n", req.Jid)
	case "yaml":
		fmt.Fprintf(a.stdout, "jid: '%s'\n", req.Jid)
	case "txt":
		fmt.Fprintln(a.stdout, req.Jid)
	case "quiet":
	default:
		fmt.Fprintf(a.stdout, "%s\nfollow it with: brine job watch %s\n", req.Jid, req.Jid)
	}
	return nil
}

// follow runs a watch and prints what it brings. An interrupt detaches; a
// second one asks to cancel the job. known is what is known of the job before
// a master tells.
func (a *app) follow(ctx context.Context, cl *client.Client, p *printer, known func() *proto.JobInfo,
	watch func(context.Context, client.Update) (*client.Result, error)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watched := make(chan struct{})
	go func() {
		select {
		case <-a.interrupts:
			stop(errDetached)
		case <-watched:
		}
	}()
	p.start()
	r, err := watch(ctx, p.update)
	close(watched)
	p.stop()
	why := timedOut(ctx)
	switch detached := errors.Is(context.Cause(ctx), errDetached); {
	case err == nil:
	case detached && r.Job == nil:
		return a.unheard(known(), errDetached, exitInterrupted)
	case detached:
		return a.detach(cl, p, r)
	case why != nil && r.Job == nil:
		return a.unheard(known(), why, exitTryAgain)
	case why != nil:
		fmt.Fprintf(a.stderr, "%v; the job goes on: brine job watch %s\n", why, r.Job.Jid)
	case errors.Is(err, client.ErrSilent):
		return a.unwatched(p, r, known(), err)
	default:
		return err
	}
	if err := p.finish(r); err != nil {
		return err
	}
	return a.ended(p, r)
}

// unwatched ends a command that lost all masters while its job was under way: minions carry it out all the same.
func (a *app) unwatched(p *printer, r *client.Result, job *proto.JobInfo, why error) error {
	if r.Job == nil {
		return a.unheard(job, why, exitNoMaster)
	}
	if err := p.leave(r); err != nil {
		return err
	}
	return &exit{exitNoMaster, fmt.Errorf("%w\njob %s goes on: brine job watch %s tells of it when a master is back", why, r.Job.Jid, r.Job.Jid)}
}

// ended is what a command ends with whose job is shown.
func (a *app) ended(p *printer, r *client.Result) error {
	code := worst(r)
	if code == exitOK && a.detailed && p.pending() {
		code = exitChanges
	}
	if code != exitOK {
		return &exit{code, nil}
	}
	return nil
}

var errDetached = errors.New("interrupted")

// secondChance is how long a second interrupt is waited for.
const secondChance = 2 * time.Second

func (a *app) detach(cl *client.Client, p *printer, r *client.Result) error {
	id := r.Job.Jid
	if err := p.leave(r); err != nil {
		return err
	}
	if isTerminal(a.stderr) {
		fmt.Fprint(a.stderr, "\r\x1b[K")
	}
	fmt.Fprintf(a.stderr, "detached: job %s goes on\n  follow it: brine job watch %s\n  end it:    brine job cancel %s (or interrupt again now)\n", id, id, id)
	select {
	case <-time.After(secondChance):
		return &exit{exitInterrupted, nil}
	case <-a.interrupts:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	reply := &proto.CancelReply{}
	if err := cl.Call(ctx, "job.cancel", &proto.CancelRequest{Jid: id}, reply); err != nil {
		return err
	}
	if isTerminal(a.stderr) {
		fmt.Fprint(a.stderr, "\r\x1b[K") // over the ^C
	}
	fmt.Fprintf(a.stderr, "asked %s to end job %s\n", plural(len(reply.Minions), "minion"), id)
	return &exit{exitInterrupted, nil}
}
