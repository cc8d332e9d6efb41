package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"brine/states/host"
	"brine/states/sls"
)

// served tells states which files the tree has. They have no copies: nothing is written on a master.
type served struct{ sls.Source }

var _ host.Files = served{}

var errNoCopy = errors.New("cannot have a copy of a file: an orchestration writes none on a master")

// Stat tells that a file is there.
func (s served) Stat(ctx context.Context, url string) (host.File, error) {
	path, _, _ := strings.Cut(strings.TrimPrefix(url, "salt://"), "?")
	data, err := s.Open(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return host.File{}, fmt.Errorf("%s: %w", url, fs.ErrNotExist)
	}
	return host.File{Size: int64(len(data)), Mode: 0o644}, err
}

// Fetch refuses.
func (served) Fetch(context.Context, string) (string, error) { return "", errNoCopy }

// List returns the paths below a directory.
func (s served) List(_ context.Context, url string) ([]string, error) {
	path, _, _ := strings.Cut(strings.TrimPrefix(url, "salt://"), "?")
	var all []string
	for _, p := range s.Paths() {
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(path, "/")+"/"); ok {
			all = append(all, rest)
		}
	}
	return all, nil
}
