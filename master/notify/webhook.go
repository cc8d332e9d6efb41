package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 4 << 10

// webhook tells an address of the web.
type webhook struct {
	c      *Channel
	secret func(file string) ([]byte, error)
	body   *template.Template // nil: the message as JSON
	client *http.Client
}

func (c *Channel) openWebhook(trust *tls.Config, secret func(string) ([]byte, error), wrong func(key, format string, args ...any)) Sender {
	w := &webhook{c: c, secret: secret}
	switch {
	case c.URL == "" && c.URLFile == "":
		wrong("url", "is missing, and so is url_file")
	case c.URL != "" && c.URLFile != "":
		wrong("url", "there is url_file too: want one of them")
	default:
		if _, _, err := w.address(); err != nil {
			wrong("url", "%w", err)
		}
	}
	switch c.Method {
	case "", http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		wrong("method", "%q is none of POST, PUT, PATCH", c.Method)
	}
	for name, file := range c.HeaderFiles {
		if _, err := secret(file); err != nil {
			wrong("header_files."+name, "%w", err)
		}
	}
	var err error
	if c.Body != "" {
		if w.body, err = parse("body", c.Body); err != nil {
			wrong("body", "%w", err)
		}
	}
	foreign(wrong, kindWebhook, map[string]bool{"host": c.Host != "", "port": c.Port != 0, "from": c.From != "", "to": len(c.To) > 0, "username": c.Username != "",
		"password_file": c.PasswordFile != "", "tls": c.TLS != "", "subject": c.Subject != ""})
	w.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: trust, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: parallel, IdleConnTimeout: time.Minute,
			ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // else headers with secrets go elsewhere
	}
	return w
}

// address is where messages go, and what of it may be a secret.
func (w *webhook) address() (*url.URL, []string, error) {
	text := w.c.URL
	if w.c.URLFile != "" {
		data, err := w.secret(w.c.URLFile)
		if err != nil {
			return nil, nil, err
		}
		text = strings.TrimSpace(string(data))
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, nil, errors.New("want an address such as https://host/path") // it may have a secret: it is not shown
	}
	secrets := []string{text, u.RequestURI(), u.Path, u.RawQuery}
	if pass, ok := u.User.Password(); ok {
		secrets = append(secrets, pass, u.User.String())
	}
	return u, secrets, nil
}

// request makes the request of a message, and tells which secrets are in it.
func (w *webhook) request(ctx context.Context, m *Message) (*http.Request, []string, error) {
	u, secrets, err := w.address()
	if err != nil {
		return nil, nil, err
	}
	text, err := w.text(m)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, cmp.Or(w.c.Method, http.MethodPost), u.String(), strings.NewReader(text))
	if err != nil {
		return nil, nil, errors.New(hide(err.Error(), secrets...))
	}
	r.Header.Set("Content-Type", cmp.Or(w.c.ContentType, "application/json"))
	r.Header.Set("User-Agent", "brine")
	r.Header.Set("Idempotency-Key", m.ID)
	for name, value := range w.c.Headers {
		r.Header.Set(name, value)
		secrets = append(secrets, value)
	}
	for name, file := range w.c.HeaderFiles {
		value, err := w.secret(file)
		if err != nil {
			return nil, nil, err
		}
		r.Header.Set(name, string(value))
		_, credential, _ := strings.Cut(string(value), " ") // Bearer X
		secrets = append(secrets, string(value), credential)
	}
	return r, secrets, nil
}

// text is what is sent of a message.
func (w *webhook) text(m *Message) (string, error) {
	if w.body != nil {
		return fill(w.body, m)
	}
	data, err := json.Marshal(struct {
		ID      string `json:"id"`
		Channel string `json:"channel"`
		Subject string `json:"subject"`
		Text    string `json:"text"`
		At      string `json:"at"`
		Actor   string `json:"actor"`
		Cause   string `json:"cause"`
		Depth   uint32 `json:"depth"`
		Event   *Event `json:"event"`
	}{m.ID, m.Channel, m.Subject, m.Text, m.At.UTC().Format(time.RFC3339Nano), m.Actor, m.Cause, m.Depth, m.event()})
	return string(data), err
}

// event is what a message tells of; nil for none.
func (m *Message) event() *Event {
	if m.Event.Tag == "" {
		return nil
	}
	return &m.Event
}

func (w *webhook) Send(ctx context.Context, m *Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, w.c.timeout())
	defer cancel()
	r, secrets, err := w.request(ctx, m)
	if err != nil {
		return "", err
	}
	answer, err := w.client.Do(r)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) { // it tells the address
			err = outer.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v", w.c.timeout())
		}
		return "", fmt.Errorf("cannot reach %s: %s", r.URL.Host, hide(err.Error(), secrets...))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode/100 == 2 {
		return answer.Status, nil // what it says besides does not count
	}
	problem := fmt.Errorf("%s answers %s", r.URL.Host, answer.Status)
	if said := hide(string(text), secrets...); err == nil && said != "" {
		problem = fmt.Errorf("%w: %s", problem, said)
	}
	if n, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && n > 0 {
		return "", &later{problem, time.Duration(n) * time.Second}
	}
	if isFinal(answer.StatusCode) {
		return "", &refused{problem}
	}
	return "", problem
}

// isFinal tells of a status that the same request will have again: it is wrong, or the address is.
func isFinal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status/100 == 3 || status/100 == 4
}
