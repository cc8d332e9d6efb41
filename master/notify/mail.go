package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"text/template"

	gomail "github.com/wneessen/go-mail"
)

const (
	tlsStart = "starttls"
	tlsFirst = "tls"
	tlsNone  = "none"

	defaultSubject = "{{.Subject}}"
	defaultBody    = `{{.Text}}
{{if .Event.Tag}}
event   {{.Event.Tag}}
of      {{.Event.Origin}}
at      {{.Event.At.Format "2006-01-02 15:04:05 MST"}}
id      {{.Event.ID}}
{{range $key, $value := .Event.Data}}{{$key}}: {{json $value}}
{{end}}{{end}}`
)

// mailer tells people by mail.
type mailer struct {
	c             *Channel
	trust         *tls.Config
	secret        func(file string) ([]byte, error)
	subject, body *template.Template
}

func (c *Channel) openMail(trust *tls.Config, secret func(string) ([]byte, error), wrong func(key, format string, args ...any)) Sender {
	s := &mailer{c: c, trust: trust, secret: secret}
	if c.Host == "" {
		wrong("host", "is missing")
	}
	if c.Port < 0 || c.Port > 65535 {
		wrong("port", "%d: want 1 to 65535", c.Port)
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		wrong("from", "%q: want an address such as brine@example.com", c.From)
	}
	if len(c.To) == 0 {
		wrong("to", "is missing")
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			wrong("to", "%q: want an address such as ops@example.com", to)
		}
	}
	switch c.TLS {
	case "", tlsStart, tlsFirst, tlsNone:
	default:
		wrong("tls", "%q is none of starttls, tls, none", c.TLS)
	}
	switch {
	case (c.Username == "") != (c.PasswordFile == ""):
		wrong("username", "want it and password_file, or neither")
	case c.PasswordFile != "" && c.TLS == tlsNone:
		wrong("tls", "none would show the password to all: want starttls or tls")
	case c.PasswordFile != "":
		if _, err := secret(c.PasswordFile); err != nil {
			wrong("password_file", "%w", err)
		}
	}
	var err error
	if s.subject, err = parse("subject", cmp.Or(c.Subject, defaultSubject)); err != nil {
		wrong("subject", "%w", err)
	}
	if s.body, err = parse("body", cmp.Or(c.Body, defaultBody)); err != nil {
		wrong("body", "%w", err)
	}
	foreign(wrong, kindSMTP, map[string]bool{"url": c.URL != "", "url_file": c.URLFile != "", "method": c.Method != "", "headers": len(c.Headers) > 0,
		"header_files": len(c.HeaderFiles) > 0, "content_type": c.ContentType != ""})
	return s
}

func (s *mailer) Send(ctx context.Context, m *Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.timeout())
	defer cancel()
	msg, err := s.message(m)
	if err != nil {
		return "", err
	}
	var line net.Conn
	client, password, err := s.client(func(ctx context.Context, network, to string) (net.Conn, error) {
		var err error
		line, err = new(net.Dialer).DialContext(ctx, network, to)
		return line, err
	})
	if err != nil {
		return "", err
	}
	defer func() {
		if line != nil {
			_ = line.Close() // the library leaves it open where TLS fails
		}
	}()
	if err := client.DialAndSendWithContext(ctx, msg); err != nil && !msg.IsDelivered() {
		problem := fmt.Errorf("cannot send mail by %s: %s", s.c.Host, hide(err.Error(), password))
		if refusal := (*gomail.SendError)(nil); errors.As(err, &refusal) && refusal.ErrorCode()/100 == 5 {
			return "", &refused{problem}
		}
		return "", problem
	}
	return "taken by " + s.c.Host, nil
}

// client makes a client for one connection, which dial makes.
func (s *mailer) client(dial gomail.DialContextFunc) (*gomail.Client, string, error) {
	conf := s.trust.Clone()
	conf.ServerName = s.c.Host
	if s.c.TLS == tlsFirst {
		dial = encrypted(dial, conf)
	}
	opts := []gomail.Option{gomail.WithDialContextFunc(dial), gomail.WithTLSConfig(conf), gomail.WithTimeout(s.c.timeout()), gomail.WithoutNoop()}
	switch s.c.TLS {
	case tlsFirst:
		// The library finds that the line is encrypted already.
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSOpportunistic), gomail.WithPort(cmp.Or(s.c.Port, 465)))
	case tlsNone:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithPort(cmp.Or(s.c.Port, 25)))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithPort(cmp.Or(s.c.Port, 587)))
	}
	password := ""
	if s.c.PasswordFile != "" {
		data, err := s.secret(s.c.PasswordFile)
		if err != nil {
			return nil, "", err
		}
		password = string(data)
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.c.Username), gomail.WithPassword(password))
	}
	client, err := gomail.NewClient(s.c.Host, opts...)
	if err != nil {
		return nil, "", errors.New(hide(err.Error(), password))
	}
	return client, password, nil
}

// encrypted is a dial that begins with TLS.
func encrypted(dial gomail.DialContextFunc, conf *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		line, err := dial(ctx, network, to)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(line, conf)
		return secure, secure.HandshakeContext(ctx)
	}
}

// message makes the mail of a message. Its Message-ID is the same when it is sent again.
func (s *mailer) message(m *Message) (*gomail.Msg, error) {
	subject, err := fill(s.subject, m)
	if err != nil {
		return nil, err
	}
	text, err := fill(s.body, m)
	if err != nil {
		return nil, err
	}
	msg := gomail.NewMsg()
	if err := msg.From(s.c.From); err != nil {
		return nil, err
	}
	if err := msg.To(s.c.To...); err != nil {
		return nil, err
	}
	msg.Subject(cut(strings.Join(strings.Fields(subject), " "), maxSubject))
	msg.SetDateWithValue(m.At)
	sum := sha256.Sum256([]byte(m.ID))
	domain := "brine"
	if from, err := mail.ParseAddress(s.c.From); err == nil {
		_, domain, _ = strings.Cut(from.Address, "@")
	}
	msg.SetMessageIDWithValue(hex.EncodeToString(sum[:16]) + "@" + domain)
	msg.SetGenHeader("X-Brine-Id", m.ID)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // so that nobody's absence is told to us
	msg.SetBodyString(gomail.TypeTextPlain, text)
	return msg, nil
}
