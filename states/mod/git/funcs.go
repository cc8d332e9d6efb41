package git

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// options are those of a command of git's, as text or as a list of words.
type options []string

func (o *options) ArgType() string { return "text or list of text" }

func (o *options) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("options of git")
		}
		words, err := split(text)
		if err != nil {
			return err
		}
		*o = append(*o, words...)
	}
	return nil
}

// split cuts text at blanks that are not in quotes.
func split(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inside := rune(0), false
	for _, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inside = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("want options of git, the quote %c is not closed", quote)
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}

type repoArgs struct {
	Cwd string `arg:"cwd,required" doc:"the repository"`
}

type common struct {
	Opts    options `arg:"opts" doc:"further options of the command"`
	GitOpts options `arg:"git_opts" doc:"options of git itself"`
	who
	Ignore   bool   `arg:"ignore_retcode" doc:"taken for Salt: a failure is an error, and no line of a log"`
	Encoding string `arg:"output_encoding" doc:"taken for Salt: what git says is UTF-8"`
}

// git runs a command in a repository; what is no option may not look like one.
func (c *common) git(ctx context.Context, h *host.Host, dir string, command []string, rest ...string) (string, error) {
	for _, a := range rest {
		if strings.HasPrefix(a, "-") {
			return "", fmt.Errorf("cannot use %q: it begins with '-'", a)
		}
	}
	client, err := c.client(ctx, h, nil)
	if err != nil {
		return "", err
	}
	args := append(append([]string{}, c.GitOpts...), command...)
	text, err := client.run(ctx, dir, append(append(args, c.Opts...), rest...)...)
	return client.clean(text), err
}

// simple makes a function of a command without arguments of its own.
func simple(command ...string) func(context.Context, *host.Host, simpleArgs) (string, error) {
	return func(ctx context.Context, h *host.Host, a simpleArgs) (string, error) {
		return a.git(ctx, h, a.Cwd, command)
	}
}

type simpleArgs struct {
	repoArgs
	common
}

type revArgs struct {
	repoArgs
	Rev string `arg:"rev" default:"HEAD" doc:"branch, tag or commit"`
	common
}

// ofRev makes a function of a command that takes a revision.
func ofRev(command ...string) func(context.Context, *host.Host, revArgs) (string, error) {
	return func(ctx context.Context, h *host.Host, a revArgs) (string, error) {
		return a.git(ctx, h, a.Cwd, command, a.Rev)
	}
}

type revisionArgs struct {
	repoArgs
	Rev   string `arg:"rev" default:"HEAD" doc:"branch, tag or commit"`
	Short bool   `arg:"short" doc:"shorten it"`
	common
}

func revisionOf(ctx context.Context, h *host.Host, a revisionArgs) (string, error) {
	command := []string{"rev-parse", "--verify"}
	if a.Short {
		command = append(command, "--short")
	}
	return a.git(ctx, h, a.Cwd, command, a.Rev)
}

type checkoutArgs struct {
	repoArgs
	Rev   string `arg:"rev" doc:"branch, tag or commit; may be absent where opts have it"`
	Force bool   `arg:"force" doc:"discard changes of files"`
	common
}

func checkout(ctx context.Context, h *host.Host, a checkoutArgs) (string, error) {
	command := []string{"checkout"}
	if a.Force {
		command = append(command, "--force")
	}
	if a.Rev == "" {
		if len(a.Opts) == 0 {
			return "", errors.New(`cannot check out nothing: give "rev" or "opts"`)
		}
		return a.git(ctx, h, a.Cwd, command)
	}
	return a.git(ctx, h, a.Cwd, command, a.Rev)
}

type cloneArgs struct {
	repoArgs
	URL  string `arg:"url,required" doc:"URL or path of the repository"`
	Name string `arg:"name" doc:"directory below cwd to clone it to; cwd itself when absent"`
	common
}

func clone(ctx context.Context, h *host.Host, a cloneArgs) (bool, error) {
	c, err := a.client(ctx, h, &a.URL)
	if err != nil {
		return false, err
	}
	a.HTTPSUser, a.HTTPSPass = c.HTTPSUser, c.HTTPSPass
	dir, target := "", h.Path(a.Cwd)
	if a.Name != "" {
		dir, target = a.Cwd, a.Name
	}
	_, err = a.git(ctx, h, dir, []string{"clone", "--quiet"}, a.URL, target)
	return err == nil, err
}

type remoteArgs struct {
	repoArgs
	Remote string `arg:"remote" default:"origin" doc:"name of the remote"`
	common
}

func remoteGet(ctx context.Context, h *host.Host, a remoteArgs) (*value.Dict, error) {
	all, err := remotes(ctx, h, simpleArgs{a.repoArgs, a.common})
	if err != nil {
		return nil, err
	}
	found, _ := all.Get(a.Remote)
	d, ok := found.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot find the remote %q in %s", a.Remote, a.Cwd)
	}
	return d, nil
}

// remotes are URLs by name of the remote and by fetch and push.
func remotes(ctx context.Context, h *host.Host, a simpleArgs) (*value.Dict, error) {
	text, err := a.git(ctx, h, a.Cwd, []string{"remote", "--verbose"})
	all := &value.Dict{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		have, ok := all.Get(f[0])
		if !ok {
			have = &value.Dict{}
			all.Put(f[0], have)
		}
		have.(*value.Dict).Put(strings.Trim(f[2], "()"), f[1])
	}
	return all, err
}

type remoteSetArgs struct {
	repoArgs
	URL    string `arg:"url,required" doc:"the URL"`
	Remote string `arg:"remote" default:"origin" doc:"name of the remote"`
	common
	PushURL string `arg:"push_url" doc:"the URL to push to, when it is another one"`
}

func remoteSet(ctx context.Context, h *host.Host, a remoteSetArgs) (*value.Dict, error) {
	have, err := remotes(ctx, h, simpleArgs{a.repoArgs, a.common})
	if err != nil {
		return nil, err
	}
	command := []string{"remote", "add"}
	if _, ok := have.Get(a.Remote); ok {
		command[1] = "set-url"
	}
	if _, err := a.git(ctx, h, a.Cwd, command, a.Remote, a.URL); err != nil {
		return nil, err
	}
	if a.PushURL != "" {
		if _, err := a.git(ctx, h, a.Cwd, []string{"remote", "set-url", "--push"}, a.Remote, a.PushURL); err != nil {
			return nil, err
		}
	}
	return remoteGet(ctx, h, remoteArgs{a.repoArgs, a.Remote, a.common})
}

type lsRemoteArgs struct {
	Cwd    string `arg:"cwd" doc:"a repository whose remotes may be named; may be absent with a URL"`
	Remote string `arg:"remote" default:"origin" doc:"URL, or name of a remote of cwd"`
	Ref    string `arg:"ref" doc:"only references that match this glob"`
	common
}

func lsRemote(ctx context.Context, h *host.Host, a lsRemoteArgs) (*value.Dict, error) {
	c, err := a.client(ctx, h, &a.Remote)
	if err != nil {
		return nil, err
	}
	a.HTTPSUser, a.HTTPSPass = c.HTTPSUser, c.HTTPSPass
	rest := []string{a.Remote}
	if a.Ref != "" {
		rest = append(rest, a.Ref)
	}
	text, err := a.git(ctx, h, a.Cwd, []string{"ls-remote"}, rest...)
	found := &value.Dict{}
	refs := parseRefs(text, "\t")
	for _, name := range refs.names() {
		found.Put(name, refs[name])
	}
	return found, err
}

// lines makes a function of a command that writes one thing a line.
func lines(command ...string) func(context.Context, *host.Host, simpleArgs) ([]string, error) {
	return func(ctx context.Context, h *host.Host, a simpleArgs) ([]string, error) {
		text, err := a.git(ctx, h, a.Cwd, command)
		if text == "" {
			return []string{}, err
		}
		return strings.Split(text, "\n"), err
	}
}

type fetchArgs struct {
	repoArgs
	Remote   string  `arg:"remote" doc:"name of the remote; git's choice when absent"`
	Force    bool    `arg:"force" doc:"let references move backwards"`
	Refspecs options `arg:"refspecs" doc:"what to fetch"`
	common
}

func fetch(ctx context.Context, h *host.Host, a fetchArgs) (string, error) {
	command := []string{"fetch"}
	if a.Force {
		command = append(command, "--force")
	}
	var rest []string
	if a.Remote != "" {
		rest = append([]string{a.Remote}, a.Refspecs...)
	}
	return a.git(ctx, h, a.Cwd, command, rest...)
}

type statusArgs struct {
	repoArgs
	User     string `arg:"user,alias=runas" doc:"user to run git as"`
	Password string `arg:"password" doc:"taken for Salt: only Windows needs it"`
	Ignore   bool   `arg:"ignore_retcode" doc:"taken for Salt"`
}

// status is the names of changed files by what happened to them.
func status(ctx context.Context, h *host.Host, a statusArgs) (*value.Dict, error) {
	text, err := (&common{who: who{User: a.User}}).git(ctx, h, a.Cwd, []string{"status", "-z", "--porcelain"})
	names := map[string]string{"A": "new", "D": "deleted", "??": "untracked"}
	found := &value.Dict{}
	for entry := range strings.SplitSeq(text, "\x00") {
		if len(entry) < 4 || entry[2] != ' ' {
			continue // the old name of what was renamed
		}
		kind, ok := names[strings.TrimSpace(entry[:2])]
		if !ok {
			kind = "modified"
		}
		list, ok := found.Get(kind)
		if !ok {
			list = &value.List{}
			found.Put(kind, list)
		}
		l := list.(*value.List)
		l.Items = append(l.Items, entry[3:])
	}
	return found, err
}

type initFuncArgs struct {
	repoArgs
	Bare     bool   `arg:"bare" doc:"without files"`
	Template string `arg:"template" doc:"directory of templates"`
	Separate string `arg:"separate_git_dir" doc:"directory for what git keeps, in place of .git"`
	Shared   string `arg:"shared" doc:"who may write to it: group, all, or an octal mode"`
	common
}

func initialise(ctx context.Context, h *host.Host, a initFuncArgs) (string, error) {
	c, err := a.client(ctx, h, nil)
	if err != nil {
		return "", err
	}
	args := initArgs(h, presentArgs{Name: a.Cwd, Bare: a.Bare, Template: a.Template, Separate: a.Separate, Shared: a.Shared})
	args = append(append([]string{"init"}, a.Opts...), args[2:]...)
	return c.run(ctx, "", args...)
}

func versionOf(ctx context.Context, h *host.Host, _ struct{}) (string, error) {
	c, err := (&who{}).client(ctx, h, nil)
	if err != nil {
		return "", err
	}
	text, err := c.run(ctx, "", "--version")
	return strings.TrimPrefix(text, "git version "), err
}
