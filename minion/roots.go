package minion

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"brine/minion/files"
	"brine/states/host"
	"brine/states/sls"
)

// roots are local directories by environment, for runs without a master. They serve states/sls and modules.
type roots struct {
	env  string // that urls without one mean
	dirs map[string]*files.Dirs
}

var (
	_ sls.Trees  = (*roots)(nil)
	_ host.Files = (*roots)(nil)
)

var ofEnv = regexp.MustCompile(`^([A-Za-z0-9_.-]+)=(.*)$`)

// newRoots reads directories as typed: DIR is of the run's environment, ENV=DIR of another.
func newRoots(env string, typed []string) (*roots, error) {
	dirs := map[string][]string{env: nil}
	for _, dir := range typed {
		in := env
		if m := ofEnv.FindStringSubmatch(dir); m != nil {
			in, dir = m[1], m[2]
		}
		st, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("cannot read the directory of environment %q: %w", in, err)
		}
		if !st.IsDir() {
			return nil, fmt.Errorf("cannot read the directory of environment %q: %s is a file", in, dir)
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		dirs[in] = append(dirs[in], abs)
	}
	r := &roots{env: env, dirs: map[string]*files.Dirs{}}
	for in, list := range dirs {
		r.dirs[in] = files.NewDirs(in, list...)
	}
	return r, nil
}

// own is the tree of the run's environment.
func (r *roots) own() *files.Dirs { return r.dirs[r.env] }

// In is the same for those who stand in another environment.
func (r *roots) In(env string) (host.Files, error) {
	if r.dirs[env] == nil {
		return nil, fmt.Errorf("environment %q: %w", env, fs.ErrNotExist)
	}
	return &roots{env, r.dirs}, nil
}

// Environments returns the names in order.
func (r *roots) Environments() []string {
	var names []string
	for env := range r.dirs {
		names = append(names, env)
	}
	slices.Sort(names)
	return names
}

// Source returns the tree of an environment.
func (r *roots) Source(env string) (sls.Source, error) {
	if d := r.dirs[env]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("environment %q: %w", env, fs.ErrNotExist)
}

// Stat describes a file.
func (r *roots) Stat(ctx context.Context, rawURL string) (host.File, error) {
	d, err := r.of(rawURL)
	if err != nil {
		return host.File{}, err
	}
	return d.Stat(ctx, rawURL)
}

// Fetch returns the path of a file.
func (r *roots) Fetch(ctx context.Context, rawURL string) (string, error) {
	d, err := r.of(rawURL)
	if err != nil {
		return "", err
	}
	return d.Fetch(ctx, rawURL)
}

// Cached returns the path of a file: it is here.
func (r *roots) Cached(ctx context.Context, rawURL string) (string, error) {
	return r.Fetch(ctx, rawURL)
}

// List returns the files below a directory.
func (r *roots) List(ctx context.Context, rawURL string) ([]string, error) {
	d, err := r.of(rawURL)
	if err != nil {
		return nil, err
	}
	return d.List(ctx, rawURL)
}

// Shape tells of directories without files, and of links.
func (r *roots) Shape(ctx context.Context, rawURL string) (empty []string, links map[string]string, err error) {
	d, err := r.of(rawURL)
	if err != nil {
		return nil, nil, err
	}
	return d.Shape(ctx, rawURL)
}

// of returns the tree that a salt:// URL speaks of.
func (r *roots) of(rawURL string) (*files.Dirs, error) {
	_, query, _ := strings.Cut(rawURL, "?")
	options, err := url.ParseQuery(query)
	env := options.Get("saltenv")
	if err != nil || env == "" {
		return r.own(), nil // which tells what is wrong with it
	}
	if d := r.dirs[env]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("cannot fetch %q: there is no environment %q: %w", rawURL, env, fs.ErrNotExist)
}
