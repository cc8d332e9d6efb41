package git

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"

	"brine/states/host"
	"brine/states/module"
)

// who says as whom git runs and how it signs in.
type who struct {
	User     string `arg:"user,alias=runas" doc:"user to run git as"`
	Password string `arg:"password" doc:"taken for Salt: only Windows needs it"`
	login
}

type login struct {
	Identity  texts  `arg:"identity" doc:"private keys for ssh: salt://PATH or paths of this host; an unknown server is then trusted at its first sight"`
	HTTPSUser string `arg:"https_user" doc:"name to sign in with by https"`
	HTTPSPass string `arg:"https_pass" doc:"password to sign in with by https; git gets it in its environment, and writes it nowhere"`
}

// texts is one text or a list of them.
type texts []string

func (t *texts) ArgType() string { return "text or list of text" }

func (t *texts) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil || text == "" {
			return v.Want("text or list of text")
		}
		*t = append(*t, text)
	}
	return nil
}

// A client runs git on a host.
type client struct {
	h    *host.Host
	user *host.User
	login
}

// client finds out who runs git. A URL may hold a name and a password; they leave it.
func (w *who) client(ctx context.Context, h *host.Host, source *string) (*client, error) {
	c := &client{h: h, login: w.login}
	if w.User != "" {
		u, err := h.User(ctx, w.User)
		if err != nil {
			return nil, module.Unmade(err)
		}
		c.user = u
	}
	if source == nil {
		return c, nil
	}
	if *source == "" || (*source)[0] == '-' || strings.ContainsAny(*source, "\n\x00") {
		return nil, fmt.Errorf("cannot use the repository %q: want a URL or a path", withoutSecrets(*source))
	}
	isHTTP := strings.HasPrefix(*source, "http://") || strings.HasPrefix(*source, "https://")
	u, err := url.Parse(*source)
	if isHTTP && err != nil {
		return nil, errors.New("cannot read the URL of the repository")
	}
	if pass, ok := "", false; isHTTP && u.User != nil {
		if pass, ok = u.User.Password(); ok && c.HTTPSUser == "" {
			c.HTTPSUser, c.HTTPSPass = u.User.Username(), pass
		}
		if ok || c.HTTPSUser != "" {
			u.User = nil
		}
		*source = u.String()
	}
	if c.HTTPSUser != "" && !isHTTP {
		return nil, errors.New(`cannot use "https_user": the repository is not reached by https`)
	}
	return c, nil
}

// helper answers git's question for a name and a password out of the environment.
const helper = `credential.helper=!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$BRINE_GIT_USER" "$BRINE_GIT_PASSWORD"; }; f`

// exec runs git in a directory of the host; "" is none. It never waits for an answer of anyone.
func (c *client) exec(ctx context.Context, dir string, args ...string) (host.Output, error) {
	argv, env := []string{"git"}, []string{"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_PAGER=cat",
		"GIT_OPTIONAL_LOCKS=0"} // to look leaves no trace
	if c.HTTPSUser != "" {
		argv = append(argv, "-c", "credential.helper=", "-c", helper)
		env = append(env, "BRINE_GIT_USER="+c.HTTPSUser, "BRINE_GIT_PASSWORD="+c.HTTPSPass)
	}
	ssh, done, err := c.ssh(ctx)
	defer done()
	if err != nil {
		return host.Output{}, err
	}
	env = append(env, "GIT_SSH_COMMAND="+ssh)
	out, err := c.h.Exec(ctx, host.Command{Argv: append(argv, args...), Dir: dir, Env: env, User: c.user})
	if errors.Is(err, os.ErrNotExist) {
		return out, module.Unknown("cannot run git: it is not installed on this host")
	}
	if err != nil {
		return out, fmt.Errorf("cannot run git: %w", err)
	}
	return out, nil
}

// ssh is the command by which git reaches a server, with keys that masters serve in files of their own until done.
func (c *client) ssh(ctx context.Context) (command string, done func(), err error) {
	var remove []string
	done = func() {
		for _, name := range remove {
			os.Remove(name)
		}
	}
	command = "ssh -o BatchMode=yes"
	for i, key := range c.Identity {
		if i == 0 {
			command += " -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new"
		}
		file := c.h.Path(key)
		switch {
		case strings.HasPrefix(key, "salt://"):
			if file, err = c.fetchKey(ctx, key); err != nil {
				return "", done, err
			}
			remove = append(remove, file)
		case !path.IsAbs(key):
			return "", done, fmt.Errorf("cannot use the identity %q: want salt://PATH or an absolute path", key)
		default:
			if _, err := os.Stat(file); err != nil {
				return "", done, module.Unknown("cannot use the identity %s: %w", key, err)
			}
		}
		command += " -i '" + strings.ReplaceAll(file, "'", `'\''`) + "'"
	}
	return command, done, nil
}

// fetchKey puts a key into a file that only the user who runs git can read.
func (c *client) fetchKey(ctx context.Context, source string) (string, error) {
	if c.h.Files == nil {
		return "", errors.New("cannot fetch an identity: no master serves files here")
	}
	cached, err := c.h.Files.Fetch(ctx, source)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(cached)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "brine-git-") // has mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if c.user != nil && err == nil {
		err = f.Chown(int(c.user.UID), int(c.user.GID))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// An exitError says that git ended with another status than 0.
type exitError struct {
	what string
	code int
	said string
}

func (e *exitError) Error() string {
	return fmt.Sprintf("git %s ended with %d: %s", e.what, e.code, e.said)
}

// run returns what git writes, without the newline at its end.
func (c *client) run(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := c.exec(ctx, dir, args...)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(out.Stdout), "\n")
	if out.Code == 0 {
		return text, nil
	}
	said := strings.TrimSpace(string(out.Stderr) + "\n" + text)
	if strings.Contains(said, "dubious ownership") {
		said = "the repository belongs to another user, whose settings git would run: give that one as user"
	}
	return text, &exitError{verb(args), out.Code, c.clean(said)}
}

// verb is the command of git's in its arguments.
func verb(args []string) string {
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			return a
		}
	}
	return ""
}

// ask is run for a question that git answers with status 1 for no.
func (c *client) ask(ctx context.Context, dir string, args ...string) (string, bool, error) {
	text, err := c.run(ctx, dir, args...)
	var exit *exitError
	if errors.As(err, &exit) && exit.code == 1 {
		return "", false, nil
	}
	return text, err == nil, err
}

// clean takes passwords out of what git said.
func (c *client) clean(text string) string {
	if len(c.HTTPSPass) > 3 {
		text = strings.ReplaceAll(text, c.HTTPSPass, "***")
	}
	return withoutSecrets(text)
}

var credentials = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(://)[^/\s@'"]+:[^/\s@'"]*@`) })

// withoutSecrets takes names and passwords out of URLs.
func withoutSecrets(text string) string { return credentials().ReplaceAllString(text, "$1***@") }
