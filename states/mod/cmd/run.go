package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type runArgs struct {
	Cmd line `arg:"cmd,required,alias=name" doc:"the command: text for the shell, or a list of words"`
	options
	raising
}

type raising struct {
	Raise bool `arg:"raise_err" doc:"fail, with the output as the error, when the command does"`
}

// An outcome is how a command ended.
type outcome struct {
	pid, code      int
	stdout, stderr string
	timedOut       bool
}

// dict is what Salt's cmd.run_all returns.
func (o outcome) dict() *value.Dict {
	return value.NewDict("pid", int64(o.pid), "retcode", int64(o.code), "stdout", o.stdout, "stderr", o.stderr)
}

// execute runs a command until its end, its timeout, or the end of ctx, which is an error.
func (o *options) execute(ctx context.Context, h *host.Host, l line, merge bool) (outcome, error) {
	o, l, err := o.rendered(ctx, h, l)
	if err != nil {
		return outcome{}, err
	}
	argv, err := o.argv(ctx, l)
	if err != nil {
		return outcome{}, err
	}
	c, err := o.command(ctx, h, argv)
	if err != nil {
		return outcome{}, err
	}
	c.Merge = merge
	return o.perform(ctx, h, c, l.String())
}

var errTimeout = errors.New("timed out")

func (o *options) perform(ctx context.Context, h *host.Host, c host.Command, name string) (outcome, error) {
	limited := ctx
	if o.Timeout > 0 {
		var stop context.CancelFunc
		limited, stop = context.WithTimeoutCause(ctx, o.Timeout, errTimeout)
		defer stop()
	}
	out, err := h.Exec(limited, c)
	timedOut := errors.Is(err, errTimeout) && ctx.Err() == nil
	if err != nil && !timedOut {
		return outcome{}, err
	}
	r := outcome{pid: out.PID, code: out.Code, stdout: o.text(out.Stdout), stderr: o.text(out.Stderr)}
	if o.Encoded && strings.Contains(r.stderr, "CLIXML") {
		r.stderr = "" // progress records, no errors
	}
	if timedOut {
		r.late(name, o.Timeout)
	} else if o.succeeded(r) {
		r.code = 0
	}
	if o.Hide {
		r.stdout, r.stderr = "", ""
	}
	return r, nil
}

// text is output as it is returned.
func (o *options) text(b []byte) string {
	s := o.Encoding.decode(b)
	if o.Strip {
		s = strings.TrimRightFunc(s, blank)
	}
	return s
}

// blank is what Python's rstrip takes off.
func blank(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// late marks a command that was ended by its timeout, in Salt's words and with Salt's status.
func (o *outcome) late(name string, after time.Duration) {
	o.timedOut, o.code = true, 1
	text := fmt.Sprintf("'%s' : Timed out after %s", name, seconds(after))
	o.stdout = strings.TrimPrefix(o.stdout+"\n"+text, "\n")
}

func seconds(d time.Duration) string {
	if d == time.Second {
		return "1 second"
	}
	return strings.TrimSuffix(value.FloatText(d.Seconds()), ".0") + " seconds"
}

func (o *options) succeeded(r outcome) bool {
	for _, code := range o.OKCodes {
		if code == r.code {
			return true
		}
	}
	return o.OKStdout.in(r.stdout) || o.OKStderr.in(r.stderr)
}

func (t texts) in(s string) bool {
	for _, text := range t {
		if strings.Contains(s, text) {
			return true
		}
	}
	return false
}

// returned is what a function returns of an outcome: v, and the exit status unless it is to be ignored.
func (o *options) returned(v any, r outcome, err error) (module.Returned, error) {
	if err != nil || o.IgnoreStatus {
		return module.Returned{Value: v}, err
	}
	return module.Returned{Value: v, Retcode: r.code}, nil
}

// err is what a failed command is when it was told to raise.
func (a raising) err(name string, r outcome, err error) error {
	if err != nil || !a.Raise || r.code == 0 {
		return err
	}
	text := fmt.Sprintf("command %q ended with %d", name, r.code)
	if out := strings.Trim(r.stdout+"\n"+r.stderr, "\n"); out != "" {
		text += ": " + out
	}
	return errors.New(text)
}

type mergedArgs struct {
	runArgs
	Redirect bool `arg:"redirect_stderr" default:"true" doc:"return what it wrote to standard error too"`
}

func run(ctx context.Context, h *host.Host, a mergedArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, a.Cmd, a.Redirect)
	err = a.err(a.Cmd.String(), r, err)
	if a.Background {
		return a.returned(value.NewDict("pid", int64(r.pid)), r, err)
	}
	return a.returned(r.stdout, r, err)
}

func shell(ctx context.Context, h *host.Host, a mergedArgs) (module.Returned, error) {
	yes := true
	a.WithShell = &yes
	return run(ctx, h, a)
}

func runStdout(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, a.Cmd, false)
	return a.returned(r.stdout, r, a.err(a.Cmd.String(), r, err))
}

func runStderr(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, a.Cmd, false)
	return a.returned(r.stderr, r, a.err(a.Cmd.String(), r, err))
}

func retcode(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, a.Cmd, true)
	return a.returned(r.code, r, a.err(a.Cmd.String(), r, err))
}

type runAllArgs struct {
	runArgs
	Redirect bool `arg:"redirect_stderr" doc:"put what it wrote to standard error into stdout"`
}

func runAll(ctx context.Context, h *host.Host, a runAllArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, a.Cmd, a.Redirect)
	return a.returned(r.dict(), r, a.err(a.Cmd.String(), r, err))
}

// backgroundArgs has no stdin third, as Salt's: there it is runas.
type backgroundArgs struct {
	Cmd line `arg:"cmd,required,alias=name" doc:"the command: text for the shell, or a list of words"`
	place
	account
	surround
	input
}

func runBackground(ctx context.Context, h *host.Host, a backgroundArgs) (module.Returned, error) {
	o := options{a.place, a.input, a.account, a.surround}
	o.Background = true
	r, err := o.execute(ctx, h, a.Cmd, false)
	return o.returned(value.NewDict("pid", int64(r.pid)), r, err)
}
