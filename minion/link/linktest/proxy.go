package linktest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy stands before a master and can be a slow line, or stop passing
// anything on, as a frozen process or a cut wire would look.
type Proxy struct {
	Addr string

	ctx context.Context // ends with the test
	to  string
	wg  sync.WaitGroup

	mu     sync.Mutex
	frozen bool
	rate   int // bytes a second from minions; 0: no limit
}

// NewProxy makes a proxy before the master at to.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{Addr: l.Addr().String(), ctx: ctx, to: to}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.join(c)
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		p.wg.Wait()
	})
	return p
}

// Freeze stops passing anything on.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// Slow limits what minions send, from their next connection on.
func (p *Proxy) Slow(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = bytesPerSecond
}

func (p *Proxy) join(c net.Conn) {
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		c.Close()
		return
	}
	p.mu.Lock()
	rate := p.rate
	p.mu.Unlock()
	if tcp, ok := c.(*net.TCPConn); ok && rate > 0 {
		_ = tcp.SetReadBuffer(64 << 10) // a line has little memory of its own
	}
	stop := context.AfterFunc(p.ctx, func() {
		c.Close()
		up.Close()
	})
	p.wg.Go(func() { p.pass(up, c, rate) })
	p.wg.Go(func() {
		defer stop()
		p.pass(c, up, 0)
	})
}

func (p *Proxy) pass(dst, src net.Conn, rate int) {
	defer dst.Close()
	buf := make([]byte, 8<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen {
			<-p.ctx.Done()
			return
		}
		if rate > 0 {
			<-time.After(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}
