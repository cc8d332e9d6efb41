package fileserver_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/master/fileserver"
	"brine/proto"
	"brine/proto/manifest"
)

// layers are files as a repository would give them.
type layers struct {
	server *fileserver.Server
	envs   map[string]map[string]string // environment -> path -> content
	known  map[string]*proto.File       // what was handed over, by content
}

func (l *layers) Environments() []string { return slices.Sorted(maps.Keys(l.envs)) }

func (l *layers) Files(_ context.Context, env string) (files []*proto.File, from []string, err error) {
	if l.envs[env] == nil {
		return nil, nil, fmt.Errorf("no %s: %w", env, fs.ErrNotExist)
	}
	for path, content := range l.envs[env] {
		if l.known[content] == nil {
			sum, size, err := l.server.Keep(bytes.NewReader([]byte(content)))
			if err != nil {
				return nil, nil, err
			}
			l.known[content] = &proto.File{Sha256: sum, Size: size}
		}
		k := l.known[content]
		files = append(files, &proto.File{Path: path, Mode: 0o644, Sha256: k.Sha256, Size: k.Size})
	}
	return files, []string{"commit of " + env}, nil
}

func (l *layers) Forget() { clear(l.known) }

// content is what a server gives for every file of an environment.
func content(t *testing.T, s *fileserver.Server, env string) (map[string]string, []string) {
	t.Helper()
	tree, from, err := s.TreeFrom(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := s.Chunk(tree, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	list, err := manifest.Parse(tree, data)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range list.Files {
		data, _, err := s.Chunk(fmt.Sprintf("%x", f.Sha256), 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Path] = string(data)
	}
	return out, from
}

func TestLayersLieBesideDirectories(t *testing.T) {
	for _, first := range []bool{false, true} {
		l := &layers{known: map[string]*proto.File{}, envs: map[string]map[string]string{
			"base": {"same": "layer", "layer": "layer"}, "dev": {"x": "dev"},
		}}
		root, blobs := t.TempDir(), t.TempDir()
		for _, name := range []string{"same", "root"} {
			if err := os.WriteFile(filepath.Join(root, name), []byte("root"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s, err := fileserver.New(fileserver.Options{
			Dir: blobs, Roots: map[string][]string{"base": {root}, "prod": {root}}, Layers: l, First: first,
		})
		if err != nil {
			t.Fatal(err)
		}
		l.server = s
		want := map[string]string{"same": "root", "root": "root", "layer": "layer"}
		if first {
			want["same"] = "layer"
		}
		wants := func(env string, want map[string]string, from ...string) {
			t.Helper()
			if got, of := content(t, s, env); !maps.Equal(got, want) || !slices.Equal(of, from) {
				t.Errorf("first %v, environment %s: got %v from %v, want %v from %v", first, env, got, of, want, from)
			}
		}
		wants("", want, "commit of base")
		wants("dev", map[string]string{"x": "dev"}, "commit of dev")
		wants("prod", map[string]string{"same": "root", "root": "root"})
		l.envs["new"] = map[string]string{"x": "new"}
		wants("new", map[string]string{"x": "new"}, "commit of new")
		delete(l.envs, "new")
		if _, err := s.Tree(t.Context(), "new"); err == nil || !strings.Contains(err.Error(), "file_roots and gitfs have base, dev, prod") {
			t.Errorf("an environment that is gone: got %v", err)
		}
		// Somebody empties the directory of the blobs, and the server starts anew.
		if err := os.RemoveAll(blobs); err != nil {
			t.Fatal(err)
		}
		if s, err = fileserver.New(fileserver.Options{Dir: blobs, Roots: map[string][]string{"base": {root}}, Layers: l, First: first}); err != nil {
			t.Fatal(err)
		}
		l.server = s
		wants("", want, "commit of base")
	}
}
