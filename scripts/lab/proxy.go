package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// A Proxy carries the connections between masters, so that a test can cut
// them as a broken network does: silently, bytes just stop.
type Proxy struct {
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	cuts  map[pair]chan struct{}
	conns map[net.Conn]bool
}

type pair struct{ a, b string }

// between is the same pair whichever master comes first.
func between(a, b string) pair {
	if a > b {
		a, b = b, a
	}
	return pair{a, b}
}

// NewProxy returns a proxy with no listeners.
func NewProxy() *Proxy {
	ctx, cancel := context.WithCancel(context.Background())
	return &Proxy{ctx: ctx, cancel: cancel, cuts: map[pair]chan struct{}{}, conns: map[net.Conn]bool{}}
}

// Listen opens a listener through which others reach master to, whose address
// target tells at each connection; from names who has connected. It returns the listener's address.
func (p *Proxy) Listen(to string, from func(net.Conn) string, target func() (string, error)) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.wait.Go(func() {
		<-p.ctx.Done()
		l.Close()
	})
	p.wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if !p.keep(c) {
				return
			}
			p.wait.Go(func() { p.carry(c, between(from(c), to), target) })
		}
	})
	return l.Addr().String(), nil
}

// keep registers a connection to be closed at the end; false when that was already.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (p *Proxy) carry(c net.Conn, between pair, target func() (string, error)) {
	defer p.drop(c)
	if p.whole(between) != nil {
		return
	}
	addr, err := target()
	if err != nil {
		return
	}
	var d net.Dialer
	out, err := d.DialContext(p.ctx, "tcp", addr)
	if err != nil || !p.keep(out) {
		return
	}
	defer p.drop(out)
	var both sync.WaitGroup
	both.Go(func() { p.copy(out, c, between); out.Close(); c.Close() })
	both.Go(func() { p.copy(c, out, between); out.Close(); c.Close() })
	both.Wait()
}

// copy moves bytes while the pair is not cut.
func (p *Proxy) copy(to io.Writer, from io.Reader, between pair) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if p.whole(between) != nil {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// whole returns when the pair is whole.
func (p *Proxy) whole(between pair) error {
	p.mu.Lock()
	healed := p.cuts[between]
	p.mu.Unlock()
	if healed == nil {
		return nil
	}
	select {
	case <-healed:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// Cut stops everything between two masters.
func (p *Proxy) Cut(a, b string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts[between(a, b)] == nil {
		p.cuts[between(a, b)] = make(chan struct{})
	}
}

// Heal undoes every cut.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, healed := range p.cuts {
		close(healed)
		delete(p.cuts, k)
	}
}

// Close ends every connection and waits for all that runs.
func (p *Proxy) Close() {
	p.cancel()
	p.mu.Lock()
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// Serve takes the commands "cut A B" and "heal" on a socket until ctx ends.
func (p *Proxy) Serve(ctx context.Context, socket net.Listener) error {
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	for {
		c, err := socket.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot accept on %s: %w", socket.Addr(), err)
		}
		p.command(c)
	}
}

func (p *Proxy) command(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReader(io.LimitReader(c, 1024)).ReadString('\n')
	if err != nil {
		return
	}
	answer := "ok"
	switch f := strings.Fields(line); {
	case len(f) == 3 && f[0] == "cut":
		p.Cut(f[1], f[2])
	case len(f) == 1 && f[0] == "heal":
		p.Heal()
	default:
		answer = "unknown command " + strings.TrimSpace(line)
	}
	fmt.Fprintln(c, answer)
}

// control sends one command to the proxy process of a lab.
func control(socket, line string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return fmt.Errorf("cannot reach the lab's proxy: %w", err)
	}
	defer c.Close()
	fmt.Fprintln(c, line)
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return fmt.Errorf("cannot read the proxy's answer: %w", err)
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return errors.New(answer)
	}
	return nil
}
