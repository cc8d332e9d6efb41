package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Signing is what keeps a signed message from counting twice.
type Signing struct {
	TimeHeader string `toml:"hmac_time_header"` // where the time is that is signed too; the same as HMACHeader: that has t=TIME,v1=SIGNATURE
	Signs      string `toml:"hmac_signs"`       // what is signed, of {time} and {body}
	Tolerance  string `toml:"hmac_tolerance"`   // by how much the time may differ
	Remember   string `toml:"hmac_remember"`    // for how long a message counts once
}

const (
	defaultTolerance = 5 * time.Minute
	mostTolerance    = time.Hour
	defaultRemember  = 24 * time.Hour
	mostRemember     = 30 * 24 * time.Hour
)

// checkSigning tells what is wrong with how messages are signed.
func (s *Source) checkSigning(wrong func(key, format string, args ...any)) {
	given := map[string]string{"hmac_header": s.HMACHeader, "hmac_time_header": s.TimeHeader, "hmac_signs": s.Signs, "hmac_tolerance": s.Tolerance, "hmac_remember": s.Remember}
	for _, key := range []string{"hmac_header", "hmac_time_header", "hmac_signs", "hmac_tolerance", "hmac_remember"} {
		if given[key] != "" && s.HMACFile == "" {
			wrong(key, "is for hmac_file, which is missing")
		}
	}
	if s.Signs != "" && (!strings.Contains(s.Signs, "{body}") || strings.Contains(s.Signs, "{time}") != (s.TimeHeader != "")) {
		wrong("hmac_signs", "%q: want what is signed, of {body} and, with hmac_time_header and not without, {time}", s.Signs)
	}
	if s.Tolerance != "" && s.TimeHeader == "" {
		wrong("hmac_tolerance", "is for hmac_time_header, which is missing")
	}
	for _, d := range []struct {
		key, text   string
		least, most time.Duration
	}{{"hmac_tolerance", s.Tolerance, time.Second, mostTolerance}, {"hmac_remember", s.Remember, 0, mostRemember}} {
		if n, err := time.ParseDuration(d.text); d.text != "" && (err != nil || n < d.least || n > d.most) {
			wrong(d.key, "%q: want a time of %v to %v, such as 5m", d.text, d.least, d.most)
		}
	}
	if s.TimeHeader != "" && s.remember() < 2*s.tolerance() {
		wrong("hmac_remember", "want twice hmac_tolerance or more: until then a message could be told again")
	}
}

func duration(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	return otherwise
}

func (s *Source) tolerance() time.Duration { return duration(s.Tolerance, defaultTolerance) }
func (s *Source) remember() time.Duration  { return duration(s.Remember, defaultRemember) }

// signed tells whether a message is signed with the secret, lately, and by what it is known again: "" of sources that show a token.
func (s *Source) signed(r *http.Request, body, secret []byte, now time.Time) (delivery string, err error) {
	if s.HMACFile == "" {
		return "", nil
	}
	stamp, sums := s.shown(r)
	want := s.sum(stamp, body, secret)
	if !slices.ContainsFunc(sums, func(sum []byte) bool { return hmac.Equal(sum, want) }) {
		return "", &refusal{http.StatusForbidden, "the signature in " + s.header() + " is not that of the message: want HMAC-SHA256 of " + s.signs() +
			" in hexadecimal digits, with the secret in the file that hmac_file names on the master"}
	}
	if err := s.timely(stamp, now); err != nil {
		return "", err
	}
	word := sha256.Sum256(want) // a signature is nobody's to read
	return hex.EncodeToString(word[:12]), nil
}

// shown are the time and the signatures that a request shows. Who changes its secret may sign with both for a while.
func (s *Source) shown(r *http.Request) (stamp string, sums [][]byte) {
	add := func(text string) {
		if sum, err := hex.DecodeString(text); err == nil {
			sums = append(sums, sum)
		}
	}
	text := strings.TrimSpace(r.Header.Get(s.header()))
	if !strings.EqualFold(s.TimeHeader, s.header()) {
		if _, sum, ok := strings.Cut(text, "="); ok { // sha256=, v0=
			text = sum
		}
		add(text)
		return strings.TrimSpace(r.Header.Get(s.TimeHeader)), sums
	}
	for part := range strings.SplitSeq(text, ",") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(part), "="); key {
		case "t":
			stamp = value
		case "v1":
			add(value)
		}
	}
	return stamp, sums
}

// signs is what the source signs, for people and as a template.
func (s *Source) signs() string {
	switch {
	case s.Signs != "":
		return s.Signs
	case s.TimeHeader != "":
		return "{time}.{body}"
	}
	return "{body}"
}

func (s *Source) sum(stamp string, body, secret []byte) []byte {
	h := hmac.New(sha256.New, secret)
	before, after, _ := strings.Cut(s.signs(), "{body}")
	h.Write([]byte(strings.ReplaceAll(before, "{time}", stamp)))
	h.Write(body)
	h.Write([]byte(strings.ReplaceAll(after, "{time}", stamp)))
	return h.Sum(nil)
}

// timely refuses a message that was signed too long ago, or will be.
func (s *Source) timely(stamp string, now time.Time) error {
	if s.TimeHeader == "" {
		return nil
	}
	at, err := readTime(stamp)
	if err != nil || at.IsZero() {
		return &refusal{http.StatusForbidden, "there is no time in " + s.TimeHeader + ": want seconds of Unix time, which are signed"}
	}
	if off := now.Sub(at); off.Abs() > s.tolerance() {
		return &refusal{http.StatusForbidden, fmt.Sprintf("the message was signed at %s, which differs by %v from this master's clock, more than %v: it was sent before, or a clock is wrong (NTP)",
			at.Format(time.RFC3339), off.Abs().Round(time.Second), s.tolerance())}
	}
	return nil
}
