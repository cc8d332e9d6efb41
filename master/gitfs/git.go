package gitfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// git is the command, and the home directory that it runs in: nobody's
// configuration but ours counts.
type git struct {
	path string
	home string
}

const quickly = time.Minute // for what only looks at this machine's disk

// findGit finds the command and writes its configuration.
func findGit(ctx context.Context, dir string, remotes []Remote) (*git, error) {
	path, err := FindGit()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot keep copies of repositories: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("cannot keep copies of repositories: %w", err)
	}
	g := &git{path: path, home: dir}
	if err := os.WriteFile(filepath.Join(dir, ".gitconfig"), []byte(configuration(remotes)), 0o600); err != nil {
		return nil, fmt.Errorf("cannot configure git: %w", err)
	}
	if _, err := g.run(ctx, command{args: []string{"--version"}}); err != nil {
		return nil, err
	}
	return g, nil
}

// FindGit is the path of the git command; the error names the package to install.
func FindGit() (string, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return "", errors.New("cannot find the command git, which gitfs and git_pillar need: install the package git")
	}
	return path, nil
}

// configuration is a .gitconfig: what must hold for every command, and for
// those that git starts at the other end of a local path, which hear nothing else.
func configuration(remotes []Remote) string {
	var b strings.Builder
	b.WriteString("[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\taskPass = \"\"\n" +
		"[gc]\n\tauto = 0\n\tautoDetach = false\n[maintenance]\n\tauto = false\n" +
		"[fetch]\n\trecurseSubmodules = false\n\twriteCommitGraph = false\n[submodule]\n\trecurse = false\n" +
		"[http]\n\tfollowRedirects = initial\n\tlowSpeedLimit = 100\n\tlowSpeedTime = 30\n" +
		"[credential]\n\thelper = \"\"\n[safe]\n")
	for _, r := range remotes {
		if scheme, _ := r.scheme(); scheme == "file" {
			path := strings.TrimSuffix(strings.TrimPrefix(r.URL, "file://"), "/")
			for _, p := range []string{path, path + "/.git", path + ".git"} {
				fmt.Fprintf(&b, "\tdirectory = %s\n", quoted(p))
			}
		}
	}
	return b.String()
}

// quoted is a value of a .gitconfig.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// A command is one run of git.
type command struct {
	dir   string // GIT_DIR; "" is none
	flags []string
	args  []string // the verb, and what is for it
	env   []string
	stdin []byte
	limit time.Duration // 0: quickly
}

// run returns what git writes.
func (g *git) run(ctx context.Context, c command) ([]byte, error) {
	limit := c.limit
	if limit == 0 {
		limit = quickly
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := g.cmd(ctx, c)
	var out bytes.Buffer
	cmd.Stdout = &out
	said := &tail{}
	cmd.Stderr = said
	if err := cmd.Run(); err != nil {
		return nil, failure(ctx, c.args[0], err, said, limit)
	}
	return out.Bytes(), nil
}

// cmd is git in an environment that has nothing of the master's but the path
// and proxies, in a group of its own, which ends with ctx.
func (g *git) cmd(ctx context.Context, c command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.path, slices.Concat(c.flags, c.args)...)
	cmd.Dir = g.home
	cmd.Env = []string{"HOME=" + g.home, "XDG_CONFIG_HOME=" + g.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=",
		"GIT_OPTIONAL_LOCKS=0", "GIT_NO_REPLACE_OBJECTS=1", "LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "all_proxy", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	if c.dir != "" {
		cmd.Env = append(cmd.Env, "GIT_DIR="+c.dir)
	}
	cmd.Env = append(cmd.Env, c.env...)
	cmd.Stdin = bytes.NewReader(c.stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// failure is an error with what git said.
func failure(ctx context.Context, verb string, err error, said *tail, limit time.Duration) error {
	text := said.String()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("git %s took longer than %v and was ended: %s", verb, limit, text)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if text == "" {
		return fmt.Errorf("git %s: %w", verb, err)
	}
	return fmt.Errorf("git %s: %s", verb, text)
}

// reachTime is how long a remote may take to tell what it has.
const reachTime = 10 * time.Second

// Reach asks remotes, all at once, what they have, and returns an error of each that does not tell.
func Reach(ctx context.Context, remotes []Remote) []error {
	if len(remotes) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "brine-git-")
	if err != nil {
		return []error{err}
	}
	defer os.RemoveAll(dir) // of an own temporary directory
	g, err := findGit(ctx, dir, remotes)
	if err != nil {
		return []error{err}
	}
	errs := make([]error, len(remotes))
	var wait sync.WaitGroup
	for i, c := range remotes {
		wait.Go(func() {
			flags, env, err := c.access()
			if err == nil {
				_, err = g.run(ctx, command{flags: flags, args: []string{"ls-remote", "--quiet", "--", c.URL, "HEAD"}, env: env, limit: reachTime})
			}
			if err != nil {
				errs[i] = fmt.Errorf("cannot reach git remote %s: %w", c, err)
			}
		})
	}
	wait.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// tail keeps the end of what a command says, in one line.
type tail struct{ b []byte }

const tailSize = 400

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 4*tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(t.b), "?")), " ")
	if len(text) > tailSize {
		text = "..." + text[len(text)-tailSize:]
	}
	return text
}

// helper answers git's question for a name and a password out of the environment.
const helper = `credential.helper=!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$BRINE_GIT_USER" "$BRINE_GIT_PASSWORD"; }; f`

// access is how git reaches a remote: flags before the verb, and the environment.
func (c Remote) access() (flags, env []string, err error) {
	scheme, err := c.scheme()
	if err != nil {
		return nil, nil, err
	}
	env = []string{"GIT_ALLOW_PROTOCOL=" + scheme}
	if c.PasswordFile != "" {
		password, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the password: %w", err)
		}
		flags = append(flags, "-c", helper)
		env = append(env, "BRINE_GIT_USER="+c.User, "BRINE_GIT_PASSWORD="+strings.TrimRight(string(password), "\r\n"))
	}
	if c.CAFile != "" {
		env = append(env, "GIT_SSL_CAINFO="+c.CAFile)
	}
	if scheme == "ssh" {
		env = append(env, "GIT_SSH_VARIANT=ssh", "GIT_SSH_COMMAND="+c.ssh())
	}
	return flags, env, nil
}

// ssh is the command, for git's shell.
func (c Remote) ssh() string {
	words := []string{"ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15",
		"-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"}
	if c.KnownHosts != "" {
		words = append(words, "-o", "UserKnownHostsFile="+sshQuoted(c.KnownHosts), "-o", "GlobalKnownHostsFile=/dev/null")
	}
	if c.Privkey != "" {
		words = append(words, "-o", "IdentitiesOnly=yes", "-i", c.Privkey)
	}
	for i, w := range words {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}

// sshQuoted is one file name in an option of ssh that takes several.
func sshQuoted(name string) string { return `"` + name + `"` }
