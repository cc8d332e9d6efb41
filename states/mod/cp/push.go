package cp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"brine/states/host"
	hostfile "brine/states/mod/file"
	"brine/states/plan"
)

type pushArgs struct {
	Path         string `arg:"path,required" doc:"the absolute path of a file of this host"`
	KeepSymlinks bool   `arg:"keep_symlinks" doc:"keep it under the path that is given, also when links lead elsewhere"`
	UploadPath   string `arg:"upload_path" doc:"keep it under this path"`
	RemoveSource bool   `arg:"remove_source" doc:"remove the file once it is sent"`
}

// A pusher sends files to masters, which keep them under a clean relative path.
type pusher interface {
	Push(ctx context.Context, at string, f *os.File, size int64, sha256 string) error
}

func push(ctx context.Context, h *host.Host, a pushArgs) (bool, error) {
	to, ok := h.Files.(pusher)
	if !ok {
		return false, errors.New("cannot push: this host has no masters")
	}
	name, err := a.source(h)
	if err == nil {
		err = sendFile(ctx, h, to, name, a.at(name))
	}
	if err == nil && a.RemoveSource {
		err = hostfile.Remove(ctx, h, name)
	}
	if err != nil {
		return false, fmt.Errorf("cannot push %s: %w", a.Path, err)
	}
	return true, nil
}

// source is the file that is meant, as the host sees it.
func (a *pushArgs) source(h *host.Host) (string, error) {
	if !path.IsAbs(a.Path) {
		return "", errors.New("want an absolute path")
	}
	real, err := resolved(h, a.Path)
	if err != nil || !a.KeepSymlinks {
		return real, err
	}
	return path.Clean(a.Path), nil
}

// resolved is where links lead to. Nothing leads out of the host's root.
func resolved(h *host.Host, name string) (string, error) {
	real, err := filepath.EvalSymlinks(h.Path(name))
	if err != nil || h.Real() {
		return real, err
	}
	root, err := filepath.EvalSymlinks(h.Root)
	if err != nil {
		return "", err
	}
	in, ok := strings.CutPrefix(real, root+"/")
	if !ok {
		return "", errors.New("it leads out of the host's root")
	}
	return "/" + in, nil
}

// at is the path under which masters keep a file.
func (a *pushArgs) at(name string) string {
	if a.UploadPath != "" {
		name = a.UploadPath
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// sendFile sends a file as it is when it is opened.
func sendFile(ctx context.Context, h *host.Host, to pusher, name, at string) error {
	local := h.Path(name)
	st, err := os.Stat(local)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("it is no regular file")
	}
	sum, err := localSum(h, name)
	if err != nil {
		return err
	}
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	if st, err = f.Stat(); err != nil {
		return err
	}
	return to.Push(ctx, at, f, st.Size(), sum)
}

type pushDirArgs struct {
	Path       string `arg:"path,required" doc:"the absolute path of a directory of this host"`
	Glob       string `arg:"glob" doc:"only files whose names this glob matches"`
	UploadPath string `arg:"upload_path" doc:"keep them under this path"`
}

func pushDir(ctx context.Context, h *host.Host, a pushDirArgs) (bool, error) {
	dir, err := (&pushArgs{Path: a.Path}).source(h)
	if err != nil {
		return false, fmt.Errorf("cannot push %s: %w", a.Path, err)
	}
	names, err := filesBelow(h, dir, a.Glob)
	if err == nil && len(names) == 0 {
		err = errors.New("there is no such file")
	}
	if err != nil {
		return false, fmt.Errorf("cannot push %s: %w", a.Path, err)
	}
	for _, name := range names {
		one := pushArgs{Path: name}
		if a.UploadPath != "" {
			one.UploadPath = path.Join("/", a.UploadPath, strings.TrimPrefix(name, dir))
		}
		if _, err := push(ctx, h, one); err != nil {
			return false, err
		}
	}
	return true, nil
}

// filesBelow are the files below a directory, or the one of that name.
func filesBelow(h *host.Host, dir, glob string) (names []string, err error) {
	matches := plan.Glob(glob)
	err = filepath.WalkDir(h.Path(dir), func(local string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := os.Stat(local)
		if err == nil && st.Mode().IsRegular() && (glob == "" || matches(e.Name())) {
			names = append(names, seen(h, local))
		}
		if errors.Is(err, fs.ErrNotExist) { // a link that leads nowhere
			return nil
		}
		return err
	})
	return names, err
}
