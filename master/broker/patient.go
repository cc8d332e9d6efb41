package broker

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// In a burst the master's own connection looks for messages only each
// readEach. To pass on a single message wakes several goroutines one after
// the other, which costs more than the message; what comes meanwhile waits in
// the server and is passed on together, as a network card does with its interrupts.
const (
	readEach   = 4 * time.Millisecond
	readPause  = 100 * time.Microsecond // nothing for so long: the server has no more
	burstReads = 4                      // within twice readEach
)

// inProcess connects to the server through memory.
type inProcess struct{ server *server.Server }

// InProcessConn implements nats.InProcessConnProvider.
func (p inProcess) InProcessConn() (net.Conn, error) {
	conn, err := p.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	return &patient{Conn: conn}, nil
}

// patient is a connection that one goroutine reads, which sets no deadline
// for it once it is in use.
type patient struct {
	net.Conn
	since time.Time // the reads are counted
	reads int
}

// Read implements net.Conn.
func (p *patient) Read(b []byte) (int, error) {
	if p.reads < burstReads {
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
	return p.read(b)
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
