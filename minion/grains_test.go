package minion

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// newRoot is the root directory of a minion with these files.
func newRoot(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const grainsConfig = `id = "web1.example.com"
masters = ["m1.example.com", "m2.example.com:4600"]
[grains]
role = "web"
rack = 7
roles = ["web", "cache"]
since = 2024-01-02T03:04:05Z
[grains.apps.web]
port = 8080
`

func grainCall(t *testing.T, root string, function string, words ...string) *Called {
	t.Helper()
	c, err := Call(t.Context(), CallOptions{Root: root, Function: function, Words: words})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGrainsOfTheConfiguration(t *testing.T) {
	root := newRoot(t, map[string]string{
		"etc/brine/minion.toml": grainsConfig,
		"etc/brine/grains":      "role: file\nown: 1\n",
		"etc/brine/grains.d/a":  "#!/bin/sh\necho '{\"own\": 0, \"told\": true, \"os_family\": \"Debian\"}'\n",
	})
	for words, want := range map[string]string{
		"id": `"web1.example.com"`, "master": `"m1.example.com"`, "role": `"web"`, "rack": "7", "roles": `["web","cache"]`,
		"since": `"2024-01-02T03:04:05Z"`, "apps:web:port": "8080", "own": "1", "told": "true",
	} {
		if c := grainCall(t, root, "grains.get", words); string(c.Value) != want {
			t.Errorf("%s: got %s, want %s", words, c.Value, want)
		}
	}
	c := grainCall(t, root, "grains.setval", "role", "db")
	if c.Retcode == 0 || !strings.Contains(string(c.Value), "minion.toml gives it a value") {
		t.Errorf("set a fixed grain: got %s", c.Value)
	}
	if c := grainCall(t, root, "grains.setval", "own", "2"); c.Retcode != 0 {
		t.Errorf("set a custom grain: got %s", c.Value)
	}
	if data, err := os.ReadFile(filepath.Join(root, "etc/brine/grains")); err != nil || string(data) != "role: file\nown: 2\n" {
		t.Errorf("the file is %q, %v", data, err)
	}
	if c := grainCall(t, root, "saltutil.refresh_grains"); string(c.Value) != "true" {
		t.Errorf("refresh: got %s", c.Value)
	}
	if c := grainCall(t, root, "grains.filter_by", "{Debian: a, default: b}"); string(c.Value) != `"a"` {
		t.Errorf("filter_by: got %s", c.Value)
	}
	items := map[string]any{}
	if err := json.Unmarshal(grainCall(t, root, "grains.items").Value, &items); err != nil || len(items) < 60 {
		t.Errorf("items: %d, %v", len(items), err)
	}
}

func TestMistakesInGrainsAreNamed(t *testing.T) {
	root := newRoot(t, map[string]string{
		"etc/brine/minion.toml": "id = \"web1\"\nmasters = [\"127.0.0.1:1\"]\n",
		"etc/brine/grains":      "a: 1\na: 2\n",
		"etc/brine/grains.d/a":  "#!/bin/sh\necho no json\n",
	})
	c := grainCall(t, root, "grains.warnings")
	for _, want := range []string{"/etc/brine/grains:2: ", "/etc/brine/grains.d/a: cannot read JSON"} {
		if !strings.Contains(string(c.Value), want) {
			t.Errorf("got %s, want %s", c.Value, want)
		}
	}
	if c := grainCall(t, root, "grains.get", "kernel"); string(c.Value) != `"Linux"` {
		t.Errorf("the rest: got %s", c.Value)
	}
	_, warnings := CheckConfig(t.Context(), root, nil)
	found := false
	for _, w := range warnings {
		found = found || strings.Contains(w.Error(), "/etc/brine/grains:2: ")
	}
	if !found {
		t.Errorf("check-config: got %v", warnings)
	}
}

func TestRelocatedMinionsAskNoNameServers(t *testing.T) {
	var log bytes.Buffer
	root := newRoot(t, map[string]string{"etc/brine/minion.toml": "id = \"web1\"\nmasters = [\"127.0.0.1:1\"]\n"})
	m, err := New(Options{Root: root, Log: hclog.New(&hclog.LoggerOptions{Output: &log})})
	if err != nil {
		t.Fatal(err)
	}
	m.grains.Now(t.Context())
	if _, err := os.Stat(m.layout.Names()); err == nil {
		t.Error("kept what name servers told")
	}
	m.machine.Close()
}
