package fileserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"brine/pki"
	"brine/proto/manifest"
)

// ServeHTTP serves /blob/<sha256>, whole or in ranges, and many small contents
// at once (manifest.ManyPath), to other masters and to minions that show a
// file token. Whoever knows the hash of some content
// may have it: hashes are in the trees of jobs.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	many := r.Method == http.MethodPost && r.URL.Path == manifest.ManyPath
	if !many && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	if err := s.authorize(r); err != nil {
		s.log.Debug("file request refused", "address", r.RemoteAddr, "err", err)
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if many {
		s.serveMany(w, r)
		return
	}
	sum, ok := strings.CutPrefix(r.URL.Path, "/blob/")
	if !ok || manifest.CheckHash(sum) != nil {
		http.Error(w, "want /blob/ and a SHA-256 in lower-case hexadecimal digits", http.StatusNotFound)
		return
	}
	f, _, err := s.blobs.open(sum)
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if err != nil {
		s.log.Error("file request failed", "err", err)
		http.Error(w, "cannot read content "+sum, http.StatusInternalServerError)
		return
	}
	defer f.Close() // it was only read
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "private, immutable")
	w.Header().Set("ETag", `"`+sum+`"`)
	http.ServeContent(w, r, "", time.Time{}, f)
}

// authorize tells why a request may not have content. The listener has
// verified a certificate, if there is one.
func (s *Server) authorize(r *http.Request) error {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		_, err := pki.MasterName(*r.TLS)
		return err
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return errors.New("cannot serve a request without a file token")
	}
	_, err := s.o.Minion(token)
	return err
}

// Chunk returns at most limit bytes of content from offset on, and the size
// of the whole, for minions that reach only the bus.
func (s *Server) Chunk(sum string, offset int64, limit int) (data []byte, size int64, err error) {
	f, info, err := s.blobs.open(sum)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() // it was only read
	size = info.Size()
	if offset < 0 || offset > size {
		return nil, 0, fmt.Errorf("cannot read content %s at %d: it has %d bytes", sum, offset, size)
	}
	data = make([]byte, min(int64(limit), size-offset))
	if _, err := f.ReadAt(data, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("cannot read content %s: %w", sum, err)
	}
	return data, size, nil
}
