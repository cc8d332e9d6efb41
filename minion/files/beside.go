package files

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"

	pb "brine/proto"
	"brine/proto/spell"
	"brine/states/host"
	"brine/states/sls"
)

// beside are the environments that a job has the files of, its own among them. Their manifests are fetched when they are
// asked for.
type beside struct {
	ctx    context.Context // of the job
	others map[string]*pb.EnvironmentTree

	mu    sync.Mutex // guards the field below
	trees map[string]*Tree
}

// Beside gives a tree the environments beside its own that the job names. It is called before the tree is used, with the
// job's context.
func (t *Tree) Beside(ctx context.Context, others []*pb.EnvironmentTree) {
	if len(others) == 0 {
		return
	}
	t.beside = &beside{ctx: ctx, others: map[string]*pb.EnvironmentTree{}, trees: map[string]*Tree{t.env: t}}
	for _, e := range others {
		t.beside.others[e.GetName()] = e
	}
}

// Environments are those that the masters have, in order of name.
func (t *Tree) Environments() []string {
	return t.names(func(*pb.EnvironmentTree) bool { return true })
}

func (t *Tree) names(counts func(*pb.EnvironmentTree) bool) []string {
	names := []string{t.env}
	if t.beside != nil {
		names = names[:0]
		for env := range t.beside.trees {
			names = append(names, env)
		}
		for env, e := range t.beside.others {
			if counts(e) {
				names = append(names, env)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// In is the same tree for those who stand in another environment: URLs that name none mean that one.
func (t *Tree) In(env string) (host.Files, error) {
	if t.beside == nil {
		return t.tree(context.Background(), env)
	}
	return t.tree(t.beside.ctx, env)
}

// tree returns the files of an environment of the job.
func (t *Tree) tree(ctx context.Context, env string) (*Tree, error) {
	if env == "" || env == t.env {
		return t, nil
	}
	b := t.beside
	if b == nil {
		return nil, fmt.Errorf("this job has the files of environment %q only", t.env)
	}
	b.mu.Lock()
	known := b.trees[env]
	b.mu.Unlock()
	if known != nil {
		return known, nil
	}
	e := b.others[env]
	switch {
	case e == nil:
		return nil, fmt.Errorf("there is no environment %q%s", env, spell.DidYouMean(env, t.Environments()))
	case e.Tree == "":
		return nil, fmt.Errorf("this job has no files of environment %q: %s", env, e.Why)
	}
	other, err := t.client.Tree(ctx, e.Tree, env)
	if err != nil {
		return nil, fmt.Errorf("cannot read environment %q: %w", env, err)
	}
	other.beside = b
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trees[env] == nil {
		b.trees[env] = other
	}
	return b.trees[env], nil
}

// at is what a URL means: a path in the tree of an environment.
func (t *Tree) at(ctx context.Context, rawURL string) (*Tree, string, error) {
	env := t.env
	if _, query, ok := strings.Cut(rawURL, "?"); ok && strings.HasPrefix(rawURL, "salt://") {
		options, err := url.ParseQuery(query)
		if err != nil {
			return nil, "", fmt.Errorf("cannot fetch %q: %v", rawURL, err)
		}
		env = options.Get("saltenv")
	}
	in, err := t.tree(ctx, env)
	if err != nil {
		return nil, "", fmt.Errorf("cannot fetch %q: %w", rawURL, err)
	}
	path, err := pathOf(rawURL, in.env)
	return in, path, err
}

// Trees are the environments that SLS and top files may reach; nil for that of the tree alone.
func (t *Tree) Trees() sls.Trees {
	if t.beside == nil {
		return nil
	}
	return reach{t}
}

type reach struct{ *Tree }

var _ sls.Trees = reach{}

// Environments are those whose files the job has.
func (r reach) Environments() []string {
	return r.names(func(e *pb.EnvironmentTree) bool { return e.Tree != "" })
}

func (r reach) Source(env string) (sls.Source, error) {
	if _, ok := r.beside.others[env]; !ok && r.beside.trees[env] == nil {
		return nil, fmt.Errorf("environment %q: %w", env, fs.ErrNotExist)
	}
	return r.tree(r.beside.ctx, env)
}
