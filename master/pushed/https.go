package pushed

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

// Prefix begins the paths that ServeHTTP serves.
const Prefix = "/pushed/"

// patience is how long a minion may send nothing.
const patience = 30 * time.Second

// ServeHTTP takes PUT /pushed/<path>?sha256=<digits> of a minion that shows a
// file token. The file is in its place when the answer is 204.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	id, err := s.o.Minion(token)
	if err == nil && !ok {
		err = errors.New("cannot take a file without a file token")
	}
	if err != nil {
		s.log.Debug("file of a minion refused", "address", r.RemoteAddr, "err", err)
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	f := file{id, strings.TrimPrefix(r.URL.Path, Prefix), r.URL.Query().Get("sha256"), r.ContentLength}
	if err = s.begin(f); err == nil {
		err = s.receive(f, patient{r.Body, http.NewResponseController(w)})
		s.end(f)
	}
	var no *refusal
	switch {
	case errors.As(err, &no):
		s.log.Warn("file of a minion refused", "minion", id, "err", err)
		http.Error(w, no.text, no.status)
	case err != nil:
		s.log.Error("file of a minion not kept", "minion", id, "err", err)
		http.Error(w, "cannot keep the file", http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// begin reserves the place for a file that comes now; end gives it back.
func (s *Store) begin(f file) error {
	if err := s.check(f, f.size); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.coming[f.minion]; n >= draftsEach {
		return refuse(http.StatusTooManyRequests, "cannot take %s: %d other files are on their way", f.path, n)
	}
	s.coming[f.minion]++
	s.reserved += f.size
	return nil
}

func (s *Store) end(f file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= f.size
	if s.coming[f.minion]--; s.coming[f.minion] == 0 {
		delete(s.coming, f.minion)
	}
}

// patient puts the end of a request off while something comes.
type patient struct {
	io.Reader
	c *http.ResponseController
}

func (p patient) Read(b []byte) (int, error) {
	_ = p.c.SetReadDeadline(time.Now().Add(patience)) // without it the listener's own counts
	return p.Reader.Read(b)
}

func (s *Store) receive(f file, from io.Reader) (err error) {
	name := path.Join(drafts, rand.Text())
	to, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return written(f, err)
	}
	defer func() {
		if err != nil {
			_ = s.root.Remove(name) // else it goes in an hour
		}
	}()
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, sum), io.LimitReader(from, f.size))
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return written(f, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.sum {
		return errChanged(f)
	}
	return s.keep(name, f)
}

func errChanged(f file) error {
	return refuse(http.StatusUnprocessableEntity, "cannot take %s: it was changed meanwhile or on its way", f.path)
}
