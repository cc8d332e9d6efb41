package beacon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/regex"
	"brine/states/value"
)

const (
	webTimeout = 10 * time.Second
	maxBody    = 1 << 20 // that is looked at
)

// A site is a URL, and what is right of its answer.
type site struct {
	name, url, shown, method string    // shown is the URL without a password or query in it
	status                   []float64 // any of them; none is any below 400
	latency, timeout         time.Duration
	content                  *regex.Regexp // to be found in the body
	headers                  map[string]string
}

// web tells whether URLs answer as they should.
func web(s *section, _ *env) looker {
	var all []*site
	sites := s.sub("urls")
	if !s.has("urls") {
		s.wrong("", "want urls in it")
	}
	sites.each(func(name string, v any) { all = append(all, readSite(sites.under(name, v), name)) })
	return func(ctx context.Context, h *host.Host) ([]reading, error) {
		if h.HTTP == nil {
			return nil, errors.New("cannot ask for URLs: there is no network here")
		}
		return beside(all, func(w *site) reading { return w.ask(ctx, h) }), nil
	}
}

// beside does something with all of a list at the same time.
func beside[T any](all []T, do func(T) reading) []reading {
	found, done := make([]reading, len(all)), make(chan struct{})
	for n, one := range all {
		go func() {
			found[n] = do(one)
			done <- struct{}{}
		}()
	}
	for range all {
		<-done
	}
	return found
}

func readSite(s *section, name string) *site {
	w := &site{name: name, url: s.text("url", name), method: s.text("method", http.MethodGet), headers: map[string]string{}}
	if u, err := url.Parse(w.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		s.wrong("", "it has no URL of http or https")
	} else {
		if u.RawQuery != "" {
			u.RawQuery = "***" // it may hold a token
		}
		if w.shown = u.Redacted(); name == w.url {
			w.name = w.shown
		}
	}
	for _, item := range s.list("status") {
		code, ok := item.(int64)
		if !ok || code < 100 || code > 599 {
			s.wrong("status", "want numbers of 100 to 599")
		}
		w.status = append(w.status, float64(code))
	}
	w.latency, w.timeout = s.duration("latency", 0), s.duration("timeout", webTimeout)
	if expr := s.text("content", ""); expr != "" {
		re, err := regex.Compile(expr, 0)
		if err != nil {
			s.wrong("content", "%v", err)
		}
		w.content = re
	}
	headers := s.sub("headers")
	headers.each(func(key string, _ any) { w.headers[key] = headers.text(key, "") })
	s.end()
	return w
}

// ask asks once.
func (w *site) ask(ctx context.Context, h *host.Host) reading {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	data, began := value.NewDict("url", w.shown), time.Now()
	status, body, err := w.get(ctx, h)
	took := time.Since(began)
	var wrong []string
	switch {
	case err != nil:
		wrong = append(wrong, err.Error())
	case len(w.status) > 0 && !slices.Contains(w.status, float64(status)) || len(w.status) == 0 && status >= 400:
		wrong = append(wrong, fmt.Sprintf("the status is %d", status))
	}
	if w.latency > 0 && took > w.latency && err == nil {
		wrong = append(wrong, fmt.Sprintf("it took more than %v", w.latency))
	}
	if w.content != nil && err == nil {
		if ok, e := w.content.Match(body); e != nil || !ok {
			wrong = append(wrong, "the body is not as it should be")
		}
	}
	if err == nil {
		data.Put("status", int64(status))
	}
	data.Put("latency", math.Round(took.Seconds()*1000)/1000)
	r := judged(w.name, data, wrong)
	r.about = w.url // others may be shown the same
	return r
}

// judged is a reading of what is as it should be, or is wrong for these reasons.
func judged(name string, data *value.Dict, wrong []string) reading {
	r := reading{tag: name, about: name, state: "up", first: "up", tell: len(wrong) > 0, data: data}
	if r.tell {
		r.state = "down"
		data.Put("error", strings.Join(wrong, "; "))
	}
	data.Put("ok", !r.tell)
	return r
}

func (w *site) get(ctx context.Context, h *host.Host) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, w.method, w.url, nil)
	if err != nil {
		return 0, nil, err
	}
	for key, v := range w.headers {
		if strings.EqualFold(key, "host") {
			req.Host = v
		}
		req.Header.Set(key, v)
	}
	resp, err := h.HTTP.Do(req)
	if outer := (*url.Error)(nil); errors.As(err, &outer) { // it tells the URL
		err = outer.Err
	}
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if w.content != nil {
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	}
	return resp.StatusCode, body, err
}

// port tells whether something listens at addresses.
func port(s *section, _ *env) looker {
	timeout := s.duration("timeout", webTimeout)
	var all []string
	for _, a := range s.texts("addresses") {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			s.wrong("addresses", "%q is none: want HOST:PORT", a)
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		s.wrong("", "want addresses in it")
	}
	return func(ctx context.Context, _ *host.Host) ([]reading, error) {
		return beside(all, func(addr string) reading {
			began, d := time.Now(), &net.Dialer{Timeout: timeout}
			var wrong []string
			conn, err := d.DialContext(ctx, "tcp", addr)
			if err != nil {
				wrong = append(wrong, err.Error())
			} else {
				conn.Close()
			}
			took := math.Round(time.Since(began).Seconds()*1000) / 1000
			return judged(addr, value.NewDict("address", addr, "latency", took), wrong)
		}), nil
	}
}
