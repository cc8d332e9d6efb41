package fileserver_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/master/fileserver"
	"brine/pki"
	"brine/proto"
	"brine/proto/manifest"
)

// site has masters m1 and m2 with their HTTPS listeners, and minion web1.
type site struct {
	t      *testing.T
	key    *pki.SiteKey
	trust  *pki.Trust
	minion *pki.MinionKey
}

type master struct {
	*fileserver.Server
	id      *pki.Identity
	roots   string
	blobs   string
	address string
	asked   chan string // paths that were asked for
}

func newSite(t *testing.T) *site {
	key, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	minion, err := pki.NewMinionKey()
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, key: key, trust: pki.NewTrust(key.Site()), minion: minion}
}

func (s *site) identity(name string) *pki.Identity {
	key, err := pki.NewOperatorKey()
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := s.key.IssueMaster(name, key.Public().(ed25519.PublicKey), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := pki.NewIdentity(key, der, s.key.CA().Raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *site) master(name string) *master {
	m := &master{id: s.identity(name), roots: s.t.TempDir(), blobs: s.t.TempDir(), asked: make(chan string, 1000)}
	m.open(s)
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.asked <- r.URL.Path
		m.ServeHTTP(w, r)
	}))
	web.Listener = tls.NewListener(web.Listener, pki.FilesTLS(m.id, s.trust))
	web.Start()
	s.t.Cleanup(web.Close)
	m.address = web.Listener.Addr().String()
	return m
}

// open makes the server, as a new process would.
func (m *master) open(s *site) {
	server, err := fileserver.New(fileserver.Options{
		Dir: m.blobs, Roots: map[string][]string{"base": {m.roots}},
		Minion: func(token string) (string, error) {
			return pki.VerifyFileToken(token, s.key.Site(), time.Now(), func(id string) (ed25519.PublicKey, bool) {
				return s.minion.Public(), id == "web1"
			})
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	m.Server = server
}

func (m *master) write(t *testing.T, path, content string) {
	t.Helper()
	full := filepath.Join(m.roots, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *master) tree(t *testing.T) string {
	t.Helper()
	tree, err := m.Tree(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// list is the manifest of a tree, read through Chunk.
func (m *master) list(t *testing.T, tree string) *proto.Manifest {
	t.Helper()
	list, err := manifest.Parse(tree, m.content(t, tree))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (m *master) content(t *testing.T, sum string) []byte {
	t.Helper()
	var all []byte
	for {
		data, size, err := m.Chunk(sum, int64(len(all)), 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, data...); int64(len(all)) == size {
			return all
		}
	}
}

// files is what a tree has: path -> content.
func (m *master) files(t *testing.T, tree string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, f := range m.list(t, tree).Files {
		data := m.content(t, hex.EncodeToString(f.Sha256))
		if int64(len(data)) != f.Size {
			t.Errorf("%s: got %d bytes, want %d", f.Path, len(data), f.Size)
		}
		files[f.Path] = string(data)
	}
	return files
}

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

func TestTreeIsStableAndFollowsChanges(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "top.sls", "base:\n  '*': [web]\n")
	m.write(t, "web/init.sls", "one")
	m.write(t, "web/page.html", strings.Repeat("x", 200_000))
	first := m.tree(t)
	if again := m.tree(t); again != first || m.Current("base") != first {
		t.Errorf("got %s, current %s, want %s", again, m.Current("base"), first)
	}
	m.write(t, "web/init.sls", "two") // of the same length, in the same tick of the clock perhaps
	second := m.tree(t)
	if second == first {
		t.Fatal("a changed file does not show")
	}
	if got := m.files(t, first)["web/init.sls"]; got != "one" {
		t.Errorf("the old tree has %q, want \"one\"", got)
	}
	if got := m.files(t, second)["web/init.sls"]; got != "two" {
		t.Errorf("the new tree has %q, want \"two\"", got)
	}
	if err := os.Chmod(filepath.Join(m.roots, "top.sls"), 0o755); err != nil {
		t.Fatal(err)
	}
	third := m.tree(t)
	if third == second {
		t.Error("a changed mode does not show")
	}
	if f := manifest.Find(m.list(t, third), "top.sls"); f.Mode != 0o755 {
		t.Errorf("got mode %o, want 755", f.Mode)
	}
	if err := os.Remove(filepath.Join(m.roots, "web/page.html")); err != nil {
		t.Fatal(err)
	}
	if got := len(m.files(t, m.tree(t))); got != 2 {
		t.Errorf("got %d files after one was removed, want 2", got)
	}
	m.open(s)
	if m.Current("base") != "" {
		t.Error("a tree is current that was never read")
	}
	m.write(t, "web/page.html", strings.Repeat("x", 200_000))
	if got := m.tree(t); got != third {
		t.Errorf("a new process makes %s of the same files, want %s", got, third)
	}
}

func TestAnOldModificationTimeHidesNoChange(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	trees := map[string]bool{}
	for _, content := range []string{"one", "two"} {
		m.write(t, "a", content)
		old := time.Now().Add(-time.Hour).Truncate(time.Hour)
		if err := os.Chtimes(filepath.Join(m.roots, "a"), old, old); err != nil {
			t.Fatal(err)
		}
		trees[m.tree(t)] = true
	}
	if len(trees) != 2 {
		t.Error("a change does not show when the time of modification is set back")
	}
}

func TestSeveralDirectoriesAndEnvironments(t *testing.T) {
	a, b, dev := t.TempDir(), t.TempDir(), t.TempDir()
	for path, content := range map[string]string{
		a + "/both": "a", b + "/both": "b", b + "/only": "b", dev + "/both": "dev",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server, err := fileserver.New(fileserver.Options{
		Dir: t.TempDir(), Minion: func(string) (string, error) { return "", errors.New("no") },
		Roots: map[string][]string{"base": {a, filepath.Join(a, "missing"), b}, "dev": {dev}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &master{Server: server}
	if got := m.files(t, m.tree(t)); len(got) != 2 || got["both"] != "a" || got["only"] != "b" {
		t.Errorf("base: got %v", got)
	}
	tree, err := m.Tree(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.files(t, tree); len(got) != 1 || got["both"] != "dev" || m.Current("dev") != tree {
		t.Errorf("dev: got %v", got)
	}
	_, err = m.Tree(t.Context(), "prod")
	if err == nil || err.Error() != `cannot find environment "prod": file_roots has base, dev` {
		t.Errorf("prod: got %v", err)
	}
}

func TestWithoutFileRootsBaseIsEmpty(t *testing.T) {
	server, err := fileserver.New(fileserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	m := &master{Server: server}
	if got := m.files(t, m.tree(t)); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestOddFiles(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("linked"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.write(t, "real/file", "x")
	m.write(t, ".git/config", "secret")
	m.write(t, "sub/.svn/entries", "secret")
	m.write(t, ".gitignore", "*.o")
	m.write(t, "bad\xffname", "x")
	for name, err := range map[string]error{
		"link":    os.Symlink(outside, filepath.Join(m.roots, "link")),
		"dir":     os.Symlink("real", filepath.Join(m.roots, "dir")),
		"nowhere": os.Symlink("nosuch", filepath.Join(m.roots, "nowhere")),
		"self":    os.Symlink("self", filepath.Join(m.roots, "self")),
		"loop":    os.Symlink("..", filepath.Join(m.roots, "real/loop")),
		"fifo":    syscall.Mkfifo(filepath.Join(m.roots, "fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(name, err)
		}
	}
	want := map[string]string{"link": "linked", "real/file": "x", "dir/file": "x", ".gitignore": "*.o"}
	got := m.files(t, m.tree(t))
	for path, content := range got {
		if want[path] != content {
			t.Errorf("got %s with %q", path, content)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	links := map[string]string{"link": outside, "dir": "real", "nowhere": "nosuch", "self": "self", "real/loop": "..", "dir/loop": ".."}
	list := m.list(t, m.tree(t))
	for _, l := range list.Links {
		if links[l.Path] != l.Target {
			t.Errorf("got a link %s to %q", l.Path, l.Target)
		}
	}
	if len(list.Links) != len(links) || !slices.Equal(list.Empty, []string{"sub"}) {
		t.Errorf("got links %v, and directories without files %q", list.Links, list.Empty)
	}
}

func TestDirectoriesWithoutFilesAreNamed(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	for _, dir := range []string{"a/b/c", "a/d", "e"} {
		if err := os.MkdirAll(filepath.Join(m.roots, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.write(t, "a/d/file", "x")
	if got := m.list(t, m.tree(t)).Empty; !slices.Equal(got, []string{"a/b/c", "e"}) {
		t.Errorf("got %q", got)
	}
}

func TestLostContentIsReadAgain(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "a", "content of a")
	tree := m.tree(t)
	if err := os.RemoveAll(filepath.Join(m.blobs, sum("content of a")[:2])); err != nil {
		t.Fatal(err)
	}
	if err := m.Prune(time.Time{}); err != nil { // makes it look again
		t.Fatal(err)
	}
	if m.tree(t) != tree || m.files(t, tree)["a"] != "content of a" {
		t.Error("the content is still gone")
	}
}

func TestPrune(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "a", "old")
	m.tree(t)
	m.write(t, "a", "new")
	tree := m.tree(t)
	for _, content := range []string{"old", "new"} {
		long := time.Now().Add(-40 * 24 * time.Hour)
		if err := os.Chtimes(filepath.Join(m.blobs, sum(content)[:2], sum(content)), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(m.content(t, sum("new"))); got != "new" { // used now
		t.Errorf("got %q", got)
	}
	if err := m.Prune(time.Now().Add(-30 * 24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Chunk(sum("old"), 0, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unused content: got %v, want it gone", err)
	}
	if got := m.files(t, tree)["a"]; got != "new" {
		t.Errorf("used content: got %q", got)
	}
}

func TestChunk(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "a", "0123456789")
	m.tree(t)
	for _, c := range []struct {
		sum    string
		offset int64
		limit  int
		want   string
		fails  bool
	}{
		{sum("0123456789"), 0, 4, "0123", false},
		{sum("0123456789"), 8, 4, "89", false},
		{sum("0123456789"), 10, 4, "", false},
		{sum("0123456789"), 11, 4, "", true},
		{sum("0123456789"), -1, 4, "", true},
		{sum("other"), 0, 4, "", true},
		{"../" + m.roots + "/a", 0, 4, "", true},
		{strings.ToUpper(sum("0123456789")), 0, 4, "", true},
		{"", 0, 4, "", true},
	} {
		data, size, err := m.Chunk(c.sum, c.offset, c.limit)
		if string(data) != c.want || (err != nil) != c.fails || err == nil && size != 10 {
			t.Errorf("%.12s at %d: got %q of %d, %v, want %q", c.sum, c.offset, data, size, err, c.want)
		}
	}
}

// get asks m as the minion does, unless header says otherwise.
func (s *site) get(m *master, method, path string, config *tls.Config, header http.Header) (int, string, http.Header) {
	s.t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+m.address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.URL.Path = path
	if header != nil {
		req.Header = header
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func (s *site) token(id string, key *pki.MinionKey, at time.Time) http.Header {
	token, err := pki.NewFileToken(key, s.key.Site(), id, at)
	if err != nil {
		s.t.Fatal(err)
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

func TestWhoMayFetch(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "a", "content")
	m.tree(t)
	path := "/blob/" + sum("content")
	stranger, err := pki.NewMinionKey()
	if err != nil {
		t.Fatal(err)
	}
	other := newSite(t)
	minion, now := pki.ClientTLS(s.trust), time.Now()
	for _, c := range []struct {
		name   string
		config *tls.Config
		header http.Header
		want   int
	}{
		{"minion", minion, s.token("web1", s.minion, now), 200},
		{"master", pki.PeerTLS(s.identity("m2"), s.trust), nil, 200},
		{"nobody", minion, nil, 401},
		{"garbage", minion, http.Header{"Authorization": {"Bearer ???"}}, 401},
		{"basic", minion, http.Header{"Authorization": {"Basic eDp5"}}, 401},
		{"another minion's id", minion, s.token("web2", s.minion, now), 401},
		{"stranger", minion, s.token("web1", stranger, now), 401},
		{"another site's token", minion, other.token("web1", s.minion, now), 401},
		{"old token", minion, s.token("web1", s.minion, now.Add(-time.Hour)), 401},
		{"master of another site", pki.PeerTLS(other.identity("m2"), s.trust), nil, 0},
	} {
		if got, body, _ := s.get(m, http.MethodGet, path, c.config, c.header); got != c.want ||
			c.want == 200 && body != "content" || c.want != 200 && strings.Contains(body, "content") {
			t.Errorf("%s: got %d %q, want %d", c.name, got, body, c.want)
		}
	}
}

func TestRangesAndMethods(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "a", "0123456789")
	m.tree(t)
	path, config := "/blob/"+sum("0123456789"), pki.ClientTLS(s.trust)
	for _, c := range []struct {
		method, path, bytes string
		code                int
		body                string
	}{
		{"GET", path, "", 200, "0123456789"},
		{"GET", path, "bytes=3-5", 206, "345"},
		{"GET", path, "bytes=7-", 206, "789"},
		{"GET", path, "bytes=20-", 416, ""},
		{"HEAD", path, "", 200, ""},
		{"POST", path, "", 405, ""},
		{"PUT", path, "", 405, ""},
		{"GET", "/blob/" + sum("other"), "", 404, ""},
	} {
		header := s.token("web1", s.minion, time.Now())
		if c.bytes != "" {
			header.Set("Range", c.bytes)
		}
		code, body, got := s.get(m, c.method, c.path, config, header)
		if code != c.code || c.body != "" && body != c.body {
			t.Errorf("%s %s %s: got %d %q, want %d %q", c.method, c.path, c.bytes, code, body, c.code, c.body)
		}
		if code == 200 && got.Get("Etag") != `"`+sum("0123456789")+`"` {
			t.Errorf("got ETag %s", got.Get("Etag"))
		}
	}
}

func TestPathTricks(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "a", "content")
	m.tree(t)
	digest := sum("content")
	for _, path := range []string{
		"/", "/blob", "/blob/", "/blob/.", "/blob/..", "/blob/../../etc/passwd", "/blob/" + digest[:2] + "/" + digest,
		"/blob/" + digest + "/", "/blob//" + digest, "/blob/" + strings.ToUpper(digest), "/blob/" + digest[1:],
		"/blob/" + digest + "\x00", "/blob/..%2f" + digest[5:], "//blob/" + digest, "/BLOB/" + digest,
		"/blob/" + strings.Repeat("../", 20) + "etc/shadow\x00",
	} {
		code, body, _ := s.get(m, http.MethodGet, path, pki.ClientTLS(s.trust), s.token("web1", s.minion, time.Now()))
		if code == 200 || strings.Contains(body, "root:") {
			t.Errorf("%q: got %d %q", path, code, body)
		}
	}
}

func TestEnsure(t *testing.T) {
	s := newSite(t)
	m1, m2 := s.master("m1"), s.master("m2")
	m1.write(t, "a", "content of a")
	m1.write(t, "copy", "content of a")
	m1.write(t, "big", strings.Repeat("x", 300_000))
	m1.write(t, "empty", "")
	m2.write(t, "here", strings.Repeat("x", 300_000)) // need not travel
	m2.tree(t)
	tree := m1.tree(t)
	config := pki.PeerTLS(m2.id, s.trust)
	for range 2 {
		if err := m2.Ensure(t.Context(), tree, m1.address, config); err != nil {
			t.Fatal(err)
		}
	}
	if got := m2.files(t, tree); len(got) != 4 || got["copy"] != "content of a" || len(got["big"]) != 300_000 {
		t.Errorf("got %d files", len(got))
	}
	if n := len(m1.asked); n != 3 {
		t.Errorf("the peer was asked %d times, want for the manifest and two contents", n)
	}
}

func TestEnsureRefusesFalseContent(t *testing.T) {
	s := newSite(t)
	m1, m2 := s.master("m1"), s.master("m2")
	m1.write(t, "a", "content of a")
	m1.write(t, "b", "content of b")
	tree := m1.tree(t)
	config := pki.PeerTLS(m2.id, s.trust)
	digest := sum("content of a")
	blob := filepath.Join(m1.blobs, digest[:2], digest)
	for name, spoil := range map[string]func() error{
		"other":   func() error { return os.WriteFile(blob, []byte("CONTENT OF A"), 0o600) },
		"short":   func() error { return os.WriteFile(blob, []byte("content"), 0o600) },
		"long":    func() error { return os.WriteFile(blob, bytes.Repeat([]byte("x"), 1<<20), 0o600) },
		"missing": func() error { return os.Remove(blob) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		err := m2.Ensure(t.Context(), tree, m1.address, config)
		if err == nil || !strings.Contains(err.Error(), digest) {
			t.Errorf("%s: got %v, want an error about the content", name, err)
		}
		if _, _, err := m2.Chunk(digest, 0, 10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want nothing kept", name, err)
		}
	}
	if err := os.WriteFile(blob, []byte("content of a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m2.Ensure(t.Context(), tree, m1.address, config); err != nil {
		t.Errorf("repaired: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(m2.blobs, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEnsureRefusesFalseTreesAndPeers(t *testing.T) {
	s := newSite(t)
	m1, m2 := s.master("m1"), s.master("m2")
	config := pki.PeerTLS(m2.id, s.trust)
	// Content that is not a manifest, under its own hash.
	m1.write(t, "a", "\xff\xff\xff not a manifest")
	m1.tree(t)
	other := newSite(t)
	foreign := other.master("m1")
	foreign.write(t, "a", "x")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]struct{ tree, address string }{
		"no manifest":  {sum("\xff\xff\xff not a manifest"), m1.address},
		"unknown tree": {sum("other"), m1.address},
		"path":         {"../../etc/passwd", m1.address},
		"empty":        {"", m1.address},
		"other site":   {foreign.tree(t), foreign.address},
		"nobody there": {sum("other"), closed.Addr().String()},
		"no address":   {sum("other"), ""},
	} {
		if err := m2.Ensure(t.Context(), c.tree, c.address, config); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestLeftoversOfAKilledProcessGo(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	left := filepath.Join(m.blobs, ".new-123")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.open(s)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want it gone", err)
	}
}

func TestContentIsPrivate(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	m.write(t, "a", "content")
	m.tree(t)
	var modes []string
	err := filepath.WalkDir(m.blobs, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && path != m.blobs && info.Mode().Perm()&0o077 != 0 {
			modes = append(modes, path+" "+info.Mode().String())
		}
		return err
	})
	if err != nil || len(modes) > 0 {
		t.Errorf("others may read: %v, %v", modes, err)
	}
}

func BenchmarkTreeUnchanged(b *testing.B) {
	roots := b.TempDir()
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(roots, "file"+hex.EncodeToString([]byte{byte(i >> 8), byte(i)})),
			bytes.Repeat([]byte{byte(i)}, 2000), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	server, err := fileserver.New(fileserver.Options{Dir: b.TempDir(), Roots: map[string][]string{"base": {roots}}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := server.Tree(b.Context(), "base"); err != nil {
			b.Fatal(err)
		}
	}
}
