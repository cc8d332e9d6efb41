package hook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fields are where a message of kind json has what. Each is a dotted path, in which a number is a place in a list.
type Fields struct {
	Alerts   string   `toml:"alerts"` // of a list of alerts, in which the other paths begin; "": the message is one
	Host     []string `toml:"host"`   // of its names, the best first
	Status   string   `toml:"status"`
	Name     string   `toml:"name"`
	Severity string   `toml:"severity"`
	Key      string   `toml:"key"`
	Summary  string   `toml:"summary"`
	URL      string   `toml:"url"`
	Time     string   `toml:"time"`     // when it began, or, of one that is resolved and has no ends, when it ended
	Ends     string   `toml:"ends"`     // when it ended
	Labels   string   `toml:"labels"`   // of an object
	Resolved []string `toml:"resolved"` // values of status that say that it is over
	Ignore   []string `toml:"ignore"`   // values of status that are no alert
}

// over are the values of status that say that a problem is over, unless the configuration says which.
func over() []string {
	return []string{"resolved", "ok", "up", "recovered", "recovery", "closed", "normal", "green", "0", "false"}
}

func parseGeneric(s *Source, _ string, body []byte) ([]Alert, error) {
	var m any
	if err := decode(body, new(json.RawMessage)); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("the message cannot be read: %v", err)
	}
	list := []any{m}
	if s.Fields.Alerts != "" {
		found, ok := at(m, s.Fields.Alerts).([]any)
		if !ok {
			return nil, fmt.Errorf("the message has no list at %s (fields.alerts)", s.Fields.Alerts)
		}
		list = found
	}
	var all []Alert
	for i, item := range list {
		a, err := s.Fields.read(item)
		if err != nil && s.Fields.Alerts != "" {
			err = fmt.Errorf("alert %d: %w", i+1, err)
		}
		if err != nil {
			return nil, err
		}
		if a != nil {
			all = append(all, *a)
		}
	}
	return all, nil
}

// read makes an alert of one item; nil of one that is ignored.
func (f *Fields) read(item any) (*Alert, error) {
	status := text(at(item, f.Status))
	if status == "" {
		return nil, fmt.Errorf("the message has no status at %s (fields.status)", f.Status)
	}
	same := func(s string) bool { return strings.EqualFold(s, status) }
	if slices.ContainsFunc(f.Ignore, same) {
		return nil, nil
	}
	a := &Alert{Status: Problem, Name: text(at(item, f.Name)), Severity: text(at(item, f.Severity)), Key: text(at(item, f.Key)),
		Summary: text(at(item, f.Summary)), URL: text(at(item, f.URL)), Labels: texts(at(item, f.Labels))}
	for _, path := range f.Host {
		if host := text(at(item, path)); host != "" {
			a.Hosts = append(a.Hosts, host)
		}
	}
	if a.key() == "" {
		return nil, fmt.Errorf("the message has neither a key (fields.key) nor a host (fields.host)")
	}
	began, err := readTime(text(at(item, f.Time)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Time, err)
	}
	ended, err := readTime(text(at(item, f.Ends)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Ends, err)
	}
	a.Starts = began
	resolved := f.Resolved
	if len(resolved) == 0 {
		resolved = over()
	}
	if slices.ContainsFunc(resolved, same) {
		a.Status, a.Ends = Resolved, ended
		if f.Ends == "" {
			a.Starts, a.Ends = ended, began // the latter: when this was said
		}
	}
	return a, nil
}

// at is what stands at a dotted path; nil where nothing does.
func at(v any, path string) any {
	if path == "" {
		return nil
	}
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// text is a value as a text; "" for what is none.
func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	return ""
}

// texts are the values of an object that are texts.
func texts(v any) map[string]string {
	object, _ := v.(map[string]any)
	if object == nil {
		return nil
	}
	all := map[string]string{}
	for name, x := range object {
		if s := text(x); s != "" {
			all[name] = s
		}
	}
	return all
}
