package pkgrepo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/pkg/repo"
	"brine/states/mod/pkgrepo"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const fingerprint = "6B1CEA43EE305E403E7067E20865C8B4291A10C5"

func key(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("../pkg/repo/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// newHost is a host with a package manager, which writes refusal when it refreshes.
func newHost(t testing.TB, family, program string) *hosttest.Host {
	h := hosttest.New(t)
	h.Grains.Put("os_family", family)
	h.Write("/usr/bin/"+program, "")
	h.Files.Serve("salt://example.asc", key(t, "key.asc"), 0o644)
	h.Files.Serve("salt://page.asc", "<html>", 0o644)
	h.Host.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
		line := strings.Join(c.Argv[2:], " ")
		if line != "apt-get -q update" {
			t.Errorf("ran %q", line)
		}
		if strings.Contains(h.Read("/etc/apt/sources.list"), "http://bad.org") {
			return host.Output{Stdout: []byte("W: Failed to fetch http://bad.org/dists/stable/InRelease  404\n")}, nil
		}
		return host.Output{}, nil
	}
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, pkgrepo.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		h := newHost(t, "Debian", "apt-get")
		h.Write("/etc/apt/sources.list", "deb http://example.org/debian stable main\n")
		h.Write("/etc/apt/sources.list.d/x.list", "deb http://example.org/debian stable main\n")
		return h
	}, Bare: func(t testing.TB) *hosttest.Host { return newHost(t, "Debian", "apt-get") }})
}

func state(t *testing.T, h *hosttest.Host, test bool, name string, words ...string) module.Result {
	t.Helper()
	s, err := module.NewIndex(pkgrepo.Module).State("pkgrepo." + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		t.Fatal(err)
	}
	return b.Run(t.Context(), h.Host, test)
}

// want applies a state in test mode, for real and again, and compares the changes.
func want(t *testing.T, h *hosttest.Host, changes, name string, words ...string) {
	t.Helper()
	for i, w := range []string{changes, changes, "{}"} {
		r := state(t, h, i == 0, name, words...)
		got, _ := value.MarshalJSON(r.Changes)
		if string(got) != w || (r.Result == nil) != (i == 0 && w != "{}") || r.Result != nil && !*r.Result {
			t.Errorf("run %d: got %s, want %s (%s)", i, got, w, r.Comment)
		}
	}
}

func wantFile(t *testing.T, h *hosttest.Host, name, content string) {
	t.Helper()
	if got := h.Read(name); got != content {
		t.Errorf("%s: got %q, want %q", name, got, content)
	}
}

func TestAptLine(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	h.Write("/etc/apt/sources.list", "# mine\ndeb http://deb.debian.org/debian bookworm main")
	const line = "deb [signed-by=/etc/apt/keyrings/e.gpg] http://example.org/debian stable main"
	want(t, h, `{"key":{"old":"","new":"/etc/apt/keyrings/e.gpg"},"repo":"`+line+`"}`, "managed", "name="+line, "key_url=salt://example.asc")
	wantFile(t, h, "/etc/apt/sources.list", "# mine\ndeb http://deb.debian.org/debian bookworm main\n"+line+"\n")
	wantFile(t, h, "/etc/apt/keyrings/e.gpg", key(t, "key.gpg"))
	want(t, h, `{"line":{"old":"`+line+`","new":"# `+strings.Replace(line, "main", "contrib main", 1)+`"}}`, "managed",
		"name=deb http://example.org/debian/ stable", "comps=contrib,main", "disabled=true", "refresh=false")
	want(t, h, `{"repo":"deb http://example.org/debian stable contrib"}`, "absent", "name=deb http://example.org/debian stable contrib")
	wantFile(t, h, "/etc/apt/sources.list", "# mine\ndeb http://deb.debian.org/debian bookworm main\n# "+line+"\n")
}

func TestAptStanza(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	const file = "/etc/apt/sources.list.d/e.sources"
	want(t, h, `{"key":{"old":"","new":"/etc/apt/keyrings/e.asc"},"repo":"example"}`, "managed", "name=example", "file="+file,
		"uris=http://example.org/debian", "dist=stable", "comps=main", "types=[deb, deb-src]", "signedby=/etc/apt/keyrings/e.asc",
		"key_text="+key(t, "key.asc"))
	wantFile(t, h, file, "Types: deb deb-src\nURIs: http://example.org/debian\nSuites: stable\nComponents: main\n"+
		"Signed-By: /etc/apt/keyrings/e.asc\n")
	wantFile(t, h, "/etc/apt/keyrings/e.asc", key(t, "key.asc"))
	want(t, h, `{"repo":"deb http://example.org/debian stable"}`, "absent", "name=deb http://example.org/debian stable")
	wantFile(t, h, file, "")
}

// TestAbsentEndsKeys takes the key of a repository away with it, unless another source needs it.
func TestAbsentEndsKeys(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	const mine, other = "deb http://example.org/debian stable main", "deb [signed-by=/etc/apt/keyrings/e.asc] http://o.org/x y z\n"
	h.Write("/etc/apt/sources.list", mine+"\n"+other)
	for _, name := range []string{"/etc/apt/keyrings/e.asc", "/etc/apt/trusted.gpg.d/e.gpg", "/etc/apt/trusted.gpg.d/page.gpg"} {
		h.Write(name, key(t, map[bool]string{true: "key.asc", false: "key.gpg"}[strings.HasSuffix(name, ".asc")]))
	}
	h.Write("/etc/apt/trusted.gpg.d/page.gpg", "no key")
	r := state(t, h, true, "absent", "name="+mine, "keyid=0x291A10C5")
	if w := strings.Join(r.Warnings, "|"); !strings.HasSuffix(w, "stays in /etc/apt/keyrings/e.asc, which /etc/apt/sources.list names") {
		t.Errorf("got warnings %s", w)
	}
	want(t, h, `{"repo":"`+mine+`","keyid":"0x291A10C5"}`, "absent", "name="+mine, "keyid=0x291A10C5")
	wantFile(t, h, "/etc/apt/trusted.gpg.d/e.gpg", "")
	wantFile(t, h, "/etc/apt/trusted.gpg.d/page.gpg", "no key")
	wantFile(t, h, "/etc/apt/keyrings/e.asc", key(t, "key.asc"))
	wantFile(t, h, "/etc/apt/sources.list", other)
	h.Write("/etc/apt/sources.list", mine+"\n")
	r = state(t, h, false, "absent", "name="+mine, "keyid=12345678")
	if r.Result == nil || !*r.Result || len(r.Warnings) != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestConsolidateWarns(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	r := state(t, h, false, "managed", "name=deb http://example.org/debian stable main", "consolidate=true")
	if r.Result == nil || !*r.Result || len(r.Warnings) != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestAptKeys(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	const name = "name=deb http://example.org/debian stable main"
	want(t, h, `{"key":{"old":"","new":"/etc/apt/trusted.gpg.d/example.gpg"},"repo":"`+name[5:]+`"}`, "managed", name, "key_url=salt://example.asc")
	want(t, h, `{"key":{"old":"","new":"/etc/apt/keyrings/example.gpg"},"line":{"old":"`+name[5:]+`",`+
		`"new":"deb [signed-by=/etc/apt/keyrings/example.gpg] http://example.org/debian stable main"}}`,
		"managed", name, "key_url=salt://example.asc", "aptkey=false")
	r := state(t, h, true, "managed", "name=deb http://a.b/c stable main", "key_url=salt://page.asc")
	if r.Result == nil || *r.Result || r.Comment != "cannot take the key of deb http://a.b/c stable main: it is no OpenPGP key" {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
}

// web answers each URL it knows.
type web map[string]string

func (w web) Do(r *http.Request) (*http.Response, error) {
	body, ok := w[r.URL.String()]
	if !ok {
		return nil, errors.New("asked for " + r.URL.String())
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader([]byte(body)))}, nil
}

func TestKeyServer(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	h.HTTP = web{
		"https://keyserver.ubuntu.com/pks/lookup?op=get&options=mr&search=0x291A10C5":       key(t, "key.asc"),
		"http://keys.example.org:11371/pks/lookup?op=get&options=mr&search=0x12345678":      key(t, "key.asc"),
		"https://launchpad.net/api/1.0/~owner/+archive/tools":                               `{"signing_key_fingerprint": "` + fingerprint + `"}`,
		"https://keyserver.ubuntu.com/pks/lookup?op=get&options=mr&search=0x" + fingerprint: key(t, "key.asc"),
	}
	want(t, h, `{"key":{"old":"","new":"/etc/apt/trusted.gpg.d/291A10C5.gpg"},"repo":"deb http://a.b/c stable main"}`,
		"managed", "name=deb http://a.b/c stable main", "keyid=291A10C5")
	r := state(t, h, false, "managed", "name=deb http://a.b/d stable main", "keyid=12345678", "keyserver=hkp://keys.example.org")
	if r.Result == nil || *r.Result || !strings.HasSuffix(r.Comment, "the server answered with another key") {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
	h.Grains.Put("os", "Ubuntu")
	h.Grains.Put("oscodename", "noble")
	want(t, h, `{"key":{"old":"","new":"/etc/apt/trusted.gpg.d/ppa-owner-tools.gpg"},"repo":"ppa:owner/tools"}`, "managed", "name=ppa:owner/tools")
	wantFile(t, h, "/etc/apt/sources.list.d/owner-tools-noble.list", "deb https://ppa.launchpadcontent.net/owner/tools/ubuntu noble main\n")
}

func TestRefusedRepositoryFails(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	r := state(t, h, false, "managed", "name=deb http://bad.org stable main")
	if r.Result == nil || *r.Result || !strings.Contains(r.Comment, "cannot fetch what the repository deb http://bad.org stable main has") {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
	r = state(t, h, false, "managed", "name=deb http://good.org stable main")
	if r.Result == nil || !*r.Result || !strings.Contains(r.Comment, "Not all repositories could be refreshed") {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
}

func TestCleanFile(t *testing.T) {
	h := newHost(t, "Debian", "apt-get")
	h.Write("/etc/apt/sources.list.d/a.list", "deb http://old.org stable main\n")
	want(t, h, `{"repo":"deb http://new.org stable main"}`, "managed", "name=deb http://new.org stable main",
		"file=/etc/apt/sources.list.d/a.list", "clean_file=true")
	wantFile(t, h, "/etc/apt/sources.list.d/a.list", "deb http://new.org stable main\n")
}

func TestYumSection(t *testing.T) {
	h := newHost(t, "RedHat", "dnf")
	h.Write("/etc/yum.repos.d/all.repo", "[base]\nname=Base\nbaseurl=http://base\n# keep\nenabled=yes\n")
	want(t, h, `{"repo":"epel"}`, "managed", "name=epel", "humanname=Extra Packages", "baseurl=[http://a, http://b]", "gpgcheck=true",
		"gpgkey=https://k", "priority=10", "comments=[mine]", "enabled_metadata=true", "countme=0")
	wantFile(t, h, "/etc/yum.repos.d/epel.repo", "[epel]\n# mine\nname=Extra Packages\nenabled=1\nbaseurl=http://a\n    http://b\n"+
		"gpgcheck=1\npriority=10\ngpgkey=https://k\nenabled_metadata=1\ncountme=0\n")
	want(t, h, `{"enabled":{"old":"yes","new":"0"}}`, "managed", "name=base", "humanname=Base", "disabled=true")
	wantFile(t, h, "/etc/yum.repos.d/all.repo", "[base]\nname=Base\nbaseurl=http://base\n# keep\nenabled=0\n")
	want(t, h, `{"repo":"epel"}`, "absent", "name=epel")
	if _, err := os.Stat(h.Path("/etc/yum.repos.d/epel.repo")); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	r := state(t, h, true, "managed", "name=nowhere")
	if r.Result == nil || *r.Result || !strings.Contains(r.Comment, "say where it is") {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
}

func TestArgumentsThatExcludeOneAnother(t *testing.T) {
	a := repo.Args{Name: "x", KeyURL: "http://k", KeyText: "k", KeyID: []string{"1"}, Enabled: new(bool), Disabled: new(bool), File: "x"}
	const want = "arguments \"enabled\" and \"disabled\" exclude one another: give one\n" +
		"arguments \"key_url\" and \"keyid\" exclude one another: give one\n" +
		"arguments \"key_text\" and \"keyid\" exclude one another: give one\n" +
		"arguments \"key_text\" and \"key_url\" exclude one another: give one\n" +
		"argument \"key_url\": http is not allowed with allow_insecure_key: false\n" +
		"argument \"file\": want an absolute path, got \"x\""
	if err := a.CheckArgs(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
