package host

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// outputs are the two pipes of a command; err is nil when they are merged.
type outputs struct{ out, err *pipe }

// start starts the command with its input and outputs connected.
func start(cmd *exec.Cmd, c Command, limit int) (outputs, error) {
	fail := func(err error) (outputs, error) { return outputs{}, startError(c, cmd.Dir, err) }
	in, err := stdin(c.Stdin)
	if err != nil {
		return fail(err)
	}
	if in != nil {
		cmd.Stdin = in
		defer in.Close()
	}
	var outs outputs
	outR, outW, err := c.output()
	if err != nil {
		return fail(err)
	}
	defer outW.Close()
	cmd.Stdout, cmd.Stderr = outW, outW
	var errR *os.File
	if !c.Merge {
		var errW *os.File
		if errR, errW, err = c.output(); err != nil {
			outR.Close()
			return fail(err)
		}
		defer errW.Close()
		cmd.Stderr = errW
	}
	if c.Terminal {
		cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, 1
	}
	if err := spawn(cmd, c); err != nil {
		outR.Close()
		errR.Close()
		return fail(err)
	}
	outs.out = read(outR, limit, c.Bytes, c.Tee)
	if errR != nil {
		outs.err = read(errR, limit, c.Bytes, nil)
	}
	return outs, nil
}

// stdin is a file in memory: unlike a pipe it needs no one to feed it.
func stdin(data []byte) (*os.File, error) {
	if len(data) == 0 {
		return nil, nil
	}
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make its input: %w", err)
	}
	f := os.NewFile(uintptr(fd), "stdin")
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot make its input: %w", err)
	}
	_, err = f.Seek(0, 0)
	return f, err
}

func (o outputs) all() []*pipe {
	if o.err == nil {
		return []*pipe{o.out}
	}
	return []*pipe{o.out, o.err}
}

// await waits until both pipes are at their end, or for the time given.
func (o outputs) await(limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	for _, p := range o.all() {
		select {
		case <-p.done:
		case <-t.C:
			return
		}
	}
}

// open returns the pipes that are not at their end.
func (o outputs) open() []*pipe {
	var open []*pipe
	for _, p := range o.all() {
		select {
		case <-p.done:
		default:
			open = append(open, p)
		}
	}
	return open
}

func (o outputs) close() {
	for _, p := range o.all() {
		p.close()
		<-p.done
	}
}

// A pipe reads one output of a command until its end, and keeps the first and the last of it.
type pipe struct {
	file *os.File
	done chan struct{} // closed at the end of the output

	mu   sync.Mutex
	kept bool // taken by keep: what comes now is thrown away
	head []byte
	tail ring
	skip int64 // bytes between head and tail that were left out
	half int
	raw  bool // bytes that are no UTF-8 are kept
}

func read(f *os.File, limit int, raw bool, tee func([]byte)) *pipe {
	p := &pipe{file: f, done: make(chan struct{}), half: max(limit/2, 1), raw: raw}
	p.tail.size = p.half
	go func() {
		defer close(p.done)
		defer f.Close()
		buf := make([]byte, 16<<10)
		for {
			n, err := f.Read(buf)
			if p.write(buf[:n]); tee != nil {
				tee(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pipe) close() { p.file.Close() }

func (p *pipe) write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept {
		return
	}
	n := min(len(b), p.half-len(p.head))
	p.head = append(p.head, b[:n]...)
	p.skip += p.tail.write(b[n:])
}

// keep returns what was read so far and lets go of it.
func (p *pipe) keep() []byte {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = true
	text := p.head
	if p.skip > 0 {
		text = fmt.Appendf(text, "\n[... %d bytes left out ...]\n", p.skip)
	}
	text = p.tail.appendTo(text)
	p.head, p.tail.buf = nil, nil
	if p.raw {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\ufffd"))
}

// A ring keeps the last size bytes written to it.
type ring struct {
	size int
	buf  []byte
	next int // where the oldest byte is, once buf is full
}

// write returns how many bytes were pushed out.
func (r *ring) write(b []byte) (lost int64) {
	if n := len(b) - r.size; n > 0 {
		lost += int64(n)
		b = b[n:]
	}
	if n := min(len(b), r.size-len(r.buf)); n > 0 {
		r.buf = append(r.buf, b[:n]...)
		b = b[n:]
	}
	lost += int64(len(b))
	for len(b) > 0 {
		n := copy(r.buf[r.next:], b)
		b = b[n:]
		r.next = (r.next + n) % r.size
	}
	return lost
}

func (r *ring) appendTo(b []byte) []byte {
	b = append(b, r.buf[r.next:]...)
	return append(b, r.buf[:r.next]...)
}
