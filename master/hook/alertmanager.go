package hook

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// alertmanager is the message of a webhook of Alertmanager, version 4.
type alertmanager struct {
	Version string `json:"version"`
	Alerts  []struct {
		Status       string            `json:"status"`
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		StartsAt     string            `json:"startsAt"`
		EndsAt       string            `json:"endsAt"`
		GeneratorURL string            `json:"generatorURL"`
		Fingerprint  string            `json:"fingerprint"`
	} `json:"alerts"`
}

// hostLabels are the labels that may name an alert's host, unless the configuration says which.
func hostLabels() []string { return []string{"instance", "host", "hostname", "node", "nodename"} }

func parseAlertmanager(s *Source, _ string, body []byte) ([]Alert, error) {
	var m alertmanager
	if err := decode(body, &m); err != nil {
		return nil, err
	}
	if m.Version != "4" {
		return nil, fmt.Errorf("the message has version %q, want 4: is it of a webhook_config of Alertmanager?", m.Version)
	}
	labels := s.HostLabels
	if len(labels) == 0 {
		labels = hostLabels()
	}
	var all []Alert
	for i, x := range m.Alerts {
		a := Alert{Name: x.Labels["alertname"], Severity: x.Labels["severity"], Labels: x.Labels, Annotations: x.Annotations, URL: x.GeneratorURL,
			Summary: cmp.Or(x.Annotations["summary"], x.Annotations["description"]), Key: cmp.Or(x.Fingerprint, together(x.Labels))}
		for _, label := range labels {
			if host := x.Labels[label]; host != "" {
				a.Hosts = append(a.Hosts, host)
			}
		}
		var err error
		if a.Starts, err = readTime(x.StartsAt); err != nil {
			return nil, fmt.Errorf("alert %d: startsAt: %w", i+1, err)
		}
		switch x.Status {
		case "firing":
			a.Status = Problem
		case "resolved":
			a.Status = Resolved
			if a.Ends, err = readTime(x.EndsAt); err != nil {
				return nil, fmt.Errorf("alert %d: endsAt: %w", i+1, err)
			}
		default:
			return nil, fmt.Errorf("alert %d has the status %.40q, want firing or resolved", i+1, x.Status)
		}
		all = append(all, a)
	}
	return all, nil
}

// together are labels as one text.
func together(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%s=%q,", name, labels[name])
	}
	return b.String()
}
