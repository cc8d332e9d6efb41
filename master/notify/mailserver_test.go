package notify_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailServer takes mail on loopback. With a certificate it offers STARTTLS, and AUTH PLAIN behind it.
type mailServer struct {
	port    int
	secure  *tls.Config
	first   bool   // TLS is there from the beginning
	refuses string // what it says to a recipient; "": it takes mail

	mu    sync.Mutex // guards the field below
	mails []string   // who signed in, the envelope and the text
}

func newMailServer(t *testing.T, secure *tls.Config, first bool) *mailServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{port: l.Addr().(*net.TCPAddr).Port, secure: secure, first: first}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				s.talk(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	return s
}

func (s *mailServer) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func (s *mailServer) talk(c net.Conn) {
	say := func(line string) { fmt.Fprintf(c, "%s\r\n", line) } // to what c is by then
	safe := s.first
	if s.first {
		c = tls.Server(c, s.secure)
	}
	r := bufio.NewReader(c)
	var mail strings.Builder
	say("220 test ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch verb, rest, _ := strings.Cut(line, " "); strings.ToUpper(verb) {
		case "EHLO":
			switch {
			case s.secure != nil && !safe:
				say("250-test\r\n250 STARTTLS")
			case s.secure != nil:
				say("250-test\r\n250 AUTH PLAIN")
			default:
				say("250 test")
			}
		case "STARTTLS":
			say("220 go on")
			c = tls.Server(c, s.secure)
			r, safe = bufio.NewReader(c), true
		case "AUTH":
			_, text, _ := strings.Cut(rest, " ")
			data, _ := base64.StdEncoding.DecodeString(text)
			if string(data) != "\x00brine\x00hidden-password" {
				say("535 5.7.8 no: hidden-password is wrong")
				continue
			}
			mail.WriteString("as brine\n")
			say("235 welcome")
		case "MAIL", "RCPT":
			if s.refuses != "" && strings.EqualFold(verb, "RCPT") {
				say(s.refuses)
				continue
			}
			mail.WriteString(line + "\n")
			say("250 ok")
		case "DATA":
			say("354 go on")
			for {
				text, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if text = strings.TrimRight(text, "\r\n"); text == "." {
					break
				}
				mail.WriteString(text + "\n")
			}
			s.mu.Lock()
			s.mails = append(s.mails, mail.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// certificate makes one for 127.0.0.1, and a file with it.
func certificate(t *testing.T) (*tls.Config, string) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}
