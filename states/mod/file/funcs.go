package file

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

// funcs are the execution functions, in order of name.
var funcs = sorted(slices.Concat(
	readFuncs, writeFuncs, rightFuncs, statFuncs, pathFuncs, changeFuncs, hashFuncs, backupFuncs, findFuncs, templateFuncs,
	lineFuncs, patchFuncs, managedFuncs, nodeFuncs, editFuncs, labelFuncs,
))

func sorted(all []module.Func) []module.Func {
	sort.Slice(all, func(i, k int) bool { return all[i].Name < all[k].Name })
	return all
}

type onePath struct {
	Path string `arg:"path,required,alias=name" doc:"the absolute path; ~ is the home directory of the minion's user"`
}

type followPath struct {
	onePath
	Follow bool `arg:"follow_symlinks" default:"true" doc:"look at what a link leads to"`
}

// absPath replaces ~ and refuses what is no absolute path then.
func absPath(ctx context.Context, h *host.Host, name string) (string, error) {
	name, err := atHome(ctx, h, name)
	if err != nil {
		return "", err
	}
	if !path.IsAbs(name) {
		return "", fmt.Errorf("cannot use the path %q: it is not absolute", name)
	}
	return name, nil
}

// A seeker is find or seek.
type seeker func(h *host.Host, name string, follow bool) (*spot, error)

// at finds a path for a function that reads, and what is there; nil for nothing. Leave the spot when there is no error.
func at(ctx context.Context, h *host.Host, name string, follow bool) (*spot, *info, error) {
	return seeker(seek).at(ctx, h, name, follow)
}

// toChange is at for a function that changes what is there.
func toChange(ctx context.Context, h *host.Host, name string, follow bool) (*spot, *info, error) {
	return seeker(find).at(ctx, h, name, follow)
}

func (find seeker) at(ctx context.Context, h *host.Host, name string, follow bool) (*spot, *info, error) {
	name, err := absPath(ctx, h, name)
	if err != nil {
		return nil, nil, err
	}
	s, err := find(h, name, follow)
	if err != nil {
		return nil, nil, err
	}
	i, err := s.look()
	if err != nil {
		s.leave()
		return nil, nil, err
	}
	return s, i, nil
}

// there is at, and an error when nothing is there.
func there(ctx context.Context, h *host.Host, name string, follow bool) (*spot, *info, error) {
	return seeker(seek).there(ctx, h, name, follow)
}

// thereToChange is toChange, and an error when nothing is there.
func thereToChange(ctx context.Context, h *host.Host, name string, follow bool) (*spot, *info, error) {
	return seeker(find).there(ctx, h, name, follow)
}

func (find seeker) there(ctx context.Context, h *host.Host, name string, follow bool) (*spot, *info, error) {
	s, i, err := find.at(ctx, h, name, follow)
	if isNothing(err) {
		return nil, nil, notFound(name)
	}
	if err == nil && i == nil {
		s.leave()
		return nil, nil, notFound(name)
	}
	return s, i, err
}

func notFound(name string) error {
	return fmt.Errorf("cannot find %s: there is no such file or directory", name)
}

// is makes a function that asks whether something of a kind is at a path. A path that is not absolute is that of
// nothing, so that templates may ask of what is empty.
func is(follow bool, what func(*info) bool) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a onePath) (bool, error) {
		if name := a.Path; name == "" || name[0] != '/' && name[0] != '~' {
			return false, nil
		}
		s, i, err := at(ctx, h, a.Path, follow)
		if isNothing(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s.leave()
		return i != nil && what(i), nil
	})
}

func (i *info) isKind(bits uint32) bool { return i.kindBits() == bits }

var pathFuncs = []module.Func{
	{Name: "basename", Doc: "Return the last part of a path.", Example: "/etc/ssh/sshd_config",
		Do: module.Call(func(_ context.Context, _ *host.Host, a anyPath) (string, error) {
			return a.Path[strings.LastIndexByte(a.Path, '/')+1:], nil
		})},
	{Name: "dirname", Doc: "Return a path without its last part.", Example: "/etc/ssh/sshd_config",
		Do: module.Call(func(_ context.Context, _ *host.Host, a anyPath) (string, error) { return dirname(a.Path), nil })},
	{Name: "directory_exists", Doc: "Tell whether a path is that of a directory.", Example: "/etc",
		Do: is(true, (*info).isDir)},
	{Name: "file_exists", Doc: "Tell whether a path is that of a file.", Example: "/etc/passwd", Do: is(true, (*info).isFile)},
	{Name: "is_blkdev", Doc: "Tell whether a path is that of a block device.", Example: "/dev/sda",
		Do: is(true, func(i *info) bool { return i.isKind(unix.S_IFBLK) })},
	{Name: "is_chrdev", Doc: "Tell whether a path is that of a character device.", Example: "/dev/null",
		Do: is(true, func(i *info) bool { return i.isKind(unix.S_IFCHR) })},
	{Name: "is_fifo", Doc: "Tell whether a path is that of a named pipe.", Example: "/run/initctl",
		Do: is(true, func(i *info) bool { return i.isKind(unix.S_IFIFO) })},
	{Name: "is_link", Doc: "Tell whether a path is that of a symbolic link.", Example: "/etc/localtime",
		Do: is(false, (*info).isLink)},
	{Name: "join", Doc: "Join paths as Python's os.path.join does: an absolute one begins anew.", Example: "/ usr local bin",
		Do: module.Call(joinPaths)},
	{Name: "normpath", Doc: "Return a path without doubled slashes and without . and .. in it.", Example: "/etc//ssh/../passwd",
		Do: module.Call(func(_ context.Context, _ *host.Host, a anyPath) (string, error) { return normpath(a.Path), nil })},
	{Name: "pardir", Doc: "Return the name of the directory above: two dots.",
		Do: module.Call(func(context.Context, *host.Host, struct{}) (string, error) { return "..", nil })},
	{Name: "path_exists_glob", Doc: "Tell whether a glob matches any path.", Example: "'/etc/*.conf'", Do: module.Call(globExists)},
	{Name: "readdir", Doc: "Return what is in a directory, with . and ..", Example: "/etc/ssh", Do: module.Call(readdir)},
	{Name: "readlink", Doc: "Return where a symbolic link leads.", Example: "/etc/localtime", Do: module.Call(readLink)},
}

type anyPath struct {
	Path string `arg:"path,required" doc:"the path, whether or not it is there"`
}

// dirname is Python's os.path.dirname.
func dirname(name string) string {
	head := name[:strings.LastIndexByte(name, '/')+1]
	if strings.Trim(head, "/") == "" {
		return head
	}
	return strings.TrimRight(head, "/")
}

// normpath is Python's os.path.normpath, which keeps two slashes at the start.
func normpath(name string) string {
	if strings.HasPrefix(name, "//") && !strings.HasPrefix(name, "///") {
		return "/" + path.Clean(name)
	}
	return path.Clean(name)
}

type joinArgs struct {
	Args []string `arg:"args,required,rest" doc:"the parts"`
}

func joinPaths(_ context.Context, _ *host.Host, a joinArgs) (string, error) {
	out := a.Args[0]
	for _, part := range a.Args[1:] {
		switch {
		case strings.HasPrefix(part, "/"):
			out = part
		case out == "" || strings.HasSuffix(out, "/"):
			out += part
		default:
			out += "/" + part
		}
	}
	return out, nil
}

func readdir(ctx context.Context, h *host.Host, a onePath) ([]string, error) {
	s, i, err := there(ctx, h, a.Path, true)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	if !i.isDir() {
		return nil, fmt.Errorf("cannot list %s: it is a %s", a.Path, i.kind())
	}
	fd, err := s.openDir()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	names, err := namesIn(fd, a.Path)
	return append([]string{".", ".."}, names...), err
}

type readlinkArgs struct {
	onePath
	Canonical bool `arg:"canonicalize" doc:"return the path at the end of all links instead"`
}

func readLink(ctx context.Context, h *host.Host, a readlinkArgs) (string, error) {
	s, i, err := there(ctx, h, a.Path, false)
	if err != nil {
		return "", err
	}
	defer s.leave()
	if !i.isLink() {
		return "", fmt.Errorf("cannot read the link %s: it is a %s", a.Path, i.kind())
	}
	if !a.Canonical {
		return readlink(s.fd, s.base)
	}
	to, _, err := at(ctx, h, a.Path, true)
	if err != nil {
		return "", err
	}
	defer to.leave()
	return to.path(), nil
}

func globExists(ctx context.Context, h *host.Host, a onePath) (bool, error) {
	found, err := glob(ctx, h, a.Path)
	return len(found) > 0, err
}

// glob returns the paths that a glob matches, sorted. It goes through directories part by part.
func glob(ctx context.Context, h *host.Host, pattern string) ([]string, error) {
	pattern, err := absPath(ctx, h, pattern)
	if err != nil {
		return nil, err
	}
	found := []string{"/"}
	for part := range strings.SplitSeq(strings.Trim(path.Clean(pattern), "/"), "/") {
		var next []string
		for _, dir := range found {
			names, err := globIn(h, dir, part)
			if err != nil {
				return nil, err
			}
			next = append(next, names...)
		}
		found = next
	}
	return found, nil
}

// globIn returns what of a directory matches one part of a glob.
func globIn(h *host.Host, dir, part string) ([]string, error) {
	s, err := seek(h, dir, true)
	if isNothing(err) || errors.Is(err, unix.EACCES) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.leave()
	if !strings.ContainsAny(part, `*?[`) {
		if i, err := lookAt(h, path.Join(dir, part), false); i == nil || err != nil {
			return nil, err
		}
		return []string{path.Join(dir, part)}, nil
	}
	fd, err := s.openDir()
	if err != nil {
		return nil, nil // no directory, or none that may be listed
	}
	defer unix.Close(fd)
	names, err := namesIn(fd, dir)
	var found []string
	for _, name := range names {
		ok, bad := path.Match(part, name)
		if bad != nil {
			return nil, fmt.Errorf("cannot read the glob %q: %w", part, bad)
		}
		if ok && (name[0] != '.' || part[0] == '.') {
			found = append(found, path.Join(dir, name))
		}
	}
	if errors.Is(err, unix.EACCES) {
		err = nil
	}
	return found, err
}
