package notify_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/master/notify"
)

// secrets are what files of secrets hold.
func secrets(file string) ([]byte, error) {
	text, ok := map[string]string{"token": "Bearer hidden-token", "password": "hidden-password", "wrong": "other-password"}[file]
	if strings.HasPrefix(file, "http") {
		return []byte(file), nil
	}
	if !ok {
		return nil, errors.New(file + ": no such file")
	}
	return []byte(text), nil
}

func open(t *testing.T, c notify.Channel) notify.Sender {
	t.Helper()
	s, errs := c.Open(secrets)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return s
}

func example() *notify.Message {
	at := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	return &notify.Message{ID: "0123abcd", Channel: "ops", Subject: "disk of web1\r\nBcc: x", Text: "It is full.", Cause: "event/1/x", Depth: 1, Actor: "rule disk", At: at,
		Event: notify.Event{ID: "event/1/x", Tag: "brine/hook/am/web1/problem", Origin: "web1", At: at, Data: json.RawMessage(`{"name":"DiskFull","left":2}`)}}
}

func TestWebhook(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r, string(data)
	}))
	defer server.Close()
	s := open(t, notify.Channel{Kind: "webhook", URL: server.URL + "/x", HeaderFiles: map[string]string{"Authorization": "token"}, Headers: map[string]string{"X-Site": "one"}})
	if outcome, err := s.Send(t.Context(), example()); err != nil || outcome != "200 OK" {
		t.Fatal(outcome, err)
	}
	for name, want := range map[string]string{"Idempotency-Key": "0123abcd", "Authorization": "Bearer hidden-token", "X-Site": "one", "Content-Type": "application/json"} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("%s: got %q, want %q", name, h, want)
		}
	}
	const want = `{"id":"0123abcd","channel":"ops","subject":"disk of web1\r\nBcc: x","text":"It is full.","at":"2026-11-27T08:00:00Z","actor":"rule disk","cause":"event/1/x","depth":1,` +
		`"event":{"id":"event/1/x","tag":"brine/hook/am/web1/problem","origin":"web1","at":"2026-11-27T08:00:00Z","data":{"name":"DiskFull","left":2}}}`
	if body != want || got.Method != http.MethodPost {
		t.Errorf("got  %s %s\nwant %s", got.Method, body, want)
	}
	s = open(t, notify.Channel{Kind: "webhook", URLFile: server.URL, Method: "PUT", Body: `{"text": {{json .Text}}, "who": "{{upper .Event.Origin}}", "what": {{json .Event.Data.name}}}`})
	if _, err := s.Send(t.Context(), example()); err != nil || body != `{"text": "It is full.", "who": "WEB1", "what": "DiskFull"}` || got.Method != "PUT" {
		t.Errorf("got %s %s, %v", got.Method, body, err)
	}
}

// Whatever goes wrong, neither the address nor a header is told.
func TestAFailureOfAWebhookTellsNoSecret(t *testing.T) {
	moved := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if moved {
			http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusFound)
			return
		}
		w.Header().Set("Retry-After", "30")
		http.Error(w, "no "+r.URL.Path+"?"+r.URL.RawQuery+" for "+r.Header.Get("Authorization"), http.StatusForbidden)
	}))
	address := strings.Replace(server.URL, "http://", "http://me:hidden-userinfo@", 1) + "/hidden-path?k=hidden-query"
	s := open(t, notify.Channel{Kind: "webhook", URLFile: address, HeaderFiles: map[string]string{"Authorization": "token"}, Timeout: "2s"})
	_, refused := s.Send(t.Context(), example())
	moved = true
	_, redirected := s.Send(t.Context(), example())
	server.Close()
	_, gone := s.Send(t.Context(), example())
	for _, c := range []struct {
		err  error
		want string
	}{{refused, "answers 403 Forbidden: no *** for ***"}, {redirected, "answers 302 Found"}, {gone, "cannot reach 127.0.0.1"}} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || strings.Contains(c.err.Error(), "hidden") {
			t.Errorf("got %v, want %s", c.err, c.want)
		}
	}
	_, errs := (&notify.Channel{Kind: "webhook", URLFile: "http:// hidden"}).Open(secrets)
	if len(errs) != 1 || strings.Contains(errs[0].Error(), "hidden") {
		t.Errorf("got %v", errs)
	}
}

func TestWhichStatusIsFinal(t *testing.T) {
	status, wait := 0, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	s := open(t, notify.Channel{Kind: "webhook", URL: server.URL})
	for _, c := range []struct {
		status int
		wait   string
		final  bool
	}{
		{302, "", true}, {400, "", true}, {401, "", true}, {404, "", true}, {422, "", true},
		{403, "30", false}, {408, "", false}, {425, "", false}, {429, "", false}, {500, "", false}, {503, "30", false},
	} {
		status, wait = c.status, c.wait
		if _, err := s.Send(t.Context(), example()); err == nil || notify.IsRefused(err) != c.final {
			t.Errorf("%d: got %v, want final %v", c.status, err, c.final)
		}
	}
}

func TestMail(t *testing.T) {
	secure, ca := certificate(t)
	server := newMailServer(t, secure, false)
	c := notify.Channel{Kind: "smtp", Host: "127.0.0.1", Port: server.port, From: "brine <brine@example.com>", To: []string{"ops@example.com", "boss@example.com"},
		Username: "brine", PasswordFile: "password", CAFile: ca, Timeout: "5s"}
	if outcome, err := open(t, c).Send(t.Context(), example()); err != nil || outcome != "taken by 127.0.0.1" {
		t.Fatal(outcome, err)
	}
	text := server.got()[0]
	for _, want := range []string{"as brine\n", "MAIL FROM:<brine@example.com>", "RCPT TO:<ops@example.com>", "RCPT TO:<boss@example.com>", "\nSubject: disk of web1 Bcc: x\n",
		"\nMessage-ID: <", "@example.com>\n", "\nX-Brine-Id: 0123abcd\n", "\nDate: Fri, 27 Nov 2026 08:00:00", "\nIt is full.\n", "event   brine/hook/am/web1/problem\n", "name: \"DiskFull\"\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	plain := newMailServer(t, nil, false)
	own := notify.Channel{Kind: "smtp", Host: "127.0.0.1", Port: plain.port, From: "brine@example.com", To: []string{"ops@example.com"}, TLS: "none", Subject: "{{.Event.Origin}}",
		Body: "{{.Text}}", Timeout: "5s"}
	for range 2 {
		if _, err := open(t, own).Send(t.Context(), example()); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[string]bool{}
	for _, text := range plain.got() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "Message-ID:") {
				ids[line] = true
			}
		}
		if !strings.Contains(text, "\nSubject: web1\n") {
			t.Errorf("got %s", text)
		}
	}
	if len(ids) != 1 {
		t.Errorf("one message has the ids %v", ids)
	}

	first := newMailServer(t, secure, true)
	encrypted := c
	encrypted.Port, encrypted.TLS = first.port, "tls"
	if _, err := open(t, encrypted).Send(t.Context(), example()); err != nil || !strings.Contains(first.got()[0], "as brine\n") {
		t.Errorf("got %v by TLS", err)
	}

	// what goes wrong is told without the password
	wrong, refused, untrusted, early := c, own, c, own
	wrong.PasswordFile, untrusted.CAFile, early.TLS = "wrong", "", "starttls"
	rejecting := newMailServer(t, nil, false)
	rejecting.refuses = "550 5.1.1 no such user"
	refused.Port = rejecting.port
	for want, c := range map[string]notify.Channel{"535": wrong, "no such user": refused, "certificate": untrusted, "STARTTLS": early} {
		_, err := open(t, c).Send(t.Context(), example())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "other-password") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestMistakesInChannelsAreAllTold(t *testing.T) {
	for _, c := range []struct {
		channel notify.Channel
		want    string
	}{
		{notify.Channel{Kind: "pager"}, `kind: "pager" is none of smtp, webhook`},
		{notify.Channel{Kind: "webhook", Timeout: "1h", RetryFor: "-1s", Method: "GET", Body: "{{.Nosuch}}", HeaderFiles: map[string]string{"A": "nosuch"}, To: []string{"x"}},
			"body: cannot make the text: body:1:2: executing \"body\" at <.Nosuch>: can't evaluate field Nosuch in type notify.view|" +
				`header_files.A: nosuch: no such file|method: "GET" is none of POST, PUT, PATCH|retry_for: "-1s": want a duration up to 168h0m0s, such as 24h|` +
				`timeout: "1h": want a duration up to 5m0s, such as 10s|to: is not for the kind webhook|url: is missing, and so is url_file`},
		{notify.Channel{Kind: "webhook", URL: "ftp://x"}, "url: want an address such as https://host/path"},
		{notify.Channel{Kind: "smtp", TLS: "none", Username: "x", PasswordFile: "password", From: "x", URL: "http://x"},
			`from: "x": want an address such as brine@example.com|host: is missing|tls: none would show the password to all: want starttls or tls|to: is missing|url: is not for the kind smtp`},
	} {
		_, errs := c.channel.Open(secrets)
		var texts []string
		for _, err := range errs {
			texts = append(texts, err.Error())
		}
		slices.Sort(texts)
		if got := strings.Join(texts, "|"); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
