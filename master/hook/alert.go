// Package hook takes what monitoring systems tell: it checks who tells it, reads their formats, finds the minion that a host
// is, and makes events of it.
package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// What an alert's status, and the end of its event's tag, can be.
const (
	Problem  = "problem"
	Resolved = "resolved"
)

// An Alert is what a monitoring system says of one thing.
type Alert struct {
	Status      string // Problem or Resolved
	Name        string
	Severity    string
	Hosts       []string // names and addresses of the host, the best first
	Key         string   // by which the problem and its end belong together
	Summary     string
	URL         string
	Labels      map[string]string
	Annotations map[string]string
	Starts      time.Time // zero: not said
	Ends        time.Time // of one that is resolved; zero: not said
}

// key is what alerts of one source are told apart by.
func (a *Alert) key() string {
	if a.Key != "" || len(a.Hosts) == 0 {
		return a.Key
	}
	return a.Hosts[0] + "/" + a.Name
}

// A parser reads a message. No alert is none of interest.
type parser func(s *Source, contentType string, body []byte) ([]Alert, error)

// parsers are those of the kinds whose messages hold alerts, by kind.
func parsers() map[string]parser {
	return map[string]parser{"alertmanager": parseAlertmanager, "json": parseGeneric, "nagios": parseNagios, "zabbix": parseZabbix}
}

// fingerprint is one word for a key, whatever that holds.
func fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// decode reads a message of JSON that may hold what is not known here.
func decode(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("the message is no JSON: %v, at byte %d", err, syntax.Offset)
	case errors.As(err, &kind) && kind.Field == "": // of a value of a map, of which it tells no name
		return fmt.Errorf("what ends at byte %d of the message is of type %s, want %s", kind.Offset, kind.Value, named(kind.Type.Kind()))
	case errors.As(err, &kind):
		return fmt.Errorf("%q of the message is of type %s, want %s", kind.Field, kind.Value, named(kind.Type.Kind()))
	}
	return fmt.Errorf("the message cannot be read: %v", err)
}

// named is what JSON calls a kind of value.
func named(k reflect.Kind) string {
	switch k {
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a text"
}

// readTime reads a time as RFC 3339, or as seconds (or milli-, micro- or nanoseconds) of Unix time. "" and 0 are none.
func readTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "0" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 && n < 1e19 {
		unit := 1e6 // microseconds in a second
		for n*unit > 1e17 {
			unit /= 1e3
		}
		return time.UnixMicro(int64(n * unit)).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.40q is no time: want such as 2026-11-01T10:00:00Z, or seconds of Unix time", text)
	}
	if t.Year() <= 1 {
		return time.Time{}, nil // what Go programs say when they have none
	}
	return t.UTC(), nil
}
