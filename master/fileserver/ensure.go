package fileserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"brine/proto"
	"brine/proto/manifest"
)

const (
	fetchers = 4                // connections to a peer at the same time
	silence  = 10 * time.Second // a peer that sends nothing for so long is given up
)

// Ensure fetches what is missing of a tree from the master whose HTTPS
// listener is at address, and proves each piece by its hash. Of several calls
// for one tree at the same time one does the work. What was fetched before an
// error stays.
func (s *Server) Ensure(ctx context.Context, tree, address string, config *tls.Config) error {
	if err := manifest.CheckHash(tree); err != nil {
		return err
	}
	if s.isWhole(tree) {
		return nil
	}
	_, err, _ := s.fetching.Do(tree, func() (any, error) { return nil, s.ensure(ctx, tree, address, config) })
	if err != nil {
		return fmt.Errorf("cannot fetch tree %s from %s: %w", tree, address, err)
	}
	return nil
}

func (s *Server) ensure(ctx context.Context, tree, address string, config *tls.Config) error {
	transport := &http.Transport{
		TLSClientConfig: config, MaxConnsPerHost: fetchers, MaxIdleConnsPerHost: fetchers,
		TLSHandshakeTimeout: silence, ResponseHeaderTimeout: silence, DisableCompression: true,
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	defer transport.CloseIdleConnections()
	peer := &peer{s: s, base: "https://" + address + "/blob/", http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	list, err := peer.manifest(ctx, tree)
	if err != nil {
		return err
	}
	if err := peer.content(ctx, list); err != nil {
		return err
	}
	s.setWhole(tree)
	return nil
}

// peer is a master to fetch from.
type peer struct {
	s    *Server
	base string
	http *http.Client
}

// manifest reads the list of a tree's files, from here or from the peer. The
// list is kept before the content, which whoever asks for it sees as missing.
func (p *peer) manifest(ctx context.Context, tree string) (*proto.Manifest, error) {
	if !p.s.blobs.use(tree) {
		if err := p.fetch(ctx, tree, -1); err != nil {
			return nil, err
		}
	}
	f, _, err := p.s.blobs.open(tree)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, manifest.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return manifest.Parse(tree, data)
}

// content fetches what is missing.
func (p *peer) content(ctx context.Context, list *proto.Manifest) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(fetchers)
	asked := map[string]bool{}
	for _, f := range list.Files {
		sum := hex.EncodeToString(f.Sha256)
		if asked[sum] || p.s.blobs.use(sum) {
			continue
		}
		asked[sum] = true
		work.Go(func() error { return p.fetch(ctx, sum, f.Size) })
	}
	return work.Wait()
}

// fetch gets one piece of content. size is -1 for a manifest, whose size
// nobody has told.
func (p *peer) fetch(ctx context.Context, sum string, size int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+sum, nil)
	if err != nil {
		return err
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() // what matters of it is in the reads
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // for the error only
		return fmt.Errorf("content %s: the master answers %s: %s", sum, resp.Status, bytes.TrimSpace(text))
	}
	limit := size
	if limit < 0 {
		limit = manifest.MaxBytes
	}
	d, err := p.s.blobs.draft()
	if err != nil {
		return err
	}
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	_, err = io.Copy(d, &patient{r: io.LimitReader(resp.Body, limit+1), watch: watch})
	switch {
	case err != nil:
		err = fmt.Errorf("content %s: %w", sum, err)
	case d.size > limit || size >= 0 && d.size != size:
		err = fmt.Errorf("content %s: the master sends %d bytes or more, want %d", sum, d.size, limit)
	case d.sum() != sum:
		err = fmt.Errorf("content %s: the master sends that of %s", sum, d.sum())
	}
	if err != nil {
		return errors.Join(err, d.drop())
	}
	return d.keep()
}

// patient puts off a watch with every read.
type patient struct {
	r     io.Reader
	watch *time.Timer
}

func (p *patient) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.watch.Reset(silence)
	return n, err
}
