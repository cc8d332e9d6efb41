package gitfs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// keeper takes content and tells its hash and size.
type keeper func(io.Reader) (sum []byte, size int64, err error)

// tree is the files of a commit as they are served, in order of path.
type tree struct {
	files []file
	used  time.Time
}

// file is one of a tree.
type file struct {
	path string // with mountpoint
	mode uint32
	oid  string // git's name of the content
	sum  []byte // SHA-256 of the content
	size int64
	data []byte // where nobody else keeps it
}

// layer is what a remote gives to an environment.
type layer struct {
	origin string // the remote, its branch and commit
	commit string
	files  []file
}

const (
	maxFiles   = 200_000 // of a tree, and of all trees in memory but the newest
	maxLinks   = 100     // that lead to one another
	maxLink    = 4096    // bytes
	maxHeld    = 256 << 20
	smallFile  = 1 << 20
	keepers    = 4 // of small files at the same time
	unusedTree = time.Hour
	manyFiles  = 1000
	firstWait  = 10 * time.Second // for what was never fetched
)

// layer is the tree of an environment, nil when the remote does not have it.
func (r *remote) layer(ctx context.Context, env string) (*layer, error) {
	late := time.NewTimer(firstWait)
	defer late.Stop()
	select {
	case <-r.first:
	case <-late.C:
		return nil, errors.New("it is being fetched for the first time, so the files are not whole: try again")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := r.served()
	if !now.known {
		r.mu.Lock()
		defer r.mu.Unlock()
		return nil, fmt.Errorf("it was never fetched, so the files are not whole: %s", strings.Join(r.problems, "; "))
	}
	if why := now.refused[env]; why != "" {
		return nil, errors.New(why)
	}
	ref, ok := now.envs[env]
	if !ok {
		return nil, nil
	}
	commit := now.refs[ref]
	files, err := r.load(ctx, commit)
	if err != nil {
		return nil, err
	}
	return &layer{commit: commit, files: files, origin: fmt.Sprintf("%s %s of %s", commit, short(ref), r.c)}, nil
}

// load reads the tree of a commit, and hands over the content that is new.
func (r *remote) load(ctx context.Context, commit string) ([]file, error) {
	if files, ok := r.loaded(commit); ok {
		return files, nil
	}
	r.loading.Lock()
	defer r.loading.Unlock()
	if files, ok := r.loaded(commit); ok {
		return files, nil
	}
	if r.keys != nil { // whatever it is reached by
		if why := r.judge(ctx, []string{commit})[commit]; why != "" {
			return nil, fmt.Errorf("cannot serve commit %s: %s", brief(commit), why)
		}
	}
	files, err := r.entries(ctx, commit)
	if err == nil {
		err = r.contents(ctx, files)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read commit %s: %w", brief(commit), err)
	}
	r.remember(commit, files)
	if len(files) > manyFiles {
		debug.FreeOSMemory() // all new content has passed through the heap: a master at rest stays small
	}
	return files, nil
}

func (r *remote) loaded(commit string) ([]file, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.trees[commit]
	if !ok {
		return nil, false
	}
	t.used = time.Now()
	return t.files, true
}

// remember keeps a tree in memory, and drops those that nobody asks for.
func (r *remote) remember(commit string, files []file) {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := len(files)
	byUse := slices.SortedFunc(maps.Keys(r.trees), func(a, b string) int { return r.trees[b].used.Compare(r.trees[a].used) })
	for _, old := range byUse {
		t := r.trees[old]
		if total += len(t.files); total > maxFiles || time.Since(t.used) > unusedTree {
			delete(r.trees, old)
		}
	}
	r.trees[commit] = &tree{files: files, used: time.Now()}
}

func (r *remote) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.trees)
}

// entry is one line of git ls-tree.
type entry struct{ mode, oid string }

// entries are the files of a commit that are served, without their content.
func (r *remote) entries(ctx context.Context, commit string) ([]file, error) {
	out, err := r.run(ctx, nil, "ls-tree", "-r", "-z", "--full-tree", commit, "--")
	if err != nil {
		return nil, err
	}
	all := map[string]entry{}
	var links []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		about, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(about)
		if !ok || len(f) != 3 || f[1] != "blob" { // a submodule has no content here
			continue
		}
		all[name] = entry{f[0], f[2]}
		if f[0] == linkMode {
			links = append(links, name)
		}
	}
	targets, err := r.targets(ctx, all, links)
	if err != nil {
		return nil, err
	}
	root := strings.Trim(r.c.Root, "/")
	var files []file
	for name, e := range all {
		under, ok := below(root, name)
		if !ok {
			continue
		}
		if e.mode == linkMode {
			if e, ok = follow(all, targets, name); !ok {
				continue // it leads to a directory, nowhere, or out of the repository
			}
		}
		if p := path.Join(r.c.mount(), under); fs.ValidPath(p) && utf8.ValidString(p) {
			files = append(files, file{path: p, mode: mode(e.mode), oid: e.oid})
		} else {
			r.log.Warn("file is not served", "path", name, "why", "its name is not UTF-8")
		}
	}
	if len(files) > maxFiles {
		return nil, fmt.Errorf("there are more than %d files", maxFiles)
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

const linkMode = "120000"

func mode(text string) uint32 {
	if text == "100755" {
		return 0o755
	}
	return 0o644
}

func below(root, name string) (string, bool) {
	if root == "" || root == "." {
		return name, true
	}
	return strings.CutPrefix(name, root+"/")
}

// targets reads where links lead.
func (r *remote) targets(ctx context.Context, all map[string]entry, links []string) (map[string]string, error) {
	oids := make([]string, len(links))
	for i, name := range links {
		oids[i] = all[name].oid
	}
	targets := map[string]string{}
	err := r.batch(ctx, oids, func(i int, size int64, content io.Reader) error {
		if size > maxLink {
			return nil
		}
		data, err := io.ReadAll(content)
		targets[links[i]] = string(data)
		return err
	})
	return targets, err
}

// follow goes along links, within the repository, to a file: as Salt's gitfs does.
func follow(all map[string]entry, targets map[string]string, name string) (entry, bool) {
	for range maxLinks {
		e, ok := all[name]
		if !ok || e.mode != linkMode {
			return e, ok
		}
		to := targets[name]
		if to == "" || path.IsAbs(to) {
			return entry{}, false
		}
		name = path.Join(path.Dir(name), to)
	}
	return entry{}, false
}

// contents fills in hash and size of files; what no tree in memory has is read and kept.
func (r *remote) contents(ctx context.Context, files []file) error {
	known := r.known()
	var oids []string
	for _, f := range files {
		if _, ok := known[f.oid]; !ok {
			known[f.oid] = file{}
			oids = append(oids, f.oid)
		}
	}
	got := make([]file, len(oids))
	var held int64
	work, within := errgroup.WithContext(ctx)
	work.SetLimit(keepers)
	err := r.batch(within, oids, func(i int, size int64, content io.Reader) error {
		if r.keep == nil {
			if held += size; size > maxHeld || held > maxHeld {
				return fmt.Errorf("the files have over %d MiB", maxHeld>>20)
			}
		} else if size > smallFile {
			return r.keepOne(&got[i], content)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(content, data); err != nil {
			return err
		}
		if r.keep == nil {
			got[i] = file{size: size, data: data}
			return nil
		}
		work.Go(func() error { return r.keepOne(&got[i], bytes.NewReader(data)) })
		return within.Err()
	})
	if err := errors.Join(work.Wait(), err); err != nil {
		return err
	}
	for i, oid := range oids {
		known[oid] = got[i]
	}
	for i := range files {
		k := known[files[i].oid]
		files[i].sum, files[i].size, files[i].data = k.sum, k.size, k.data
	}
	return nil
}

func (r *remote) keepOne(f *file, content io.Reader) (err error) {
	f.sum, f.size, err = r.keep(content)
	return err
}

// known are the contents of all trees in memory, by git's name of them.
func (r *remote) known() map[string]file {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := map[string]file{}
	for _, t := range r.trees {
		for _, f := range t.files {
			known[f.oid] = f
		}
	}
	return known
}

// batch reads objects; each is called with every one in turn, and need not read all of it.
func (r *remote) batch(ctx context.Context, oids []string, each func(i int, size int64, content io.Reader) error) error {
	if len(oids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	cmd := r.git.cmd(ctx, command{dir: r.dir, args: []string{"cat-file", "--batch"}, stdin: []byte(strings.Join(oids, "\n") + "\n")})
	said := &tail{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("cannot run git: %w", err)
	}
	read := bufio.NewReaderSize(out, 64<<10)
	for i, oid := range oids {
		if err = object(read, oid, func(size int64, content io.Reader) error { return each(i, size, content) }); err != nil {
			cancel()
			break
		}
	}
	ended := cmd.Wait()
	if err == nil && ended != nil {
		err = failure(ctx, "cat-file", ended, said, r.timeout)
	}
	return err
}

// object reads one answer of git cat-file --batch.
func object(read *bufio.Reader, oid string, each func(size int64, content io.Reader) error) error {
	head, err := read.ReadString('\n')
	if err != nil {
		return fmt.Errorf("cannot read object %s: %w", oid, err)
	}
	f := strings.Fields(head)
	if len(f) != 3 || f[0] != oid {
		return fmt.Errorf("cannot read object %s: git says %q", oid, strings.TrimSpace(head))
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read object %s: git says %q", oid, strings.TrimSpace(head))
	}
	content := &io.LimitedReader{R: read, N: size}
	if err := each(size, content); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, read, content.N+1); err != nil { // the rest, and a line feed
		return fmt.Errorf("cannot read object %s: %w", oid, err)
	}
	return nil
}
