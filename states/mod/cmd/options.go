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
)

// options are the arguments that every way of running a command has.
type options struct {
	Cwd     string        `arg:"cwd" doc:"working directory; the home of the user it runs as when absent"`
	Stdin   string        `arg:"stdin" doc:"text for its standard input"`
	Runas   string        `arg:"runas,alias=user" doc:"user to run as, by name or number"`
	Group   string        `arg:"group" doc:"group to run as; that of runas when absent"`
	Shell   string        `arg:"shell" default:"/bin/sh" doc:"the shell"`
	Env     environment   `arg:"env" doc:"variables to set, as a map or a list of maps"`
	Clean   bool          `arg:"clean_env" doc:"set only those variables, and none of the minion's own"`
	Prepend string        `arg:"prepend_path" doc:"directories to put before the PATH, with colons between"`
	Umask   umask         `arg:"umask" doc:"umask to run with; 022 when absent"`
	Timeout time.Duration `arg:"timeout" doc:"end it after this time; never when absent"`
	Locale  bool          `arg:"reset_system_locale" default:"true" doc:"run it with the locale C"`
	Strip   bool          `arg:"rstrip" default:"true" doc:"take white space off the end of its output"`

	OKCodes  []int    `arg:"success_retcodes" doc:"exit statuses, beside 0, that count as success"`
	OKStdout []string `arg:"success_stdout" doc:"outputs that count as success whatever the exit status"`
	OKStderr []string `arg:"success_stderr" doc:"error outputs that count as success whatever the exit status"`
	Hide     bool     `arg:"hide_output" doc:"leave its output out of the result"`

	Loglevel string `arg:"output_loglevel" doc:"taken for Salt's sake: brine never logs output"`
	VT       bool   `arg:"use_vt" doc:"taken for Salt's sake: no command has a terminal"`
}

// A line is a command: text for a shell, or words.
type line struct {
	text  string
	words []string
}

func (l *line) ArgType() string { return "text or list of text" }

func (l *line) ParseArg(v module.Value) (err error) {
	items, ok := v.Items()
	if !ok || v.HasText {
		l.text, err = v.Str()
		return err
	}
	for _, item := range items {
		word, err := item.Str()
		if err != nil {
			return err
		}
		l.words = append(l.words, word)
	}
	return nil
}

func (l *line) String() string {
	if l.words != nil {
		return strings.Join(l.words, " ")
	}
	return l.text
}

func (l *line) argv(shell string, withShell bool) ([]string, error) {
	switch {
	case strings.TrimSpace(l.String()) == "":
		return nil, errors.New("cannot run a command: it is empty")
	case strings.Contains(l.String(), "\x00"):
		return nil, errors.New("cannot run a command with a NUL character in it")
	case l.words != nil:
		return l.words, nil
	case withShell:
		return []string{shell, "-c", l.text}, nil
	}
	return split(l.text)
}

// environment is variables as NAME=value.
type environment []string

func (e *environment) ArgType() string { return "map" }

// ParseArg takes a map, a list of maps, or a list of NAME=value.
func (e *environment) ParseArg(v module.Value) error {
	if pairs, ok := v.Pairs(); ok {
		for _, p := range pairs {
			if err := e.add(p[0], p[1]); err != nil {
				return err
			}
		}
		return nil
	}
	items, ok := v.Items()
	if !ok {
		return v.Want("a map of variables")
	}
	for _, item := range items {
		if s, ok := item.Data.(string); ok && strings.Contains(s, "=") {
			name, val, _ := strings.Cut(s, "=")
			item = module.Data(nil)
			if err := e.add(module.Data(name), module.Data(val)); err != nil {
				return err
			}
			continue
		}
		if _, nested := item.Items(); nested {
			return item.Want("a map of variables")
		}
		if err := e.ParseArg(item); err != nil {
			return err
		}
	}
	return nil
}

func (e *environment) add(key, val module.Value) error {
	name, err := key.Str()
	if err != nil || name == "" || strings.ContainsAny(name, "=\x00") {
		return key.Want("the name of a variable")
	}
	if val.Data == nil {
		*e = append(*e, name+"=")
		return nil
	}
	text, err := val.Str()
	if err != nil || strings.Contains(text, "\x00") {
		return fmt.Errorf("variable %q: %w", name, val.Want("text"))
	}
	*e = append(*e, name+"="+text)
	return nil
}

// A umask is octal digits.
type umask string

func (u *umask) ArgType() string { return "umask" }

func (u *umask) ParseArg(v module.Value) error {
	s, err := v.Str()
	if err != nil || s == "" || len(s) > 4 || strings.Trim(s, "01234567") != "" {
		return v.Want("a umask such as 022")
	}
	*u = umask(s)
	return nil
}

var locale = []string{"LC_CTYPE=C", "LC_NUMERIC=C", "LC_TIME=C", "LC_COLLATE=C", "LC_MONETARY=C",
	"LC_MESSAGES=C", "LC_PAPER=C", "LC_NAME=C", "LC_ADDRESS=C", "LC_TELEPHONE=C", "LC_MEASUREMENT=C",
	"LC_IDENTIFICATION=C", "LANGUAGE=C"}

// command makes a host's command of arguments.
func (o *options) command(ctx context.Context, h *host.Host, argv []string) (host.Command, error) {
	c := host.Command{Argv: argv, Clean: o.Clean, Umask: string(o.Umask), Stdin: []byte(o.Stdin)}
	if err := o.account(ctx, h, &c); err != nil {
		return c, err
	}
	if o.Locale && !slices.ContainsFunc(o.Env, func(v string) bool { return strings.HasPrefix(v, "LC_ALL=") }) {
		c.Env = append(c.Env, locale...)
	}
	c.Env = append(c.Env, o.Env...)
	if o.Prepend != "" {
		c.Env = append(c.Env, "PATH="+o.Prepend+":"+path(c.Env))
	}
	c.Dir = o.directory(ctx, h, c.User)
	if st, err := os.Stat(h.Path(c.Dir)); err != nil || !st.IsDir() {
		return c, module.Unknown("cannot run in %q: no such directory", c.Dir)
	}
	return c, nil
}

func (o *options) account(ctx context.Context, h *host.Host, c *host.Command) error {
	if o.Runas == "" && o.Group == "" {
		return nil
	}
	name := o.Runas
	if name == "" {
		name = fmt.Sprint(os.Geteuid())
	}
	u, err := h.User(ctx, name)
	if err != nil {
		return unmade(err)
	}
	if o.Group != "" {
		if u.GID, err = h.GroupID(ctx, o.Group); err != nil {
			return unmade(err)
		}
	}
	c.User = u
	return nil
}

// unmade marks the error of an account that another state may make first.
func unmade(err error) error {
	if errors.Is(err, host.ErrNoAccount) {
		return module.Unknown("%w", err)
	}
	return err
}

// directory is Salt's choice: cwd, or the home of the user, or the root directory when there is no home.
func (o *options) directory(ctx context.Context, h *host.Host, u *host.User) string {
	if o.Cwd != "" {
		return o.Cwd
	}
	if u == nil {
		u, _ = h.User(ctx, fmt.Sprint(os.Geteuid())) // without an account there is no home
	}
	if u == nil || !filepath.IsAbs(u.Home) {
		return "/"
	}
	if st, err := os.Stat(h.Path(u.Home)); err != nil || !st.IsDir() {
		return "/"
	}
	return u.Home
}

// path is the PATH that a command with this environment would get.
func path(env []string) string {
	for _, v := range slices.Backward(env) {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			return p
		}
	}
	if p := os.Getenv("PATH"); p != "" {
		return p
	}
	return host.DefaultPath
}
