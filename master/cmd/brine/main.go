// Command brine is the operators' command line.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/proto"
	"brine/proto/shell"
	"brine/proto/spell"
	"brine/states/output"
)

// Exit codes; several apply by the order of worst.
const (
	exitOK           = 0
	exitFailed       = 1
	exitChanges      = 2
	exitUnanswered   = 3
	exitPolicy       = 4
	exitUsage        = 64
	exitData         = 65
	exitNoMaster     = 69
	exitTryAgain     = 75
	exitNotPermitted = 77
	exitInterrupted  = 130
)

// patience is how long nobody is left without a word.
const patience = 2 * time.Second

const about = `Run functions and apply states on minions.

What a command ends with: 0 done; 1 some minions failed, were interrupted, cancelled or refused;
2 changes are pending (--detailed-exitcode); 3 some were offline, gave no answer, or their time was
over; 4 refused by policy; 64 a mistake on the command line, or a target that nobody matches; 65 a
mistake in a state file or a configuration; 69 no master reachable; 75 try again; 77 not permitted;
130 interrupted. Where several apply, the first of 77, 4, 65, 1, 3, 2.`

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals, interrupts := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range signals {
			select {
			case interrupts <- struct{}{}: // a job is followed: an interrupt only detaches
			default:
				cancel()
			}
		}
	}()
	a := &app{stdout: os.Stdout, stderr: os.Stderr, interrupts: interrupts}
	os.Exit(a.status(a.command().ExecuteContext(ctx)))
}

// An app is one call of the command: its flags and where it writes.
type app struct {
	stdout, stderr io.Writer
	config         string
	out            string
	color          string
	all            bool // each minion by itself
	plan           bool // equal diffs once
	detailed       bool // exit with 2 when changes are pending
	states         stateFlags
	interrupts     <-chan struct{}
}

func (a *app) command() *cobra.Command {
	c := group(&cobra.Command{
		Use: "brine", Short: "Run functions and apply states on minions", Long: about, Version: proto.Version,
		SilenceErrors: true, SilenceUsage: true,
	}, a.runCommand(), a.applyCommand(), a.planCommand(), a.copyCommand(), a.eventCommand(), a.hookCommand(), a.notifyCommand(), a.jobCommand(), a.keyCommand(), a.minionCommand(), a.loginCommand(), a.logoutCommand(), a.orchestrateCommand(), a.runnerCommand(), a.wheelCommand(),
		a.masterCommand(), a.operatorCommand(), a.rulesCommand(), a.scheduleCommand(), a.auditCommand(), a.statesCommand(), a.targetCommand(), a.statusCommand(), a.importSaltCommand(), a.docCommand(), a.versionCommand())
	shell.Add(c, "1", usage)
	c.PersistentFlags().StringVar(&a.config, "config", "/etc/brine/operator.toml", "the operator's configuration")
	c.PersistentFlags().StringVar(&a.color, "color", "auto", "auto, always or never; NO_COLOR counts as never")
	c.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		a.states.given = c.Flags().Changed
		if err := output.CheckColor(a.color); err != nil {
			return usage("%v", err)
		}
		return nil
	}
	complete(c, "color", output.Colors...)
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &exit{exitUsage, shell.Flag(c, err)} })
	return c
}

// group makes a command that only holds others. Without one of them it shows
// its help; an unknown one is a mistake, which cobra passes over by itself.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.AddCommand(commands...)
	c.SuggestionsMinimumDistance = 2
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		near := c.SuggestionsFor(args[0])
		if len(near) == 0 {
			return usage("unknown command %q (see %s --help)", args[0], c.CommandPath())
		}
		// The nearest may be any of them: for statsu there are states and status.
		return usage("unknown command %q: did you mean %q?", args[0], c.CommandPath()+" "+cmp.Or(spell.Nearest(args[0], near), near[0]))
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// connect makes the client that the configuration describes.
func (a *app) connect() (*client.Client, error) {
	config, err := client.LoadConfig(a.config)
	if errors.Is(err, client.ErrNoConfig) {
		return nil, &exit{exitUsage, err}
	}
	if errors.Is(err, client.ErrNotSignedIn) {
		return nil, &exit{exitNotPermitted, err}
	}
	if err != nil {
		return nil, &exit{exitData, err}
	}
	config.OnSlow(patience, func(masters []string) {
		fmt.Fprintf(a.stderr, "no master has answered yet: %s\n", strings.Join(masters, ", "))
	})
	a.states.config = config
	cl, err := client.New(config)
	var refused *client.Error
	if errors.As(err, &refused) {
		return nil, err
	}
	if err != nil {
		return nil, &exit{exitData, err}
	}
	cl.OnTrying(a.tellTrying)
	return cl, nil
}

// tellTrying says why nothing comes.
func (a *app) tellTrying(err error) {
	if a.out == "quiet" {
		return
	}
	if isTerminal(a.stderr) {
		fmt.Fprint(a.stderr, "\r\x1b[K") // the line of progress comes again
	}
	why, _, _ := strings.Cut(err.Error(), "\n")
	fmt.Fprintf(a.stderr, "brine: still trying: %s\n", output.Harmless(why))
}

// exit is an error with the status that the command ends with. A nil error
// has been told already.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exit{exitUsage, fmt.Errorf(format, args...)}
}

// status reports an error and returns what the command exits with.
func (a *app) status(err error) int {
	if err == nil {
		return exitOK
	}
	var e *exit
	var refused *client.Error
	if errors.Is(err, context.Canceled) && !errors.As(err, &e) && !errors.As(err, &refused) {
		fmt.Fprintln(a.stderr, "brine: interrupted")
		return exitInterrupted
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(a.stderr, "brine: %s\n", output.Harmless(text))
	}
	return statusOf(err)
}

// statusOf is what the command exits with because of an error that is no interruption.
func statusOf(err error) int {
	var e *exit
	var refused *client.Error
	switch {
	case errors.As(err, &e):
		return e.status
	case errors.As(err, &refused):
		return refusalStatus[refused.Code]
	case errors.Is(err, client.ErrNoMaster):
		return exitNoMaster
	}
	return exitFailed
}

var refusalStatus = map[proto.ApiError_Code]int{
	proto.ApiError_CODE_UNSPECIFIED: exitFailed,
	proto.ApiError_INVALID:          exitUsage,
	proto.ApiError_NO_MATCH:         exitUsage,
	proto.ApiError_JID_TAKEN:        exitTryAgain,
	proto.ApiError_POLICY:           exitPolicy,
	proto.ApiError_NOT_PERMITTED:    exitNotPermitted,
	proto.ApiError_NOT_FOUND:        exitUsage,
	proto.ApiError_UNAVAILABLE:      exitTryAgain,
	proto.ApiError_BAD_DATA:         exitData,
	proto.ApiError_CONFLICT:         exitUsage,
	proto.ApiError_INTERNAL:         exitFailed,
}
