package file

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

var backupFuncs = []module.Func{
	{Name: "delete_backup", Doc: "Remove a kept version of a file, by its number in list_backups.", Example: "/etc/motd 0",
		Do: module.Call(deleteBackup)},
	{Name: "list_backups", Doc: "Return the kept versions of a file, the newest first, by number.", Example: "/etc/motd",
		Do: module.Call(listBackups)},
	{Name: "list_backups_dir", Doc: "Return the kept versions of the files in a directory, by name and time.", Example: "/etc",
		Do: module.Call(listBackupsDir)},
	{Name: "restore_backup", Doc: "Put a kept version of a file in its place, by its number in list_backups. The file is kept before.",
		Example: "/etc/motd 0", Do: module.Call(restoreBackup)},
}

type backupsArgs struct {
	onePath
	Limit int `arg:"limit" doc:"how many at most; 0 is all"`
}

type backupIDArgs struct {
	onePath
	ID int `arg:"backup_id,required" doc:"its number in list_backups"`
}

// A version is a file in the directory of backups.
type version struct {
	name string // of the file
	at   time.Time
	path string
	size int64
}

// backupsIn lists what was kept of the files in a directory, the newest first.
func backupsIn(h *host.Host, dir string) ([]version, error) {
	s, err := find(h, path.Join(backupRoot, path.Clean("/"+dir)), false)
	if isNothing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.leave()
	if i, err := s.look(); i == nil || err != nil || !i.isDir() {
		return nil, err
	}
	fd, err := s.openDir()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	names, err := namesIn(fd, s.path())
	var all []version
	for _, name := range names {
		file, when, ok := parseStamp(name)
		if !ok {
			continue
		}
		i, err := infoAt(fd, name, path.Join(s.path(), name))
		if err != nil {
			return nil, err
		}
		if i != nil && i.isFile() {
			all = append(all, version{file, when, path.Join(s.path(), name), i.Size})
		}
	}
	sort.SliceStable(all, func(i, k int) bool { return all[i].at.After(all[k].at) })
	return all, err
}

// parseStamp splits the name of a kept file.
func parseStamp(name string) (file string, when time.Time, ok bool) {
	n := len(name) - len(backupStamp) - 1
	if n <= 0 || name[n] != '_' {
		return "", when, false
	}
	stamp := []byte(name[n+1:])
	stamp[strings.IndexByte(backupStamp, '.')] = '.'
	when, err := time.ParseInLocation(backupStamp, string(stamp), time.Local)
	return name[:n], when, err == nil
}

// backupsOf lists what was kept of one file.
func backupsOf(ctx context.Context, h *host.Host, name string) ([]version, error) {
	name, err := absPath(ctx, h, name)
	if err != nil {
		return nil, err
	}
	all, err := backupsIn(h, path.Dir(path.Clean(name)))
	return slices.DeleteFunc(all, func(k version) bool { return k.name != path.Base(name) }), err
}

func (k version) shown() *value.Dict {
	return value.NewDict("Start Time", k.at.Format("Mon Jan 02 2006 15:04:05.000000"), "Size", k.size, "Location", k.path)
}

func listBackups(ctx context.Context, h *host.Host, a backupsArgs) (*value.Dict, error) {
	all, err := backupsOf(ctx, h, a.Path)
	d := value.NewDict()
	for i, k := range all {
		if a.Limit <= 0 || i < a.Limit {
			_ = d.Set(int64(i), k.shown()) // a number is a key
		}
	}
	return d, err
}

func listBackupsDir(ctx context.Context, h *host.Host, a backupsArgs) (*value.Dict, error) {
	name, err := absPath(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	all, err := backupsIn(h, name)
	files := value.NewDict()
	for _, k := range all {
		v, ok := files.Get(k.name)
		if !ok {
			v = value.NewDict()
			files.Put(k.name, v)
		}
		if d := v.(*value.Dict); a.Limit <= 0 || d.Len() < a.Limit {
			_ = d.Set(int64(d.Len()), k.shown()) // a number is a key
		}
	}
	return files, err
}

func pick(ctx context.Context, h *host.Host, a backupIDArgs) (version, error) {
	all, err := backupsOf(ctx, h, a.Path)
	if err == nil && (a.ID < 0 || a.ID >= len(all)) {
		err = fmt.Errorf("cannot find backup %d of %s: there are %d", a.ID, a.Path, len(all))
	}
	if err != nil {
		return version{}, err
	}
	return all[a.ID], nil
}

func done(format string, args ...any) *value.Dict {
	return value.NewDict("result", true, "comment", fmt.Sprintf(format, args...))
}

func restoreBackup(ctx context.Context, h *host.Host, a backupIDArgs) (*value.Dict, error) {
	k, err := pick(ctx, h, a)
	if err != nil {
		return nil, err
	}
	to, old, err := toChange(ctx, h, a.Path, true)
	if err != nil {
		return nil, err
	}
	defer to.leave()
	from, was, err := there(ctx, h, k.path, false)
	if err != nil {
		return nil, err
	}
	defer from.leave()
	f, err := from.openRead()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if old != nil && old.isFile() {
		if err := to.keepOld(ctx, old); err != nil {
			return nil, fmt.Errorf("cannot keep %s: %w", a.Path, err)
		}
	}
	if err := errors.Join(to.makeDirs(anyone), to.put(nil, like(was), copier(ctx, f))); err != nil {
		return nil, fmt.Errorf("cannot restore %s: %w", a.Path, err)
	}
	return done("Successfully restored %s to %s", k.path, a.Path), nil
}

func deleteBackup(ctx context.Context, h *host.Host, a backupIDArgs) (*value.Dict, error) {
	k, err := pick(ctx, h, a)
	if err != nil {
		return nil, err
	}
	s, _, err := there(ctx, h, k.path, false)
	if err != nil {
		return nil, err
	}
	if err := s.remove(ctx); err != nil {
		return nil, err
	}
	return done("Successfully removed %s", k.path), nil
}
