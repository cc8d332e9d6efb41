package master

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestMistakesNameWhereTheyStand: in master.toml, in a file of master.d, or in the environment.
func TestMistakesNameWhereTheyStand(t *testing.T) {
	root := t.TempDir()
	l := Layout{root}
	if err := os.MkdirAll(l.ConfigDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	later := filepath.Join(l.ConfigDir(), "50-site.toml")
	for file, text := range map[string]string{
		l.Config(): "name = \"m1\"\nfile_recv_max_size = 0\n[store]\nretention_days = 0\n[listen]\nbus = \"fine:1\"\n[log]\nlevel = \"info\"\n",
		later: "file_recv_max_total = 0\nfileserver_backend = [\n  \"roots\",\n  \"nosuch\",\n]\n" +
			"[file_roots]\nbase = [\"/none\"]\n[store]\nmax_size = \"much\"\n[gitfs] # more\nupdate_interval = \"1ms\"\n[[gitfs.remotes]]\nurl = \"\"\n" +
			"[pillar]\nmerging = \"smrat\"\n[returner]\ntimeout = \"5s\"\n[events]\nminion_rate = 0\n" +
			"[external_auth]\nvalid = \"1us\"\n[rules]\nactions_per_minute = -1\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := LoadConfig(root, []string{"BRINE_LISTEN_FILES=nowhere"})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		l.Config() + ":2: file_recv_max_size = 0", l.Config() + ":4: store.retention_days = 0", later + ":1: file_recv_max_total = 0",
		later + `:2: fileserver_backend: "nosuch"`, later + ":7: file_roots.base: /none", later + `:9: store.max_size = "much"`,
		later + `:11: gitfs.update_interval = "1ms"`, later + ":13: gitfs.remotes[1].url", later + ":15: pillar.merging", later + ":16: returner.command is missing",
		later + ":19: events.minion_rate = 0", later + `:21: external_auth.valid = "1us"`, later + ":23: rules.actions_per_minute = -1",
		`environment variable BRINE_LISTEN_FILES: listen.files = "nowhere"`,
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	before := 0
	for text := range strings.SplitSeq(err.Error(), "\n") {
		rest, _ := strings.CutPrefix(text, later+":")
		if line, err := strconv.Atoi(strings.SplitN(rest, ":", 2)[0]); err == nil {
			if line < before {
				t.Errorf("line %d comes after line %d", line, before)
			}
			before = line
		}
	}
}
