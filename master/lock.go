package master

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// acquire takes the lock of a master's state, so that no two programs work on
// it at once. The lock ends with the file, also when the process dies.
func acquire(l Layout) (*os.File, error) {
	f, err := os.OpenFile(l.Lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot find a master under %s: make one with brine-master init or join", l.Root)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock the master's state: %w", err)
	}
	if err := givenTo(f, l.State()); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock the master's state: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock %s: a master runs on it already", l.State())
	}
	return f, nil
}

// givenTo gives a file to the owner of a directory, where root may: what root locks the daemon locks later.
func givenTo(f *os.File, dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || os.Geteuid() != 0 || st.Uid == 0 {
		return err
	}
	return unix.Fchown(int(f.Fd()), int(st.Uid), int(st.Gid))
}
