package git

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// update plans what a repository needs that is there.
func (l *latest) update(ctx context.Context) (module.Plan, error) {
	l.remote()
	have, err := l.c.has(ctx, l.Target, l.want.sum)
	if err != nil {
		return module.Plan{}, err
	}
	l.fetch(have)
	if err := l.move(ctx, have); err != nil {
		return module.Plan{}, err
	}
	if err := l.submodulesNow(ctx); err != nil {
		return module.Plan{}, err
	}
	l.plan.Same = fmt.Sprintf("Repository %s is up-to-date", l.Target)
	changes := func(s module.Step) bool { return s.Changes.Len() > 0 }
	if !slices.ContainsFunc(l.plan.Steps, changes) {
		l.plan.Steps = nil
	}
	return l.plan, nil
}

// remote gives the remote its URL.
func (l *latest) remote() {
	if l.now.url == l.Name {
		return
	}
	changes := value.NewDict("remotes/"+l.Remote, replaced(withoutSecrets(l.now.url), withoutSecrets(l.Name)))
	if l.now.url == "" {
		l.git(changes, "remote", "add", "--", l.Remote, l.Name)
		return
	}
	l.git(changes, "remote", "set-url", "--", l.Remote, l.Name)
}

// fetch brings what is missing: the commit, tags.
func (l *latest) fetch(have bool) {
	changes := &value.Dict{}
	tags := l.now.refs.tags()
	all := l.FetchTags && l.RefspecTag == "*" && l.Depth == 0 // of a part of the commits git fetches a part of the tags
	if fresh := l.far.tags().missing(tags); all && len(fresh) > 0 {
		changes.Put("new_tags", texted(fresh))
	}
	known := l.now.refs["refs/remotes/"+l.Remote+"/"+l.want.branch]
	stale := !have || l.want.branch != "" && known != l.want.sum
	if stale && !l.UpdateHead {
		changes.Put("fetched", replaced(known, l.want.sum))
	}
	if stale || changes.Len() > 0 {
		l.git(changes, l.fetchArgs(have)...)
	}
	if gone := gone(tags, l.far.tags()); l.SyncTags && all && len(gone) > 0 {
		l.git(value.NewDict("deleted_tags", texted(gone)), append([]string{"tag", "--delete", "--"}, gone...)...)
	}
}

func texted(names []string) *value.List {
	l := &value.List{}
	for _, n := range names {
		l.Items = append(l.Items, n)
	}
	return l
}

// gone are the names of here that there has not.
func gone(here, there refs) []string {
	var names []string
	for _, name := range here.names() {
		if _, ok := there[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

func (l *latest) fetchArgs(have bool) []string {
	args := []string{"fetch", "--quiet"}
	if l.ForceFetch {
		args = append(args, "--force")
	}
	if l.Depth > 0 {
		args = append(args, fmt.Sprintf("--depth=%d", l.Depth))
	}
	if !l.FetchTags {
		args = append(args, "--no-tags")
	}
	args = append(args, "--", l.Remote, fmt.Sprintf("+refs/heads/%s:refs/remotes/%s/%s", l.RefspecBranch, l.Remote, l.RefspecBranch))
	if l.FetchTags && l.Depth == 0 {
		force := ""
		if l.ForceFetch || l.SyncTags {
			force = "+"
		}
		args = append(args, fmt.Sprintf("%srefs/tags/%s:refs/tags/%s", force, l.RefspecTag, l.RefspecTag))
	}
	if !have && l.want.branch == "" && l.want.tag == "" && l.Rev != "HEAD" && len(l.want.sum) >= 40 {
		args = append(args, l.want.sum) // no reference may lead to it
	}
	return args
}

// move plans the checkout of the branch and of the commit that are wanted.
func (l *latest) move(ctx context.Context, have bool) error {
	if !l.UpdateHead {
		return nil
	}
	base := l.now.head
	switching := l.Branch != "" && l.Branch != l.now.branch
	if switching {
		if l.now.dirty && !l.ForceCheckout {
			return fmt.Errorf("cannot check out the branch %s: files of %s have changes; set force_checkout to discard them", l.Branch, l.Target)
		}
		base = l.switchTo()
	}
	again := l.now.dirty && l.ForceReset == "always" && !switching
	if !same(base, l.want.sum) || again {
		if err := l.advance(ctx, base, have, switching); err != nil {
			return err
		}
	}
	l.upstream()
	return nil
}

// switchTo checks out the branch, and returns the commit that it has.
func (l *latest) switchTo() (base string) {
	args := []string{"checkout", "--quiet"}
	if l.ForceCheckout {
		args = append(args, "--force")
	}
	changes := value.NewDict("local branch", replaced(l.now.branch, l.Branch))
	if sum := l.now.refs["refs/heads/"+l.Branch]; sum != "" {
		l.git(changes, append(args, l.Branch, "--")...)
		return sum
	}
	l.git(changes, append(args, "-b", l.Branch, l.want.sum)...)
	if l.now.head != "" && !same(l.now.head, l.want.sum) {
		l.plan.Steps[len(l.plan.Steps)-1].Changes.Put("revision", replaced(l.now.head, l.want.sum))
	}
	return l.want.sum
}

// advance brings what is checked out to the commit that is wanted.
func (l *latest) advance(ctx context.Context, base string, have, switching bool) error {
	from, to := short(base), short(l.want.sum)
	if l.now.dirty && l.ForceReset == "" && !switching {
		return fmt.Errorf("cannot update %s from %s to %s: files have changes; set force_reset to discard them", l.Target, from, to)
	}
	if have && base != "" && l.ForceReset == "" {
		ok, err := l.c.ancestor(ctx, l.Target, base, l.want.sum)
		if err != nil {
			return err
		}
		if !ok && (l.now.branch != "" || switching) {
			return l.notForward(from, to)
		}
	}
	changes := value.NewDict()
	if !same(base, l.want.sum) {
		changes.Put("revision", replaced(l.now.head, l.want.sum))
	}
	l.plan.Would = fmt.Sprintf("Repository would be updated from %s to %s", from, to)
	l.plan.Did = fmt.Sprintf("Repository was updated from %s to %s", from, to)
	if l.ForceReset != "" {
		changes.Put("forced update", true)
		l.plan.Did = fmt.Sprintf("Repository was hard-reset from %s to %s", from, to)
	}
	l.add(changes, func(ctx context.Context) error { return l.moveNow(ctx, base, switching) })
	return nil
}

func (l *latest) notForward(from, to string) error {
	return fmt.Errorf("cannot update %s from %s to %s: that is no fast-forward; set force_reset to discard what is only here", l.Target, from, to)
}

// moveNow moves what is checked out, as the commits that are here now allow.
func (l *latest) moveNow(ctx context.Context, base string, switching bool) error {
	args := []string{"reset", "--quiet", "--hard", l.want.sum, "--"}
	switch {
	case l.ForceReset != "":
	case l.now.branch == "" && !switching:
		args = []string{"checkout", "--quiet", "--detach", l.want.sum, "--"}
	case base != "":
		ok, err := l.c.ancestor(ctx, l.Target, base, l.want.sum)
		if err == nil && !ok {
			err = l.notForward(short(base), short(l.want.sum))
		}
		if err != nil {
			return err
		}
		args = []string{"merge", "--quiet", "--ff-only", l.want.sum}
	}
	_, err := l.c.run(ctx, l.Target, args...)
	return err
}

// upstream lets the local branch follow that of the remote.
func (l *latest) upstream() {
	local := l.now.branch
	if l.Branch != "" {
		local = l.Branch
	}
	want := l.Remote + "/" + l.want.branch
	if local == "" || l.want.branch == "" || l.Branch == "" && l.now.upstream != "" || l.Branch == l.now.branch && l.now.upstream == want {
		return
	}
	var changes *value.Dict
	if l.Branch == "" || l.Branch == l.now.branch {
		changes = value.NewDict("upstream", replaced(l.now.upstream, want))
	}
	l.git(changes, "branch", "--quiet", "--set-upstream-to="+want, local)
}

// submodulesNow plans the update of submodules that are not at their commits, or may not be after an update.
func (l *latest) submodulesNow(ctx context.Context) error {
	if !l.Submodules {
		return nil
	}
	text, err := l.c.run(ctx, l.Target, "submodule", "status", "--recursive")
	if err != nil {
		return err
	}
	var behind []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && (line[0] == '-' || line[0] == '+') {
			behind = append(behind, f[1])
		}
	}
	switch {
	case len(behind) > 0:
		l.submodules(value.NewDict("submodules", texted(behind)))
	case len(l.plan.Steps) > 0:
		l.submodules(nil)
	}
	return nil
}

// updateBare plans the update of a repository without files: all its branches are the remote's.
func (l *latest) updateBare() (module.Plan, error) {
	l.remote()
	far, near := refs{}, refs{}
	for name, sum := range l.far {
		if l.isMirrored(name) {
			far[name] = sum
		}
	}
	for name, sum := range l.now.refs {
		if l.isMirrored(name) {
			near[name] = sum
		}
	}
	moved, dead := far.missing(near), gone(near, far)
	if len(moved)+len(dead) > 0 {
		changes := &value.Dict{}
		for _, name := range moved {
			changes.Put(name, replaced(near[name], far[name]))
		}
		for _, name := range dead {
			changes.Put(name, value.NewDict("old", near[name], "new", nil))
		}
		l.git(changes, l.mirrorArgs()...)
	}
	l.plan.Same = fmt.Sprintf("Repository %s is up-to-date", l.Target)
	return l.plan, nil
}

// isMirrored tells whether a reference is kept as the remote has it.
func (l *latest) isMirrored(name string) bool {
	if strings.HasSuffix(name, "^{}") {
		return false
	}
	return l.Mirror && strings.HasPrefix(name, "refs/") || strings.HasPrefix(name, "refs/heads/") ||
		l.FetchTags && strings.HasPrefix(name, "refs/tags/")
}

func (l *latest) mirrorArgs() []string {
	args := []string{"fetch", "--quiet", "--prune", "--force"}
	if l.Depth > 0 {
		args = append(args, fmt.Sprintf("--depth=%d", l.Depth))
	}
	args = append(args, "--", l.Remote)
	switch {
	case l.Mirror:
		return append(args, "+refs/*:refs/*")
	case l.FetchTags:
		return append(args, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
	}
	return append(args, "+refs/heads/*:refs/heads/*")
}
