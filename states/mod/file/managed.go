package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type managedArgs struct {
	Name string `arg:"name,required" doc:"the absolute path of the file"`
	sourceArgs
	contentsArgs
	templateArgs
	ownerArgs
	Mode     mode    `arg:"mode" doc:"permissions, such as 0644; keep: the source's; a new file has 0644"`
	Attrs    attrs   `arg:"attrs" doc:"letters of chattr that it is to have, such as i; others are taken away"`
	SELinux  selinux `arg:"selinux" doc:"parts of its label: seuser, serole, setype, serange"`
	Makedirs bool    `arg:"makedirs" doc:"make the directories above it that are missing"`
	DirMode  mode    `arg:"dir_mode" doc:"permissions of those directories; mode with x beside each r when absent"`
	Replace  bool    `arg:"replace" default:"true" doc:"false: leave the content of a file that is there"`
	Create   bool    `arg:"create" default:"true" doc:"false: do nothing when the file is not there"`
	Follow   bool    `arg:"follow_symlinks" default:"true" doc:"manage what a link leads to; false: replace the link"`
	Backup   backup  `arg:"backup" doc:"keep the old file in /var/cache/brine/minion/file_backup"`
	Show     *bool   `arg:"show_changes,alias=show_diff" doc:"show the difference of the content; absent: unless only its owner may read the file, or it holds a private key or comes from pillar"`
	checkArgs
}

// A managed is a file.managed that has looked at its file.
type managed struct {
	managedArgs
	spot   *spot
	old    *info // nil when it isn't there
	rights rights
	want   *wanted // nil: whatever it is

	made func(context.Context, *host.Host) (*wanted, error) // finds out what the content is to be
}

func planManaged(ctx context.Context, h *host.Host, a managedArgs) (module.Plan, error) {
	m := &managed{managedArgs: a}
	m.made = m.content
	return m.plan(ctx, h)
}

func (m *managed) plan(ctx context.Context, h *host.Host) (module.Plan, error) {
	plan := module.Plan{
		Same:  fmt.Sprintf("File %s is in the correct state", m.Name),
		Would: fmt.Sprintf("The file %s is set to be changed", m.Name),
		Did:   fmt.Sprintf("File %s updated", m.Name),
	}
	if err := m.place(h); err != nil {
		return plan, err
	}
	defer m.spot.leave()
	if m.old == nil && !m.Create {
		plan.Same = fmt.Sprintf("File %s is not present and is not set for creation", m.Name)
		return plan, nil
	}
	if err := m.wants(ctx, h); err != nil {
		return plan, err
	}
	steps, err := m.steps(ctx)
	plan.Steps = steps
	return plan, err
}

// CheckArgs implements module.Checker.
func (a *managedArgs) CheckArgs() error {
	errs := []error{a.placed(), a.single(), a.understood()}
	if given := a.given(); a.Source.urls != nil && len(given) > 0 {
		errs = append(errs, exclude("source", given[0]))
	}
	if a.Mode.keep && a.Source.urls == nil {
		errs = append(errs, errors.New(`argument "mode": keep needs a source`))
	}
	return errors.Join(errs...)
}

// placed refuses a name that is no path, whoever's home ~ is.
func (a *managedArgs) placed() error {
	if strings.HasPrefix(a.Name, "~") {
		return nil
	}
	return absolute("manage the file", a.Name)
}

// exclude is the error of two arguments of which only one may be given.
func exclude(one, other string) error {
	return fmt.Errorf("arguments %q and %q exclude one another: give one", one, other)
}

// place finds where the file is, and what is there.
func (m *managed) place(h *host.Host) (err error) {
	if m.spot, err = find(h, m.Name, m.Follow); err != nil {
		return unsure("cannot manage the file", m.Name, err)
	}
	m.old, err = m.spot.look()
	if err == nil && m.old != nil && !m.old.isFile() && !m.old.isLink() {
		err = fmt.Errorf("cannot manage the file %s: it is a %s (file.absent removes it)", m.Name, m.old.kind())
	}
	if err != nil {
		m.spot.leave()
	}
	return err
}

// wants finds out what the file is to be.
func (m *managed) wants(ctx context.Context, h *host.Host) (err error) {
	if m.want, err = m.made(ctx, h); err != nil {
		return err
	}
	if m.Mode.keep {
		m.Mode.bits = m.want.mode
	}
	if m.rights, err = m.ownerArgs.rights(ctx, h, m.Mode); err != nil {
		return err
	}
	if len(m.spot.missing) > 0 && !m.Makedirs {
		return module.Unknown("cannot make the file %s: its directory is not there (makedirs makes it)", m.Name)
	}
	return nil
}

// content is what is to be in the file; nil when the arguments don't say.
func (m *managed) content(ctx context.Context, h *host.Host) (*wanted, error) {
	w, err := m.stated(h)
	if err != nil {
		return nil, err
	}
	if w == nil {
		if w, err = m.fetched(ctx, h, m.Name); w == nil || err != nil {
			return nil, err
		}
	}
	m.accumulate(ctx, m.Name)
	return m.render(ctx, h, w, m.Saltenv, m.told(w))
}

// told is what the template of a file is told about it, as Salt tells it: what the arguments don't say is None.
func (m *managed) told(w *wanted) *value.Dict {
	source, mode := "", ""
	if m.Source.urls != nil {
		source = w.from
	}
	switch {
	case m.Mode.keep:
		mode = "keep"
	case m.Mode.set:
		mode = modeText(m.Mode.bits)
	}
	return value.NewDict("name", m.Name, "source", orNone(source), "user", orNone(m.User), "group", orNone(m.Group),
		"mode", orNone(mode), "attrs", orNone(flagLetters(m.Attrs.bits)))
}

func orNone(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// steps are what has to be done: put the content there, or only set rights, or nothing.
func (m *managed) steps(ctx context.Context) ([]module.Step, error) {
	if m.old == nil || m.old.isLink() { // a link that isn't followed: a file takes its place
		return m.create()
	}
	changes := &value.Dict{}
	same, err := m.hasContent(ctx)
	if err != nil {
		return nil, err
	}
	if !same {
		shown, err := m.difference(ctx)
		if err != nil {
			return nil, err
		}
		changes.Put("diff", shown)
	}
	merge(changes, m.rights.differences(m.old))
	later, err := m.labels(changes)
	if changes.Len() == 0 || err != nil {
		return nil, err
	}
	return []module.Step{doing(changes, func(ctx context.Context) error {
		put := m.write
		if same {
			put = func(context.Context) error { return m.spot.give(m.old, m.rights) }
		}
		if err := m.Attrs.unlock(m.spot, m.old); err != nil {
			return err
		}
		return errors.Join(put(ctx), later())
	})}, nil
}

func doing(changes *value.Dict, do func(context.Context) error) module.Step {
	return module.Step{Changes: changes, Do: func(ctx context.Context) (module.Done, error) {
		return module.Done{}, do(ctx)
	}}
}

func merge(into, from *value.Dict) {
	for k, v := range from.All() {
		_ = into.Set(k, v) // it was a key already
	}
}

// create is the step that makes the file.
func (m *managed) create() ([]module.Step, error) {
	changes := value.NewDict("diff", "New file")
	if m.want == nil {
		m.want = inMemory("", nil)
		changes = value.NewDict("new", fmt.Sprintf("file %s created", m.Name))
	}
	m.old = nil
	merge(changes, m.rights.stated())
	later, err := m.labels(changes)
	if err != nil {
		return nil, err
	}
	return []module.Step{doing(changes, func(ctx context.Context) error {
		if err := m.write(ctx); err != nil {
			return err
		}
		return later()
	})}, nil
}

// labels adds what of attrs and selinux has to change, and returns what does it when the file is there.
func (m *managed) labels(changes *value.Dict) (do func() error, err error) {
	label, err := m.SELinux.plan(m.spot, m.old, changes)
	if err != nil {
		return nil, err
	}
	attrs, err := m.Attrs.plan(m.spot, m.old, changes)
	return func() error { return errors.Join(label(), attrs()) }, err
}

func (m *managed) hasContent(ctx context.Context) (bool, error) {
	if m.want == nil || !m.Replace {
		return true, nil
	}
	if m.want.size >= 0 && m.old.Size != m.want.size {
		return false, nil
	}
	f, err := m.spot.openRead()
	if err != nil {
		return false, err
	}
	defer f.Close()
	return m.want.is(ctx, f, m.old.Size)
}

// difference is what is shown of a change of content.
func (m *managed) difference(ctx context.Context) (string, error) {
	if hidden := hides(m.Show, m.Pillar != nil, m.rights.mode, m.old); hidden != "" {
		return hidden, nil
	}
	if m.old.Size > diffFile {
		return tooLarge, nil
	}
	new, small, err := m.want.read(ctx, diffFile)
	if err != nil || !small {
		return tooLarge, err
	}
	old, err := m.spot.read()
	if err != nil {
		return "", err
	}
	return diffOf(old, new, m.Show), nil
}

// write puts the content there.
func (m *managed) write(ctx context.Context) error {
	if err := m.spot.enter(); err != nil {
		return fmt.Errorf("cannot write %s: %w", m.Name, err)
	}
	defer m.spot.leave()
	if err := m.check(ctx, m.spot.host, m.spot.path(), m.want); err != nil {
		return err
	}
	if err := m.spot.makeDirs(dirRights(m.rights, m.DirMode)); err != nil {
		return fmt.Errorf("cannot make the directory of %s: %w", m.Name, err)
	}
	if bool(m.Backup) && m.old != nil {
		if err := m.spot.keepOld(ctx, m.old); err != nil {
			return fmt.Errorf("cannot keep the old %s: %w", m.Name, err)
		}
	}
	m.spot.final = !m.Replace || module.AroundOf(ctx).Guarded
	err := m.spot.put(m.old, m.rights, func(w io.Writer) error { return m.want.write(ctx, w) })
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", m.Name, err)
	}
	return nil
}

// dirRights are those of directories that are made for a file: its owner, and the mode stated for them, else whoever
// may read the file may enter.
func dirRights(r rights, stated mode) rights {
	switch {
	case stated.set:
		r.mode = stated
	case r.mode.set:
		r.mode = r.mode.forDirectory()
	}
	return r
}

func (a *managedArgs) manages() []string { return []string{a.Name} }
func (a *managedArgs) wholeTree() bool   { return false }
