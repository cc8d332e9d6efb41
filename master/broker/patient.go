package broker

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// In a burst of what minions say the master's own connection looks for messages only
// each readEach. To pass on a single message wakes several goroutines one after
// the other, which costs more than the message; what comes meanwhile waits in
// the server and is passed on together, as a network card does with its interrupts.
const (
	readEach   = 4 * time.Millisecond
	readPause  = 100 * time.Microsecond // nothing for so long: the server has no more
	burstReads = 16                     // within twice readEach: more than what a few jobs at once bring
	burstBytes = 1 << 10                // a wait that brings less was for nothing: the burst is over
)

// inProcess connects to the server through memory.
type inProcess struct {
	server  *server.Server
	patient bool // may wait for more in a burst
}

// InProcessConn implements nats.InProcessConnProvider.
func (p inProcess) InProcessConn() (net.Conn, error) {
	conn, err := p.server.InProcessConn()
	if err != nil || !p.patient {
		return conn, err
	}
	return &patient{Conn: conn}, nil
}

// patient is a connection that one goroutine reads, which sets no deadline
// for it once it is in use.
type patient struct {
	net.Conn
	since time.Time // the reads are counted
	reads int
	burst bool // the last wait brought much
}

// Read implements net.Conn.
func (p *patient) Read(b []byte) (int, error) {
	if p.reads < burstReads && !p.burst {
		return p.read(b)
	}
	if err := p.SetReadDeadline(time.Now().Add(readPause)); err != nil {
		return 0, err
	}
	n, err := p.read(b)
	if err := p.SetReadDeadline(time.Time{}); err != nil {
		return n, err
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	time.Sleep(readEach)
	n, err = p.read(b)
	if p.burst = n >= burstBytes; !p.burst {
		p.reads = 0
	}
	return n, err
}

// read reads and counts.
func (p *patient) read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if now := time.Now(); now.Sub(p.since) > 2*readEach {
		p.since, p.reads = now, 0
	}
	p.reads++
	return n, err
}
