package files

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	pb "brine/proto"
	"brine/proto/manifest"
)

// streams is how many requests for many contents are under way at once.
const streams = 2

// Gather brings what is small of the files that salt:// URLs mean into the cache, many with one request, and returns
// the URLs that are still to be fetched one by one: of large files, of unknown ones, and of those that no master sent.
// An error is no reason to give up: whoever fetches what is left is told.
func (t *Tree) Gather(ctx context.Context, urls []string) (left []string) {
	wanted := map[string]*pb.File{} // by hash
	sums := make([]string, len(urls))
	for i, url := range urls {
		in, path, err := t.at(ctx, url)
		if err != nil {
			continue
		}
		f := manifest.Find(in.list, path)
		if f == nil || f.Size > manifest.ManySize {
			continue
		}
		sums[i] = hex.EncodeToString(f.Sha256)
		wanted[sums[i]] = f
	}
	t.client.gather(ctx, wanted)
	for i, sum := range sums {
		if f := wanted[sum]; f == nil || !t.client.o.Cache.has(sum) {
			left = append(left, urls[i])
		}
	}
	return left
}

// gather fetches those of the contents that are not in the cache.
func (c *Client) gather(ctx context.Context, wanted map[string]*pb.File) {
	var missing []string
	for sum := range wanted {
		if !c.o.Cache.has(sum) {
			missing = append(missing, sum)
		}
	}
	slices.Sort(missing)
	var all sync.WaitGroup
	batches := make(chan []string)
	for range streams {
		all.Go(func() {
			for batch := range batches {
				c.gatherAnywhere(ctx, batch, wanted)
			}
		})
	}
	for batch := range slices.Chunk(missing, manifest.ManyMost) {
		batches <- batch
	}
	close(batches)
	all.Wait()
}

// gatherAnywhere asks one master after another until nothing is missing.
func (c *Client) gatherAnywhere(ctx context.Context, sums []string, wanted map[string]*pb.File) {
	masters := c.o.Masters()
	if c.o.Ask != nil && c.allAway(masters) {
		return // each comes over the bus
	}
	for _, m := range masters {
		if m.GetFiles() == "" {
			continue
		}
		if len(sums) == 0 || ctx.Err() != nil {
			return
		}
		if err := c.gatherFrom(ctx, m.Files, sums, wanted); err != nil {
			c.o.Log.Debug("a master did not send many contents at once", "master", m.Name, "err", err)
		}
		sums = slices.DeleteFunc(sums, c.o.Cache.has)
	}
}

// gatherFrom asks one master. Nothing is taken but what was asked for, of the size that the manifest says, and whole.
func (c *Client) gatherFrom(ctx context.Context, addr string, sums []string, wanted map[string]*pb.File) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, err := manifest.EncodeMany(sums)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+manifest.ManyPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.do(req, addr)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return statusError(resp)
	}
	stall := time.AfterFunc(c.o.Stall, func() { cancel(errors.New("it sends nothing more")) })
	defer stall.Stop()
	asked := map[string]bool{}
	for _, sum := range sums {
		asked[sum] = true
	}
	err = manifest.ReadMany(&progressReader{resp.Body, stall, c.o.Stall}, func(sum string, data []byte) error {
		if !asked[sum] || int64(len(data)) != wanted[sum].Size {
			return errDamaged
		}
		delete(asked, sum) // it is sent once
		_, err := c.o.Cache.store(sum, func(in *incoming) error {
			_, err := in.Write(data)
			return err
		})
		return err
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// has tells whether there is content of this name. Whoever uses it verifies it.
func (c *Cache) has(sum string) bool {
	_, err := os.Lstat(c.path(sum))
	return err == nil
}
