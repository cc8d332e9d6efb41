package fileserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"brine/proto/manifest"
)

// serveMany answers with many small contents at once; see manifest.ManyPath. The request is authorized.
func (s *Server) serveMany(w http.ResponseWriter, r *http.Request) {
	sums, err := manifest.ParseMany(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	out := bufio.NewWriterSize(w, 64<<10)
	for _, sum := range sums {
		data, err := s.small(sum)
		if err != nil {
			s.log.Error("file request failed", "err", err)
			continue // who asks for it by itself is told
		}
		if data == nil {
			continue
		}
		if err := manifest.WriteOne(out, sum, data); err != nil {
			return // whoever asked has gone
		}
	}
	_ = out.Flush() // as above
}

// small is content of a size that is sent with others; nil when it is larger, or not here.
func (s *Server) small(sum string) ([]byte, error) {
	f, info, err := s.blobs.open(sum)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	if info.Size() > manifest.ManySize {
		return nil, nil
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("cannot read content %s: %w", sum, err)
	}
	return data, nil
}
