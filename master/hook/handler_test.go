package hook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/master/hook"
	"brine/master/store"
	"brine/proto"
)

const secret = "0123456789abcdef"

// site is two masters, of which each stores what the other keeps, unless they are cut.
type site struct {
	t       testing.TB
	now     time.Time
	stores  []*store.Store
	masters []http.Handler
	fail    error
	refused []string
}

func newSite(t testing.TB, sources map[string]*hook.Source) *site {
	s := &site{t: t, now: time.Now().UTC().Truncate(time.Second)}
	for _, name := range []string{"m1", "m2"} {
		st, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Master: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		s.stores = append(s.stores, st)
	}
	index := hook.NewIndex([]hook.Host{{Minion: "web1", Names: []string{"web1.example.com"}, Addresses: []string{"192.0.2.1"}}, {Minion: "db1"}}, nil)
	for i, name := range []string{"m1", "m2"} {
		h := hook.New(hook.Options{
			Master: name, Sources: sources, Secret: func(string) ([]byte, error) { return []byte(secret), nil },
			Index:  func(context.Context) (*hook.Index, error) { return index, nil },
			Events: s.stores[i].EventsNaming,
			Keep: func(ctx context.Context, recs []*proto.Record) ([]string, error) {
				for _, st := range s.stores {
					if s.fail != nil {
						return nil, s.fail
					}
					if err := st.Append(ctx, recs...); err != nil {
						return nil, err
					}
				}
				return nil, nil
			},
			Refused: func(source, _ string, err error) { s.refused = append(s.refused, source+": "+err.Error()) },
			Failed:  func(string, error) {},
			Now:     func() time.Time { return s.now },
		})
		mux := http.NewServeMux()
		mux.Handle("POST /hook/{name}", h)
		mux.Handle("POST /hook/{name}/{path...}", h)
		s.masters = append(s.masters, mux)
	}
	return s
}

// post sends a message to a master, with headers as names and values.
func (s *site) post(master int, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+secret)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.masters[master].ServeHTTP(w, r)
	return w
}

// events are those of a master, the oldest first.
func (s *site) events(master int) []store.EventEntry {
	s.t.Helper()
	all, err := s.stores[master].Events(s.t.Context(), store.EventFilter{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

func dataOf(t *testing.T, e store.EventEntry) (d hook.Data) {
	t.Helper()
	if err := json.Unmarshal(e.Event.Data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func generic() map[string]*hook.Source {
	return map[string]*hook.Source{"mon": {Kind: "json", TokenFile: "token", Aliases: map[string]string{"The Shop": "web1"},
		Fields: hook.Fields{Alerts: "alerts", Host: []string{"host"}, Status: "status", Key: "key", Name: "name", Severity: "severity", Time: "at"}}}
}

func (s *site) accepted(w *httptest.ResponseRecorder, want string) {
	s.t.Helper()
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusAccepted || got != want {
		s.t.Errorf("got %d %s, want 202 %s", w.Code, got, want)
	}
}

func TestAProblemAndItsEndBelongTogether(t *testing.T) {
	s := newSite(t, generic())
	began, ended := s.now.Add(-time.Minute).Format(time.RFC3339), s.now.Format(time.RFC3339)
	problem := `{"alerts":[{"host":"web1:9100","status":"bad","name":"disk","severity":"high","key":"k1","at":"` + began + `"}]}`
	end := `{"alerts":[{"host":"web1:9100","status":"ok","name":"disk","key":"k1","at":"` + ended + `"}]}`
	s.accepted(s.post(0, "/hook/mon", problem), `{"events":1,"repeated":0,"unmapped":0}`)
	s.accepted(s.post(0, "/hook/mon", problem), `{"events":0,"repeated":1,"unmapped":0}`)
	s.accepted(s.post(1, "/hook/mon", problem), `{"events":0,"repeated":1,"unmapped":0}`)
	s.accepted(s.post(1, "/hook/mon", end), `{"events":1,"repeated":0,"unmapped":0}`)
	s.accepted(s.post(0, "/hook/mon", end), `{"events":0,"repeated":1,"unmapped":0}`)
	all := s.events(0)
	if len(all) != 2 {
		t.Fatalf("got %d events, want 2", len(all))
	}
	first, last := all[0].Event, all[1].Event
	if first.Tag != "brine/hook/mon/web1/problem" || first.Origin != "web1" || first.Actor != "hook mon" || first.At != s.now.Add(-time.Minute).UnixMicro() {
		t.Errorf("the problem is %v", first)
	}
	if last.Tag != "brine/hook/mon/web1/resolved" || last.Cause != all[0].ID {
		t.Errorf("the end is %v, want the cause %s", last, all[0].ID)
	}
	if d := dataOf(t, all[1]); d.Starts != began || d.Ends != ended || d.Host != "web1:9100" || d.Minion != "web1" {
		t.Errorf("the data of the end are %+v", d)
	}
	chain, err := s.stores[1].Chain(t.Context(), all[0].ID)
	if err != nil || len(chain) != 2 {
		t.Errorf("got a chain of %d, %v", len(chain), err)
	}
}

// Two masters that don't see each other make the same record of one alert.
func TestTheSameAlertIsTheSameRecordAtEachMaster(t *testing.T) {
	s := newSite(t, generic())
	body := `{"alerts":[{"host":"192.0.2.1","status":"bad","key":"k1","at":"` + s.now.Add(-time.Hour).Format(time.RFC3339) + `"}]}`
	other := newSite(t, generic())
	s.accepted(s.post(0, "/hook/mon", body), `{"events":1,"repeated":0,"unmapped":0}`)
	other.accepted(other.post(1, "/hook/mon", body), `{"events":1,"repeated":0,"unmapped":0}`)
	if a, b := s.events(0)[0].ID, other.events(1)[0].ID; a != b {
		t.Errorf("the records are %s and %s", a, b)
	}
}

func TestOneMessageOfManyAlerts(t *testing.T) {
	s := newSite(t, generic())
	s.accepted(s.post(0, "/hook/mon", `{"alerts":[
		{"host":"WEB1.example.com.","status":"bad","key":"a"},
		{"host":"web1","status":"ok","key":"a"},
		{"host":"the shop","status":"bad","key":"b"},
		{"host":"printer","status":"bad","key":"c"}]}`), `{"events":4,"repeated":0,"unmapped":1}`)
	var got []string
	all := s.events(1)
	for _, e := range all {
		got = append(got, e.Event.Tag+" "+e.Event.Origin)
	}
	slices.Sort(got)
	want := []string{"brine/hook/mon/-/problem m1", "brine/hook/mon/web1/problem web1", "brine/hook/mon/web1/problem web1", "brine/hook/mon/web1/resolved web1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, e := range all {
		if d := dataOf(t, e); d.Minion == "" && d.Unmapped != `no minion is known as "printer"` {
			t.Errorf("the reason is %q", d.Unmapped)
		}
	}
}

// What tells no time is new when the last that was told of its key is over, or less bad.
func TestAlertsWithoutATime(t *testing.T) {
	s := newSite(t, generic())
	for _, step := range []struct {
		status, severity string
		events           int
	}{{"bad", "low", 1}, {"bad", "low", 0}, {"bad", "high", 1}, {"ok", "", 1}, {"ok", "", 0}, {"bad", "high", 1}} {
		s.now = s.now.Add(time.Minute)
		s.accepted(s.post(0, "/hook/mon", fmt.Sprintf(`{"alerts":[{"host":"web1","status":%q,"severity":%q,"key":"k"}]}`, step.status, step.severity)),
			fmt.Sprintf(`{"events":%d,"repeated":%d,"unmapped":0}`, step.events, 1-step.events))
	}
}

func TestWhoIsRefused(t *testing.T) {
	sources := generic()
	sources["mon"].MaxBytes = 100
	sources["signed"] = &hook.Source{Kind: "json", HMACFile: "hmac", HMACHeader: "X-Mon", Fields: sources["mon"].Fields}
	s := newSite(t, sources)
	const body = `{"alerts":[]}`
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(body))
	sum := hex.EncodeToString(h.Sum(nil))
	for _, c := range []struct {
		path, body string
		headers    []string
		status     int
		text       string
	}{
		{"/hook/mon", body, []string{"Authorization", ""}, 401, "Authorization: Bearer TOKEN"},
		{"/hook/mon", body, []string{"Authorization", "Basic eDp5"}, 401, "there is no token"},
		{"/hook/mon", body, []string{"Authorization", "Bearer 0123456789abcdeg"}, 403, "compare it with the file that token_file names"},
		{"/hook/mon", body, []string{"Authorization", "bearer " + secret}, 202, `{"events":0`},
		{"/hook/mon", body + strings.Repeat(" ", 100), nil, 413, "more than 100 bytes"},
		{"/hook/mon", "{", nil, 400, "the message is no JSON"},
		{"/hook/other", body, nil, 404, "there is no such source"},
		{"/hook/mon/below", body, nil, 404, "there is no such source"},
		{"/hook/signed", body, nil, 401, "header X-Mon"},
		{"/hook/signed", body, []string{"X-Mon", "sha256=00"}, 403, "is not that of the message"},
		{"/hook/signed", body, []string{"X-Mon", "sha256=" + sum}, 202, `{"events":0`},
		{"/hook/signed", body, []string{"X-Mon", sum}, 202, `{"events":0`},
		{"/hook/signed", body + " ", []string{"X-Mon", sum}, 403, "is not that of the message"},
	} {
		w := s.post(0, c.path, c.body, c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s %v: got %d %s, want %d %s", c.path, c.headers, w.Code, w.Body, c.status, c.text)
		}
		if w.Code == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: 401 without WWW-Authenticate", c.path)
		}
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: the answer tells the secret", c.path)
		}
	}
	if text := strings.Join(s.refused, "\n"); strings.Contains(text, secret) || len(s.refused) != 8 {
		t.Errorf("the refusals are told as %s", text)
	}
}

func TestNothingIsAcceptedThatIsNotStored(t *testing.T) {
	s := newSite(t, generic())
	s.fail = errors.New("the disk is full")
	const body = `{"alerts":[{"host":"web1","status":"bad","key":"k"}]}`
	if w := s.post(0, "/hook/mon", body); w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	s.fail = nil
	s.accepted(s.post(0, "/hook/mon", body), `{"events":1,"repeated":0,"unmapped":0}`)
}

func TestALargeAlertIsCut(t *testing.T) {
	s := newSite(t, map[string]*hook.Source{"am": {Kind: "alertmanager", TokenFile: "t"}})
	labels := map[string]string{"instance": "web1"}
	for i := range 90 {
		labels[fmt.Sprintf("l%02d", i)] = strings.Repeat("x", 9000)
	}
	body, err := json.Marshal(map[string]any{"version": "4", "alerts": []any{map[string]any{"status": "firing", "labels": labels}}})
	if err != nil {
		t.Fatal(err)
	}
	s.accepted(s.post(0, "/hook/am", string(body)), `{"events":1,"repeated":0,"unmapped":0}`)
	if d := dataOf(t, s.events(0)[0]); !d.LeftOut || d.Minion != "web1" || len(d.Labels) != 91 {
		t.Errorf("got %d labels, left out: %v", len(d.Labels), d.LeftOut)
	}
}

func TestHooksOfSalt(t *testing.T) {
	s := newSite(t, map[string]*hook.Source{"ci": {Kind: "salt", TokenFile: "t"}})
	w := s.post(0, "/hook/ci/deploy/done", `{"version": "1.2"}`, "X-Auth-Token", "hidden", "Cookie", "session=hidden", "X-Build", "17")
	s.accepted(w, `{"success":true}`)
	s.accepted(s.post(0, "/hook/ci", "a=1&b=2&b=3", "Content-Type", "application/x-www-form-urlencoded"), `{"success":true}`)
	all := s.events(1)
	e := all[0].Event
	if e.Tag != "salt/netapi/hook/deploy/done" || e.Origin != "m1" || e.Actor != "hook ci" {
		t.Errorf("got %v", e)
	}
	const want = `{"body":"{\"version\": \"1.2\"}","headers":{"Content-Type":"application/json","Host":"example.com","X-Build":"17"},"post":{"version":"1.2"}}`
	if string(e.Data) != want {
		t.Errorf("got  %s\nwant %s", e.Data, want)
	}
	if e = all[1].Event; e.Tag != "salt/netapi/hook" || !strings.Contains(string(e.Data), `"post":{"a":"1","b":["2","3"]}`) {
		t.Errorf("got %v", e)
	}
}
