package hook

import (
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"
)

// parseNagios reads what the event handler that brine has for Nagios sends: macros of Nagios as a form, or as JSON. A soft
// state, which Nagios looks at again, is no alert.
func parseNagios(_ *Source, contentType string, body []byte) ([]Alert, error) {
	m, err := formOrJSON(contentType, body)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"host", "state", "state_type"} {
		if m[name] == "" {
			return nil, fmt.Errorf("the message has no %s: is it of the event handler that brine ships?", name)
		}
	}
	if strings.EqualFold(m["state_type"], "SOFT") {
		return nil, nil
	}
	a := Alert{Name: m["service"], Severity: strings.ToLower(m["state"]), Hosts: []string{m["host"]}, Key: m["host"] + ";" + m["service"],
		Summary: m["output"], URL: m["url"], Labels: map[string]string{}}
	if a.Name == "" {
		a.Name = "host"
	}
	if m["address"] != "" {
		a.Hosts = append(a.Hosts, m["address"])
	}
	for _, name := range []string{"state", "attempt", "problem_id", "alias"} {
		if m[name] != "" {
			a.Labels[name] = m[name]
		}
	}
	at, err := readTime(m["time"])
	if err != nil {
		return nil, fmt.Errorf("time: %w", err)
	}
	switch strings.ToUpper(m["state"]) {
	case "OK", "UP":
		a.Status, a.Ends = Resolved, at
	case "WARNING", "CRITICAL", "UNKNOWN", "DOWN", "UNREACHABLE":
		a.Status, a.Starts = Problem, at
	default:
		return nil, fmt.Errorf("the message has the state %.40q, want one of Nagios, such as CRITICAL or OK", m["state"])
	}
	return []Alert{a}, nil
}

// formOrJSON reads texts by their names.
func formOrJSON(contentType string, body []byte) (map[string]string, error) {
	if kind, _, _ := mime.ParseMediaType(contentType); kind == "application/json" {
		var m map[string]string
		return m, decode(body, &m)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the message is no form: send it with Content-Type: application/json, or as curl --data-urlencode does")
	}
	m := make(map[string]string, len(form))
	for name := range form {
		m[name] = form.Get(name)
	}
	return m, nil
}
