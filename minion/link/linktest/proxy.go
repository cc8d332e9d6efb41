package linktest

import (
	"net"
	"sync"
	"testing"
)

// A Proxy stands before a master and can stop passing anything on, as a
// frozen process or a cut wire would look.
type Proxy struct {
	Addr string

	mu    sync.Mutex
	stall chan struct{} // while frozen, not nil
}

// NewProxy makes a proxy before the master at to.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String()}
	var wg sync.WaitGroup
	done := make(chan struct{})
	pass := func(dst, src net.Conn) {
		defer wg.Done()
		defer dst.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := src.Read(buf)
			if err != nil {
				return
			}
			if gate := p.gate(); gate != nil {
				select {
				case <-gate:
				case <-done:
					return
				}
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			wg.Add(3)
			go pass(up, c)
			go pass(c, up)
			go func() {
				defer wg.Done()
				<-done
				c.Close()
				up.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		close(done)
		l.Close()
		wg.Wait()
	})
	return p
}

func (p *Proxy) gate() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stall
}

// Freeze stops passing anything on.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = make(chan struct{})
}
