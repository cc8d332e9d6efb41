package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs the command with a scratch root and returns its status and output.
func run(t *testing.T, root string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	c := command()
	c.SetArgs(append([]string{"--root", root}, args...))
	c.SetOut(&out)
	c.SetErr(&out)
	code := status(c.ExecuteContext(t.Context()))
	return code, out.String()
}

func TestTreesCallSalt(t *testing.T) {
	for argv, want := range map[string]string{
		"/usr/bin/brine-minion run":            "run",
		"salt-call --local test.ping":          "call --local test.ping",
		"/usr/local/bin/salt-call --out json":  "call --out json",
		"/opt/salt-call/brine-minion call a.b": "call a.b",
	} {
		if got := strings.Join(words(strings.Fields(argv)), " "); got != want {
			t.Errorf("%s: got %s, want %s", argv, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	root, tree, pillar := t.TempDir(), t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(root, "etc/brine/minion.toml"): "id = \"web1\"\nmasters = [\"127.0.0.1:1\"]\n",
		filepath.Join(tree, "web.sls"):               "/etc/x:\n  file.managed:\n    - contents: x\n    - makedirs: true\n",
		filepath.Join(tree, "top.sls"):               "base:\n  'web*': [web]\n  '*': []\n",
		filepath.Join(pillar, "top.sls"):             "base:\n  '*': [all]\n",
		filepath.Join(pillar, "all.sls"):             "web: {port: 8080}\n",
		filepath.Join(pillar, "dev/top.sls"):         "dev:\n  '*': [own]\n",
		filepath.Join(pillar, "dev/own.sls"):         "web: {tls: [443]}\nenv: {{ saltenv }}\n",
		filepath.Join(pillar, "sealed/top.sls"):      "base:\n  '*': [s]\n",
		filepath.Join(pillar, "sealed/s.sls"):        "s: |\n  -----BEGIN AGE ENCRYPTED FILE-----\n  YQ==\n  -----END AGE ENCRYPTED FILE-----\n",
		filepath.Join(tree, "bad.sls"):               "a:\n  file.nope: []\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"version", 0, "brine-minion "},
		{"check-config", 0, "ok"},
		{"call test.ping --out json", 0, `"return": true`},
		{"call test.ping --out json", 0, `"jid": "",`},
		{"call test.ping --out json --id other", 0, `"other": {`},
		{"call test.ping --out yaml", 0, "jid: ''"},
		{"call --out jsonl test.echo hello", 0, `{"minion":"web1","status":"ok","retcode":0,"return":"hello","duration_ms":`},
		{"call --out quiet test.ping", 0, ""},
		{"call --local --retcode-passthrough -l quiet test.retcode 3", exitFailed, ""},
		{"call --out nope test.ping", exitUsage, ""},
		{"call", exitUsage, ""},
		{"call test.pnig", exitUsage, ""},
		{"call test.retcode 3", exitFailed, ""},
		{"call --file-root " + tree + " state.apply web test=True --detailed-exitcode", exitPending, "would change=1"},
		{"call --file-root " + tree + " state.apply web", 0, "Succeeded"},
		{"call --file-root " + tree + " state.apply web test=True --detailed-exitcode", 0, "Succeeded"},
		{"call --file-root " + tree + " state.highstate", 0, "Succeeded"},
		{"call --file-root " + tree + " state.show_top --out json", 0, `"web"`},
		{"call --file-root " + tree + " state.show_sls bad", exitData, "file.nope"},
		{"call --file-root " + tree + "/nowhere state.apply web", exitUsage, ""},
		{"call --file-root " + tree + " --pillar-root " + pillar + " pillar.get web:port", 0, "8080"},
		{"call --pillar-root " + pillar + " --pillar-root dev=" + pillar + "/dev pillar.items --out jsonl", 0, `"return":{"web":{"port":8080,"tls":[443]},"env":"dev"}`},
		{"call --pillar-root " + pillar + " --pillar-root dev=" + pillar + "/dev pillar.items --pillar-merging overwrite --out jsonl", 0, `"return":{"web":{"tls":[443]},"env":"dev"}`},
		{"call --pillar-root " + pillar + " --pillar-root __env__=" + pillar + "/__env__ pillar.items pillarenv=dev --out jsonl", 0, `"return":{"web":{"tls":[443]},"env":"dev"}`},
		{"call --pillar-root " + pillar + " pillar.items pillarenv=dev", exitData, `cannot read pillar of environment "dev"`},
		{"call --pillar-root " + pillar + " --pillar-merging none pillar.item env", 0, ""},
		{"call --pillar-root " + pillar + " --pillar-merging nope test.ping", exitUsage, ""},
		{"call --pillar-root " + pillar + "/sealed pillar.get s", exitData, "s.sls:1: cannot decrypt a value: only masters have keys of age"},
		{"call --pillar-root " + pillar + "/sealed --gpg-home " + root + "/none pillar.get s", exitUsage, ""},
		{"call --pillar-root " + root + " test.ping", exitData, "cannot find top.sls"},
		{"call --file-root " + tree + " state.apply bad", exitData, "file.nope"},
		{"enrol", exitUsage, ""},
		{"enrol garbage", exitData, ""},
		{"run --nope", exitUsage, ""},
	} {
		code, out := run(t, root, strings.Fields(c.line)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: got %d, want %d\n%s", c.line, code, c.code, out)
		}
	}
}
