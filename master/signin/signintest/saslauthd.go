package signintest

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// A SASLAuthd answers on a socket as saslauthd does.
type SASLAuthd struct {
	listen net.Listener
	answer func(user, password, service string) string
	stop   sync.WaitGroup
}

// NewSASLAuthd begins to listen on the socket at path. What answer returns is told: "OK", "NO" ...
func NewSASLAuthd(path string, answer func(user, password, service string) string) (*SASLAuthd, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	s := &SASLAuthd{listen: l, answer: answer}
	s.stop.Go(s.serve)
	return s, nil
}

// Close ends it and waits.
func (s *SASLAuthd) Close() {
	_ = s.listen.Close()
	s.stop.Wait()
}

func (s *SASLAuthd) serve() {
	for {
		conn, err := s.listen.Accept()
		if err != nil {
			return
		}
		s.stop.Go(func() { s.talk(conn) })
	}
}

func (s *SASLAuthd) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var texts [4]string
	for i := range texts {
		text, err := counted(conn)
		if err != nil {
			return
		}
		texts[i] = text
	}
	answer := s.answer(texts[0], texts[1], texts[2])
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

func counted(r io.Reader) (string, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return "", err
	}
	text := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, text)
	return string(text), err
}
