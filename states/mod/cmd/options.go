package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
)

// options are the arguments that every way of running a command has. Its parts are apart because
// not all functions of Salt take them in one order.
type options struct {
	place
	input
	account
	surround
}

type place struct {
	Cwd absolute `arg:"cwd" doc:"working directory; the home of the user it runs as when absent"`
}

type input struct {
	Stdin string `arg:"stdin" doc:"text for its standard input; \\n in it is a newline"`
}

type account struct {
	Runas string `arg:"runas,alias=user" doc:"user to run as, by name or number, with the environment of its login"`
	Group string `arg:"group" doc:"group to run as; that of runas when absent"`
}

type surround struct {
	Shell     string       `arg:"shell" default:"/bin/sh" doc:"the shell"`
	WithShell *bool        `arg:"python_shell" doc:"use the shell; without it text is split into words. No from templates"`
	Env       environment  `arg:"env" doc:"variables to set, as a map or a list of maps"`
	Clean     bool         `arg:"clean_env" doc:"set only those variables, and none of the minion's own"`
	Template  string       `arg:"template" doc:"render the command and cwd, or the script, with this engine, such as jinja"`
	Strip     bool         `arg:"rstrip" default:"true" doc:"take white space off the end of its output"`
	Umask     umask        `arg:"umask" doc:"umask to run with, in octal; 022 when absent"`
	Encoding  encodingName `arg:"output_encoding" doc:"encoding of its output; utf-8 when absent"`
	Loglevel  loglevel     `arg:"output_loglevel" doc:"taken for Salt's sake: brine never logs output"`
	Callback  any          `arg:"log_callback" doc:"taken for Salt's sake: brine never logs output"`
	Hide      bool         `arg:"hide_output" doc:"leave its output out of the result"`

	Timeout      time.Duration `arg:"timeout" doc:"end it and all its descendants after this time; never when absent"`
	Locale       bool          `arg:"reset_system_locale" default:"true" doc:"run it with the locale C"`
	IgnoreStatus bool          `arg:"ignore_retcode" doc:"end the job with 0 whatever the exit status; a state fails all the same, see success_retcodes"`
	Saltenv      string        `arg:"saltenv" doc:"environment of the masters' files that a script is fetched from; the job's when absent"`
	VT           bool          `arg:"use_vt" doc:"make its outputs a terminal; no one answers what it asks there"`
	Background   bool          `arg:"bg" doc:"let it run and do not wait for its end"`
	Password     string        `arg:"password" doc:"taken for Salt's sake: only Windows needs it"`
	Encoded      bool          `arg:"encoded_cmd" doc:"the command is base64 for the shell pwsh or powershell"`
	Prepend      string        `arg:"prepend_path" doc:"directories to put before the PATH, with colons between"`
	RawStdin     bool          `arg:"stdin_raw_newlines" doc:"leave \\n in stdin as it is"`
	Codepage     any           `arg:"windows_codepage" doc:"taken for Salt's sake: only Windows needs it"`

	OKCodes  codes `arg:"success_retcodes" doc:"exit statuses, beside 0, that count as success"`
	OKStdout texts `arg:"success_stdout" doc:"texts that make any exit status a success when they stand in its output"`
	OKStderr texts `arg:"success_stderr" doc:"the same, of what it writes to standard error"`
}

// check refuses arguments that contradict one another.
func (o *options) check() error {
	var errs []error
	if o.Background && o.Timeout > 0 {
		errs = append(errs, errors.New(`cannot run a command with both "bg" and "timeout": no one waits for its end`))
	}
	if o.Encoded && !isPowershell(o.Shell) {
		errs = append(errs, errors.New(`cannot run a command with "encoded_cmd": only the shells pwsh and powershell read it`))
	}
	return errors.Join(errs...)
}

// argv is what is run: words as they are, text by the shell.
func (o *options) argv(ctx context.Context, l line) ([]string, error) {
	switch {
	case strings.TrimSpace(l.String()) == "":
		return nil, errors.New("cannot run a command: it is empty")
	case strings.Contains(l.String(), "\x00"):
		return nil, errors.New("cannot run a command with a NUL character in it")
	case l.words != nil:
		return l.words, nil
	case o.Encoded:
		return []string{o.Shell, "-NonInteractive", "-NoProfile", "-EncodedCommand", l.text}, nil
	case o.usesShell(ctx):
		return []string{o.Shell, "-c", l.text}, nil
	}
	return split(l.text)
}

// usesShell is Salt's choice: what an operator types is for the shell, what a template calls is not.
func (o *options) usesShell(ctx context.Context) bool {
	if o.WithShell == nil {
		return !module.Nested(ctx)
	}
	return *o.WithShell
}

func isPowershell(shell string) bool {
	name := path.Base(shell)
	return name == "pwsh" || name == "powershell"
}

// look makes a command of the arguments as far as that runs nothing: all but its environment.
func (o *options) look(ctx context.Context, h *host.Host, argv []string) (host.Command, error) {
	c := host.Command{
		Argv: argv, Clean: o.Clean, Umask: string(o.Umask), Stdin: []byte(o.Stdin), Bytes: o.Encoding != "",
		Background: o.Background, Terminal: o.VT && !o.Background,
	}
	if !o.RawStdin {
		c.Stdin = []byte(strings.ReplaceAll(o.Stdin, `\n`, "\n"))
	}
	if err := o.check(); err != nil {
		return c, err
	}
	if o.Template != "" && h.Render == nil {
		return c, errNoEngine
	}
	if err := o.user(ctx, h, &c); err != nil {
		return c, err
	}
	c.Dir = o.directory(ctx, h, c.User)
	if st, err := os.Stat(h.Path(c.Dir)); err != nil || !st.IsDir() {
		return c, module.Unknown("cannot run in %q: no such directory", c.Dir)
	}
	if len(argv) > 1 && argv[0] == o.Shell && find(o.Shell, o.path(nil)) == "" {
		return c, module.Unknown("cannot run with the shell %q: no such program", o.Shell)
	}
	return c, nil
}

// command is look with the environment, for which the user's login shell is asked.
func (o *options) command(ctx context.Context, h *host.Host, argv []string) (host.Command, error) {
	c, err := o.look(ctx, h, argv)
	if err != nil {
		return c, err
	}
	c.Env, err = o.environ(ctx, h, c.User)
	return c, err
}

func (o *options) user(ctx context.Context, h *host.Host, c *host.Command) error {
	if o.Runas == "" && o.Group == "" {
		return nil
	}
	name := o.Runas
	if name == "" {
		name = fmt.Sprint(os.Geteuid())
	}
	u, err := h.User(ctx, name)
	if err != nil {
		return module.Unmade(err)
	}
	if o.Group != "" {
		if u.GID, err = h.GroupID(ctx, o.Group); err != nil {
			return module.Unmade(err)
		}
	}
	c.User = u
	return nil
}

// directory is Salt's choice: cwd, or the home of the user, or the root directory when there is no home.
func (o *options) directory(ctx context.Context, h *host.Host, u *host.User) string {
	if o.Cwd != "" {
		return string(o.Cwd)
	}
	if u == nil {
		u, _ = h.User(ctx, fmt.Sprint(os.Geteuid())) // without an account there is no home
	}
	if u == nil || !path.IsAbs(u.Home) || !isDir(h.Path(u.Home)) {
		return "/"
	}
	return u.Home
}

func isDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}
