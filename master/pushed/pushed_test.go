package pushed_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"brine/master/pushed"
	"brine/proto"
)

// A receiver is a Store behind a web server. Tokens are the minions' ids.
type receiver struct {
	t   *testing.T
	dir string
	*pushed.Store
	url string
}

func receive(t *testing.T, change func(*pushed.Options)) *receiver {
	t.Helper()
	o := pushed.Options{
		Dir: filepath.Join(t.TempDir(), "pushed"), FileBytes: 1 << 20, MinionBytes: 2 << 20, Free: func(string) (int64, error) { return 1 << 30, nil },
		Minion: func(token string) (string, error) {
			if token == "" {
				return "", errors.New("cannot accept file token")
			}
			return token, nil
		},
	}
	if change != nil {
		change(&o)
	}
	s, err := pushed.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := httptest.NewServer(s)
	t.Cleanup(w.Close)
	return &receiver{t, o.Dir, s, w.URL}
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// put sends a file over HTTP, and returns the status and what it says.
func (r *receiver) put(minion, path string, data []byte, digits string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPut, r.url+"/pushed/"+path+"?sha256="+digits, bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+minion)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// pieces sends a file over the bus.
func (r *receiver) pieces(minion, path string, data []byte, size int) *proto.PushReply {
	reply := &proto.PushReply{}
	for {
		end := min(reply.Have+int64(size), int64(len(data)))
		reply = r.Piece(minion, &proto.PushRequest{
			Path: path, Sha256: sum(data), Size: int64(len(data)), Offset: reply.Have, Data: data[reply.Have:end],
		})
		if reply.Done || reply.Error != "" {
			return reply
		}
	}
}

func (r *receiver) want(name string, data []byte) {
	r.t.Helper()
	got, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil || !bytes.Equal(got, data) {
		r.t.Errorf("%s: got %d bytes, %v; want %d", name, len(got), err, len(data))
	}
}

// clean refuses that anything lies outside of the minions' directories, or is not whole.
func (r *receiver) clean() {
	r.t.Helper()
	left, err := os.ReadDir(filepath.Join(r.dir, ".new"))
	if err != nil || len(left) > 0 {
		r.t.Errorf("not whole: %v, %v", left, err)
	}
	around, err := os.ReadDir(filepath.Dir(r.dir))
	if err != nil || len(around) != 1 {
		r.t.Errorf("beside the directory: %v, %v", around, err)
	}
}

func TestFilesLieBelowTheirMinion(t *testing.T) {
	r := receive(t, nil)
	for i, data := range [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), 1<<20)} {
		path := fmt.Sprintf("etc/%d/fstab", i)
		if code, text := r.put("web1", path, data, sum(data)); code != http.StatusNoContent {
			t.Errorf("got %d %s", code, text)
		}
		r.want("web1/"+path, data)
		if reply := r.pieces("db1", path, data, 100_000); !reply.Done {
			t.Errorf("got %v", reply)
		}
		r.want("db1/"+path, data)
	}
	newer := []byte("newer")
	if code, text := r.put("web1", "etc/0/fstab", newer, sum(newer)); code != http.StatusNoContent {
		t.Errorf("got %d %s", code, text)
	}
	r.want("web1/etc/0/fstab", newer)
	st, err := os.Stat(filepath.Join(r.dir, "web1/etc/0/fstab"))
	must(t, err)
	if st.Mode() != 0o600 {
		t.Errorf("got %v", st.Mode())
	}
	r.clean()
}

func TestWhatIsNotTaken(t *testing.T) {
	data := []byte("data")
	for _, c := range []struct {
		name, path, digits string
		data               []byte
		code               int
		text               string
		change             func(*pushed.Options)
	}{
		{name: "off", path: "a", code: 403, text: "file_recv is off", change: func(o *pushed.Options) { o.FileBytes = 0 }},
		{name: "above", path: "..%2f..%2fa", code: 400, text: "want a clean relative path"},
		{name: "absolute", path: "%2fetc%2fpasswd", code: 400, text: "want a clean relative path"},
		{name: "nothing", path: "", code: 400, text: "want a clean relative path"},
		{name: "zero", path: "a%00b", code: 400, text: "want a clean relative path"},
		{name: "twice", path: "a%2f%2fb", code: 400, text: "want a clean relative path"},
		{name: "long", path: strings.Repeat("a", 300), code: 400, text: "too long"},
		{name: "no hash", path: "a", digits: "x", code: 400, text: "want its SHA-256"},
		{name: "other hash", path: "a", digits: sum(nil), code: 422, text: "changed meanwhile or on its way"},
		{name: "large", path: "a", data: make([]byte, 1<<20+1), code: 413, text: "file_recv_max_size of master.toml allows 1048576"},
		{name: "below a file", path: "there/a", code: 409, text: "a file is in the place"},
		{name: "directory", path: "dir", code: 409, text: "something that is no file is there"},
		{name: "full", path: "a", code: 507, text: "of the master's disk only 3", change: func(o *pushed.Options) {
			o.Free = func(string) (int64, error) { return 3, nil }
		}},
		{name: "link out", path: "out/a", code: 500, text: "cannot keep the file"},
		{name: "link", path: "link", code: 409, text: "something that is no file is there"},
	} {
		r := receive(t, c.change)
		outside := t.TempDir()
		if c.name != "off" {
			own := filepath.Join(r.dir, "web1")
			must(t, os.MkdirAll(filepath.Join(own, "dir"), 0o700), os.WriteFile(filepath.Join(own, "there"), nil, 0o600),
				os.Symlink(outside, filepath.Join(own, "out")), os.Symlink(filepath.Join(outside, "file"), filepath.Join(own, "link")))
		}
		if c.data == nil {
			c.data = data
		}
		if c.digits == "" {
			c.digits = sum(c.data)
		}
		if code, text := r.put("web1", c.path, c.data, c.digits); code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%s: got %d %q, want %d %q", c.name, code, text, c.code, c.text)
		}
		path := strings.NewReplacer("%2f", "/", "%00", "\x00").Replace(c.path)
		reply := r.Piece("web1", &proto.PushRequest{Path: path, Sha256: c.digits, Size: int64(len(c.data)), Data: c.data})
		if !strings.Contains(reply.Error, c.text) {
			t.Errorf("%s: over the bus got %v, want %q", c.name, reply, c.text)
		}
		if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
			t.Errorf("%s: outside there is %v, %v", c.name, left, err)
		}
		if c.name != "off" {
			r.clean()
		}
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestStrangersSendNothing(t *testing.T) {
	r := receive(t, nil)
	if code, _ := r.put("", "a", []byte("a"), sum([]byte("a"))); code != http.StatusUnauthorized {
		t.Errorf("got %d", code)
	}
}

func TestFilesOfOneMinionAreBounded(t *testing.T) {
	r := receive(t, nil)
	data := bytes.Repeat([]byte("x"), 1<<20)
	put := func(minion, path string) int { code, _ := r.put(minion, path, data, sum(data)); return code }
	for path, want := range map[string]int{"a": 204, "b": 204} {
		if code := put("web1", path); code != want {
			t.Errorf("%s: got %d, want %d", path, code, want)
		}
	}
	if code := put("web1", "c"); code != http.StatusInsufficientStorage {
		t.Errorf("got %d", code)
	}
	if code := put("web1", "a"); code != http.StatusNoContent {
		t.Errorf("in the place of another: got %d", code)
	}
	if code := put("db1", "c"); code != http.StatusNoContent {
		t.Errorf("another minion: got %d", code)
	}
	must(t, os.Remove(filepath.Join(r.dir, "web1/a")))
	if code := put("web1", "c"); code != http.StatusNoContent {
		t.Errorf("after one was removed: got %d", code)
	}
	small := receive(t, func(o *pushed.Options) { o.MinionBytes = 3 * 4096 })
	for i, want := range []int{204, 204, 204, 507} {
		if code, _ := small.put("web1", fmt.Sprint(i), nil, sum(nil)); code != want {
			t.Errorf("empty file %d: got %d, want %d", i, code, want)
		}
	}
	deep := receive(t, func(o *pushed.Options) { o.MinionBytes = 4 * 4096 })
	for _, c := range []struct {
		path string
		want int
	}{{"a/b/c/d/e", 507}, {"a/b/1", 204}, {"a/b/2", 204}, {"a/b/3", 507}} {
		if code, _ := deep.put("web1", c.path, nil, sum(nil)); code != c.want {
			t.Errorf("%s, whose directories count too: got %d, want %d", c.path, code, c.want)
		}
	}
}

func TestPiecesGoOnWhereTheyAre(t *testing.T) {
	r := receive(t, nil)
	data := bytes.Repeat([]byte("0123456789"), 1000)
	piece := func(offset, end int) *proto.PushReply {
		return r.Piece("web1", &proto.PushRequest{Path: "f", Sha256: sum(data), Size: int64(len(data)), Offset: int64(offset), Data: data[offset:end]})
	}
	for i, c := range []struct {
		offset, end int
		have        int64
		done        bool
	}{{0, 4000, 4000, false}, {0, 4000, 4000, false}, {6000, 8000, 4000, false}, {4000, 8000, 8000, false}, {8000, 10000, 10000, true}} {
		if got := piece(c.offset, c.end); got.Have != c.have || got.Done != c.done || got.Error != "" {
			t.Errorf("piece %d: got %v, want %d %v", i, got, c.have, c.done)
		}
	}
	r.want("web1/f", data)
	if got := piece(8000, 10000); !got.Done || got.Have != 10000 {
		t.Errorf("the last piece once more: got %v", got)
	}
	if got := r.Piece("web1", &proto.PushRequest{Path: "f", Sha256: sum(nil), Size: 10, Offset: 5, Data: []byte("01234")}); got.Done || got.Have != 0 || got.Error != "" {
		t.Errorf("a later piece of another file: got %v", got)
	}
	if got := r.Piece("web1", &proto.PushRequest{Path: "f", Sha256: sum(nil), Size: 1, Data: []byte("ab")}); got.Error == "" {
		t.Error("more than the size was taken")
	}
	r.clean()
	for i := range 5 {
		other := fmt.Appendf(nil, "%04d", i)
		got := r.Piece("web1", &proto.PushRequest{Path: "g", Sha256: sum(other), Size: 4, Data: other[:1]})
		if refused := strings.Contains(got.Error, "4 other files are on their way"); refused != (i == 4) {
			t.Errorf("file %d: got %v", i, got)
		}
	}
}

func TestBrokenUploadLeavesNothing(t *testing.T) {
	r := receive(t, nil)
	from, to := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.url+"/pushed/a?sha256="+sum(nil), from)
	must(t, err)
	req.ContentLength = 1000
	req.Header.Set("Authorization", "Bearer web1")
	ended := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(req)
		ended <- err
	}()
	_, err = to.Write([]byte("some"))
	must(t, err)
	must(t, to.CloseWithError(errors.New("gone")))
	if err := <-ended; err == nil {
		t.Error("no error")
	}
	for { // the server finds out on its own
		left, err := os.ReadDir(filepath.Join(r.dir, ".new"))
		must(t, err)
		if len(left) == 0 {
			break
		}
		runtime.Gosched()
	}
	if _, err := os.Stat(filepath.Join(r.dir, "web1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
