package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type managedArgs struct {
	Name string `arg:"name,required" doc:"the absolute path of the file"`
	contentArgs
	ownerArgs
	Mode     mode   `arg:"mode" doc:"permissions, such as 0644; keep: the source's; a new file has 0644"`
	Makedirs bool   `arg:"makedirs" doc:"make the directories above it that are missing"`
	DirMode  mode   `arg:"dir_mode" doc:"permissions of those directories; mode with x beside each r when absent"`
	Replace  bool   `arg:"replace" default:"true" doc:"false: leave the content of a file that is there"`
	Create   bool   `arg:"create" default:"true" doc:"false: do nothing when the file is not there"`
	Follow   bool   `arg:"follow_symlinks" default:"true" doc:"manage what a link leads to; false: replace the link"`
	Backup   backup `arg:"backup" doc:"keep the old file in /var/cache/brine/minion/file_backup"`
	Show     bool   `arg:"show_changes,alias=show_diff" default:"true" doc:"show the difference of the content"`
}

// A backup says whether the old file is kept; Salt's word for it is minion.
type backup bool

func (b *backup) ArgType() string { return "minion or boolean" }

func (b *backup) ParseArg(v module.Value) error {
	if v.Data == "minion" || v.Data == "" {
		*b = v.Data == "minion"
		return nil
	}
	keep, err := v.Bool()
	if err != nil {
		return v.Want("minion, true or false")
	}
	*b = backup(keep)
	return nil
}

// A managed is a file.managed that has looked at its file.
type managed struct {
	managedArgs
	host   *host.Host
	path   string      // where the file is
	old    os.FileInfo // nil when it isn't there
	rights rights
	want   *wanted // nil: whatever it is
	dirs   []string
}

func planManaged(ctx context.Context, h *host.Host, a managedArgs) (module.Plan, error) {
	m := &managed{managedArgs: a, host: h}
	if err := m.look(ctx); err != nil {
		return module.Plan{}, err
	}
	plan := module.Plan{
		Same:  fmt.Sprintf("File %s is in the correct state", a.Name),
		Would: fmt.Sprintf("The file %s is set to be changed", a.Name),
		Did:   fmt.Sprintf("File %s updated", a.Name),
	}
	if m.old == nil && !a.Create {
		plan.Same = fmt.Sprintf("File %s is not present and is not set for creation", a.Name)
		return plan, nil
	}
	step, err := m.step(ctx)
	if step != nil {
		plan.Steps = []module.Step{*step}
	}
	return plan, err
}

// look finds out what is there and what is wanted.
func (m *managed) look(ctx context.Context) (err error) {
	if !filepath.IsAbs(m.Name) {
		return fmt.Errorf("cannot manage the file %q: it is not an absolute path", m.Name)
	}
	find := placed
	if m.Follow {
		find = followed
	}
	if m.path, err = find(m.host, m.Name); err != nil {
		return err
	}
	if m.old, err = there(m.path); err != nil {
		return err
	}
	if m.old != nil && m.old.IsDir() {
		return fmt.Errorf("cannot manage the file %s: it is a directory", m.Name)
	}
	if m.old != nil && !m.old.Mode().IsRegular() && m.old.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("cannot manage the file %s: it is a %s", m.Name, kind(m.old))
	}
	if m.old == nil && !m.Create {
		return nil
	}
	if m.want, err = m.wanted(ctx, m.host); err != nil {
		return err
	}
	if m.Mode.keep {
		if m.want == nil || m.Source == nil {
			return errors.New(`argument "mode": keep needs a source`)
		}
		m.Mode.bits = m.want.mode
	}
	if m.rights, err = m.ownerArgs.rights(ctx, m.host, m.Mode); err != nil {
		return err
	}
	return m.parents()
}

// parents finds the directories above that are missing.
func (m *managed) parents() (err error) {
	if m.old != nil {
		return nil
	}
	if m.dirs, err = missing(m.path); err != nil {
		return fmt.Errorf("cannot manage the file %s: %w", m.Name, err)
	}
	if len(m.dirs) > 0 && !m.Makedirs {
		return module.Unknown("cannot make the file %s: its directory is not there (makedirs makes it)", m.Name)
	}
	return nil
}

// there is what lies at a path; nil for nothing.
func there(name string) (os.FileInfo, error) {
	st, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	return st, err
}

func kind(st os.FileInfo) string {
	switch mode := st.Mode(); {
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeDevice != 0:
		return "device"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}

// maxLinks is how long a chain of symbolic links may be, as in the kernel.
const maxLinks = 40

// followed is where a name of the host ends when each symbolic link in it is followed; there may be nothing
// there. It lies under the host's root whatever the links say: above the root is the root.
func followed(h *host.Host, name string) (string, error) {
	at, links := "/", 0
	left := strings.Split(filepath.Join("/", name), "/")
	for len(left) > 0 {
		next := filepath.Join(at, left[0])
		left = left[1:]
		to, err := os.Readlink(h.Path(next))
		if err != nil {
			at = next // no link
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("cannot follow the symbolic link %s: it goes in a circle", h.Path(name))
		}
		if len(left) > 0 && h.Real() {
			if _, err := os.Stat(h.Path(next)); errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("cannot follow the symbolic link %s: %w", h.Path(next), err)
			}
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		left = append(strings.Split(to, "/"), left...)
	}
	return h.Path(at), nil
}

// placed is where a name of the host lies, which may be a symbolic link itself. Links above it don't lead
// out of the host's root.
func placed(h *host.Host, name string) (string, error) {
	if h.Real() {
		return h.Path(name), nil
	}
	name = filepath.Join("/", name)
	if name == "/" {
		return h.Path(name), nil
	}
	dir, err := followed(h, filepath.Dir(name))
	return filepath.Join(dir, filepath.Base(name)), err
}

// owned returns the permission bits, owner and group of what is there.
func owned(st os.FileInfo) (bits uint32, uid, gid int) {
	sys := st.Sys().(*syscall.Stat_t)
	return sys.Mode & 0o7777, int(sys.Uid), int(sys.Gid)
}

// step is what has to be done: put the content there, or only set owner and mode, or nothing.
func (m *managed) step(ctx context.Context) (*module.Step, error) {
	link := m.old != nil && m.old.Mode()&fs.ModeSymlink != 0 // not followed: a file takes its place
	if m.old == nil || link {
		return m.create(ctx, link)
	}
	same, err := m.hasContent()
	if err != nil {
		return nil, err
	}
	changes := m.rights.differences(m.old)
	if same {
		if changes.Len() == 0 {
			return nil, nil
		}
		return &module.Step{Changes: changes, Do: doing(func(context.Context) error {
			return m.rights.give(m.path, m.old)
		})}, nil
	}
	shown, err := m.difference(ctx)
	if err != nil {
		return nil, err
	}
	all := value.NewDict("diff", shown)
	for k, v := range changes.All() {
		all.Put(k.(string), v)
	}
	return &module.Step{Changes: all, Do: doing(m.write)}, nil
}

func doing(do func(context.Context) error) func(context.Context) (module.Done, error) {
	return func(ctx context.Context) (module.Done, error) { return module.Done{}, do(ctx) }
}

// create is the step that makes the file.
func (m *managed) create(_ context.Context, link bool) (*module.Step, error) {
	changes := value.NewDict("diff", "New file")
	if m.want == nil {
		m.want = memory(nil)
		changes = value.NewDict("new", fmt.Sprintf("file %s created", m.Name))
	}
	if link {
		m.old = nil
	}
	for k, v := range m.rights.stated().All() {
		changes.Put(k.(string), v)
	}
	return &module.Step{Changes: changes, Do: doing(m.write)}, nil
}

func (m *managed) hasContent() (bool, error) {
	if m.want == nil || !m.Replace {
		return true, nil
	}
	if m.old.Size() != m.want.size {
		return false, nil
	}
	sum, err := sumOf(m.path)
	return sum == m.want.sum, err
}

func (m *managed) difference(ctx context.Context) (string, error) {
	const large = "the content differs; it is too large to be shown"
	if !m.Show {
		return "<show_changes=False>", nil
	}
	if m.old.Size() > diffFile {
		return large, nil
	}
	new, small, err := m.want.read(ctx)
	if err != nil || !small {
		return large, err
	}
	old, err := os.ReadFile(m.path)
	if err != nil {
		return "", err
	}
	return diff(old, new), nil
}

func (m *managed) write(ctx context.Context) error {
	dirRights := m.rights
	dirRights.mode = m.DirMode
	if !m.DirMode.set && m.rights.mode.set {
		dirRights.mode = m.rights.mode.forDirectory()
	}
	if err := makeDirs(m.dirs, dirRights); err != nil {
		return fmt.Errorf("cannot make the directory of %s: %w", m.Name, err)
	}
	if m.Backup && m.old != nil {
		if err := m.keepOld(); err != nil {
			return fmt.Errorf("cannot keep the old %s: %w", m.Name, err)
		}
	}
	err := replace(m.path, m.old, m.rights, func(w io.Writer) error { return m.want.write(ctx, w) })
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", m.Name, err)
	}
	return nil
}

// keepOld copies the old file to where only root reads it.
func (m *managed) keepOld() error {
	name := filepath.Join("/var/cache/brine/minion/file_backup", filepath.Join("/", m.Name))
	name += "_" + strings.ReplaceAll(time.Now().Format("2006-01-02T15:04:05.000000"), ":", "-")
	to, err := placed(m.host, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return replace(to, m.old, anyone, func(w io.Writer) error {
		old, err := os.Open(m.path)
		if err != nil {
			return err
		}
		defer old.Close()
		_, err = io.Copy(w, old)
		return err
	})
}
