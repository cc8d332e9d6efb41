package files

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"

	pb "brine/proto"
	"brine/proto/manifest"
)

// many answers as masters do: with cutAt, in the middle of a content.
func (m *master) many(w http.ResponseWriter, r *http.Request) {
	sums, err := manifest.ParseMany(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer bytes.Buffer
	for _, sum := range sums {
		if data, ok := m.blobs[sum]; ok {
			if err := manifest.WriteOne(&answer, sum, data); err != nil {
				panic(err)
			}
		}
	}
	if m.cutAt > 0 {
		w.Header().Set("Content-Length", "1000000000")
		w.Write(answer.Bytes()[:m.cutAt])
		panic(http.ErrAbortHandler)
	}
	w.Write(answer.Bytes())
}

// A crowd is a tree of many small files.
type crowd struct {
	id    string
	list  []byte
	blobs [][]byte
	urls  []string
}

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	c := &crowd{}
	var list []*pb.File
	for i := range n {
		b := fmt.Appendf(nil, "the content of file %d", i)
		digest, path := sha256.Sum256(b), fmt.Sprintf("many/%04d", i)
		list = append(list, &pb.File{Path: path, Mode: 0o644, Sha256: digest[:], Size: int64(len(b))})
		c.blobs, c.urls = append(c.blobs, b), append(c.urls, "salt://"+path)
	}
	var err error
	if c.list, c.id, err = manifest.Encode(list); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crowd) on(s *site, name string) *master {
	return s.master(name, append(slices.Clone(c.blobs), c.list)...)
}

func (c *crowd) tree(t *testing.T, client *Client) *Tree {
	t.Helper()
	tree, err := client.Tree(t.Context(), c.id, "")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// check fetches all and sees that it is right.
func (c *crowd) check(t *testing.T, tree *Tree) {
	t.Helper()
	for i, url := range c.urls {
		path, err := tree.Fetch(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, c.blobs[i]) {
			t.Fatalf("%s: got %q, %v", url, got, err)
		}
	}
}

func TestManyFilesComeWithFewRequests(t *testing.T) {
	s, c := newSite(t), newCrowd(t, 2*manifest.ManyMost+1)
	m := c.on(s, "m1")
	tree := c.tree(t, s.client(nil, m))
	before := m.asked.Load()
	left := tree.Gather(t.Context(), append([]string{"salt://nope", "http://x/y"}, c.urls...))
	if !slices.Equal(left, []string{"salt://nope", "http://x/y"}) {
		t.Errorf("%d are left", len(left))
	}
	c.check(t, tree)
	tree.Gather(t.Context(), c.urls)
	if got := m.asked.Load() - before; got != 3 {
		t.Errorf("the master was asked %d times, want 3", got)
	}
}

func TestWhatAMasterDoesNotSendComesFromTheNext(t *testing.T) {
	s, c := newSite(t), newCrowd(t, 20)
	m1, m2 := c.on(s, "m1"), c.on(s, "m2")
	tree := c.tree(t, s.client(nil, m2))
	for _, c1 := range []struct {
		name   string
		worsen func()
	}{
		{"broken off", func() { m1.cutAt = 200 }},
		{"incomplete", func() { m1.cutAt = 0; delete(m1.blobs, sum(c.blobs[3])) }},
		{"too long", func() { m1.blobs[sum(c.blobs[0])] = append(bytes.Clone(c.blobs[0]), 'x') }},
		{"false", func() {
			for _, b := range c.blobs {
				bad := bytes.Clone(b)
				bad[0]++
				m1.blobs[sum(b)] = bad
			}
		}},
	} {
		t.Run(c1.name, func(t *testing.T) {
			c1.worsen()
			again := &Tree{client: s.client(nil, m1, m2), env: "base", list: tree.list}
			if left := again.Gather(t.Context(), c.urls); len(left) > 0 {
				t.Errorf("%d are left", len(left))
			}
			c.check(t, again)
		})
	}
}

func TestAMasterThatKnowsNoRequestForManyIsAskedForEach(t *testing.T) {
	s, c := newSite(t), newCrowd(t, 20)
	m := c.on(s, "m1")
	m.old = true
	tree := c.tree(t, s.client(nil, m))
	if left := tree.Gather(t.Context(), c.urls); !slices.Equal(left, c.urls) {
		t.Errorf("%d are left, want all", len(left))
	}
	c.check(t, tree)
}
