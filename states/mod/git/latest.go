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

type latestArgs struct {
	Name   string `arg:"name,required" doc:"URL or path of the repository"`
	Target string `arg:"target,required" doc:"directory to clone it to"`
	Rev    string `arg:"rev" default:"HEAD" doc:"branch, tag or commit to have; HEAD is the remote's own"`
	Branch string `arg:"branch" doc:"local branch to have it in; when absent the one that is checked out, whatever it is"`
	who
	UpdateHead    bool   `arg:"update_head" default:"true" doc:"move what is checked out; without it only fetch"`
	ForceCheckout bool   `arg:"force_checkout" doc:"discard changes of files when another branch is checked out"`
	ForceClone    bool   `arg:"force_clone,alias=force" doc:"take away what is in target and is no repository; force is its name in old trees"`
	ForceFetch    bool   `arg:"force_fetch" doc:"let references move backwards when they are fetched"`
	ForceReset    reset  `arg:"force_reset" doc:"discard local commits and changes of files; remote-changes keeps these as long as the remote does not move"`
	Submodules    bool   `arg:"submodules" doc:"bring submodules to the commits that are wanted"`
	Bare          bool   `arg:"bare" doc:"keep a repository without files"`
	Mirror        bool   `arg:"mirror" doc:"keep a copy of all references, without files"`
	Remote        string `arg:"remote" default:"origin" doc:"name of the remote"`
	FetchTags     bool   `arg:"fetch_tags" default:"true" doc:"fetch all tags"`
	SyncTags      bool   `arg:"sync_tags" default:"true" doc:"delete tags that the remote has no more"`
	Depth         int    `arg:"depth" doc:"fetch only so many commits"`
	RefspecBranch string `arg:"refspec_branch" default:"*" doc:"branches to fetch"`
	RefspecTag    string `arg:"refspec_tag" default:"*" doc:"tags to fetch"`
	Encoding      string `arg:"output_encoding" doc:"taken for Salt: what git says is UTF-8"`
}

// reset is a boolean or "remote-changes".
type reset string

func (r *reset) ArgType() string { return "boolean or remote-changes" }

func (r *reset) ParseArg(v module.Value) error {
	if s, err := v.Str(); err == nil && s == "remote-changes" {
		*r = "remote-changes"
		return nil
	}
	on, err := v.Bool()
	if err != nil {
		return v.Want("true, false or remote-changes")
	}
	if on {
		*r = "always"
	}
	return nil
}

// CheckArgs implements module.Checker.
func (a *latestArgs) CheckArgs() error {
	var errs []error
	for _, arg := range [][2]string{{"rev", a.Rev}, {"branch", a.Branch}, {"remote", a.Remote}, {"refspec_branch", a.RefspecBranch},
		{"refspec_tag", a.RefspecTag}} {
		if strings.HasPrefix(arg[1], "-") {
			errs = append(errs, fmt.Errorf("cannot use the %s %q: it begins with '-'", arg[0], arg[1]))
		}
	}
	if (a.Bare || a.Mirror) && (a.Branch != "" || a.Submodules) {
		errs = append(errs, errors.New(`cannot use "branch" or "submodules" with "bare" or "mirror": there are no files`))
	}
	if a.Depth < 0 {
		errs = append(errs, errors.New(`cannot use a "depth" below 0`))
	}
	return errors.Join(errs...)
}

// A latest is one look at both repositories, and what follows from it.
type latest struct {
	latestArgs
	c    *client
	want revision
	far  refs
	now  *repo
	plan module.Plan
}

func planLatest(ctx context.Context, h *host.Host, a latestArgs) (module.Plan, error) {
	c, err := a.client(ctx, h, &a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	l := &latest{latestArgs: a, c: c}
	is, err := kindOf(h, a.Target)
	if err != nil {
		return module.Plan{}, err
	}
	if l.far, err = c.remoteRefs(ctx, a.Name); err != nil {
		return module.Plan{}, err
	}
	if l.want, err = l.far.resolve(a.Rev); err != nil {
		return module.Plan{}, err
	}
	switch {
	case is == absent || is == foreign:
		return l.clone(h, is)
	case (is == bare) != (a.Bare || a.Mirror):
		return module.Plan{}, fmt.Errorf("cannot update %s: it is a repository %s files, and bare or mirror says otherwise", a.Target,
			map[bool]string{true: "without", false: "with"}[is == bare])
	}
	if l.now, err = c.look(ctx, a.Target, a.Remote, is == bare); err != nil {
		return module.Plan{}, err
	}
	if is == bare {
		return l.updateBare()
	}
	return l.update(ctx)
}

// add appends a step.
func (l *latest) add(changes *value.Dict, do func(context.Context) error) {
	l.plan.Steps = append(l.plan.Steps, module.Step{Changes: changes,
		Do: func(ctx context.Context) (module.Done, error) { return module.Done{}, do(ctx) }})
}

// git appends a step that is one command.
func (l *latest) git(changes *value.Dict, args ...string) {
	l.add(changes, func(ctx context.Context) error {
		_, err := l.c.run(ctx, l.Target, args...)
		return err
	})
}

func replaced(old, new string) *value.Dict {
	var was any
	if old != "" {
		was = old
	}
	return value.NewDict("old", was, "new", new)
}

// clone plans a repository where none is.
func (l *latest) clone(h *host.Host, is kind) (module.Plan, error) {
	if is == foreign && !l.ForceClone {
		return module.Plan{}, fmt.Errorf("cannot clone to %s: it exists, is not empty and no git repository; "+
			"set force_clone to take away what is in it", l.Target)
	}
	name := withoutSecrets(l.Name)
	changes := value.NewDict("new", name+" => "+l.Target, "revision", replaced("", l.want.sum))
	if is == foreign {
		changes.Put("forced clone", true)
		l.add(nil, func(context.Context) error { return clear(h, l.Target) })
	}
	l.add(changes, func(ctx context.Context) error {
		_, err := l.c.run(ctx, "", l.cloneArgs(h)...)
		return err
	})
	if !l.Bare && !l.Mirror {
		l.afterClone()
	}
	l.plan.Would = fmt.Sprintf("Repository %s would be cloned to %s", name, l.Target)
	l.plan.Did = fmt.Sprintf("%s cloned to %s", name, l.Target)
	return l.plan, nil
}

func (l *latest) cloneArgs(h *host.Host) []string {
	args := []string{"clone", "--quiet", "--origin", l.Remote}
	switch {
	case l.Mirror:
		args = append(args, "--mirror")
	case l.Bare:
		args = append(args, "--bare")
	case l.want.branch != "" || l.want.tag != "":
		args = append(args, "--branch", l.want.branch+l.want.tag)
	case l.Rev != "HEAD":
		args = append(args, "--no-checkout")
	}
	if l.Depth > 0 {
		args = append(args, fmt.Sprintf("--depth=%d", l.Depth))
	}
	if !l.FetchTags && l.want.tag == "" {
		args = append(args, "--no-tags")
	}
	return append(args, "--", l.Name, h.Path(l.Target))
}

// afterClone checks out what clone has not.
func (l *latest) afterClone() {
	if l.Rev != "HEAD" && l.want.branch == "" && l.want.tag == "" {
		if l.Depth > 0 {
			l.git(nil, "fetch", "--quiet", fmt.Sprintf("--depth=%d", l.Depth), l.Remote, l.want.sum)
		}
		l.git(nil, "checkout", "--quiet", "--detach", l.want.sum)
	}
	if l.Branch != "" {
		args := []string{"checkout", "--quiet", "-B", l.Branch}
		if l.want.branch != "" {
			args = append(args, "--track", l.Remote+"/"+l.want.branch)
		}
		l.git(nil, args...)
	}
	if l.Submodules {
		l.submodules(nil)
	}
}

func (l *latest) submodules(changes *value.Dict) {
	l.git(changes, "submodule", "--quiet", "update", "--init", "--recursive")
}
