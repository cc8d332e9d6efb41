package master

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryMistakeInGitsConfigurationAtOnce also where keys stand in [gitfs] for all remotes.
func TestEveryMistakeInGitsConfigurationAtOnce(t *testing.T) {
	root := t.TempDir()
	secret := filepath.Join(root, "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := Layout{Root: root}
	if err := os.MkdirAll(filepath.Dir(l.Config()), 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`name = "m1"
fileserver_backend = ["git", "svn"]
[file_roots]
base = [%[1]q]
[gitfs]
update_interval = "0s"
webhook_secret = %[2]q
[[gitfs.remotes]]
url = "https://ann:s3cret@git.example.com/x"
[[gitfs.remotes]]
url = "--upload-pack=touch /tmp/x"
[[gitfs.remotes]]
url = "ext::sh -c id"
[[gitfs.remotes]]
url = "http://git.example.com/x"
base = "-x"
root = "../up"
saltenv_allow = ["[("]
password_file = "/none"
ref_types = ["sha"]
[[gitfs.remotes]]
url = "git@git.example.com:x"
require_signed = ["ssh-ed25519 rubbish"]
[[gitfs.remotes]]
url = "git@git.example.com:x"
saltenv = {dev = "a..b"}
[[git_pillar]]
url = "/srv/pillar"
branch = "__env__"
env = "dev"
`, root, secret)
	if err := os.WriteFile(l.Config(), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := LoadConfig(root, nil)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		"gitfs.update_interval = \"0s\": want a duration", "gitfs.webhook_secret: " + secret + " can be read by others",
		"gitfs.remotes[1].url", "there is a password in it", "gitfs.remotes[2].url", "gitfs.remotes[3].url", "this is no address of a repository",
		"gitfs.remotes[4].url", "insecure = true", "gitfs.remotes[4].base = \"-x\"", "gitfs.remotes[4].root = \"../up\"", "gitfs.remotes[4].saltenv_allow",
		"gitfs.remotes[4].password_file", "gitfs.remotes[4].user: it is missing", "gitfs.remotes[4].ref_types: \"sha\"",
		"gitfs.remotes[5].require_signed", "gitfs.remotes[6].saltenv.dev = \"a..b\"", "gitfs.remotes[6].name", "git_pillar[1].env = \"dev\"",
		"fileserver_backend: \"svn\"", "fileserver_backend: roots is missing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q", want)
		}
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, l.Config()+":") {
			t.Errorf("no file is named: %s", line)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the password is told: %v", err)
	}
}

func TestAWebhookProvesTheSecret(t *testing.T) {
	secret := []byte("0123456789abcdef")
	sign := func(body string) string {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(body))
		return "sha256=" + hex.EncodeToString(h.Sum(nil))
	}
	for _, c := range []struct {
		what, header, value string
		ok                  bool
	}{
		{"GitHub", "X-Hub-Signature-256", sign("pushed"), true},
		{"another message", "X-Hub-Signature-256", sign("other"), false},
		{"no digits", "X-Hub-Signature-256", "sha256=zz", false},
		{"no hash", "X-Hub-Signature-256", "", false},
		{"GitLab", "X-Gitlab-Token", string(secret), true},
		{"another token", "X-Gitlab-Token", string(secret) + "x", false},
		{"nothing", "X-Other", "x", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/hook/git", strings.NewReader("pushed"))
		r.Header.Set(c.header, c.value)
		if err := proven(httptest.NewRecorder(), r, secret); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.what, err)
		}
	}
}
