package pushed

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"brine/proto"
	"brine/proto/subject"
)

// Piece takes a piece of a file of a minion that reaches only the bus. Pieces
// come in their order; the answer tells where the next one begins.
func (s *Store) Piece(minion string, req *proto.PushRequest) *proto.PushReply {
	f := file{minion, req.Path, req.Sha256, req.Size}
	reply, err := s.piece(f, req)
	var no *refusal
	switch {
	case errors.As(err, &no):
		s.log.Warn("file of a minion refused", "minion", minion, "err", err)
		return &proto.PushReply{Error: no.text}
	case err != nil:
		s.log.Error("file of a minion not kept", "minion", minion, "err", err)
		return &proto.PushReply{Error: "cannot keep the file"}
	}
	return reply
}

func (s *Store) piece(f file, req *proto.PushRequest) (reply *proto.PushReply, err error) {
	s.pieces.Lock()
	defer s.pieces.Unlock()
	if err := s.check(f, max(0, f.size-req.Offset)); err != nil {
		return nil, err
	}
	name := path.Join(drafts, subject.Token(f.minion)+"."+f.sum)
	if _, err := s.root.Lstat(name); req.Offset > 0 && errors.Is(err, fs.ErrNotExist) {
		return s.again(f) // the answer to the last piece was lost, or all that came before
	}
	d, err := s.draft(f, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, d.Close())
		if err != nil {
			_ = s.root.Remove(name) // else it goes in an hour
		}
	}()
	have, err := d.Seek(0, io.SeekEnd)
	if err != nil || req.Offset != have {
		return &proto.PushReply{Have: have}, err
	}
	if have+int64(len(req.Data)) > f.size {
		return nil, errChanged(f)
	}
	if _, err := d.Write(req.Data); err != nil {
		return nil, written(f, err)
	}
	if have += int64(len(req.Data)); have < f.size {
		return &proto.PushReply{Have: have}, nil
	}
	return &proto.PushReply{Have: have, Done: true}, s.finish(d, name, f)
}

// again is the answer to a later piece of a file that is not on its way: that it is in its place already, or that it has
// to begin anew.
func (s *Store) again(f file) (*proto.PushReply, error) {
	d, err := s.root.Open(path.Join(f.minion, f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return &proto.PushReply{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close() // it was only read
	st, err := d.Stat()
	if err != nil || st.Size() != f.size {
		return &proto.PushReply{}, err
	}
	sum, err := sumOf(d)
	if err != nil || sum != f.sum {
		return &proto.PushReply{}, err
	}
	return &proto.PushReply{Have: f.size, Done: true}, nil
}

func sumOf(d *os.File) (string, error) {
	sum := sha256.New()
	_, err := io.Copy(sum, d)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// draft opens what has come of a file. One minion has a few at most.
func (s *Store) draft(f file, name string) (*os.File, error) {
	d, err := s.root.OpenFile(name, os.O_RDWR, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	entries, err := fs.ReadDir(s.root.FS(), drafts)
	if err != nil {
		return nil, err
	}
	open := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), subject.Token(f.minion)+".") {
			open++
		}
	}
	if open >= draftsEach {
		return nil, refuse(http.StatusTooManyRequests, "cannot take %s: %d other files are on their way", f.path, open)
	}
	d, err = s.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, written(f, err)
	}
	return d, nil
}

// finish checks a draft to which all has come, and gives it its name.
func (s *Store) finish(d *os.File, name string, f file) error {
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum, err := sumOf(d)
	if err != nil {
		return err
	}
	if sum != f.sum {
		return errChanged(f)
	}
	if err := d.Sync(); err != nil {
		return written(f, err)
	}
	return s.keep(name, f)
}
