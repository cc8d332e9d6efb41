package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Rewrite gives a configuration file new content: whole or not at all, with the mode and owner that it has, or with
// mode 0644 when it is new; directories above it are made. Where the file is a symbolic link, what it leads to is
// rewritten: so it is for directories that only the administrator may write to. What was changed is noted for the host's
// Disk.
func (h *Host) Rewrite(name string, content []byte) error {
	if err := h.rewrite(name, content); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

func (h *Host) rewrite(name string, content []byte) error {
	path, err := h.target(name)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(content)
	if err == nil {
		err = likeOld(f, path)
	}
	if err == nil {
		err = h.SyncFile(int(f.Fd()))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch err = os.Rename(f.Name(), path); {
	case errors.Is(err, unix.EBUSY): // it is mounted by itself, as /etc/hosts of a container
		return os.WriteFile(path, content, 0o644)
	case err != nil:
		return err
	}
	return h.touched(dir)
}

// target is the file that a name stands for. A link that leads out of the host's root is refused.
func (h *Host) target(name string) (string, error) {
	path := h.Path(name)
	to, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil || h.Real() {
		return to, err
	}
	root, err := filepath.EvalSymlinks(h.Root)
	if err == nil && !strings.HasPrefix(to, root+"/") {
		err = errors.New("it leads out of the root directory")
	}
	return to, err
}

// likeOld gives a new file the mode and owner of the one that it takes the place of.
func likeOld(f *os.File, old string) error {
	var st unix.Stat_t
	err := unix.Stat(old, &st)
	if errors.Is(err, unix.ENOENT) {
		return f.Chmod(0o644)
	}
	if err == nil && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
		err = f.Chown(int(st.Uid), int(st.Gid))
	}
	if err == nil {
		err = f.Chmod(fs.FileMode(st.Mode & 0o777))
	}
	return err
}

func (h *Host) touched(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return h.Touched(fd, dir)
}
