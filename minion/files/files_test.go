package files

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/manifest"
)

const minionID = "web1"

// A site is a site key and a minion that trusts it.
type site struct {
	t      *testing.T
	key    *pki.SiteKey
	minion *pki.MinionKey
}

func newSite(t *testing.T) *site {
	t.Helper()
	key, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	mk, err := pki.NewMinionKey()
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, key, mk}
}

// A master serves blobs by HTTPS as real ones do.
type master struct {
	*httptest.Server
	address *pb.MasterAddress
	mu      sync.Mutex
	blobs   map[string][]byte
	served  atomic.Int64 // bytes of content
	asked   atomic.Int64
	cutAt   int  // breaks off after so many bytes; 0: never
	step    int  // likewise, of what is asked for
	old     bool // it knows no request for many contents
}

func (s *site) master(name string, blobs ...[]byte) *master {
	s.t.Helper()
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := s.key.IssueMaster(name, pub, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := pki.NewIdentity(private, der, s.key.CA().Raw)
	if err != nil {
		s.t.Fatal(err)
	}
	m := &master{blobs: map[string][]byte{}}
	for _, b := range blobs {
		m.blobs[sum(b)] = b
	}
	m.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.asked.Add(1)
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		_, err := pki.VerifyFileToken(token, s.key.Site(), time.Now(), func(id string) (ed25519.PublicKey, bool) {
			return s.minion.Public(), id == minionID
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		m.serve(w, r)
	}))
	m.TLS = pki.ServerTLS(id)
	m.TLS.Certificates = []tls.Certificate{id.TLS()} // or it would add one of its own
	m.StartTLS()
	s.t.Cleanup(m.Close)
	m.address = &pb.MasterAddress{Name: name, Files: m.Listener.Addr().String()}
	return m
}

func (m *master) serve(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Method == http.MethodPost && r.URL.Path == manifest.ManyPath && !m.old {
		m.many(w, r)
		return
	}
	data, ok := m.blobs[strings.TrimPrefix(r.URL.Path, "/blob/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if m.cutAt > 0 {
		w.Header().Set("Content-Length", "1000000000")
		w.Write(data[:m.cutAt])
		m.served.Add(int64(m.cutAt))
		panic(http.ErrAbortHandler)
	}
	cw := &counting{ResponseWriter: w, n: &m.served}
	if m.step > 0 {
		cw.left = m.step
	}
	http.ServeContent(cw, r, "", time.Time{}, bytes.NewReader(data))
}

type counting struct {
	http.ResponseWriter
	n    *atomic.Int64
	left int // before it breaks off; 0: never
}

func (c *counting) Write(p []byte) (int, error) {
	if c.left > 0 && len(p) >= c.left {
		n, _ := c.ResponseWriter.Write(p[:c.left])
		c.n.Add(int64(n))
		panic(http.ErrAbortHandler)
	}
	if c.left > 0 {
		c.left -= len(p)
	}
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func content(n int) []byte {
	b := make([]byte, n)
	r := mrand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func (s *site) client(change func(*Options), masters ...*master) *Client {
	s.t.Helper()
	cache, err := OpenCache(s.t.TempDir())
	if err != nil {
		s.t.Fatal(err)
	}
	o := Options{
		ID: minionID, Key: s.minion, Trust: pki.NewTrust(s.key.Site()), Cache: cache,
		Retry: time.Millisecond, Stall: 5 * time.Second,
		Masters: func() (out []*pb.MasterAddress) {
			for _, m := range masters {
				out = append(out, m.address)
			}
			return out
		},
	}
	if change != nil {
		change(&o)
	}
	c := NewClient(o)
	s.t.Cleanup(c.Close)
	return c
}

func (c *Client) mustGet(t *testing.T, want []byte) {
	t.Helper()
	path, err := c.Blob(t.Context(), sum(want), int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(want))
	}
}

func TestContentIsFetchedOnce(t *testing.T) {
	s := newSite(t)
	data := content(100_000)
	m := s.master("m1", data)
	c := s.client(nil, m)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { c.mustGet(t, data) })
	}
	wg.Wait()
	if got := m.served.Load(); got != int64(len(data)) {
		t.Errorf("served %d bytes, want %d", got, len(data))
	}
}

func TestEmptyContent(t *testing.T) {
	s := newSite(t)
	s.client(nil, s.master("m1", []byte{})).mustGet(t, []byte{})
}

func TestNextMasterGoesOnWhereTheFirstBrokeOff(t *testing.T) {
	s := newSite(t)
	data := content(300_000)
	m1, m2 := s.master("m1", data), s.master("m2", data)
	m1.cutAt = 200_000
	s.client(nil, m1, m2).mustGet(t, data)
	if got := m2.served.Load(); got >= 300_000 || m1.asked.Load() != 1 {
		t.Errorf("the second master served %d bytes, the first was asked %d times", got, m1.asked.Load())
	}
}

func TestWrongContentIsNeverTaken(t *testing.T) {
	s := newSite(t)
	data := content(50_000)
	evil, m2 := s.master("m1", data), s.master("m2", data)
	bad := bytes.Clone(data)
	bad[777]++
	evil.blobs[sum(data)] = bad
	s.client(nil, evil, m2).mustGet(t, data)
	evil.blobs[sum(data)] = append(bytes.Clone(data), "and much more"...)
	c := s.client(nil, evil)
	if path, err := c.Blob(t.Context(), sum(data), int64(len(data))); err == nil {
		t.Errorf("took wrong content: %s", path)
	}
}

func TestBusIsTheLastResort(t *testing.T) {
	s := newSite(t)
	data := content(200_000)
	away := s.master("m1")
	var asks atomic.Int64
	c := s.client(func(o *Options) {
		o.Ask = func(_ context.Context, verb string, body []byte) ([]byte, error) {
			asks.Add(1)
			req := &pb.FileRequest{}
			if err := proto.Unmarshal(body, req); err != nil || verb != "file" || req.Sha256 != sum(data) {
				t.Errorf("asked %q %v", verb, req)
			}
			piece := data[req.Offset:min(req.Offset+64<<10, int64(len(data)))]
			return proto.Marshal(&pb.FileReply{Data: piece, Size: int64(len(data))})
		}
	}, away)
	c.mustGet(t, data)
	if asks.Load() != 4 {
		t.Errorf("asked %d times over the bus, want 4", asks.Load())
	}
}

func TestLyingBusEnds(t *testing.T) {
	s := newSite(t)
	for name, reply := range map[string]*pb.FileReply{
		"endless":  {Data: []byte("x"), Size: math.MaxInt64},
		"empty":    {Size: 10},
		"too much": {Data: content(20), Size: 10},
		"error":    {Error: "no such blob"},
		"other":    {Data: content(10), Size: 10},
	} {
		c := s.client(func(o *Options) {
			o.Ask = func(context.Context, string, []byte) ([]byte, error) { return proto.Marshal(reply) }
		})
		if _, err := c.Blob(t.Context(), sum([]byte("0123456789")), 10); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestErrorNamesEveryMaster(t *testing.T) {
	s, other := newSite(t), newSite(t)
	c := s.client(nil, s.master("m1"), other.master("m2"))
	_, err := c.Blob(t.Context(), sum([]byte("x")), 1)
	if err == nil || !strings.Contains(err.Error(), "m1: 404") || !strings.Contains(err.Error(), "m2: ") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Blob(t.Context(), "../../etc/passwd", 1); err == nil {
		t.Error("a path is no hash")
	}
	if _, err := s.client(nil).Blob(t.Context(), sum([]byte("x")), 1); err == nil {
		t.Error("no master, yet no error")
	}
}

func TestDamagedCacheIsRepaired(t *testing.T) {
	s := newSite(t)
	data := content(1000)
	c := s.client(nil, s.master("m1", data))
	c.mustGet(t, data)
	if err := os.WriteFile(c.o.Cache.path(sum(data)), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.mustGet(t, data)
}

func TestCancelledFetchEndsSoonAndLetsOthersGoOn(t *testing.T) {
	s := newSite(t)
	data := content(1000)
	m := s.master("m1", data)
	c := s.client(nil, m)
	m.mu.Lock() // the master hangs
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Blob(ctx, sum(data), 1000)
		ended <- err
	}()
	for m.asked.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	m.mu.Unlock()
	c.mustGet(t, data)
}

func TestSilentMasterIsLeft(t *testing.T) {
	s := newSite(t)
	data := content(1000)
	m1, m2 := s.master("m1", data), s.master("m2", data)
	m1.mu.Lock()
	defer m1.mu.Unlock()
	s.client(func(o *Options) { o.Stall = 100 * time.Millisecond }, m1, m2).mustGet(t, data)
}

func TestPruneKeepsWhatIsUsed(t *testing.T) {
	s := newSite(t)
	used, old := content(10), content(20)
	c := s.client(nil, s.master("m1", used, old))
	c.mustGet(t, used)
	c.mustGet(t, old)
	long := time.Now().Add(-60 * 24 * time.Hour)
	for _, b := range [][]byte{used, old} {
		if err := os.Chtimes(c.o.Cache.path(sum(b)), long, long); err != nil {
			t.Fatal(err)
		}
	}
	c.mustGet(t, used)
	if err := c.o.Cache.Prune(time.Now().Add(-30*24*time.Hour), 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.o.Cache.path(sum(used))); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.o.Cache.path(sum(old))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTree(t *testing.T) {
	s := newSite(t)
	a, b := []byte("one: two\n"), content(500)
	digest := func(b []byte) []byte { d := sha256.Sum256(b); return d[:] }
	list, id, err := manifest.Encode([]*pb.File{
		{Path: "web/init.sls", Mode: 0o644, Sha256: digest(a), Size: int64(len(a))},
		{Path: "files/tool", Mode: 0o4755, Sha256: digest(b), Size: int64(len(b))},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := s.master("m1", list, a, b)
	c := s.client(nil, m)
	tree, err := c.Tree(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Paths(); !slices.Equal(got, []string{"files/tool", "web/init.sls"}) {
		t.Errorf("paths %v", got)
	}
	if got, err := tree.Open(t.Context(), "web/init.sls"); err != nil || !bytes.Equal(got, a) {
		t.Errorf("got %q, %v", got, err)
	}
	st, err := tree.Stat(t.Context(), "salt://files/tool?saltenv=base")
	if err != nil || st.SHA256 != sum(b) || st.Size != 500 || st.Mode != 0o755|fs.ModeSetuid {
		t.Errorf("got %+v, %v", st, err)
	}
	if path, err := tree.Cached(t.Context(), "salt://files/tool"); err != nil || path != "" {
		t.Errorf("before it is fetched %q is cached, %v", path, err)
	}
	if path, err := tree.Cached(t.Context(), "salt://nope"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q is cached, %v", path, err)
	}
	defer func() {
		if path, err := tree.Cached(t.Context(), "salt://files/tool"); err != nil || path == "" {
			t.Errorf("after it was fetched %q is cached, %v", path, err)
		}
		for range 2 {
			if err := tree.Forget(t.Context(), "salt://files/tool"); err != nil {
				t.Error(err)
			}
		}
		if path, err := tree.Cached(t.Context(), "salt://files/tool"); err != nil || path != "" {
			t.Errorf("after it was forgotten %q is cached, %v", path, err)
		}
	}()
	if path, err := tree.Fetch(t.Context(), "salt://files/tool"); err != nil {
		t.Error(err)
	} else if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	for _, url := range []string{"salt://nope", "salt://../web/init.sls", "salt://", "salt:///web/init.sls"} {
		if _, err := tree.Fetch(t.Context(), url); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v", url, err)
		}
	}
	for _, url := range []string{"http://x/y", "salt://files/tool?saltenv=dev", "salt://files/tool?%zz"} {
		if _, err := tree.Stat(t.Context(), url); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v", url, err)
		}
	}
	before := m.served.Load()
	if tree, err = c.Tree(t.Context(), id, "base"); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Open(t.Context(), "web/init.sls"); err != nil {
		t.Fatal(err)
	}
	if m.served.Load() != before {
		t.Error("a second use of the tree moved content")
	}
}

// TestShape has a tree of a master, and one of directories here, tell the same.
func TestShape(t *testing.T) {
	s := newSite(t)
	digest := sha256.Sum256(nil)
	list, id, err := manifest.EncodeAll([]*pb.File{{Path: "app/f", Sha256: digest[:]}}, []string{"app/e/mpty", "other"},
		[]*pb.Link{{Path: "app/l", Target: "f"}, {Path: "lib", Target: "app"}})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.client(nil, s.master("m1", list, nil)).Tree(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	first, second := t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(first, "app/e/mpty"), 0o755), os.MkdirAll(filepath.Join(first, "app/d"), 0o755),
		os.MkdirAll(filepath.Join(second, "app/d"), 0o755), os.MkdirAll(filepath.Join(second, "other"), 0o755),
		os.WriteFile(filepath.Join(second, "app/d/f"), nil, 0o644), os.Symlink("f", filepath.Join(second, "app/l")),
		os.Symlink("app", filepath.Join(second, "lib")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, files := range []interface {
		Shape(context.Context, string) ([]string, map[string]string, error)
	}{tree, NewDirs("base", first, second)} {
		for url, want := range map[string]string{"salt://app": "[e/mpty] map[l:f]", "salt://none": "[] map[]", "salt://": "[app/e/mpty other] map[app/l:f lib:app]"} {
			empty, links, err := files.Shape(t.Context(), url)
			if got := fmt.Sprint(empty, " ", links); got != want || err != nil {
				t.Errorf("%T: %s: got %s, %v, want %s", files, url, got, err, want)
			}
		}
	}
}

func TestManifestThatLiesIsRefused(t *testing.T) {
	s := newSite(t)
	data := []byte("no manifest at all")
	c := s.client(nil, s.master("m1", data))
	if _, err := c.Tree(t.Context(), sum(data), "base"); err == nil {
		t.Error("no error")
	}
}
