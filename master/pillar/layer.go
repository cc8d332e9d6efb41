package pillar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/sls"
)

// A layer is the environments of one Trees, as they were at one time. As host.Files it only tells which files there are.
type layer map[string]sls.Source

var (
	_ sls.Trees  = layer{}
	_ host.Files = layer{}
)

// Environments returns the names of all, that of base first.
func (l layer) Environments() []string {
	return slices.SortedFunc(maps.Keys(l), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

func rank(env string) int {
	if env == base {
		return 0
	}
	return 1
}

// Source returns the tree of one.
func (l layer) Source(env string) (sls.Source, error) {
	if src := l[env]; src != nil {
		return src, nil
	}
	return nil, fmt.Errorf("environment %q: %w", env, fs.ErrNotExist)
}

func (l layer) empty() bool {
	for _, src := range l {
		if len(src.Paths()) > 0 {
			return false
		}
	}
	return true
}

// Stat finds a file of the environment that a url names, or of any.
func (l layer) Stat(ctx context.Context, rawURL string) (host.File, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(rawURL, "salt://"), "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		return host.File{}, err
	}
	for env, src := range l {
		if only := options.Get("saltenv"); only != "" && only != env {
			continue
		}
		if data, err := src.Open(ctx, path); err == nil {
			return host.File{Size: int64(len(data))}, nil
		}
	}
	return host.File{}, fs.ErrNotExist
}

var errNotHere = errors.New("pillar is made of files of its own: no others are there")

// Fetch returns an error.
func (l layer) Fetch(context.Context, string) (string, error) { return "", errNotHere }

// Cached returns an error.
func (l layer) Cached(context.Context, string) (string, error) { return "", errNotHere }

// List returns an error.
func (l layer) List(context.Context, string) ([]string, error) { return nil, errNotHere }
