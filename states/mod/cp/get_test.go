package cp_test

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/cp"
	"brine/states/module"
	"brine/states/render"
	"brine/states/value"
)

// kept is files of which some were fetched before.
type kept struct{ *hosttest.Files }

func (k kept) Cached(_ context.Context, url string) (string, error) {
	switch {
	case url == "salt://nosuch":
		return "", fs.ErrNotExist
	case slices.Contains(k.Fetched, url):
		return "/cache" + strings.TrimPrefix(url, "salt:/"), nil
	}
	return "", nil
}

func newHost(t *testing.T) (*hosttest.Host, *httptest.Server) {
	h := hosttest.New(t)
	h.Files.Serve("salt://top.sls", "base: {}\n", 0o644)
	h.Files.Serve("salt://web/init.sls", "a: test.nop\n", 0o644)
	h.Files.Serve("salt://web/app.sls", "a: test.nop\n", 0o644)
	h.Files.Serve("salt://web/files/a.conf", "port = {{ port }}\n", 0o755)
	h.Files.Serve("salt://web/files/b/c.txt", "c", 0o640)
	h.Files.Serve("salt://top.sls?saltenv=dev", "dev: {}\n", 0o644)
	h.Host.Files = kept{h.Files}
	h.Host.Render = render.New(h.Host, "base", nil)
	h.Write("/etc/hosts", "here\n")
	h.Write("/srv/old", "old")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/nosuch" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("web " + r.URL.RequestURI()))
	}))
	t.Cleanup(s.Close)
	h.HTTP = s.Client()
	return h, s
}

// TestGet calls each function; the host's root is ROOT, the copies of served files are COPY, and the server is WEB.
func TestGet(t *testing.T) {
	for _, tt := range []struct{ name, args, want, file string }{
		{"list_master", "prefix=web", `["web/app.sls","web/files/a.conf","web/files/b/c.txt","web/init.sls"]`, ""},
		{"list_master", "prefix=web/f", `["web/files/a.conf","web/files/b/c.txt"]`, ""},
		{"list_master_dirs", "", `["web","web/files","web/files/b"]`, ""},
		{"list_states", "", `["top","web","web.app"]`, ""},
		{"envs", "", `["base"]`, ""},
		{"list_minion", "", `["/cache/top.sls"]`, ""},
		{"is_cached", "salt://top.sls", `"/cache/top.sls"`, ""},
		{"is_cached", "salt://web/init.sls", `""`, ""},
		{"is_cached", "salt://nosuch", `""`, ""},
		{"get_file_str", "salt://top.sls", `"base: {}\n"`, ""},
		{"get_file_str", "salt://top.sls saltenv=dev", `"dev: {}\n"`, ""},
		{"get_file_str", "salt://nosuch", `false`, ""},
		{"get_file_str", "/etc/hosts", `"here\n"`, ""},
		{"get_file_str", "rel", `cannot fetch "rel": want salt://PATH, https://HOST/PATH or an absolute path`, ""},
		{"hash_file", "salt://web/files/b/c.txt", `{"hsum":"2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6","hash_type":"sha256"}`, ""},
		{"hash_file", "/srv/old", `{"hsum":"cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4","hash_type":"sha256"}`, ""},
		{"hash_file", "salt://nosuch", `{}`, ""},
		{"stat_file", "salt://web/files/b/c.txt", `"0640"`, ""},
		{"stat_file", "salt://web/files/b/c.txt octal=false", `33184`, ""},
		{"stat_file", "/nosuch", `""`, ""},
		{"cache_file", "salt://nosuch", `false`, ""},
		{"cache_file", "/etc/hosts", `"/etc/hosts"`, ""},
		{"cache_file", "WEB/a/b", `"/var/cache/brine/minion/extrn_files/base/HOST/a/b"`, "/var/cache/brine/minion/extrn_files/base/HOST/a/b web /a/b"},
		{"cache_file", "WEB/nosuch", `false`, ""},
		{"cache_file", "WEB/a source_hash=sha256=2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
			"cannot fetch WEB/a: its hash is 82dbdb64c46885bd159c9c928f858527ab8a291befe21a0bba51a01974ae0b32, source_hash says 2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6", ""},
		{"cache_file", "WEB/a source_hash=xyz verify_ssl=true", `cannot call cp.cache_file: argument "source_hash": want a hash such as sha256=DIGITS, got "xyz"`, ""},
		{"cache_file", "WEB/a verify_ssl=false", `cannot call cp.cache_file: argument "verify_ssl": false lets anyone answer in the server's place: let this host trust its certificate`, ""},
		{"cache_local_file", "/etc/hosts", `"/var/cache/brine/minion/localfiles/etc/hosts"`, "/var/cache/brine/minion/localfiles/etc/hosts here\n"},
		{"cache_local_file", "/nosuch", `""`, ""},
		{"get_file", "salt://web/files/b/c.txt /srv/", `"/srv/c.txt"`, "/srv/c.txt c"},
		{"get_file", "salt://web/files/b/c.txt /srv/old", `"/srv/old"`, "/srv/old c"},
		{"get_file", "salt://web/files/b/c.txt /srv/new/c", `cannot write /srv/new/c: the directory /srv/new is not there (makedirs makes it)`, ""},
		{"get_file", "salt://web/files/b/c.txt /srv/new/c makedirs=true", `"/srv/new/c"`, "/srv/new/c c"},
		{"get_file", "salt://web/{{'files'}}/b/c.txt /srv/{{1+1}} template=jinja", `"/srv/2"`, "/srv/2 c"},
		{"get_file", "salt://nosuch /srv/x", `cannot get salt://nosuch: `, ""},
		{"get_dir", "salt://web/files /srv", `["/srv/files/a.conf","/srv/files/b/c.txt"]`, "/srv/files/b/c.txt c"},
		{"get_dir", "salt://nosuch /srv", `cannot get the directory salt://nosuch: file does not exist`, ""},
		{"get_template", "salt://web/files/a.conf /srv/a port=80", `"/srv/a"`, "/srv/a port = 80\n"},
		{"get_url", "WEB/x?token=geheim /srv/x", `"/srv/x"`, "/srv/x web /x?token=geheim"},
		{"get_url", "WEB/nosuch?token=geheim /srv/x", `cannot get WEB/nosuch: cannot fetch WEB/nosuch: the server answered 404 Not Found (file does not exist)`, ""},
		{"get_url", "WEB/x dest=null", `"web /x"`, ""},
		{"get_url", "WEB/x", `"/var/cache/brine/minion/extrn_files/base/HOST/x"`, ""},
		{"get_url", "/etc/hosts null", `"here\n"`, ""},
		{"get_url", "salt://top.sls /srv/top", `"/srv/top"`, "/srv/top base: {}\n"},
	} {
		h, s := newHost(t)
		h.Files.Fetched = []string{"salt://top.sls"}
		address := s.Listener.Addr().String()
		f, err := module.NewIndex(cp.Module).Func("cp." + tt.name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(strings.Fields(strings.ReplaceAll(tt.args, "WEB", s.URL))...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		got = strings.NewReplacer(s.URL, "WEB", address, "HOST", h.Root, "ROOT").Replace(got)
		if got != tt.want && !(strings.HasSuffix(tt.want, ": ") && strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s %s:\n got %s\nwant %s", tt.name, tt.args, got, tt.want)
		}
		if name, content, ok := strings.Cut(tt.file, " "); ok && h.Read(strings.ReplaceAll(name, "HOST", address)) != content {
			t.Errorf("%s %s: %s holds %q, want %q", tt.name, tt.args, name, h.Read(strings.ReplaceAll(name, "HOST", address)), content)
		}
	}
}

// TestFetchedOnce keeps what has the hash that is asked for, and modes of new files as they are served.
func TestFetchedOnce(t *testing.T) {
	h, s := newHost(t)
	x := module.NewIndex(cp.Module)
	call := func(name string, words ...string) error {
		f, err := x.Func(name)
		if err == nil {
			_, err = f.Call(t.Context(), h.Host, module.Words(words...))
		}
		return err
	}
	const sum = "source_hash=f79e9a8a8c8c1d7c3a6e0a3d3a1d4a95b0e5b1f0dd0b2b5c5a2f7c3d5b1b6a5e"
	if err := call("cp.cache_file", s.URL+"/b"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := call("cp.cache_file", s.URL+"/b"); err == nil {
		t.Error("nobody was asked")
	}
	if err := call("cp.cache_file", s.URL+"/b", sum); err == nil {
		t.Error("what has another hash was taken")
	}
	right := "source_hash=md5=0b6d5ab4354aab4cc9f1f48b2883a3a2"
	if err := call("cp.cache_file", s.URL+"/b", right); err != nil {
		t.Error(err)
	}
	if err := call("cp.get_file", "salt://web/files/a.conf", "/srv/a.conf"); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(h.Path("/srv/a.conf")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", st, err)
	}
}
