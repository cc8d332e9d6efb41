package cp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"brine/states/host"
	hostfile "brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
)

type recvArgs struct {
	Files    files  `arg:"files,required" doc:"maps of path, content in base64, sha256 in hex, and mode of a new file"`
	Dest     string `arg:"dest,required" doc:"where one file goes, or the directory into which it goes by its name; with tree the directory below which all go by their paths"`
	Tree     bool   `arg:"tree" doc:"the files are those below a directory"`
	MakeDirs bool   `arg:"makedirs" doc:"make the directories that are missing above dest"`
	Mode     mode   `arg:"mode" doc:"the mode that each file gets"`
	User     string `arg:"user" doc:"the owner that each file gets, by name or number"`
	Group    string `arg:"group" doc:"the group that each file gets, by name or number"`
}

// recv writes files.
func recv(ctx context.Context, h *host.Host, a recvArgs) (*value.Dict, error) {
	places, err := a.places(h)
	if err != nil {
		return nil, err
	}
	uid, gid := -1, -1
	if a.User != "" {
		if uid, err = number(ctx, a.User, h.UserID); err != nil {
			return nil, err
		}
	}
	if a.Group != "" {
		if gid, err = number(ctx, a.Group, h.GroupID); err != nil {
			return nil, err
		}
	}
	done := &value.Dict{}
	for _, p := range places {
		if err := p.write(h, a, uid, gid, len(places) == 1); err != nil {
			return nil, fmt.Errorf("cannot write %s (%d of %d files are written): %w", p.name, done.Len(), len(places), err)
		}
		done.Put(p.name, true)
	}
	return done, nil
}

func number(ctx context.Context, name string, lookup func(context.Context, string) (uint32, error)) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	n, err := lookup(ctx, name)
	return int(n), err
}

// A place is where a file goes.
type place struct {
	name string // as the host sees it
	path string // as this process does
	file *file
	dirs []string // to be made first, topmost first
}

// places finds out where each file goes, and every reason why one cannot.
func (a *recvArgs) places(h *host.Host) ([]place, error) {
	if !path.IsAbs(a.Dest) {
		return nil, fmt.Errorf("cannot copy to %q: want an absolute path", a.Dest)
	}
	if len(a.Files) == 0 {
		return nil, errors.New("cannot copy: files is empty")
	}
	into := a.Tree || strings.HasSuffix(a.Dest, "/") || len(a.Files) > 1
	if st, err := os.Stat(h.Path(a.Dest)); err == nil && st.IsDir() {
		into = true
	}
	var places []place
	var errs []error
	for i := range a.Files {
		f := &a.Files[i]
		name := path.Clean(a.Dest)
		if into && a.Tree {
			name = path.Join(a.Dest, f.path)
		} else if into {
			name = path.Join(a.Dest, path.Base(f.path))
		}
		p := place{name: name, path: h.Path(name), file: f}
		err := p.look(h)
		if err == nil && len(p.dirs) > 0 && !a.MakeDirs && !a.below(h, p.dirs) {
			err = fmt.Errorf("the directory %s is not there (makedirs makes it)", seen(h, p.dirs[0]))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot write %s: %w", name, err))
		}
		places = append(places, p)
	}
	return places, errors.Join(errs...)
}

// seen is a path as the host sees it.
func seen(h *host.Host, name string) string {
	if h.Real() {
		return name
	}
	return strings.TrimPrefix(name, filepath.Clean(h.Root))
}

// below tells whether of a tree only its own directories are missing, not one above it.
func (a *recvArgs) below(h *host.Host, dirs []string) bool {
	top := h.Path(a.Dest)
	return a.Tree && (dirs[0] == top || strings.HasPrefix(dirs[0], top+"/"))
}

// look finds out which directories are missing, and whether something else stands there.
func (p *place) look(h *host.Host) error {
	if target, err := filepath.EvalSymlinks(p.path); err == nil {
		p.path = target // a link stays, what it leads to is written
	}
	for dir := filepath.Dir(p.path); ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err == nil && !st.IsDir() {
			return fmt.Errorf("%s is no directory", dir)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		p.dirs = append([]string{dir}, p.dirs...)
	}
	st, err := os.Lstat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return fmt.Errorf("something that is no regular file is there (%s)", st.Mode())
	}
	return p.inside(h)
}

// inside refuses what links lead out of the root of a host that is not the machine itself.
func (p *place) inside(h *host.Host) error {
	if h.Real() {
		return nil
	}
	root, err := filepath.EvalSymlinks(h.Root)
	if err != nil {
		return err
	}
	dir := filepath.Dir(p.path)
	if len(p.dirs) > 0 {
		dir = filepath.Dir(p.dirs[0])
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	if dir != root && !strings.HasPrefix(dir, root+"/") {
		return fmt.Errorf("%s leads out of the host's root", filepath.Dir(p.name))
	}
	return nil
}

// write replaces the file in one step. Alone says that no other one is written.
func (p *place) write(h *host.Host, a recvArgs, uid, gid int, alone bool) error {
	as := hostfile.As{Mode: unixBits(p.file.mode), Whose: &hostfile.Whose{UID: uid, GID: gid}, Dirs: 0o755, Final: true, Alone: alone}
	if a.Mode.set {
		as.Mode, as.Fix = unixBits(a.Mode.bits), true
	}
	write := p.file.write
	if write == nil {
		write = hostfile.Bytes(p.file.content)
	}
	return hostfile.Write(h, p.name, as, write)
}

// unixBits are the permissions of a mode as the system has them.
func unixBits(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

// A file is one that came with the call, or is written from elsewhere.
type file struct {
	path    string // relative
	content []byte
	write   func(io.Writer) error // takes the place of content
	mode    fs.FileMode           // of a new one
}

type files []file

// ArgType describes the argument in words.
func (*files) ArgType() string { return "list of maps" }

// ParseArg reads files and checks their content.
func (f *files) ParseArg(v module.Value) error {
	items, ok := v.Items()
	if !ok {
		return v.Want("a list of maps")
	}
	for _, item := range items {
		d, ok := item.Data.(*value.Dict)
		if !ok {
			return v.Want("a list of maps")
		}
		one, err := readFile(d)
		if err != nil {
			return err
		}
		*f = append(*f, one)
	}
	return nil
}

func readFile(d *value.Dict) (f file, err error) {
	text := func(key string) string {
		v, _ := d.Get(key)
		s, _ := v.(string)
		return s
	}
	f.path = text("path")
	if !filepath.IsLocal(f.path) || path.Clean(f.path) != f.path || f.path == "." {
		return f, fmt.Errorf("path %q is no clean relative path", f.path)
	}
	if f.content, err = base64.StdEncoding.DecodeString(text("content")); err != nil {
		return f, fmt.Errorf("content of %s is no base64: %v", f.path, err)
	}
	sum := sha256.Sum256(f.content)
	if got := hex.EncodeToString(sum[:]); got != text("sha256") {
		return f, fmt.Errorf("content of %s has sha256 %s, not %q: it was changed on its way", f.path, got, text("sha256"))
	}
	bits, err := octal(text("mode"))
	if err != nil {
		return f, fmt.Errorf("mode of %s: %w", f.path, err)
	}
	f.mode = bits
	return f, nil
}

// A mode is one that was given.
type mode struct {
	set  bool
	bits fs.FileMode
}

// ArgType describes the argument in words.
func (*mode) ArgType() string { return "mode" }

// ParseArg reads octal digits; a number that never was text stands for its digits.
func (m *mode) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a mode such as 0644")
	}
	if m.bits, err = octal(text); err != nil {
		return v.Want("a mode such as 0644")
	}
	m.set = true
	return nil
}

func octal(text string) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil || bits > 0o7777 {
		return 0, fmt.Errorf("%q is no mode such as 0644", text)
	}
	mode := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			mode |= flag
		}
	}
	return mode, nil
}
