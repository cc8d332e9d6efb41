package files

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	pb "brine/proto"
	"brine/proto/manifest"
	"brine/states/host"
)

// A Tree is the files that one job sees, whatever changes on the masters
// meanwhile. It serves states/sls as its source and modules as host.Files. It
// may be used from many goroutines.
type Tree struct {
	client *Client
	env    string
	list   *pb.Manifest
	beside *beside // nil for its environment alone
}

var (
	_ host.Files  = (*Tree)(nil)
	_ host.Pourer = (*Tree)(nil)
)

// Tree fetches the manifest of a tree by its id; env is the environment that
// it stands for, "" for base. The empty id is the tree without files.
func (c *Client) Tree(ctx context.Context, id, env string) (*Tree, error) {
	t := &Tree{client: c, env: cmp.Or(env, "base"), list: &pb.Manifest{}}
	if id == "" {
		return t, nil
	}
	path, err := c.Blob(ctx, id, -1)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if t.list, err = manifest.Parse(id, data); err != nil {
		return nil, err
	}
	return t, nil
}

// Paths lists all files, sorted.
func (t *Tree) Paths() []string {
	paths := make([]string, len(t.list.Files))
	for i, f := range t.list.Files {
		paths[i] = f.Path
	}
	return paths
}

// Open returns a file's content; errors.Is(err, fs.ErrNotExist) when there is none.
func (t *Tree) Open(ctx context.Context, path string) ([]byte, error) {
	local, err := t.fetch(ctx, path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(local)
}

// Stat describes the file that a salt:// URL means.
func (t *Tree) Stat(ctx context.Context, rawURL string) (host.File, error) {
	t, path, err := t.at(ctx, rawURL)
	if err != nil {
		return host.File{}, err
	}
	f := manifest.Find(t.list, path)
	if f == nil {
		return host.File{}, missing(path, t.env)
	}
	return host.File{SHA256: hex.EncodeToString(f.Sha256), Size: f.Size, Mode: fileMode(f.Mode)}, nil
}

// Fetch returns the path of a verified local copy of the file that a salt:// URL means.
func (t *Tree) Fetch(ctx context.Context, rawURL string) (string, error) {
	t, path, err := t.at(ctx, rawURL)
	if err != nil {
		return "", err
	}
	return t.fetch(ctx, path)
}

// pourFrom is the size from which on content that is put in its place is not kept in the cache too.
const pourFrom = 4 << 20

// Pour writes the file that a salt:// URL means to a new file. After an error that is of no use.
func (t *Tree) Pour(ctx context.Context, rawURL string, to *os.File) error {
	t, path, err := t.at(ctx, rawURL)
	if err != nil {
		return err
	}
	f := manifest.Find(t.list, path)
	if f == nil {
		return missing(path, t.env)
	}
	sum := hex.EncodeToString(f.Sha256)
	if f.Size >= pourFrom && !t.client.o.Cache.has(sum) {
		in := newIncoming(to, sum)
		in.begun = 0
		if err := t.client.fetch(ctx, in, f.Size); err != nil {
			return fmt.Errorf("cannot fetch salt://%s: %w", path, err)
		}
		return nil
	}
	local, err := t.fetch(ctx, path)
	if err != nil {
		return err
	}
	from, err := os.Open(local)
	if err != nil {
		return err
	}
	defer from.Close() // it was only read
	_, err = io.Copy(to, from)
	return err
}

// Cached returns the path of a local copy of the file that a salt:// URL means; "" when it was not fetched yet.
func (t *Tree) Cached(ctx context.Context, rawURL string) (string, error) {
	f, err := t.Stat(ctx, rawURL)
	if err != nil {
		return "", err
	}
	local, err := t.client.o.Cache.get(f.SHA256)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return local, err
}

// Forget removes the local copy of the file that a salt:// URL means, also for other files of the same content.
func (t *Tree) Forget(ctx context.Context, rawURL string) error {
	f, err := t.Stat(ctx, rawURL)
	if err != nil {
		return err
	}
	return t.client.o.Cache.forget(f.SHA256)
}

// List returns the files below the directory that a salt:// URL means.
func (t *Tree) List(ctx context.Context, rawURL string) ([]string, error) {
	t, dir, err := t.at(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	return below(t.Paths(), dir), nil
}

// Shape tells of the directory that a salt:// URL means what no list of files does: which directories below it have none,
// and which links there are, with where they lead.
func (t *Tree) Shape(ctx context.Context, rawURL string) (empty []string, links map[string]string, err error) {
	t, dir, err := t.at(ctx, rawURL)
	if err != nil {
		return nil, nil, err
	}
	all := map[string]string{}
	for _, l := range t.list.Links {
		all[l.Path] = l.Target
	}
	return below(t.list.Empty, dir), linksBelow(all, dir), nil
}

// linksBelow picks the links below a directory.
func linksBelow(all map[string]string, dir string) map[string]string {
	links := map[string]string{}
	for path, to := range all {
		for _, rel := range below([]string{path}, dir) {
			links[rel] = to
		}
	}
	return links
}

// below picks the paths below a directory of a tree, relative to it.
func below(paths []string, dir string) []string {
	var in []string
	dir = strings.Trim(dir, "/")
	for _, p := range paths {
		if dir == "" {
			in = append(in, p)
		} else if rest, ok := strings.CutPrefix(p, dir+"/"); ok {
			in = append(in, rest)
		}
	}
	return in
}

func (t *Tree) fetch(ctx context.Context, path string) (string, error) {
	f := manifest.Find(t.list, path)
	if f == nil {
		return "", missing(path, t.env)
	}
	local, err := t.client.Blob(ctx, hex.EncodeToString(f.Sha256), f.Size)
	if err != nil {
		return "", fmt.Errorf("cannot fetch salt://%s: %w", path, err)
	}
	return local, nil
}

func missing(path, env string) error {
	return fmt.Errorf("salt://%s is not in environment %q: %w", path, env, fs.ErrNotExist)
}

// pathOf is what a URL means in the tree of an environment.
func pathOf(rawURL, treeEnv string) (string, error) {
	rest, ok := strings.CutPrefix(rawURL, "salt://")
	if !ok {
		return "", fmt.Errorf("cannot fetch %q: want salt://PATH", rawURL)
	}
	path, query, _ := strings.Cut(rest, "?")
	if query == "" {
		return path, nil
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("cannot fetch %q: %v", rawURL, err)
	}
	if env := options.Get("saltenv"); env != "" && env != treeEnv {
		return "", fmt.Errorf("cannot fetch %q: this job has the files of environment %q only", rawURL, treeEnv)
	}
	return path, nil
}

// fileMode converts permission bits as Unix numbers them.
func fileMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{
		0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky,
	} {
		if bits&bit != 0 {
			mode |= flag
		}
	}
	return mode
}
