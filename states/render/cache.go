package render

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"brine/states/yaml"
)

// cacheLimit bounds the texts whose data a Cache keeps; of each it holds some times as much.
const cacheLimit = 16 << 20

// A Cache keeps the data that files became, by their texts before and after templates, for who renders the same files for
// many hosts. The zero value is ready; it is safe for concurrent use.
type Cache struct {
	mu    sync.Mutex // guards the fields below
	known map[[sha256.Size]byte]*yaml.Node
	bytes int
}

// data is what makes data of a text, unless that is known.
func (c *Cache) data(f *File, pipe string, text []byte, read func() (*yaml.Node, []*Error)) (*yaml.Node, []*Error) {
	if c == nil {
		return read()
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %d %s %d ", len(f.Name), f.Name, len(pipe), pipe, len(f.Text))
	h.Write(f.Text)
	h.Write(text)
	key := [sha256.Size]byte(h.Sum(nil))
	c.mu.Lock()
	n := c.known[key]
	c.mu.Unlock()
	if n != nil {
		return n, nil
	}
	n, errs := read()
	if len(errs) > 0 {
		return n, errs
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes += len(text); c.known == nil || c.bytes > cacheLimit {
		c.known, c.bytes = map[[sha256.Size]byte]*yaml.Node{}, len(text)
	}
	c.known[key] = n
	return n, nil
}
