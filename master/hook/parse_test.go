package hook_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"golang.org/x/tools/txtar"

	"brine/master/hook"
)

var update = flag.Bool("update", false, "write what is read into testdata")

// TestParse reads the messages in testdata: files of pairs of an input and what is read, or the error.
func TestParse(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source := sourceOf(t, string(a.Comment))
		for i := 0; i+1 < len(a.Files); i += 2 {
			input, want := strings.TrimSpace(string(a.Files[i].Data)), &a.Files[i+1]
			contentType := "application/json"
			if !strings.HasPrefix(input, "{") {
				contentType = "application/x-www-form-urlencoded"
			}
			alerts, err := source.Parse(contentType, []byte(input))
			name, got := "want", show(alerts)
			if err != nil {
				name, got = "error", err.Error()+"\n"
			}
			if *update {
				want.Name, want.Data = name, []byte(got)
			}
			if want.Name != name || string(want.Data) != got {
				t.Errorf("%s: %.80s: got %s:\n%swant %s:\n%s", file, input, name, got, want.Name, want.Data)
			}
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// sourceOf reads a source: its kind, and fields in TOML.
func sourceOf(t *testing.T, comment string) *hook.Source {
	t.Helper()
	first, rest, _ := strings.Cut(comment, "\n")
	s := &hook.Source{}
	if err := toml.Unmarshal([]byte(rest), s); err != nil {
		t.Fatal(err)
	}
	s.Kind = strings.TrimPrefix(first, "kind ")
	return s
}

func show(alerts []hook.Alert) string {
	var b strings.Builder
	for _, a := range alerts {
		began, ended := "-", "-"
		if !a.Starts.IsZero() {
			began = a.Starts.Format("2006-01-02T15:04:05.999Z07:00")
		}
		if !a.Ends.IsZero() {
			ended = a.Ends.Format("2006-01-02T15:04:05.999Z07:00")
		}
		fmt.Fprintf(&b, "%s %s %s %v key %s from %s to %s\n", a.Status, a.Name, a.Severity, a.Hosts, a.Key, began, ended)
		if a.Summary != "" {
			fmt.Fprintln(&b, "  summary", a.Summary)
		}
		if a.URL != "" {
			fmt.Fprintln(&b, "  url", a.URL)
		}
		for _, list := range []struct {
			name string
			all  map[string]string
		}{{"label", a.Labels}, {"annotation", a.Annotations}} {
			for _, key := range slices.Sorted(maps.Keys(list.all)) {
				fmt.Fprintln(&b, " ", list.name, key, list.all[key])
			}
		}
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	f.Add("alertmanager", []byte(`{"version":"4","alerts":[{"status":"firing","labels":{"instance":"a:1"}}]}`))
	f.Add("zabbix", []byte(`{"event_id":"1","value":"1"}`))
	f.Add("nagios", []byte(`host=a&state=OK&state_type=HARD`))
	f.Add("json", []byte(`{"a":[{"s":"ok","k":1,"t":1e300}]}`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if !slices.Contains([]string{"alertmanager", "zabbix", "nagios", "json"}, kind) {
			return
		}
		s := &hook.Source{Kind: kind, Fields: hook.Fields{Alerts: "a", Status: "s", Key: "k", Time: "t", Host: []string{"h.0"}}}
		for _, contentType := range []string{"application/json", "text/plain"} {
			alerts, err := s.Parse(contentType, body)
			if err != nil && len(alerts) > 0 {
				t.Errorf("alerts beside the error %v", err)
			}
		}
	})
}
