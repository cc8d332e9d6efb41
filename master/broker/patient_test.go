package broker

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a patient connection and the side that writes to it.
func pipe(t *testing.T) (conn *patient, server net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return &patient{Conn: near}, far
}

// send writes n messages of one byte, numbered, each when the last was read.
func send(t *testing.T, to net.Conn, n int) {
	t.Helper()
	go func() {
		for i := range n {
			if _, err := to.Write([]byte{byte(i)}); err != nil {
				t.Error(err)
			}
		}
	}()
}

// receive reads n messages that send wrote, and tells how long it took.
func receive(t *testing.T, conn net.Conn, n int) time.Duration {
	t.Helper()
	start := time.Now()
	buf := make([]byte, 16)
	for i := range n {
		if got, err := conn.Read(buf); got != 1 || err != nil || buf[0] != byte(i) {
			t.Fatalf("message %d: got %v, %v", i, buf[:got], err)
		}
	}
	return time.Since(start)
}

func TestSingleMessagesAreReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, server := pipe(t)
		for range 10 {
			send(t, server, 1)
			if took := receive(t, conn, 1); took != 0 {
				t.Errorf("got it after %v", took)
			}
			<-time.After(3 * readEach) // of the fake clock
		}
	})
}

func TestInABurstAllIsReadInOrderAndWithoutAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, server := pipe(t)
		send(t, server, 200)
		if took := receive(t, conn, 200); took != 0 {
			t.Errorf("it took %v, though there was always more", took)
		}
	})
}

func TestAfterABurstTheNextMessageWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, server := pipe(t)
		send(t, server, burstReads)
		receive(t, conn, burstReads)
		time.AfterFunc(2*readPause, func() { send(t, server, 1) })
		if took := receive(t, conn, 1); took != readPause+readEach {
			t.Errorf("got it after %v, want %v", took, readPause+readEach)
		}
		time.AfterFunc(time.Hour, func() { send(t, server, 1) }) // no deadline is left behind
		if took := receive(t, conn, 1); took != time.Hour {
			t.Errorf("got it after %v, want an hour", took)
		}
		send(t, server, 1)
		if took := receive(t, conn, 1); took != 0 {
			t.Errorf("the burst is over, but it came after %v", took)
		}
	})
}

func TestABurstGoesOnWhileAWaitBringsMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, server := pipe(t)
		send(t, server, burstReads)
		receive(t, conn, burstReads)
		for i, size := range []int{burstBytes, burstBytes, burstBytes - 1} {
			start := time.Now()
			time.AfterFunc(2*readPause, func() { _, _ = server.Write(make([]byte, size)) })
			n, err := conn.Read(make([]byte, 2*burstBytes))
			if took := time.Since(start); n != size || err != nil || took != readPause+readEach {
				t.Errorf("wait %d: got %d bytes, %v, after %v, want %d after %v", i, n, err, took, size, readPause+readEach)
			}
		}
		time.AfterFunc(2*readPause, func() { send(t, server, 1) })
		if took := receive(t, conn, 1); took != 2*readPause {
			t.Errorf("the last wait brought little, but the next message came after %v", took)
		}
	})
}

func TestAConnectionThatEndsInABurstTellsSo(t *testing.T) {
	for name, end := range map[string]func(conn *patient, server net.Conn){
		"here":  func(conn *patient, _ net.Conn) { conn.Close() },
		"there": func(_ *patient, server net.Conn) { server.Close() },
	} {
		for _, after := range []time.Duration{0, readPause / 2, readPause + readEach/2, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				conn, server := pipe(t)
				send(t, server, burstReads)
				receive(t, conn, burstReads)
				time.AfterFunc(after, func() { end(conn, server) })
				n, err := conn.Read(make([]byte, 1))
				if n != 0 || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("%s after %v: got %d, %v", name, after, n, err)
				}
			})
		}
	}
}
