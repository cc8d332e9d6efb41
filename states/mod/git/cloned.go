package git

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type clonedArgs struct {
	Name   string `arg:"name,required" doc:"URL or path of the repository"`
	Target string `arg:"target,required" doc:"directory to clone it to"`
	Branch string `arg:"branch" doc:"branch to check out; that of the remote when absent"`
	who
	Encoding string `arg:"output_encoding" doc:"taken for Salt: what git says is UTF-8"`
}

// latest is the same without updates.
func (a *clonedArgs) latest() latestArgs {
	rev := a.Branch
	if rev == "" {
		rev = "HEAD"
	}
	return latestArgs{Name: a.Name, Target: a.Target, Rev: rev, who: a.who, Remote: "origin", FetchTags: true, RefspecBranch: "*", RefspecTag: "*"}
}

// CheckArgs implements module.Checker.
func (a *clonedArgs) CheckArgs() error {
	l := a.latest()
	return l.CheckArgs()
}

func planCloned(ctx context.Context, h *host.Host, a clonedArgs) (module.Plan, error) {
	is, err := kindOf(h, a.Target)
	if err != nil {
		return module.Plan{}, err
	}
	if is != tree {
		return planLatest(ctx, h, a.latest())
	}
	same := module.Plan{Same: fmt.Sprintf("Repository already exists at %s", a.Target)}
	if a.Branch == "" {
		return same, nil
	}
	args := a.latest()
	c, err := a.client(ctx, h, &args.Name)
	if err != nil {
		return module.Plan{}, err
	}
	now, err := c.look(ctx, a.Target, "origin", false)
	if err != nil || now.branch == a.Branch {
		return same, err
	}
	l := &latest{latestArgs: args, c: c, now: now}
	checkout := []string{"checkout", "--quiet", a.Branch, "--"}
	if now.refs["refs/heads/"+a.Branch] == "" {
		l.git(nil, "fetch", "--quiet", "--", "origin", "+refs/heads/*:refs/remotes/origin/*")
		checkout = []string{"checkout", "--quiet", "-b", a.Branch, "--track", "origin/" + a.Branch}
	}
	l.git(value.NewDict("branch", replaced(now.branch, a.Branch)), checkout...)
	l.plan.Did = fmt.Sprintf("Branch changed to %s", a.Branch)
	return l.plan, nil
}

type detachedArgs struct {
	Name   string `arg:"name,required" doc:"URL or path of the repository"`
	Rev    string `arg:"rev,required" doc:"commit, tag or branch to check out"`
	Target string `arg:"target,required" doc:"directory to clone it to"`
	Remote string `arg:"remote" default:"origin" doc:"name of the remote"`
	who
	ForceClone    bool   `arg:"force_clone" doc:"take away what is in target and is no repository"`
	ForceCheckout bool   `arg:"force_checkout" doc:"discard changes of files"`
	FetchRemote   bool   `arg:"fetch_remote" default:"true" doc:"ask the remote what rev is; without it what was fetched before counts"`
	HardReset     bool   `arg:"hard_reset" doc:"discard changes of files at every run"`
	Submodules    bool   `arg:"submodules" doc:"bring submodules to the commits that are wanted"`
	Encoding      string `arg:"output_encoding" doc:"taken for Salt: what git says is UTF-8"`
}

// latest is the clone that the commit is checked out in.
func (a *detachedArgs) latest() latestArgs {
	return latestArgs{Name: a.Name, Target: a.Target, Rev: a.Rev, who: a.who, Remote: a.Remote, ForceClone: a.ForceClone,
		Submodules: a.Submodules, FetchTags: true, UpdateHead: true, RefspecBranch: "*", RefspecTag: "*"}
}

// CheckArgs implements module.Checker.
func (a *detachedArgs) CheckArgs() error {
	l := a.latest()
	return l.CheckArgs()
}

func planDetached(ctx context.Context, h *host.Host, a detachedArgs) (module.Plan, error) {
	args := a.latest()
	c, err := a.client(ctx, h, &args.Name)
	if err != nil {
		return module.Plan{}, err
	}
	is, err := kindOf(h, a.Target)
	if err != nil {
		return module.Plan{}, err
	}
	if is == bare {
		return module.Plan{}, fmt.Errorf("cannot check out in %s: it is a repository without files", a.Target)
	}
	l := &latest{latestArgs: args, c: c}
	if is == tree && !a.FetchRemote {
		l.far = refs{}
		if l.want.sum, err = c.run(ctx, a.Target, "rev-parse", "--quiet", "--verify", a.Rev+"^{commit}"); err != nil {
			return module.Plan{}, fmt.Errorf("cannot find %q in %s: %w", a.Rev, a.Target, err)
		}
	} else if l.far, err = c.remoteRefs(ctx, args.Name); err == nil {
		l.want, err = l.far.resolve(a.Rev)
	}
	if err != nil {
		return module.Plan{}, err
	}
	if is != tree {
		p, err := l.clone(h, is)
		if err == nil && l.want.branch != "" {
			l.git(nil, "checkout", "--quiet", "--detach")
			p.Steps = l.plan.Steps
		}
		return p, err
	}
	return l.detach(ctx, a)
}

// detach plans the checkout in a repository that is there.
func (l *latest) detach(ctx context.Context, a detachedArgs) (module.Plan, error) {
	var err error
	if l.now, err = l.c.look(ctx, l.Target, l.Remote, false); err != nil {
		return module.Plan{}, err
	}
	l.remote()
	have, err := l.c.has(ctx, l.Target, l.want.sum)
	if err != nil {
		return module.Plan{}, err
	}
	if !have {
		l.git(nil, l.fetchArgs(false)...)
	}
	if a.HardReset && l.now.dirty {
		l.git(value.NewDict("forced update", true), "reset", "--quiet", "--hard", "HEAD", "--")
		l.now.dirty = false
	}
	if !same(l.now.head, l.want.sum) || l.now.branch != "" {
		if l.now.dirty && !a.ForceCheckout {
			return module.Plan{}, fmt.Errorf("cannot check out %s in %s: files have changes; set force_checkout to discard them", a.Rev, a.Target)
		}
		checkout := []string{"checkout", "--quiet", "--detach"}
		if a.ForceCheckout {
			checkout = append(checkout, "--force")
		}
		old := l.now.head
		if l.now.branch != "" {
			old = l.now.branch
		}
		l.git(value.NewDict("HEAD", replaced(old, l.want.sum)), append(checkout, l.want.sum, "--")...)
		l.plan.Did = fmt.Sprintf("Checked out %s as detached HEAD", l.want.sum)
	}
	if err := l.submodulesNow(ctx); err != nil {
		return module.Plan{}, err
	}
	l.plan.Same = fmt.Sprintf("HEAD of %s is at %s already", a.Target, short(l.want.sum))
	return l.plan, nil
}

type presentArgs struct {
	Name     string `arg:"name,required" doc:"the repository"`
	Force    bool   `arg:"force" doc:"take away what is in the directory and is no repository"`
	Bare     bool   `arg:"bare" default:"true" doc:"without files"`
	Template string `arg:"template" doc:"directory of templates"`
	Separate string `arg:"separate_git_dir" doc:"directory for what git keeps, in place of .git"`
	Shared   string `arg:"shared" doc:"who may write to it: group, all, or an octal mode"`
	User     string `arg:"user,alias=runas" doc:"user to make it as"`
	Password string `arg:"password" doc:"taken for Salt: only Windows needs it"`
	Encoding string `arg:"output_encoding" doc:"taken for Salt: what git says is UTF-8"`
}

func planPresent(ctx context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	is, err := kindOf(h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	if is == tree && !a.Bare || is == bare && a.Bare {
		return module.Plan{Same: fmt.Sprintf("Repository at %s exists", a.Name)}, nil
	}
	if is != absent && !a.Force {
		return module.Plan{}, fmt.Errorf("cannot make the repository %s: something else is there; set force to take it away", a.Name)
	}
	c, err := (&who{User: a.User}).client(ctx, h, nil)
	if err != nil {
		return module.Plan{}, err
	}
	l := &latest{c: c}
	changes := value.NewDict("new", a.Name)
	if is != absent {
		changes.Put("forced init", true)
		l.add(nil, func(context.Context) error { return clear(h, a.Name) })
	}
	l.git(changes, initArgs(h, a)...)
	l.plan.Did = fmt.Sprintf("Initialized repository %s", a.Name)
	return l.plan, nil
}

func initArgs(h *host.Host, a presentArgs) []string {
	args := []string{"init", "--quiet"}
	if a.Bare {
		args = append(args, "--bare")
	}
	if a.Template != "" {
		args = append(args, "--template="+h.Path(a.Template))
	}
	if a.Separate != "" {
		args = append(args, "--separate-git-dir="+h.Path(a.Separate))
	}
	if a.Shared != "" {
		args = append(args, "--shared="+a.Shared)
	}
	return append(args, "--", h.Path(a.Name))
}
