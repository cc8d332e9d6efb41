package host

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ReadOnly says whether nothing can be written to the absolute path name, because the file system there is mounted
// read-only: that of a directory itself, else that of the directory which it is in or would come into. Of a symbolic link
// both the link and where it leads have to be. Where the system does not tell, it is false.
func (h *Host) ReadOnly(name string) bool {
	path := h.Path(name)
	info, err := os.Lstat(path)
	switch {
	case err != nil || info.Mode().IsRegular():
		path = filepath.Dir(path)
	case info.Mode()&os.ModeSymlink != 0:
		if _, err := os.Stat(path); err != nil || !h.readOnly(filepath.Dir(path)) {
			return false
		}
	}
	return h.readOnly(path)
}

// readOnly looks at a path, or at what is nearest above it.
func (h *Host) readOnly(path string) bool {
	statfs := h.Statfs
	if statfs == nil {
		statfs = unix.Statfs
	}
	for {
		var st unix.Statfs_t
		err := statfs(path, &st)
		if err == nil || path == filepath.Dir(path) {
			return err == nil && st.Flags&unix.ST_RDONLY != 0
		}
		path = filepath.Dir(path)
	}
}
