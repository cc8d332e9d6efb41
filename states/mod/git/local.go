package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"brine/states/host"
)

// A kind is what a directory is to git.
type kind int

const (
	absent  kind = iota // not there, or empty
	foreign             // something else
	tree                // a repository with files
	bare                // a repository without
)

func kindOf(h *host.Host, dir string) (kind, error) {
	if !path.IsAbs(dir) {
		return absent, fmt.Errorf("cannot use the directory %q: want an absolute path", dir)
	}
	entries, err := os.ReadDir(h.Path(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent, nil
	case err != nil:
		if st, bad := os.Stat(h.Path(dir)); bad == nil && !st.IsDir() {
			return foreign, nil
		}
		return absent, fmt.Errorf("cannot look at %s: %w", dir, err)
	case len(entries) == 0:
		return absent, nil
	}
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(h.Path(dir), name))
		return err == nil
	}
	switch {
	case there(".git"):
		return tree, nil
	case there("HEAD") && there("objects") && there("refs"):
		return bare, nil
	}
	return foreign, nil
}

// clear takes away what is in the way of a repository, but not the directory itself, whose owner counts.
func clear(h *host.Host, dir string) error {
	name := h.Path(dir)
	st, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !st.IsDir() {
		return errors.Join(err, os.Remove(name))
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		err = errors.Join(err, root.RemoveAll(e.Name()))
	}
	return err
}

// A repo is a repository of this host, as it is now.
type repo struct {
	head     string // the commit that is checked out; "" before the first
	branch   string // "" when no branch is checked out
	url      string // of the remote; "" when there is none
	upstream string // of branch, such as origin/main
	dirty    bool   // files that git knows differ from the commit
	refs     refs
}

func (c *client) look(ctx context.Context, dir, remote string, isBare bool) (*repo, error) {
	r := &repo{}
	var err, bad error
	keep := func(text string, _ bool, e error) string {
		bad = errors.Join(bad, e)
		return text
	}
	r.branch = keep(c.ask(ctx, dir, "symbolic-ref", "--quiet", "--short", "HEAD"))
	r.head = keep(c.ask(ctx, dir, "rev-parse", "--quiet", "--verify", "HEAD^{commit}"))
	r.url = keep(c.ask(ctx, dir, "config", "--get", "remote."+remote+".url"))
	r.refs = parseRefs(keep(c.ask(ctx, dir, "show-ref")), " ")
	if !isBare && r.head != "" {
		var changed string
		changed, err = c.run(ctx, dir, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
		r.dirty = changed != ""
	}
	if r.branch != "" {
		name := keep(c.ask(ctx, dir, "config", "--get", "branch."+r.branch+".remote"))
		if merge := keep(c.ask(ctx, dir, "config", "--get", "branch."+r.branch+".merge")); name != "" && merge != "" {
			r.upstream = name + "/" + path.Base(merge)
			if rest, ok := cutHeads(merge); ok {
				r.upstream = name + "/" + rest
			}
		}
	}
	if err = errors.Join(bad, err); err != nil {
		return nil, fmt.Errorf("cannot look at the repository %s: %w", dir, err)
	}
	return r, nil
}

func cutHeads(ref string) (string, bool) {
	const heads = "refs/heads/"
	if len(ref) > len(heads) && ref[:len(heads)] == heads {
		return ref[len(heads):], true
	}
	return "", false
}

// has tells whether a commit is in the repository already.
func (c *client) has(ctx context.Context, dir, sum string) (bool, error) {
	out, err := c.exec(ctx, dir, "cat-file", "-e", sum+"^{commit}")
	return err == nil && out.Code == 0, err
}

// ancestor tells whether one commit leads to another.
func (c *client) ancestor(ctx context.Context, dir, old, new string) (bool, error) {
	_, ok, err := c.ask(ctx, dir, "merge-base", "--is-ancestor", old, new)
	return ok, err
}
