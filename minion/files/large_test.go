package files

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/manifest"
)

// tree is the tree of one file called large, whose manifest the masters have too.
func (s *site) tree(c *Client, data []byte, masters ...*master) *Tree {
	s.t.Helper()
	list, id, err := manifest.Encode([]*pb.File{{Path: "large", Mode: 0o644, Sha256: decoded(s.t, sum(data)), Size: int64(len(data))}})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range masters {
		m.blobs[id] = list
	}
	tree, err := c.Tree(s.t.Context(), id, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return tree
}

func decoded(t *testing.T, digits string) []byte {
	t.Helper()
	data, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pour(t *testing.T, tree *Tree) ([]byte, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := tree.Pour(t.Context(), "salt://large", f); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return data, nil
}

func TestGoesOnAsLongAsSomethingComes(t *testing.T) {
	s := newSite(t)
	data := content(3_000_000)
	m := s.master("m1", data)
	m.step = 200_000
	s.client(nil, m).mustGet(t, data)
	if n := m.asked.Load(); n < 15 {
		t.Errorf("asked %d times", n)
	}
	if n := m.served.Load(); n > 2*int64(len(data)) {
		t.Errorf("%d bytes were sent", n)
	}
}

func TestLargeContentGoesStraightToItsPlace(t *testing.T) {
	s := newSite(t)
	data := content(pourFrom + 12345)
	m1, m2 := s.master("m1", data), s.master("m2", data)
	c := s.client(nil, m1, m2)
	tree := s.tree(c, data, m1, m2)
	m1.step = 3_000_000
	got, err := pour(t, tree)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(data))
	}
	if path, err := tree.Cached(t.Context(), "salt://large"); err != nil || path != "" {
		t.Errorf("%q is cached, %v", path, err)
	}
	if served := m2.served.Load(); served > int64(len(data))-2_000_000 {
		t.Errorf("the second master sent %d of %d bytes", served, len(data))
	}
	if _, err := tree.Fetch(t.Context(), "salt://large"); err != nil {
		t.Fatal(err)
	}
	before := m1.served.Load() + m2.served.Load()
	if got, err := pour(t, tree); err != nil || !bytes.Equal(got, data) || m1.served.Load()+m2.served.Load() != before {
		t.Errorf("what is cached is fetched again, %v", err)
	}
}

func TestWrongLargeContentIsNeverTaken(t *testing.T) {
	s := newSite(t)
	data := content(pourFrom + 1)
	evil, m2 := s.master("m1", data), s.master("m2", data)
	bad := bytes.Clone(data)
	bad[len(bad)-1]++
	evil.blobs[sum(data)] = bad
	if got, err := pour(t, s.tree(s.client(nil, evil, m2), data, evil, m2)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := pour(t, s.tree(s.client(nil, evil), data, evil)); err == nil {
		t.Error("wrong content was taken")
	}
}

func TestFullDiskIsNoMastersFault(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	s := newSite(t)
	data := content(pourFrom + 1)
	m1, m2 := s.master("m1", data), s.master("m2", data)
	tree := s.tree(s.client(nil, m1, m2), data, m1, m2)
	asked := m1.asked.Load() + m2.asked.Load()
	err = tree.Pour(t.Context(), "salt://large", full)
	if err == nil || !strings.Contains(err.Error(), "no space left") || m1.asked.Load()+m2.asked.Load() != asked+1 {
		t.Errorf("got %v after %d requests", err, m1.asked.Load()+m2.asked.Load()-asked)
	}
}

// bus serves content over a bus, in pieces of the sizes that size tells.
func bus(t *testing.T, data []byte, size func(at int64) int64, asks *atomic.Int64) func(context.Context, string, []byte) ([]byte, error) {
	return func(_ context.Context, _ string, body []byte) ([]byte, error) {
		req := &pb.FileRequest{}
		if err := proto.Unmarshal(body, req); err != nil {
			t.Error(err)
		}
		asks.Add(1)
		end := min(req.Offset+size(req.Offset), int64(len(data)))
		return proto.Marshal(&pb.FileReply{Data: data[req.Offset:end], Size: int64(len(data))})
	}
}

func TestPiecesOfAnySize(t *testing.T) {
	s := newSite(t)
	data := content(1_000_000)
	for name, size := range map[string]func(at int64) int64{
		"equal":     func(int64) int64 { return 64 << 10 },
		"shrinking": func(at int64) int64 { return max(1000, 64<<10-at/10) },
		"growing":   func(at int64) int64 { return 1000 + at },
	} {
		var asks atomic.Int64
		c := s.client(func(o *Options) { o.Ask = bus(t, data, size, &asks) })
		path, err := c.Blob(t.Context(), sum(data), int64(len(data)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
		if name == "equal" && asks.Load() != 16 {
			t.Errorf("asked for %d pieces, want 16", asks.Load())
		}
	}
}

func TestBusComesFirstWhereNothingElseIsReached(t *testing.T) {
	s := newSite(t)
	one, two := content(1000), content(2000)
	away := s.master("m1", two)
	listener := away.address.Files
	away.address.Files = "127.0.0.1:1"
	var asks atomic.Int64
	serve := map[string]func(context.Context, string, []byte) ([]byte, error){}
	for _, data := range [][]byte{one, two} {
		serve[sum(data)] = bus(t, data, func(int64) int64 { return 64 << 10 }, &asks)
	}
	c := s.client(func(o *Options) {
		o.Ask = func(ctx context.Context, verb string, body []byte) ([]byte, error) {
			req := &pb.FileRequest{}
			if err := proto.Unmarshal(body, req); err != nil {
				return nil, err
			}
			return serve[req.Sha256](ctx, verb, body)
		}
	}, away)
	c.mustGet(t, one)
	if !c.allAway(c.o.Masters()) {
		t.Error("nobody remembers that the master was out of reach")
	}
	c.away[listener] = time.Now()
	away.address.Files = listener // it could be reached again, and is not asked yet
	c.mustGet(t, two)
	if away.asked.Load() != 0 || asks.Load() != 2 {
		t.Errorf("asked %d times by HTTPS, %d times over the bus", away.asked.Load(), asks.Load())
	}
	c.away[listener] = time.Now().Add(-2 * awayFor)
	c.o.Cache.forget(sum(two))
	c.mustGet(t, two)
	if away.asked.Load() != 1 || c.away[listener] != (time.Time{}) {
		t.Errorf("asked %d times by HTTPS, away since %v", away.asked.Load(), c.away[listener])
	}
}

func TestCacheIsBounded(t *testing.T) {
	s := newSite(t)
	var blobs [][]byte
	for i := range 5 {
		blobs = append(blobs, content(10_000+i))
	}
	c := s.client(nil, s.master("m1", blobs...))
	for i, b := range blobs {
		c.mustGet(t, b)
		at := time.Now().Add(time.Duration(i-10) * time.Hour)
		if i == 4 {
			at = time.Now() // somebody may read it
		}
		if err := os.Chtimes(c.o.Cache.path(sum(b)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	there := func() (left []int) {
		for i, b := range blobs {
			if _, err := os.Stat(c.o.Cache.path(sum(b))); err == nil {
				left = append(left, i)
			} else if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		return left
	}
	for _, step := range []struct {
		most int64
		want int
	}{{100_000, 5}, {35_000, 3}, {1, 1}} {
		if err := c.o.Cache.Prune(time.Now().Add(-30*24*time.Hour), step.most); err != nil {
			t.Fatal(err)
		}
		if left := there(); len(left) != step.want || left[len(left)-1] != 4 {
			t.Errorf("of %d bytes at most %v are left, want the last %d", step.most, left, step.want)
		}
	}
}
