package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"brine/states/host"
)

var locale = []string{"LC_CTYPE=C", "LC_NUMERIC=C", "LC_TIME=C", "LC_COLLATE=C", "LC_MONETARY=C",
	"LC_MESSAGES=C", "LC_PAPER=C", "LC_NAME=C", "LC_ADDRESS=C", "LC_TELEPHONE=C", "LC_MEASUREMENT=C",
	"LC_IDENTIFICATION=C", "LANGUAGE=C"}

// environ is what the command finds beside the minion's own environment: what its user's login gives, then the
// locale, then env.
func (o *options) environ(ctx context.Context, h *host.Host, u *host.User) ([]string, error) {
	var env []string
	if o.Runas != "" {
		var err error
		if env, err = o.login(ctx, h, u); err != nil {
			return nil, err
		}
	}
	if o.Locale {
		given := append(slices.Clone(env), o.Env...)
		for _, v := range locale {
			name, _, _ := strings.Cut(v, "=")
			if _, ok := lookup(given, name); !ok {
				env = append(env, v)
			}
		}
	}
	env = append(env, o.Env...)
	if o.Prepend != "" {
		env = append(env, "PATH="+o.Prepend+":"+o.path(env))
	}
	return env, nil
}

// path is the PATH that a command with this environment gets.
func (o *options) path(env []string) string {
	if p, ok := lookup(env, "PATH"); ok {
		return p
	}
	if p := os.Getenv("PATH"); p != "" && !o.Clean {
		return p
	}
	return host.DefaultPath
}

func lookup(env []string, name string) (string, bool) {
	for _, v := range slices.Backward(env) {
		if val, ok := strings.CutPrefix(v, name+"="); ok {
			return val, true
		}
	}
	return "", false
}

// profileTime is how long a user's profile may take.
const profileTime = 30 * time.Second

var errProfile = errors.New("its profile did not end within 30 seconds")

// login is the environment that a login of the user would give: the system's, and what the profiles that the shell
// reads make of it. A shell that reads no profile, or whose profile ends it, gives the system's alone.
func (o *options) login(ctx context.Context, h *host.Host, u *host.User) ([]string, error) {
	system := systemEnvironment(h, u)
	if !readsProfile(o.Shell) {
		return system, nil
	}
	mark := rand.Text()
	c := host.Command{
		Argv: []string{o.Shell, "-l", "-c", `printf %s "$0"; env -0; printf %s "$0"`, mark},
		Dir:  (&options{}).directory(ctx, h, u), Env: system, Clean: true, User: u,
	}
	limited, stop := context.WithTimeoutCause(ctx, profileTime, errProfile)
	defer stop()
	out, err := h.Exec(limited, c)
	if err != nil {
		return nil, fmt.Errorf("cannot read the environment of user %q: %w", u.Name, err)
	}
	_, rest, _ := strings.Cut(string(out.Stdout), mark)
	text, _, ok := strings.Cut(rest, mark)
	if !ok {
		return system, nil
	}
	var env []string
	for v := range strings.SplitSeq(strings.TrimSuffix(text, "\x00"), "\x00") {
		if name, _, ok := strings.Cut(v, "="); ok && !slices.Contains(ownOfAShell, name) {
			env = append(env, v)
		}
	}
	return env, nil
}

// ownOfAShell are variables that tell of the shell that was asked, or that only the account decides.
var ownOfAShell = []string{"_", "PWD", "OLDPWD", "SHLVL", "BRINE_COMMAND", "HOME", "USER", "LOGNAME"}

func readsProfile(shell string) bool {
	switch path.Base(shell) {
	case "sh", "ash", "bash", "dash", "ksh", "mksh", "zsh":
		return true
	}
	return false
}

// systemEnvironment is what login and PAM give every user: PATH of login.defs, and /etc/environment.
func systemEnvironment(h *host.Host, u *host.User) []string {
	env := []string{"PATH=" + host.DefaultPath}
	key := "ENV_PATH"
	if u.UID == 0 {
		key = "ENV_SUPATH"
	}
	defs, _ := os.ReadFile(h.Path("/etc/login.defs")) // where there is none, the default holds
	for l := range strings.Lines(string(defs)) {
		if f := strings.Fields(l); len(f) == 2 && f[0] == key {
			env = append(env, "PATH="+strings.TrimPrefix(f[1], "PATH="))
		}
	}
	data, _ := os.ReadFile(h.Path("/etc/environment"))
	for l := range strings.Lines(string(data)) {
		if v := pamVariable(l); v != "" {
			env = append(env, v)
		}
	}
	return env
}

// pamVariable reads a line of /etc/environment; see pam_env(8).
func pamVariable(l string) string {
	l = strings.TrimPrefix(strings.TrimSpace(l), "export ")
	name, val, ok := strings.Cut(l, "=")
	letter := func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if !ok || name == "" || strings.TrimLeftFunc(name, letter) != "" {
		return ""
	}
	if val != "" && (val[0] == '"' || val[0] == '\'') {
		val = strings.TrimSuffix(val[1:], val[:1])
	}
	return name + "=" + val
}
