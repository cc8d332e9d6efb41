package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type runArgs struct {
	Cmd line `arg:"cmd,required,alias=name" doc:"the command: text for the shell, or a list of words"`
	options
	WithShell    bool `arg:"python_shell" default:"true" doc:"use the shell; without it text is split into words"`
	IgnoreStatus bool `arg:"ignore_retcode" doc:"end the job with 0 whatever the exit status"`
	Background   bool `arg:"bg" doc:"let it run and return its pid at once"`
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
func (a *runArgs) execute(ctx context.Context, h *host.Host, merge bool) (outcome, error) {
	argv, err := a.Cmd.argv(a.Shell, a.WithShell)
	if err != nil {
		return outcome{}, err
	}
	if err := a.check(); err != nil {
		return outcome{}, err
	}
	c, err := a.command(ctx, h, argv)
	if err != nil {
		return outcome{}, err
	}
	c.Merge, c.Background = merge, a.Background
	return a.perform(ctx, h, c, a.Cmd.String())
}

// check refuses arguments that contradict one another.
func (a *runArgs) check() error {
	if a.Background && a.Timeout > 0 {
		return errors.New(`cannot run a command with both "bg" and "timeout": no one waits for its end`)
	}
	return nil
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
	r := outcome{pid: out.PID, code: out.Code, stdout: string(out.Stdout), stderr: string(out.Stderr)}
	if o.Strip {
		r.stdout, r.stderr = strip(r.stdout), strip(r.stderr)
	}
	if timedOut {
		r.late(name, o.Timeout, c.Merge)
	} else if o.succeeded(r) {
		r.code = 0
	}
	if o.Hide {
		r.stdout, r.stderr = "", ""
	}
	return r, nil
}

// late marks a command that was ended by its timeout, in Salt's words and with Salt's status.
func (r *outcome) late(name string, after time.Duration, merge bool) {
	r.timedOut, r.code = true, 1
	text := fmt.Sprintf("'%s' : Timed out after %s", name, seconds(after))
	into := &r.stderr
	if merge {
		into = &r.stdout
	}
	*into = strings.TrimPrefix(*into+"\n"+text, "\n")
}

func seconds(d time.Duration) string {
	if d == time.Second {
		return "1 second"
	}
	return strings.TrimSuffix(value.FloatText(d.Seconds()), ".0") + " seconds"
}

func strip(s string) string { return strings.TrimRight(s, " \t\r\n\v\f") }

func (o *options) succeeded(r outcome) bool {
	return slices.Contains(o.OKCodes, r.code) ||
		slices.Contains(o.OKStdout, r.stdout) || slices.Contains(o.OKStderr, r.stderr)
}

func (a *runArgs) returned(v any, r outcome) module.Returned {
	if a.IgnoreStatus {
		return module.Returned{Value: v}
	}
	return module.Returned{Value: v, Retcode: r.code}
}

func run(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, true)
	if a.Background {
		return a.returned(value.NewDict("pid", int64(r.pid)), r), err
	}
	return a.returned(r.stdout, r), err
}

func shell(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	a.WithShell = true
	return run(ctx, h, a)
}

func runStdout(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, false)
	return a.returned(r.stdout, r), err
}

func runStderr(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, false)
	return a.returned(r.stderr, r), err
}

func retcode(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, true)
	return a.returned(r.code, r), err
}

type runAllArgs struct {
	runArgs
	Redirect bool `arg:"redirect_stderr" doc:"put what it wrote to standard error into stdout"`
}

func runAll(ctx context.Context, h *host.Host, a runAllArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h, a.Redirect)
	return a.returned(r.dict(), r), err
}

func runBackground(ctx context.Context, h *host.Host, a runArgs) (module.Returned, error) {
	a.Background = true
	return run(ctx, h, a)
}

type programArgs struct {
	Cmd string `arg:"cmd,required,alias=name" doc:"the name of a program"`
}

func which(_ context.Context, _ *host.Host, a programArgs) (any, error) {
	for _, dir := range filepath.SplitList(path(nil)) {
		file := filepath.Join(dir, a.Cmd)
		if strings.Contains(a.Cmd, "/") {
			file = a.Cmd
		}
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return nil, nil
}

func hasExec(ctx context.Context, h *host.Host, a programArgs) (bool, error) {
	file, err := which(ctx, h, a)
	return file != nil, err
}
