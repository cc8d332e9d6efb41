package link

import (
	"net"

	"golang.org/x/sys/unix"
)

// progress is how far the kernel is with a connection's bytes.
type progress struct {
	acked, received uint64
	waiting         bool // bytes are not acknowledged yet
}

// movedSince tells whether the other side has sent something, or is still
// taking what is queued for it.
func (p progress) movedSince(before progress) bool {
	return p.received != before.received || p.waiting && p.acked != before.acked
}

// traffic asks the kernel; a connection that is not TCP never moves.
func traffic(c net.Conn) (p progress) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return p
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return p
	}
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			p = progress{info.Bytes_acked, info.Bytes_received, info.Unacked > 0 || info.Notsent_bytes > 0}
		}
	})
	return p
}
