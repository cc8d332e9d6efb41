package user

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"brine/states/account"
	"brine/states/host"
)

// lacksHome says whether the home directory of a user is not there and could be made.
func lacksHome(h *host.Host, home string) bool {
	if home == "" || home == "/nonexistent" || strings.HasPrefix(home, "/dev/") || strings.HasPrefix(home, "/proc/") {
		return false
	}
	_, err := os.Stat(h.Path(home))
	return errors.Is(err, fs.ErrNotExist)
}

// homeMode is the mode that the system gives a new home directory.
func homeMode(h *host.Host) fs.FileMode {
	octal := func(name string) (fs.FileMode, bool) {
		n, err := strconv.ParseUint(account.Setting(h, "/etc/login.defs", name), 8, 12)
		return fs.FileMode(n).Perm(), err == nil
	}
	if mode, ok := octal("HOME_MODE"); ok {
		return mode
	}
	mask, ok := octal("UMASK")
	if !ok {
		mask = 0o022
	}
	return 0o777 &^ mask
}

// makeParents makes the directories above a home directory, which not every useradd makes.
func makeParents(h *host.Host, home string) error {
	dir := path.Dir(path.Clean(home))
	if _, err := os.Stat(h.Path(dir)); err == nil {
		return nil
	}
	root, err := os.OpenRoot(h.Path("/"))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(strings.TrimPrefix(dir, "/"), 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", dir, err)
	}
	return nil
}

// makeHome makes the home directory of a user that is there.
func makeHome(h *host.Host, u *account.User) error {
	if err := makeParents(h, u.Home); err != nil {
		return err
	}
	above, err := os.OpenRoot(h.Path(path.Dir(path.Clean(u.Home))))
	if err != nil {
		return err
	}
	defer above.Close()
	name := path.Base(u.Home)
	if err := above.Mkdir(name, 0o700); err != nil {
		return fmt.Errorf("cannot make the home directory %s: %w", u.Home, err)
	}
	dir, err := above.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := errors.Join(dir.Chown(int(u.UID), int(u.GID)), dir.Chmod(homeMode(h))); err != nil {
		return fmt.Errorf("cannot give the home directory %s to its user: %w", u.Home, err)
	}
	return nil
}
