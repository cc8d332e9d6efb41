package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto"
)

// ErrNotFound is returned when nothing is stored under a name.
var ErrNotFound = errors.New("not in the store")

// ErrAhead is wrapped when a record is stamped more than MaxAhead ahead.
var ErrAhead = errors.New("stamped too far ahead: check NTP on both masters")

// ErrFull is wrapped when there is no room on the disk.
var ErrFull = errors.New("no space left on the store's disk: free some, then it goes on by itself")

// ErrClosed is wrapped when the store was closed.
var ErrClosed = errors.New("the store is closed")

// MaxAhead is how far ahead of the own clock a record may be stamped.
const MaxAhead = 10 * time.Minute

// CorruptError says that the database cannot be read. Open leaves it in place,
// so that the next start says the same; with Options.Reset it moves it aside.
type CorruptError struct {
	Path  string // of the database
	Aside string // where Options.Reset moves it
	Err   error  // what is wrong
}

// Error names the database, what is wrong and where it goes.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("cannot use the store %q: %v; restore a backup, or start empty, "+
		"which moves it to %q", e.Path, e.Err, e.Aside)
}

// Unwrap is what is wrong.
func (e *CorruptError) Unwrap() error { return e.Err }

// Options are what Open needs besides the path.
type Options struct {
	Master string           // the name of the master that owns the store
	Reset  bool             // move a corrupt database aside and begin an empty one
	Log    hclog.Logger     // nil: silence
	Now    func() time.Time // nil: time.Now
}

// Store is an open store. Its methods may be called from many goroutines.
type Store struct{}

// Outcome is how a job ended on one minion, without the value.
type Outcome struct {
	RequestID  []byte
	Outcome    proto.Outcome
	Retcode    int32
	FinishedAt int64 // the minion's clock, microseconds of Unix time
	Duration   int64 // microseconds
	Size       int64 // of the stored return, bytes
	Truncated  bool
}

// Key is what is known of one minion key.
type Key struct {
	*proto.KeyRecord       // the record that decides; a revocation is final
	Stamp            int64 // of that record
	Freed            bool  // of a revoked key: its id was deleted, and another key may have it
}

// JobFilter chooses jobs.
type JobFilter struct {
	Limit    int    // 0: 50
	Before   string // only jids below this one
	Function string // glob over the function's name
	Target   string // glob over the target as typed
}

// JobEntry is one job of a list.
type JobEntry struct {
	JID       string
	RequestID []byte
	Record    *proto.JobRecord // nil: only returns are here so far
}

var errNot = errors.New("not written")

func Open(path string, o Options) (*Store, error)                        { return nil, errNot }
func (s *Store) Close() error                                            { return errNot }
func (s *Store) Aside() string                                           { return "" }
func (s *Store) Err() error                                              { return errNot }
func (s *Store) Stamp() int64                                            { return 0 }
func (s *Store) Append(ctx context.Context, recs ...*proto.Record) error { return errNot }
func (s *Store) Enqueue(rec *proto.Record, done func(error))             {}
func (s *Store) OnCommit(f func([]*proto.Record))                        {}
func (s *Store) Import(ctx context.Context, from, incarnation string, upTo int64, recs []*proto.Record) error {
	return errNot
}
func (s *Store) Cursor(master string) (incarnation string, seq int64, err error) {
	return "", 0, errNot
}
func (s *Store) Cursors() ([]*proto.PeerCursor, error)    { return nil, errNot }
func (s *Store) Incarnation() string                      { return "" }
func (s *Store) Last() int64                              { return 0 }
func (s *Store) NewIncarnation(ctx context.Context) error { return errNot }
func (s *Store) Page(ctx context.Context, after int64, maxBytes int, idsOnly bool) (*proto.Page, error) {
	return nil, errNot
}
func (s *Store) Missing(ctx context.Context, ids []string) ([]string, error) { return nil, errNot }
func (s *Store) Records(ctx context.Context, ids []string, maxBytes int) ([]*proto.Record, error) {
	return nil, errNot
}
func (s *Store) Body(ctx context.Context, id string, offset int64, max int) ([]byte, int64, error) {
	return nil, 0, errNot
}
func (s *Store) Job(ctx context.Context, jid string) (*proto.JobRecord, error) { return nil, errNot }
func (s *Store) Jobs(ctx context.Context, f JobFilter) ([]JobEntry, error)     { return nil, errNot }
func (s *Store) OpenJobs(ctx context.Context, now time.Time) ([]*proto.JobRecord, error) {
	return nil, errNot
}
func (s *Store) Returns(ctx context.Context, jid string, f func(*proto.Return) error) error {
	return errNot
}
func (s *Store) Outcomes(ctx context.Context, jid string) (map[string]Outcome, error) {
	return nil, errNot
}
func (s *Store) Return(ctx context.Context, jid, minion string) (*proto.Return, error) {
	return nil, errNot
}
func (s *Store) Taken(ctx context.Context, minion string, now time.Time) ([]*proto.SeenJob, error) {
	return nil, errNot
}
func (s *Store) SetAccepted(jid string, requestID []byte, minion string) error { return errNot }
func (s *Store) Cancels(ctx context.Context, jid string) ([]*proto.CancelRecord, error) {
	return nil, errNot
}
func (s *Store) Keys(ctx context.Context) ([]Key, error)                        { return nil, errNot }
func (s *Store) Key(ctx context.Context, signing []byte) (Key, error)           { return Key{}, errNot }
func (s *Store) Operators(ctx context.Context) ([]*proto.OperatorRecord, error) { return nil, errNot }
func (s *Store) Masters(ctx context.Context) ([]*proto.MasterAddress, error)    { return nil, errNot }
func (s *Store) Bundle(ctx context.Context) (*proto.Envelope, error)            { return nil, errNot }
func (s *Store) Tokens(ctx context.Context) ([]*proto.TokenRecord, error)       { return nil, errNot }
func (s *Store) Prune(ctx context.Context, before time.Time, batch int) (removed int, err error) {
	return 0, errNot
}
func (s *Store) Check(ctx context.Context) error            { return errNot }
func (s *Store) Digest(ctx context.Context) (string, error) { return "", errNot }
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	return errNot
}
func Backup(ctx context.Context, path string, w io.Writer) error { return errNot }
func Restore(ctx context.Context, path, master string, r io.Reader) error {
	return errNot
}
func Rebuild(ctx context.Context, path string, log hclog.Logger) (records int, err error) {
	return 0, errNot
}

// Slots of a key's registers.
const (
	slotRequest  = "request"
	slotDecision = "decision"
	slotRevoked  = "revoked"
	slotDeleted  = "deleted"
)
