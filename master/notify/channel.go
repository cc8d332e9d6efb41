package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

// A Channel is where messages go.
type Channel struct {
	Kind     string `toml:"kind"`
	Timeout  string `toml:"timeout"`   // of one attempt
	RetryFor string `toml:"retry_for"` // how long it is tried
	CAFile   string `toml:"ca_file"`   // that signs the other side's certificate; "": those of the system
	Body     string `toml:"body"`      // template

	// webhook
	URL         string            `toml:"url"`
	URLFile     string            `toml:"url_file"` // with the address, where that is a secret
	Method      string            `toml:"method"`
	Headers     map[string]string `toml:"headers"`
	HeaderFiles map[string]string `toml:"header_files"` // with the values, where those are secrets
	ContentType string            `toml:"content_type"`

	// smtp
	Host         string   `toml:"host"`
	Port         int      `toml:"port"`
	From         string   `toml:"from"`
	To           []string `toml:"to"`
	Username     string   `toml:"username"`
	PasswordFile string   `toml:"password_file"`
	TLS          string   `toml:"tls"`     // starttls, tls or none
	Subject      string   `toml:"subject"` // template
}

const (
	kindWebhook = "webhook"
	kindSMTP    = "smtp"

	defaultTimeout  = 10 * time.Second
	maxTimeout      = 5 * time.Minute
	defaultRetryFor = 24 * time.Hour
	maxRetryFor     = 7 * 24 * time.Hour
)

// A Sender delivers messages of one channel. Send says what the other side said. Neither that nor the error has a secret.
type Sender interface {
	Send(ctx context.Context, m *Message) (outcome string, err error)
}

// later is an error of one who wants to be left alone for a while.
type later struct {
	error
	after time.Duration
}

func (l *later) Unwrap() error { return l.error }

// refused is an error of one who will not take the message, however often it is sent.
type refused struct{ error }

func (r *refused) Unwrap() error { return r.error }

// CheckName tells why a channel cannot have a name.
func CheckName(name string) error {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
	if name == "" || len(name) > 64 || name == address || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("want a name of a-z, 0-9, - and _, other than %q", address)
	}
	return nil
}

// Open makes the sender of a channel; secret reads the file of a secret. Every mistake is told.
func (c *Channel) Open(secret func(file string) ([]byte, error)) (Sender, []error) {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	if d, err := time.ParseDuration(c.Timeout); c.Timeout != "" && (err != nil || d <= 0 || d > maxTimeout) {
		wrong("timeout", "%q: want a duration up to %v, such as 10s", c.Timeout, maxTimeout)
	}
	if d, err := time.ParseDuration(c.RetryFor); c.RetryFor != "" && (err != nil || d <= 0 || d > maxRetryFor) {
		wrong("retry_for", "%q: want a duration up to %v, such as 24h", c.RetryFor, maxRetryFor)
	}
	trust, err := c.trust()
	if err != nil {
		wrong("ca_file", "%w", err)
	}
	var s Sender
	switch c.Kind {
	case kindWebhook:
		s = c.openWebhook(trust, secret, wrong)
	case kindSMTP:
		s = c.openMail(trust, secret, wrong)
	default:
		wrong("kind", "%q is none of smtp, webhook", c.Kind)
	}
	return s, errs
}

// foreign tells of keys that are for another kind.
func foreign(wrong func(key, format string, args ...any), kind string, given map[string]bool) {
	for key, is := range given {
		if is {
			wrong(key, "is not for the kind %s", kind)
		}
	}
}

func (c *Channel) timeout() time.Duration {
	if d, err := time.ParseDuration(c.Timeout); err == nil {
		return d
	}
	return defaultTimeout
}

func (c *Channel) retryFor() time.Duration {
	if c != nil {
		if d, err := time.ParseDuration(c.RetryFor); err == nil {
			return d
		}
	}
	return defaultRetryFor
}

func (c *Channel) trust() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return t, nil
	}
	data, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s has no certificate", c.CAFile)
	}
	return t, nil
}

// view is what templates see.
type view struct {
	ID, Channel, Subject, Text, Cause, Actor string
	Depth                                    uint32
	At                                       time.Time
	Event                                    eventView
}

type eventView struct {
	ID, Tag, Origin string
	At              time.Time
	Data            map[string]any
}

func (m *Message) view() view {
	v := view{ID: m.ID, Channel: m.Channel, Subject: m.Subject, Text: m.Text, Cause: m.Cause, Actor: m.Actor, Depth: m.Depth, At: m.At,
		Event: eventView{ID: m.Event.ID, Tag: m.Event.Tag, Origin: m.Event.Origin, At: m.Event.At, Data: map[string]any{}}}
	_ = json.Unmarshal(m.Event.Data, &v.Event.Data) // what is no object has no fields
	return v
}

// parse reads a template, and tries it on a message without an event.
func parse(name, text string) (*template.Template, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"json": func(v any) (string, error) {
			data, err := json.Marshal(v)
			return string(data), err
		},
		"upper": strings.ToUpper, "lower": strings.ToLower,
	}).Parse(text)
	if err != nil {
		return nil, plainly(err)
	}
	if _, err := fill(t, &Message{}); err != nil {
		return nil, err
	}
	return t, nil
}

const maxBody = 1 << 20

// fill makes the text of a message.
func fill(t *template.Template, m *Message) (string, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, m.view()); err != nil {
		return "", plainly(err)
	}
	if b.Len() > maxBody {
		return "", fmt.Errorf("cannot make the text: it has %d bytes, the limit is %d", b.Len(), maxBody)
	}
	return b.String(), nil
}

func plainly(err error) error {
	return errors.New("cannot make the text: " + strings.TrimPrefix(err.Error(), "template: "))
}

// hide takes secrets out of a text.
func hide(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) > 2 {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return cut(strings.Join(strings.Fields(text), " "), 400)
}
