package broker

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// shutdownSockets ends this process's TCP connections to remotes, as a broken
// network would; their owner notices and closes them. nats-server can close a
// client's connection but no route, except all of them by a change of options.
func shutdownSockets(remotes []netip.AddrPort) (int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		done, err := shutdownSocket(fd, remotes)
		if err != nil {
			errs = append(errs, err)
		}
		if done {
			n++
		}
	}
	return n, errors.Join(errs...)
}

// shutdownSocket works on a duplicate: fd may be closed and given to another
// file at any moment, what is looked at must be what is shut down.
func shutdownSocket(fd int, remotes []netip.AddrPort) (bool, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return false, nil // closed meanwhile
	}
	defer unix.Close(dup)
	peer, err := unix.Getpeername(dup)
	if err != nil {
		return false, nil // no connected socket
	}
	var remote netip.AddrPort
	switch a := peer.(type) {
	case *unix.SockaddrInet4:
		remote = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		remote = netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	if !slices.Contains(remotes, remote) {
		return false, nil
	}
	if err := unix.Shutdown(dup, unix.SHUT_RDWR); err != nil && !errors.Is(err, unix.ENOTCONN) {
		return false, err
	}
	return true, nil
}
