package gitfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// remote is a repository and its copy on this machine. In the copy refs/fetched
// are what the repository has, and refs/served what passed all checks.
type remote struct {
	c        Remote
	dir      string
	git      *git
	log      hclog.Logger
	keep     keeper
	changed  func(context.Context)
	keys     *keyring // nil: signatures don't matter
	interval time.Duration
	timeout  time.Duration
	poke     chan struct{}

	now   atomic.Pointer[served]
	first chan struct{} // closed when something was fetched, or was found in the copy, or fetching has failed

	firstOnce sync.Once
	loading   sync.Mutex // held while a tree is read, before mu

	mu       sync.Mutex        // guards the fields below
	trees    map[string]*tree  // by commit
	verdicts map[string]string // by commit: "" is well signed, else why not
	begun    time.Time         // of the last fetch that has ended
	ended    chan struct{}     // closed when the next has ended
	fetched  time.Time
	problems []string // of the last fetch
}

// served is what a remote gives at one time. Nobody changes it.
type served struct {
	known bool              // it was fetched at least once
	refs  map[string]string // heads/NAME, tags/NAME, commits/ID -> commit
	envs  map[string]string // environment -> ref

	refused map[string]string // environments that there would be, and why there is nothing of them
}

const (
	defaultInterval = 60 * time.Second
	fetchedRefs     = "refs/fetched/"
	servedRefs      = "refs/served/"
)

// open prepares the copy of a remote and reads what it served last.
func (s *Set) open(ctx context.Context, c Remote) (*remote, error) {
	if problems := c.problems(); len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	r := &remote{
		c: c, git: s.git, dir: filepath.Join(s.git.home, c.id()), log: s.log.With("remote", c.String()), keep: s.o.Keep, changed: s.o.Changed,
		interval: duration(c.UpdateInterval, cmp.Or(s.o.Interval, defaultInterval)), timeout: duration(c.FetchTimeout, defaultTimeout),
		poke: make(chan struct{}, 1), first: make(chan struct{}), ended: make(chan struct{}), trees: map[string]*tree{}, verdicts: map[string]string{},
	}
	r.now.Store(&served{})
	var err error
	if r.keys, err = newKeyring(c.RequireSign); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	refs, err := r.list(ctx, servedRefs)
	if err != nil {
		r.log.Warn("the copy of the repository is damaged; it is fetched anew", "err", err)
		return r, errors.Join(os.RemoveAll(r.dir), r.prepare(ctx))
	}
	var refused map[string]string
	if r.keys != nil { // the keys that are asked for may have become others
		all := maps.Clone(refs)
		why := r.unsigned(ctx, refs)
		for ref := range why {
			delete(refs, ref)
		}
		refused = r.nothingOf(all, refs, why)
	}
	if len(refs) > 0 {
		r.serve(refs, refused)
		r.firstOnce.Do(func() { close(r.first) })
	}
	return r, nil
}

func duration(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return otherwise
}

// prepare makes the copy, if it is not there. What a killed git left locked is freed: nobody else works here.
func (r *remote) prepare(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.dir, "HEAD")); err != nil {
		if err := os.MkdirAll(r.dir, 0o700); err != nil {
			return err
		}
		if _, err := r.run(ctx, nil, "init", "--quiet", "--bare", "--template="); err != nil {
			return err
		}
	}
	return filepath.WalkDir(r.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, ".lock") {
			err = os.Remove(path)
		}
		return err
	})
}

func (r *remote) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	return r.git.run(ctx, command{dir: r.dir, args: args, stdin: stdin})
}

func (r *remote) served() *served { return r.now.Load() }

func (r *remote) serve(refs, refused map[string]string) {
	now := &served{known: true, refs: refs, envs: r.c.environments(refs), refused: refused}
	for env := range refused {
		delete(now.envs, env) // also where another ref has the name
	}
	r.now.Store(now)
}

// nothingOf are the environments that all refs would make and that those which are served don't, with why.
func (r *remote) nothingOf(all, refs, why map[string]string) map[string]string {
	out := map[string]string{}
	for env, ref := range r.c.environments(all) {
		if text := why[ref]; text != "" && refs[ref] == "" {
			out[env] = fmt.Sprintf("%s at %s is refused: %s", short(ref), brief(all[ref]), text)
		}
	}
	return out
}

// loop fetches now, at the interval and when poked.
func (r *remote) loop(ctx context.Context) {
	tick := time.NewTicker(r.interval)
	defer tick.Stop()
	for {
		r.update(ctx)
		select {
		case <-tick.C:
		case <-r.poke:
		case <-ctx.Done():
			return
		}
	}
}

// update fetches, and takes over what passes.
func (r *remote) update(ctx context.Context) {
	begun, old := time.Now(), r.served()
	problems, err := r.fetch(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		problems = []string{err.Error()}
	}
	r.tell(begun, problems, err == nil)
	r.firstOnce.Do(func() { close(r.first) })
	if r.served() != old && r.changed != nil {
		r.changed(ctx)
	}
	r.tidy(ctx)
}

// wait returns when a fetch has ended that has not begun before since.
func (r *remote) wait(ctx context.Context, since time.Time) {
	for {
		r.mu.Lock()
		begun, ended := r.begun, r.ended
		r.mu.Unlock()
		if !begun.Before(since) {
			return
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return
		}
	}
}

// tell notes how the fetch went, and logs what is new.
func (r *remote) tell(begun time.Time, problems []string, fetched bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.ended)
	r.begun, r.ended = begun, make(chan struct{})
	if fetched {
		r.fetched = time.Now()
	}
	for _, p := range problems {
		if !slices.Contains(r.problems, p) {
			r.log.Warn("git remote has a problem; the last good files are served", "err", p)
		}
	}
	if len(problems) == 0 && len(r.problems) > 0 {
		r.log.Info("git remote is well again")
	}
	r.problems = problems
}

// fetch brings refs/fetched up to date and serves of them what is good. An
// error is of all of them; problems are of some.
func (r *remote) fetch(ctx context.Context) (problems []string, err error) {
	flags, env, err := r.c.access()
	if err != nil {
		return nil, err
	}
	args := []string{"fetch", "--quiet", "--prune", "--force", "--no-tags", "--no-recurse-submodules",
		"--", r.c.URL, "+refs/heads/*:" + fetchedRefs + "heads/*", "+refs/tags/*:" + fetchedRefs + "tags/*"}
	if _, err := r.git.run(ctx, command{dir: r.dir, flags: flags, args: args, env: env, limit: r.timeout}); err != nil {
		return nil, fmt.Errorf("cannot fetch: %w", err)
	}
	refs, err := r.list(ctx, fetchedRefs)
	if err != nil {
		return nil, err
	}
	if len(refs) == 0 {
		return nil, errors.New("the repository has no branch and no tag")
	}
	return r.take(ctx, refs)
}

// take serves refs. One that is not good stays at the commit that was served.
func (r *remote) take(ctx context.Context, refs map[string]string) (problems []string, err error) {
	old := r.served()
	refused := map[string]string{}
	if r.keys != nil {
		refused = r.unsigned(ctx, refs)
	}
	for ref, env := range r.wanted(refs) {
		if _, bad := refused[ref]; bad || old.refs[ref] == refs[ref] {
			continue
		}
		if _, err := r.load(ctx, refs[ref]); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			refused[ref] = fmt.Sprintf("cannot read environment %s: %v", env, err)
		}
	}
	all := maps.Clone(refs)
	for _, ref := range slices.Sorted(maps.Keys(refused)) {
		text := fmt.Sprintf("%s at %s is refused: %s", short(ref), brief(refs[ref]), refused[ref])
		if commit := old.refs[ref]; commit != "" {
			refs[ref] = commit
			text += "; " + brief(commit) + " is served"
		} else {
			delete(refs, ref)
		}
		problems = append(problems, text)
	}
	for _, name := range r.c.named() {
		if r.c.find(refs, name) == "" && refs["commits/"+name] == "" && !hasRefused(refused, name) {
			problems = append(problems, fmt.Sprintf("there is no branch or tag %s", name))
		}
	}
	problems = append(problems, r.c.hidden(all)...)
	nothing := r.nothingOf(all, refs, refused)
	if maps.Equal(old.refs, refs) && maps.Equal(old.refused, nothing) && old.known {
		return problems, nil
	}
	if err := r.store(ctx, old.refs, refs); err != nil {
		return nil, err
	}
	r.serve(refs, nothing)
	r.log.Info("git remote fetched", "environments", len(r.served().envs))
	return problems, nil
}

func hasRefused(refused map[string]string, name string) bool {
	return refused["heads/"+name] != "" || refused["tags/"+name] != "" || refused["commits/"+name] != ""
}

// wanted are the refs whose trees are read before they are served: those of
// environments that somebody uses, and base.
func (r *remote) wanted(refs map[string]string) map[string]string {
	used := map[string]bool{"base": true}
	old := r.served()
	r.mu.Lock()
	for env, ref := range old.envs {
		if _, ok := r.trees[old.refs[ref]]; ok {
			used[env] = true
		}
	}
	r.mu.Unlock()
	out := map[string]string{}
	for env, ref := range r.c.environments(refs) {
		if used[env] {
			out[ref] = env
		}
	}
	return out
}

// store writes refs/served, for the next start and so that git keeps the objects.
func (r *remote) store(ctx context.Context, old, refs map[string]string) error {
	var gone, set strings.Builder
	for ref := range old {
		if _, ok := refs[ref]; !ok {
			fmt.Fprintf(&gone, "delete %s%s\n", servedRefs, ref)
		}
	}
	for ref, commit := range refs {
		if old[ref] != commit {
			fmt.Fprintf(&set, "update %s%s %s\n", servedRefs, ref, commit)
		}
	}
	for _, text := range []string{gone.String(), set.String()} { // a/b can only come when a has gone
		if text == "" {
			continue
		}
		if _, err := r.run(ctx, []byte(text), "update-ref", "--stdin"); err != nil {
			return err
		}
	}
	return nil
}

// list reads refs: of branches and tags the commits that they lead to.
func (r *remote) list(ctx context.Context, under string) (map[string]string, error) {
	out, err := r.run(ctx, nil, "for-each-ref", "--format=%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)", under)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		ref, ok := strings.CutPrefix(f[0], under)
		switch {
		case !ok || len(f) < 3:
		case f[1] == "commit":
			refs[ref] = f[2]
		case len(f) == 5 && f[3] == "commit":
			refs[ref] = f[4]
		}
	}
	if under == fetchedRefs {
		r.addCommits(ctx, refs)
	}
	return refs, nil
}

// addCommits adds the commits that the configuration names, if the repository has them.
func (r *remote) addCommits(ctx context.Context, refs map[string]string) {
	for _, id := range r.c.commits() {
		if _, err := r.run(ctx, nil, "cat-file", "-e", id+"^{commit}"); err == nil {
			refs["commits/"+id] = id
		}
	}
}

// tidy packs what many fetches have left.
func (r *remote) tidy(ctx context.Context) {
	auto, args := []string{"-c", "gc.auto=2000"}, []string{"gc", "--auto", "--quiet"}
	if _, err := r.git.run(ctx, command{dir: r.dir, flags: auto, args: args, limit: r.timeout}); err != nil && ctx.Err() == nil {
		r.log.Warn("cannot tidy the copy of a repository", "err", err)
	}
}

func (r *remote) status() Status {
	now := r.served()
	st := Status{Remote: r.c.String(), Commits: map[string]string{}}
	for env, ref := range now.envs {
		st.Commits[env] = now.refs[ref]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st.Fetched, st.Problems = r.fetched, slices.Clone(r.problems)
	return st
}

func short(ref string) string {
	kind, name, _ := strings.Cut(ref, "/")
	return map[string]string{"heads": "branch ", "tags": "tag ", "commits": "commit "}[kind] + name
}

func brief(commit string) string { return commit[:min(12, len(commit))] }
