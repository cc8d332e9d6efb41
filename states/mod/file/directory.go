package file

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

type directoryArgs struct {
	Name string `arg:"name,required" doc:"the absolute path of the directory"`
	ownerArgs
	Mode     mode     `arg:"mode" doc:"permissions, such as 0755; a new directory has 0755"`
	DirMode  mode     `arg:"dir_mode" doc:"the same; it wins over mode"`
	FileMode mode     `arg:"file_mode" doc:"permissions of the files in it, with recurse; mode when absent"`
	Makedirs bool     `arg:"makedirs" doc:"make the directories above it that are missing"`
	Recurse  recurse  `arg:"recurse" doc:"set user, group, mode on all in it too; ignore_files, ignore_dirs, silent. Links get the owner themselves and are not followed"`
	MaxDepth *int     `arg:"max_depth" doc:"how many levels of directories below it recurse enters; 0 is the directory and its files"`
	Children bool     `arg:"children_only" doc:"with recurse: leave the rights of the directory itself alone"`
	Clean    bool     `arg:"clean" doc:"remove all in it that no state of the run manages, and nothing that a state it requires has below it"`
	Exclude  patterns `arg:"exclude_pat" doc:"what clean leaves: globs of paths below the directory, or E@REGEX"`
	Links    bool     `arg:"allow_symlink" default:"true" doc:"take a symbolic link to a directory for one, and manage what it leads to"`
	Follow   bool     `arg:"follow_symlinks" doc:"the same as allow_symlink"`
	Force    bool     `arg:"force" doc:"remove what stands in its place and is no directory"`
	Backup   string   `arg:"backupname" doc:"rename what stands in its place and is no directory to this"`
}

// A recurse is what to set on everything in a directory.
type recurse struct{ user, group, mode, noFiles, noDirs, silent bool }

func (r *recurse) ArgType() string { return "list of text" }

func (r *recurse) ParseArg(v module.Value) error {
	items := v.Each()
	flags := map[string]*bool{
		"user": &r.user, "group": &r.group, "mode": &r.mode, "ignore_files": &r.noFiles, "ignore_dirs": &r.noDirs,
		"silent": &r.silent,
	}
	words := []string{"group", "ignore_dirs", "ignore_files", "mode", "silent", "user"}
	for _, item := range items {
		word, err := item.Str()
		if err != nil {
			return err
		}
		flag, ok := flags[word]
		if !ok {
			return fmt.Errorf("unknown word %q%s", word, spell.DidYouMean(word, words))
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
	spot   *spot
	old    *info // nil when it isn't there
	rights rights
}

func planDirectory(ctx context.Context, h *host.Host, a directoryArgs) (module.Plan, error) {
	d := &directory{directoryArgs: a}
	plan := module.Plan{
		Same:  fmt.Sprintf("The directory %s is in the correct state", a.Name),
		Would: fmt.Sprintf("The directory %s is set to be changed", a.Name),
		Did:   fmt.Sprintf("Directory %s updated", a.Name),
	}
	if err := d.check(); err != nil {
		return plan, err
	}
	plan.Warnings = d.idle()
	if err := d.place(h); err != nil {
		return plan, err
	}
	defer d.spot.leave()
	if err := d.wants(ctx, h); err != nil {
		return plan, err
	}
	if d.old == nil || !d.old.isDir() {
		step, err := d.create()
		plan.Steps = []module.Step{step}
		return plan, err
	}
	var err error
	plan.Steps, err = d.change(ctx)
	return plan, err
}

// check finds arguments that don't go together.
func (d *directory) check() error {
	if err := absolute("manage the directory", d.Name); err != nil {
		return err
	}
	if d.DirMode.set {
		d.Mode = d.DirMode
	}
	if d.Mode.keep || d.FileMode.keep {
		return errors.New("cannot keep the mode: a directory has no source")
	}
	if d.Children && !d.Recurse.any() { // Salt changes nothing at all then, and says that all is well
		return errors.New(`argument "children_only" needs argument "recurse" with user, group or mode`)
	}
	return nil
}

// idle warns of what is of no effect as the other arguments are. Salt is silent about it, and trees are full of it.
func (d *directory) idle() (warnings []string) {
	for name, given := range map[string]bool{"file_mode": d.FileMode.set, "max_depth": d.MaxDepth != nil} {
		if given && !d.Recurse.any() {
			warnings = append(warnings, name+`: without recurse with user, group or mode nothing in the directory is changed`)
		}
	}
	slices.Sort(warnings)
	return warnings
}

// place finds where the directory is, and what is there.
func (d *directory) place(h *host.Host) (err error) {
	d.spot, d.old, err = findDir(h, d.Name, d.Links || d.Follow)
	if err == nil && d.old != nil && !d.old.isDir() && !d.Force && d.Backup == "" {
		err = fmt.Errorf("a %s is there (force removes it, backupname renames it)", d.old.kind())
		d.spot.leave()
	}
	if err != nil {
		return unsure("cannot make the directory", d.Name, err)
	}
	return nil
}

// findDir finds a directory, with links where a symbolic link to it leads.
func findDir(h *host.Host, name string, links bool) (*spot, *info, error) {
	s, err := find(h, name, false)
	if err != nil {
		return nil, nil, err
	}
	old, err := s.look()
	if err != nil {
		s.leave()
		return nil, nil, err
	}
	if old == nil || !old.isLink() || !links {
		return s, old, nil
	}
	to, err := find(h, name, true)
	var other *distrust
	if errors.As(err, &other) {
		s.leave()
		return nil, nil, err
	}
	if err != nil {
		return s, old, nil // it leads nowhere
	}
	if led, err := to.look(); err == nil && led != nil && led.isDir() {
		s.leave()
		return to, led, nil
	}
	to.leave()
	return s, old, nil
}

func (d *directory) wants(ctx context.Context, h *host.Host) (err error) {
	if d.rights, err = d.ownerArgs.rights(ctx, h, d.Mode); err != nil {
		return err
	}
	if len(d.spot.missing) > 0 && !d.Makedirs {
		return module.Unknown("cannot make the directory %s: the one above is not there (makedirs makes it)", d.Name)
	}
	return nil
}

// create is the step that makes the directory.
func (d *directory) create() (module.Step, error) {
	changes := &value.Dict{}
	away := func(context.Context) error { return nil }
	if d.old != nil {
		var err error
		if away, err = d.spot.displace(d.old, d.Backup, d.Force, changes); err != nil {
			return module.Step{}, fmt.Errorf("cannot make the directory %s: %w", d.Name, err)
		}
	}
	changes.Put(d.Name, "New Dir")
	merge(changes, d.rights.stated())
	return doing(changes, func(ctx context.Context) error {
		err := away(ctx)
		if err == nil {
			err = d.spot.makeDirectory(d.rights)
		}
		if err != nil {
			return fmt.Errorf("cannot make the directory %s: %w", d.Name, err)
		}
		return nil
	}), nil
}

// makeDirectory makes a directory at the spot, and those that are missing above it.
func (s *spot) makeDirectory(r rights) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.makeDirs(r); err != nil {
		return err
	}
	if !r.mode.set {
		r.mode = modeOf(newDirMode)
	}
	fd, err := makeDir(s.fd, s.base, r)
	if err != nil {
		return err
	}
	unix.Close(fd)
	return s.touched()
}

// change plans what a directory that is there needs.
func (d *directory) change(ctx context.Context) ([]module.Step, error) {
	var steps []module.Step
	if changes := d.rights.differences(d.old); changes.Len() > 0 && !d.Children {
		steps = append(steps, doing(changes, func(context.Context) error { return d.spot.give(d.old, d.rights) }))
	}
	if d.Recurse.any() {
		inside, err := d.inside(ctx)
		if err != nil {
			return nil, err
		}
		steps = append(steps, inside...)
	}
	if d.Clean {
		clean, err := cleaning(ctx, d.spot, d.old, d.Name, d.Exclude, nil)
		if err != nil {
			return nil, err
		}
		steps = append(steps, clean...)
	}
	return steps, nil
}

func (a *directoryArgs) manages() []string { return []string{a.Name} }
func (a *directoryArgs) wholeTree() bool   { return false }
