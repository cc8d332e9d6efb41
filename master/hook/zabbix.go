package hook

import (
	"errors"
	"fmt"
)

// zabbix is the message of the media type that brine has for Zabbix: macros of Zabbix, which are texts.
type zabbix struct {
	EventID  string            `json:"event_id"`
	Value    string            `json:"value"`  // 1: a problem, 0: it is over
	Update   string            `json:"update"` // 1: somebody has said something of the problem
	Name     string            `json:"name"`
	Severity string            `json:"severity"`
	Host     string            `json:"host"`
	Visible  string            `json:"host_name"`
	DNS      string            `json:"dns"`
	IP       string            `json:"ip"`
	Trigger  string            `json:"trigger_id"`
	Item     string            `json:"item_value"`
	Starts   string            `json:"starts_at"`
	Ends     string            `json:"ends_at"`
	URL      string            `json:"url"`
	Tags     map[string]string `json:"tags"`
}

func parseZabbix(_ *Source, _ string, body []byte) ([]Alert, error) {
	var m zabbix
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	if m.Update == "1" {
		return nil, nil
	}
	if m.EventID == "" {
		return nil, errors.New("the message has no event_id: is it of the media type that brine ships?")
	}
	a := Alert{Status: Problem, Name: m.Name, Severity: m.Severity, Key: m.EventID, Summary: m.Name, URL: m.URL, Labels: m.Tags, Annotations: map[string]string{}}
	switch m.Value {
	case "1":
	case "0":
		a.Status = Resolved
	default:
		return nil, fmt.Errorf("the message has the value %.40q, want 1 for a problem or 0 for its end", m.Value)
	}
	for name, text := range map[string]string{"trigger_id": m.Trigger, "item_value": m.Item, "host_name": m.Visible} {
		if text != "" {
			a.Annotations[name] = text
		}
	}
	for _, host := range []string{m.Host, m.Visible, m.DNS, m.IP} {
		if host != "" {
			a.Hosts = append(a.Hosts, host)
		}
	}
	var err error
	if a.Starts, err = readTime(m.Starts); err != nil {
		return nil, fmt.Errorf("starts_at: %w", err)
	}
	if a.Ends, err = readTime(m.Ends); err != nil {
		return nil, fmt.Errorf("ends_at: %w", err)
	}
	return []Alert{a}, nil
}
