package hook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/master/hook"
)

func signature(text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

const down, up = `{"host":"web1","status":"bad","key":"k"}`, `{"host":"web1","status":"ok","key":"k"}`

func signedSource(sign hook.Signing) *hook.Source {
	return &hook.Source{Kind: "json", HMACFile: "hmac", HMACHeader: "X-Mon", Signing: sign, Fields: hook.Fields{Host: []string{"host"}, Status: "status", Key: "key"}}
}

const told, again = `{"events":1,"repeated":0,"unmapped":0}`, `{"events":0,"repeated":1,"unmapped":0}`

func TestASignedMessageCountsOnce(t *testing.T) {
	s := newSite(t, map[string]*hook.Source{"mon": signedSource(hook.Signing{}), "each": signedSource(hook.Signing{Remember: "0s"})})
	s.now = s.now.Add(-48 * time.Hour) // what is stamped ahead is refused
	post := func(master int, source, body string) (text string) {
		w := s.post(master, "/hook/"+source, body, "X-Mon", "sha256="+signature(body))
		if w.Code != 202 {
			t.Errorf("got %d", w.Code)
		}
		return strings.TrimSpace(w.Body.String())
	}
	for _, step := range []struct {
		master       int
		source, body string
		after        time.Duration
		want         string
	}{
		{0, "mon", down, 0, told},
		{1, "mon", up, 0, told},
		{0, "mon", down, 0, again}, // by who has seen it
		{1, "mon", down, time.Hour, again},
		{1, "mon", up + " ", time.Hour, again}, // nothing new, and remembered
		{0, "mon", down + " ", time.Hour, told},
		{0, "mon", up + " ", time.Hour, again},
		{0, "mon", up, 22 * time.Hour, told}, // it was told a day ago
		{0, "each", down, 0, told},
		{0, "each", up, 0, told},
		{0, "each", down, 0, told},
	} {
		s.now = s.now.Add(step.after)
		if got := post(step.master, step.source, step.body); got != step.want {
			t.Errorf("%v: got %s", step, got)
		}
	}
	for _, e := range s.events(0) {
		if strings.Contains(string(e.Event.Data), signature(down)) {
			t.Errorf("an event tells a signature: %s", e.Event.Data)
		}
	}
}

func TestASignedHookOfSaltCountsOnce(t *testing.T) {
	s := newSite(t, map[string]*hook.Source{"ci": {Kind: "salt", HMACFile: "hmac"}})
	for master := range 2 {
		s.accepted(s.post(master, "/hook/ci/deploy", `{"v":1}`, "X-Hub-Signature-256", "sha256="+signature(`{"v":1}`)), `{"success":true}`)
	}
	if all := s.events(1); len(all) != 1 {
		t.Errorf("got %d events, want 1", len(all))
	}
}

func TestASignedTime(t *testing.T) {
	s := newSite(t, map[string]*hook.Source{
		"plain":  signedSource(hook.Signing{TimeHeader: "X-Time"}),
		"slack":  signedSource(hook.Signing{TimeHeader: "X-Time", Signs: "v0:{time}:{body}"}),
		"stripe": signedSource(hook.Signing{TimeHeader: "x-mon"}),
		"wide":   signedSource(hook.Signing{TimeHeader: "X-Time", Tolerance: "30m"}),
	})
	unix := func(off time.Duration) string { return fmt.Sprint(s.now.Add(off).Unix()) }
	now, old := unix(0), unix(-301*time.Second)
	stripe := "t=" + now + ",v1=00,v1=" + signature(now+"."+down) + ",v0=x"
	for _, c := range []struct {
		path    string
		body    string
		headers []string
		status  int
		text    string
	}{
		{"plain", down, []string{"X-Mon", signature(now + "." + down), "X-Time", now}, 202, told},
		{"plain", down, []string{"X-Mon", signature(now + "." + down), "X-Time", now}, 202, again},
		{"plain", down, []string{"X-Mon", signature(now + "." + down), "X-Time", unix(time.Second)}, 403, "HMAC-SHA256 of {time}.{body}"},
		{"plain", down, []string{"X-Mon", signature(down)}, 403, "is not that of the message"},
		{"plain", down, []string{"X-Mon", signature("." + down)}, 403, "there is no time in X-Time"},
		{"plain", down, []string{"X-Mon", signature("x." + down), "X-Time", "x"}, 403, "there is no time in X-Time"},
		{"plain", down, []string{"X-Mon", signature(old + "." + down), "X-Time", old}, 403, "differs by 5m1s from this master's clock, more than 5m0s"},
		{"plain", down, []string{"X-Mon", signature(unix(time.Hour) + "." + down), "X-Time", unix(time.Hour)}, 403, "differs by 1h0m0s"},
		{"slack", down, []string{"X-Mon", "v0=" + signature("v0:"+now+":"+down), "X-Time", now}, 202, told},
		{"slack", down, []string{"X-Mon", "v0=" + signature(now+"."+down), "X-Time", now}, 403, "HMAC-SHA256 of v0:{time}:{body}"},
		{"stripe", down, []string{"X-Mon", stripe}, 202, told},
		{"stripe", down, []string{"X-Mon", strings.Replace(stripe, "t="+now, "t="+unix(2*time.Second), 1)}, 403, "is not that of the message"},
		{"stripe", down, []string{"X-Mon", signature(now + "." + down), "X-Time", now}, 403, "is not that of the message"},
		{"wide", down, []string{"X-Mon", signature(old + "." + down), "X-Time", old}, 202, told},
	} {
		w := s.post(1, "/hook/"+c.path, c.body, c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s %v: got %d %s, want %d %s", c.path, c.headers, w.Code, w.Body, c.status, c.text)
		}
	}
}

func TestMistakesInWhatIsSigned(t *testing.T) {
	secret := func(string) ([]byte, error) { return []byte("x"), nil }
	for want, sign := range map[string]hook.Signing{
		"":                                    {TimeHeader: "X-Time", Signs: "v0:{time}:{body}", Tolerance: "1m", Remember: "2m"},
		"hmac_signs: \"{time}\"":              {TimeHeader: "X-Time", Signs: "{time}"},
		"hmac_signs: \"{body}\"":              {TimeHeader: "X-Time", Signs: "{body}"},
		"hmac_signs: \"{time}.{body}\": want": {Signs: "{time}.{body}"},
		"hmac_tolerance: is for":              {Tolerance: "5m"},
		"hmac_tolerance: \"2h\"":              {TimeHeader: "X-Time", Tolerance: "2h"},
		"hmac_remember: \"x\"":                {Remember: "x"},
		"hmac_remember: want twice":           {TimeHeader: "X-Time", Remember: "9m"},
	} {
		errs := signedSource(sign).Check(secret)
		if text := fmt.Sprint(errs); want == "" && len(errs) > 0 || !strings.Contains(text, want) {
			t.Errorf("%+v: got %s, want %s", sign, text, want)
		}
	}
	s := signedSource(hook.Signing{TimeHeader: "X-Time"})
	s.HMACFile, s.TokenFile = "", "token"
	if text := fmt.Sprint(s.Check(secret)); !strings.Contains(text, "hmac_time_header: is for hmac_file") {
		t.Errorf("got %s", text)
	}
}
