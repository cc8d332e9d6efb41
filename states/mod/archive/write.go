package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// put writes one entry. All of it happens below the open directory, through no link that leads out of it.
func (t *tree) put(ctx context.Context, e *entry, content io.Reader) error {
	if dir := path.Dir(e.name); dir != "." {
		if err := t.root.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot extract %q: %w", e.name, err)
		}
	}
	var err error
	switch {
	case e.mode.IsDir():
		err = t.root.MkdirAll(e.name, 0o755) // its own permissions come last: it may not be writable
	case e.isLink():
		err = t.replace(e.name, func(temp string) error { return t.root.Symlink(e.target, temp) })
	case e.hard:
		err = t.replace(e.name, func(temp string) error { return t.root.Link(e.target, temp) })
	default:
		err = t.replace(e.name, func(temp string) error { return t.write(ctx, temp, e, content) })
	}
	if err != nil {
		return fmt.Errorf("cannot extract %q: %w", e.name, err)
	}
	t.wrote[e.name] = true
	return nil
}

// replace makes something beside its place and moves it there, so that it is never seen in part.
func (t *tree) replace(name string, make func(temp string) error) error {
	temp := path.Join(path.Dir(name), ".brine-"+rand.Text())
	err := make(temp)
	if err == nil {
		err = t.root.Rename(temp, name)
	}
	if err != nil || t.isThere(temp) { // two names of one file are left as they are by a rename
		_ = t.root.Remove(temp)
	}
	return err
}

func (t *tree) isThere(name string) bool {
	_, err := t.root.Lstat(name)
	return err == nil
}

func (t *tree) write(ctx context.Context, temp string, e *entry, content io.Reader) error {
	f, err := t.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, until{ctx, content})
	if err == nil && n != e.size {
		err = fmt.Errorf("it has %d bytes, the archive says %d", n, e.size)
	}
	if err == nil {
		err = f.Chmod(permissions(e.mode))
	}
	if err == nil {
		err = t.host.BeginSync(int(f.Fd()))
	}
	err = errors.Join(err, f.Close())
	if err == nil && !e.time.IsZero() {
		err = t.root.Chtimes(temp, e.time, e.time)
	}
	return err
}

// permissions are a mode without its kind.
func permissions(m fs.FileMode) fs.FileMode {
	return m & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}

// extract writes the entries that are wanted. What is there in another form comes before what is missing: whatever
// ends it half way, something is missing then, and the next run goes on.
func (t *tree) extract(ctx context.Context, a *archive, todo map[string]status) error {
	if t.root == nil {
		t.made = missingDirs(t.dir)
		err := os.MkdirAll(t.dir, 0o755)
		if err == nil {
			t.root, err = os.OpenRoot(t.dir)
		}
		if err != nil {
			return fmt.Errorf("cannot make the directory to extract into: %w", err)
		}
	}
	for name, s := range todo {
		if s == wrong {
			if err := t.root.RemoveAll(name); err != nil {
				return fmt.Errorf("cannot make way for %q: %w", name, err)
			}
		}
	}
	passes := []status{differs, missing}
	dirs, links, hard := map[string]fs.FileMode{}, []*entry{}, []*entry{}
	for _, pass := range passes {
		err := a.walk(ctx, func(e *entry, content io.Reader) error {
			s := todo[e.name]
			if s == wrong {
				s = missing
			}
			switch {
			case s != pass:
				return nil
			case e.isLink():
				links = append(links, e) // last, so that nothing is written through them
				return nil
			case e.hard:
				hard = append(hard, e) // after what they link to
				return nil
			case e.mode.IsDir():
				dirs[e.name] = permissions(e.mode)
			}
			return t.put(ctx, e, content)
		})
		if err != nil {
			return err
		}
	}
	return t.finish(ctx, append(hard, links...), dirs)
}

// missingDirs are a directory and those above it that are not there, the deepest first.
func missingDirs(dir string) (all []string) {
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return all
		}
		all = append(all, dir)
		dir = path.Dir(dir)
	}
}

// undo removes what was written to a directory that was not there before, and the directory: whoever looks only for that must
// not take it for done. What someone else has put there meanwhile stays, and it says whether all is as it was.
func (t *tree) undo(entries []*entry) bool {
	for _, e := range slices.Backward(entries) { // what is in a directory comes after it
		if t.root != nil && (t.wrote[e.name] || e.made) {
			_ = t.root.Remove(e.name)
		}
	}
	for _, dir := range t.made {
		_ = os.Remove(dir)
	}
	return len(t.made) == 0 || len(missingDirs(t.dir)) == len(t.made)
}

// finish makes links, and gives directories their permissions, the deepest first.
func (t *tree) finish(ctx context.Context, links []*entry, dirs map[string]fs.FileMode) error {
	for _, e := range links {
		if err := t.put(ctx, e, nil); err != nil {
			return err
		}
	}
	var names []string
	for name := range dirs {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, name := range names {
		if err := t.root.Chmod(name, dirs[name]); err != nil {
			return fmt.Errorf("cannot set the permissions of %q: %w", name, err)
		}
	}
	return nil
}

// touched lets what was written reach the disk.
func (t *tree) touched() error {
	dir, err := t.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return t.host.Touched(int(dir.Fd()), t.dir)
}

// clean removes what is at the top: all of it, or what the archive has there.
func (t *tree) clean(tops []string, all bool) error {
	if t.root == nil {
		return nil
	}
	if all {
		entries, err := fs.ReadDir(t.root.FS(), ".")
		if err != nil {
			return err
		}
		tops = nil
		for _, e := range entries {
			tops = append(tops, e.Name())
		}
	}
	for _, name := range tops {
		if err := t.root.RemoveAll(name); err != nil {
			return fmt.Errorf("cannot clean: %w", err)
		}
	}
	return nil
}
