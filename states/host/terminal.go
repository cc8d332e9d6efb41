package host

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// output makes what a command writes into, and where that is read.
func (c *Command) output() (r, w *os.File, err error) {
	if !c.Terminal {
		return os.Pipe()
	}
	owner := os.Geteuid()
	if c.User != nil {
		owner = int(c.User.UID)
	}
	return terminal(owner)
}

// terminal makes a pseudo-terminal of 24 lines of 80 columns that changes nothing of what is written to it. What is
// asked of its keyboard is answered with the end of the input: no one sits there.
func terminal(owner int) (r, w *os.File, err error) {
	r, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	conn, err := r.SyscallConn() // its Fd would make reads wait that no close can end
	if err == nil {
		bad := conn.Control(func(fd uintptr) { w, err = slave(int(fd)) })
		if err == nil {
			err = bad
		}
	}
	if err == nil && owner != os.Geteuid() {
		err = w.Chown(owner, -1) // else it could not open /dev/stdout
	}
	if err == nil {
		_, err = r.Write(bytes.Repeat([]byte{ctrlD}, 16))
	}
	if err != nil {
		r.Close()
		if w != nil {
			w.Close()
		}
		return nil, nil, err
	}
	return r, w, nil
}

const ctrlD = 4

// slave opens the other end of a pseudo-terminal.
func slave(master int) (*os.File, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, err
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return nil, err
	}
	w, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if err := shape(int(w.Fd())); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func shape(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
}
