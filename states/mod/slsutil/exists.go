package slsutil

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"brine/states/host"
)

type pathArgs struct {
	Path    string `arg:"path,required" doc:"a path from the root of the masters' files, with or without salt://"`
	Saltenv string `arg:"saltenv" doc:"the environment of the files; the job's when absent"`
}

// at is the URL of a path of the masters' files.
func at(name, saltenv string) string {
	u := "salt://" + strings.Trim(strings.TrimPrefix(name, "salt://"), "/")
	if saltenv != "" {
		u += "?saltenv=" + url.QueryEscape(saltenv)
	}
	return u
}

func fileExists(ctx context.Context, h *host.Host, a pathArgs) (bool, error) {
	if h.Files == nil {
		return false, errors.New("cannot look for files: this host has no masters that serve any")
	}
	_, err := h.Files.Stat(ctx, at(a.Path, a.Saltenv))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func dirExists(ctx context.Context, h *host.Host, a pathArgs) (bool, error) {
	if h.Files == nil {
		return false, errors.New("cannot look for files: this host has no masters that serve any")
	}
	below, err := h.Files.List(ctx, at(a.Path, a.Saltenv))
	return len(below) > 0, err
}

func pathExists(ctx context.Context, h *host.Host, a pathArgs) (bool, error) {
	if is, err := fileExists(ctx, h, a); is || err != nil {
		return is, err
	}
	return dirExists(ctx, h, a)
}

type findupArgs struct {
	Start   string   `arg:"startpath,required" doc:"where to begin: a directory or file, from the root of the masters' files"`
	Names   []string `arg:"filenames,required" doc:"what to look for; of a list the first that is there"`
	Saltenv string   `arg:"saltenv" doc:"the environment of the files; the job's when absent"`
}

// findup looks in a directory and then in those above it.
func findup(ctx context.Context, h *host.Host, a findupArgs) (string, error) {
	start := strings.Trim(strings.TrimPrefix(a.Start, "salt://"), "/")
	dir := start
	if is, err := fileExists(ctx, h, pathArgs{start, a.Saltenv}); err != nil {
		return "", err
	} else if is {
		dir = path.Dir(start)
	} else if there, err := dirExists(ctx, h, pathArgs{start, a.Saltenv}); err != nil || start != "" && !there {
		return "", errors.Join(err, fmt.Errorf("cannot begin at %q: the masters' files have no such path", a.Start))
	}
	for dir = root(dir); ; dir = root(path.Dir(dir)) {
		for _, name := range a.Names {
			full := path.Join(dir, name)
			if is, err := pathExists(ctx, h, pathArgs{full, a.Saltenv}); is || err != nil {
				return full, err
			}
		}
		if dir == "" {
			return "", fmt.Errorf("cannot find %s in %q and above it", strings.Join(a.Names, " or "), a.Start)
		}
	}
}

// root is the name of a directory, in which the root has none.
func root(dir string) string {
	if dir == "." {
		return ""
	}
	return dir
}
