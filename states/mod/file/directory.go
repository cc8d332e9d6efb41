package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

type directoryArgs struct {
	Name string `arg:"name,required" doc:"the absolute path of the directory"`
	ownerArgs
	Mode     mode    `arg:"mode" doc:"permissions, such as 0755; a new directory has 0755"`
	DirMode  mode    `arg:"dir_mode" doc:"the same; it wins over mode"`
	FileMode mode    `arg:"file_mode" doc:"permissions of the files in it, with recurse; mode when absent"`
	Makedirs bool    `arg:"makedirs" doc:"make the directories above it that are missing"`
	Recurse  recurse `arg:"recurse" doc:"set user, group, mode on all in it too; ignore_files, ignore_dirs"`
	MaxDepth *int    `arg:"max_depth" doc:"how many levels deep recurse goes; 0 is the directory alone"`
	Links    bool    `arg:"allow_symlink" default:"true" doc:"take a symbolic link to a directory for one"`
	Force    bool    `arg:"force" doc:"remove what stands in its place and is no directory"`
}

// A recurse is what to set on everything in a directory.
type recurse struct{ user, group, mode, noFiles, noDirs bool }

func (r *recurse) ArgType() string { return "list of text" }

func (r *recurse) ParseArg(v module.Value) error {
	items, ok := v.Items()
	if !ok {
		items = []module.Value{v}
	}
	flags := map[string]*bool{
		"user": &r.user, "group": &r.group, "mode": &r.mode, "ignore_files": &r.noFiles, "ignore_dirs": &r.noDirs,
		"silent": new(bool), // changes are always bounded here
	}
	words := []string{"group", "ignore_dirs", "ignore_files", "mode", "silent", "user"}
	for _, item := range items {
		word, err := item.Str()
		if err != nil {
			return err
		}
		flag, ok := flags[word]
		if !ok {
			return fmt.Errorf("unknown word %q%s", word, module.DidYouMean(word, words))
		}
		*flag = true
	}
	if r.noFiles && r.noDirs {
		return errors.New("ignore_files and ignore_dirs exclude one another")
	}
	return nil
}

func (r recurse) any() bool { return r.user || r.group || r.mode }

// A directory is a file.directory that has looked.
type directory struct {
	directoryArgs
	path   string
	old    os.FileInfo // nil when it isn't there
	rights rights
	dirs   []string // above it, to be made
}

func planDirectory(ctx context.Context, h *host.Host, a directoryArgs) (module.Plan, error) {
	d := &directory{directoryArgs: a}
	if err := d.look(ctx, h); err != nil {
		return module.Plan{}, err
	}
	plan := module.Plan{
		Same:  fmt.Sprintf("The directory %s is in the correct state", a.Name),
		Would: fmt.Sprintf("The directory %s is set to be changed", a.Name),
		Did:   fmt.Sprintf("Directory %s updated", a.Name),
	}
	if d.old == nil || !d.old.IsDir() {
		plan.Steps = d.create()
		return plan, nil
	}
	if changes := d.rights.differences(d.old); changes.Len() > 0 {
		plan.Steps = append(plan.Steps, module.Step{Changes: changes, Do: doing(func(context.Context) error {
			return d.rights.give(d.path, d.old)
		})})
	}
	if a.Recurse.any() {
		inside, err := d.inside(ctx)
		if err != nil {
			return module.Plan{}, err
		}
		plan.Steps = append(plan.Steps, inside...)
	}
	return plan, nil
}

func (d *directory) look(ctx context.Context, h *host.Host) (err error) {
	if !filepath.IsAbs(d.Name) {
		return fmt.Errorf("cannot manage the directory %q: it is not an absolute path", d.Name)
	}
	if d.DirMode.set {
		d.Mode = d.DirMode
	}
	if d.Mode.keep || d.FileMode.keep {
		return errors.New("cannot keep the mode: a directory has no source")
	}
	if err := d.needRecurse(); err != nil {
		return err
	}
	if d.path, err = placed(h, d.Name); err != nil {
		return err
	}
	if d.old, err = there(d.path); err != nil {
		return err
	}
	if d.old != nil && d.old.Mode()&fs.ModeSymlink != 0 && d.Links {
		if d.path, err = followed(h, d.Name); err != nil {
			return err
		}
		if d.old, err = there(d.path); err != nil {
			return err
		}
	}
	if d.old != nil && !d.old.IsDir() && !d.Force {
		return fmt.Errorf("cannot make the directory %s: a %s is there (force removes it)", d.Name, kind(d.old))
	}
	if d.rights, err = d.ownerArgs.rights(ctx, h, d.Mode); err != nil {
		return err
	}
	if d.old != nil {
		return nil
	}
	if d.dirs, err = missing(d.path); err != nil {
		return fmt.Errorf("cannot make the directory %s: %w", d.Name, err)
	}
	if len(d.dirs) > 0 && !d.Makedirs {
		return module.Unknown("cannot make the directory %s: the one above is not there (makedirs makes it)", d.Name)
	}
	return nil
}

// needRecurse refuses what says nothing unless recurse does.
func (d *directory) needRecurse() error {
	name := ""
	switch {
	case d.Recurse.any():
		return nil
	case d.FileMode.set:
		name = "file_mode"
	case d.MaxDepth != nil:
		name = "max_depth"
	default:
		return nil
	}
	return fmt.Errorf(`argument %q needs argument "recurse" with user, group or mode`, name)
}

func (d *directory) create() []module.Step {
	changes := value.NewDict(d.Name, "New Dir")
	for k, v := range d.rights.stated().All() {
		changes.Put(k.(string), v)
	}
	return []module.Step{{Changes: changes, Do: doing(func(context.Context) error {
		if d.old != nil {
			if err := os.Remove(d.path); err != nil {
				return fmt.Errorf("cannot remove what is in the place of %s: %w", d.Name, err)
			}
		}
		if err := makeDirs(append(slices.Clone(d.dirs), d.path), d.rights); err != nil {
			return fmt.Errorf("cannot make the directory %s: %w", d.Name, err)
		}
		return nil
	})}}
}

// shownInside is how many changes inside a directory are listed by name.
const shownInside = 200

// inside plans what recurse has to change. It looks and later acts below the open directory, so that whoever may
// write in it can't lead it elsewhere.
func (d *directory) inside(ctx context.Context) ([]module.Step, error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var paths []string // relative
	shown := &value.Dict{}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return fmt.Errorf("cannot look into the directory %s: %w", d.Name, err)
		}
		if name == "." {
			return nil
		}
		changes, err := d.differs(entry)
		if err != nil {
			return err
		}
		if changes.Len() > 0 {
			paths = append(paths, name)
			if shown.Len() < shownInside {
				shown.Put(filepath.Join(d.Name, name), changes)
			}
		}
		if entry.IsDir() && d.MaxDepth != nil && depth(name) >= *d.MaxDepth {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	if more := len(paths) - shown.Len(); more > 0 {
		shown.Put("and", fmt.Sprintf("%d more", more))
	}
	return []module.Step{{Changes: shown, Do: doing(func(ctx context.Context) error {
		return d.giveAll(ctx, paths)
	})}}, nil
}

// depth is how many levels deep a path below the directory is.
func depth(rel string) int { return strings.Count(rel, "/") + 1 }

// differs is what recurse has to change on one entry. Symbolic links and special files are left alone.
func (d *directory) differs(entry fs.DirEntry) (*value.Dict, error) {
	if !entry.IsDir() && !entry.Type().IsRegular() ||
		entry.IsDir() && d.Recurse.noDirs || !entry.IsDir() && d.Recurse.noFiles {
		return nil, nil
	}
	st, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return d.rightsInside(entry.IsDir()).differences(st), nil
}

func (d *directory) rightsInside(isDir bool) rights {
	r := d.rights
	if !d.Recurse.user {
		r.uid = -1
	}
	if !d.Recurse.group {
		r.gid = -1
	}
	if !isDir && d.FileMode.set {
		r.mode = d.FileMode
	}
	if !d.Recurse.mode {
		r.mode = mode{}
	}
	return r
}

// giveAll gives their rights to all that inside found. What was replaced or went away meanwhile is refused; the
// rest still gets its rights.
func (d *directory) giveAll(ctx context.Context, paths []string) error {
	dir, err := openSame(d.path, d.old)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var first error
	refused := 0
	for _, name := range paths {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := d.giveOne(dir, name); err != nil {
			refused++
			if first == nil {
				first = &fs.PathError{Op: "change the rights of", Path: filepath.Join(d.Name, name), Err: err}
			}
		}
	}
	if refused > 1 {
		return fmt.Errorf("%w (and %d more)", first, refused-1)
	}
	return first
}

func (d *directory) giveOne(dir int, name string) error {
	fd, err := openBelow(dir, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return d.rightsInside(true).givePath(fd)
	case unix.S_IFREG:
		return d.rightsInside(false).givePath(fd)
	}
	return errors.New("it is no file or directory any more")
}
