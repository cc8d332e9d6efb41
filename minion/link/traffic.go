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

// bulk is more than the sign of life itself and the small talk beside it.
const bulk = 4 << 10

// movedSince tells whether the other side has sent something, or is still
// taking what is queued for it, or took much of it until just now. The
// kernel of a frozen process takes a little, but only as long as its buffer has room.
func (p progress) movedSince(before progress) bool {
	taken := p.acked - before.acked
	return p.received != before.received || p.waiting && taken > 0 || taken > bulk
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
