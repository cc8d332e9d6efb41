package link

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// pipes connects a client to a bus that answers the first ping, and tells of those that come after it.
type pipes struct {
	near, far net.Conn
	asked     chan struct{}
	read      *lastRead
}

func (p *pipes) Dial(string, string) (net.Conn, error) {
	p.near, p.far = net.Pipe()
	go func() {
		io.WriteString(p.far, "INFO {\"server_id\":\"x\",\"max_payload\":1048576}\r\n")
		for lines, answered := bufio.NewScanner(p.far), false; lines.Scan(); {
			switch {
			case !strings.HasPrefix(lines.Text(), "PING"):
			case answered:
				p.asked <- struct{}{}
			default:
				answered = true
				io.WriteString(p.far, "PONG\r\n")
			}
		}
	}()
	return ear{p.near, p.read}, nil
}

func TestAMasterThatIsHeardIsNotAsked(t *testing.T) {
	p := &pipes{asked: make(chan struct{}, 10), read: &lastRead{begun: time.Now()}}
	s := &session{closed: make(chan struct{}), wake: make(chan struct{}, 1), read: p.read}
	nc, err := nats.Connect("nats://m1", nats.SetCustomDialer(p), nats.SkipHostLookup(), nats.NoReconnect(),
		nats.PingInterval(0), nats.ClosedHandler(func(*nats.Conn) { close(s.closed) }))
	if err != nil {
		t.Fatal(err)
	}
	s.nc, s.raw = nc, p.near
	s.hears.Store(true)
	go s.watch(t.Context(), 500*time.Millisecond)
	said := time.NewTicker(20 * time.Millisecond)
	defer said.Stop()
	for range 75 { // three times as long as it may be silent
		<-said.C
		io.WriteString(p.far, "+OK\r\n")
	}
	if len(p.asked) > 0 {
		t.Error("a question though it was heard")
	}
	take(t, "question once it is silent", p.asked)
	take(t, "end", s.closed)
	p.far.Close()
}

func TestAWatchEndsThoughAQuestionIsOpenAndAnotherWaits(t *testing.T) {
	for range 30 { // which of two reasons to go on is seen first is chance
		p := &pipes{asked: make(chan struct{}, 10), read: &lastRead{}}
		s := &session{closed: make(chan struct{}), wake: make(chan struct{}, 1), read: p.read}
		nc, err := nats.Connect("nats://m1", nats.SetCustomDialer(p), nats.SkipHostLookup(), nats.NoReconnect(),
			nats.PingInterval(0), nats.ClosedHandler(func(*nats.Conn) { close(s.closed) }))
		if err != nil {
			t.Fatal(err)
		}
		s.nc, s.raw = nc, p.near
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.watch(ctx, time.Minute)
		}()
		s.wake <- struct{}{}
		take(t, "question", p.asked)
		s.wake <- struct{}{}
		cancel()
		take(t, "end of the watch", ended)
		p.far.Close()
	}
}
