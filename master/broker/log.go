package broker

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// serverLog takes nats-server's log to ours. What a client can cause at will
// is worth no more than debug; what concerns routes is a warning, but not the
// same one every second.
type serverLog struct {
	log       hclog.Logger
	onFatal   func(error)
	onRefused func(remote string) // another master refused a route that was dialled from here
	seldom    seldom
}

func (l *serverLog) Noticef(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, "Slow Consumer Detected") {
		l.log.Warn("connection too slow, cut", "server", text)
		return
	}
	l.log.Debug("server", "notice", text)
}

func (l *serverLog) Warnf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.HasPrefix(text, "TLS certificate chain and hostname of solicited routes") { // pki.PeerTLS does
		l.log.Debug("server", "warning", text)
		return
	}
	if _, kind, _ := splitConnection(text); kind == "cid" {
		l.log.Debug("connection", "warning", text)
		return
	}
	if l.seldom.now(text) {
		l.log.Warn("server", "warning", text)
	}
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	remote, kind, rest := splitConnection(text)
	switch {
	case kind == "rid":
		if l.seldom.now(rest) {
			l.log.Warn("route", "peer", remote, "err", rest)
		}
		// client.go, processErr: what the other side's authViolation sends.
		if rest == "Route Error 'Authorization Violation'" {
			l.onRefused(remote)
		}
	case kind == "cid":
		l.log.Debug("connection", "err", text)
	case l.seldom.now(text):
		l.log.Warn("server", "err", text)
	}
}

func (l *serverLog) Fatalf(format string, v ...any) { l.onFatal(fmt.Errorf(format, v...)) }
func (l *serverLog) Debugf(format string, v ...any) {
	l.log.Debug("server", "text", fmt.Sprintf(format, v...))
}
func (l *serverLog) Tracef(format string, v ...any) {
	l.log.Trace("server", "text", fmt.Sprintf(format, v...))
}

// splitConnection splits "10.0.0.1:4711 - rid:12 - text" as client.go puts it
// together. Only the first two parts count: what follows can hold a client's
// own words.
func splitConnection(text string) (remote, kind, rest string) {
	remote, rest, _ = strings.Cut(text, " - ")
	kind, rest, _ = strings.Cut(rest, ":")
	if kind != "rid" && kind != "cid" {
		return "", "", text
	}
	_, rest, _ = strings.Cut(rest, " - ")
	return remote, kind, rest
}

// seldom tells whether something is worth saying: not again within a minute.
type seldom struct {
	mu   sync.Mutex
	said map[string]time.Time
}

func (s *seldom) now(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.said[what]; ok && now.Sub(last) < time.Minute {
		return false
	}
	if s.said == nil || len(s.said) > 100 {
		s.said = map[string]time.Time{}
	}
	s.said[what] = now
	return true
}
