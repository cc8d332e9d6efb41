package store

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
)

// An id is made of what the record is about and of a hash of its body:
//
//	job/<jid>/<hash>             cancel/<jid>/<hash>
//	return/<jid>/<minion>/<hash>
//	key/<public key>/<stamp>/<hash>
//	grains|mine/<minion>/<stamp>/<hash>
//	operator|master|token/<name>/<stamp>/<hash>
//	bundle|audit|event/<stamp>/<hash>
//
// So two masters that write down the same thing make the same record, two
// different bodies never claim one id, and whoever receives a record can see
// that it is whole. What is decided by the highest stamp has it in its id.
const (
	wordJob      = "job"
	wordReturn   = "return"
	wordCancel   = "cancel"
	wordKey      = "key"
	wordAudit    = "audit"
	wordEvent    = "event"
	wordOperator = "operator"
	wordMaster   = "master"
	wordBundle   = "bundle"
	wordToken    = "token"
	wordGrains   = "grains"
	wordMine     = "mine"
)

// Limits on what a record may hold, in bytes.
const (
	maxReturn = 64<<20 + 64<<10 // the limit of a value, and what is around it
	maxJob    = 32 << 20
	maxOther  = 1 << 20
	maxID     = 512
	maxText   = 1024 // a function's name, a reason
)

// NewRecord makes the record of body, which must be one of the messages that
// proto.RecordKind names, and gives it its id. For a return origin is the
// minion; for everything else the master that decided. The error tells what
// is wrong with the body.
func NewRecord(stamp int64, origin string, body pb.Message) (*proto.Record, error) {
	made, err := Make(stamp, origin, body)
	return made.Record, err
}

// Made is a record that Make has made. Neither it nor the body it was made
// of may change.
type Made struct {
	*proto.Record
	entry *entry
}

// Make is NewRecord for a record that EnqueueMade is to store: it need not be
// read again.
func Make(stamp int64, origin string, body pb.Message) (Made, error) {
	kind, err := kindOf(body)
	if err != nil {
		return Made{}, err
	}
	data, err := pb.MarshalOptions{Deterministic: true}.Marshal(body)
	if err != nil {
		return Made{}, fmt.Errorf("cannot encode a record: %v", err)
	}
	e := &entry{Record: &proto.Record{Kind: kind, Stamp: stamp, Origin: origin, Body: data}, hash: hash(data)}
	if err := e.fill(body); err != nil {
		return Made{}, fmt.Errorf("cannot make a %s: %w", kind, err)
	}
	e.Id = e.id()
	if err := e.checkFrame(); err != nil {
		return Made{}, err
	}
	return Made{e.Record, e}, nil
}

// Check tells why a record, which may come from anywhere, cannot be taken:
// its body is none of its kind, something in it is out of bounds, or its id
// does not agree with it. A kind that this version does not know passes when
// its id and size are in order. Signatures are not looked at.
func Check(rec *proto.Record) error {
	_, err := decode(rec)
	return err
}

// kindOf is the kind of record whose body is a message like m.
func kindOf(m pb.Message) (proto.RecordKind, error) {
	switch m.(type) {
	case *proto.JobRecord:
		return proto.RecordKind_RECORD_JOB, nil
	case *proto.Return:
		return proto.RecordKind_RECORD_RETURN, nil
	case *proto.CancelRecord:
		return proto.RecordKind_RECORD_CANCEL, nil
	case *proto.KeyRecord:
		return proto.RecordKind_RECORD_KEY, nil
	case *proto.Audit:
		return proto.RecordKind_RECORD_AUDIT, nil
	case *proto.Event:
		return proto.RecordKind_RECORD_EVENT, nil
	case *proto.OperatorRecord:
		return proto.RecordKind_RECORD_OPERATOR, nil
	case *proto.MasterAddress:
		return proto.RecordKind_RECORD_MASTER, nil
	case *proto.Envelope:
		return proto.RecordKind_RECORD_BUNDLE, nil
	case *proto.TokenRecord:
		return proto.RecordKind_RECORD_TOKEN, nil
	case *proto.Grains:
		return proto.RecordKind_RECORD_GRAINS, nil
	case *proto.Mine:
		return proto.RecordKind_RECORD_MINE, nil
	}
	return 0, fmt.Errorf("cannot make a record of a %T", m)
}

// newBody is an empty message for the body of a kind; nil for a kind that
// this version does not know.
func newBody(kind proto.RecordKind) pb.Message {
	switch kind {
	case proto.RecordKind_RECORD_JOB:
		return new(proto.JobRecord)
	case proto.RecordKind_RECORD_RETURN:
		return new(proto.Return)
	case proto.RecordKind_RECORD_CANCEL:
		return new(proto.CancelRecord)
	case proto.RecordKind_RECORD_KEY:
		return new(proto.KeyRecord)
	case proto.RecordKind_RECORD_AUDIT:
		return new(proto.Audit)
	case proto.RecordKind_RECORD_EVENT:
		return new(proto.Event)
	case proto.RecordKind_RECORD_OPERATOR:
		return new(proto.OperatorRecord)
	case proto.RecordKind_RECORD_MASTER:
		return new(proto.MasterAddress)
	case proto.RecordKind_RECORD_BUNDLE:
		return new(proto.Envelope)
	case proto.RecordKind_RECORD_TOKEN:
		return new(proto.TokenRecord)
	case proto.RecordKind_RECORD_GRAINS:
		return new(proto.Grains)
	case proto.RecordKind_RECORD_MINE:
		return new(proto.Mine)
	}
	return nil
}

// entry is a record that was checked, with what the projections need of it.
type entry struct {
	*proto.Record
	hash [16]byte

	jid     int64  // job, return, cancel: microseconds of the job id's time
	request []byte // likewise: the request id
	minion  string // return
	name    string // key, operator, master, token, grains, mine: whom the register is about

	ret   *proto.Return
	audit *proto.Audit
	job   *proto.Job
	asked *proto.JobRequest
	event *proto.Event
	slot  string // register: which of several about one name
	rank  int64  // register: what counts before the stamp
	ends  int64  // register: when it is over by itself, and may be pruned like what is as old; 0: never
}

// decode checks a record and takes it apart.
func decode(rec *proto.Record) (*entry, error) {
	if rec == nil {
		return nil, errors.New("cannot take an empty record")
	}
	e := &entry{Record: rec}
	if err := e.checkFrame(); err != nil {
		return nil, err
	}
	e.hash = hash(rec.Body)
	body := newBody(rec.Kind)
	if body == nil {
		return e, e.checkForeign()
	}
	if err := pb.Unmarshal(rec.Body, body); err != nil {
		return nil, fmt.Errorf("cannot take record %q: its body is not a %s", rec.Id, rec.Kind)
	}
	if err := e.fill(body); err != nil {
		return nil, fmt.Errorf("cannot take record %q: %w", rec.Id, err)
	}
	if want := e.id(); rec.Id != want {
		return nil, fmt.Errorf("cannot take record %q: its body makes it %q", rec.Id, want)
	}
	return e, nil
}

// checkFrame bounds what every record has.
func (e *entry) checkFrame() error {
	limit := maxOther
	switch e.Kind {
	case proto.RecordKind_RECORD_RETURN:
		limit = maxReturn
	case proto.RecordKind_RECORD_JOB:
		limit = maxJob
	}
	switch {
	case e.Id == "" || len(e.Id) > maxID || !printable(e.Id):
		return fmt.Errorf("cannot take a record whose id has %d bytes or odd ones", len(e.Id))
	case e.Kind <= 0:
		return fmt.Errorf("cannot take record %q: it is of no kind", e.Id)
	case len(e.Body) > limit:
		return fmt.Errorf("cannot take record %q: its body has %d bytes, at most %d are allowed",
			e.Id, len(e.Body), limit)
	case e.Stamp <= 0:
		return fmt.Errorf("cannot take record %q: it has no time", e.Id)
	}
	if err := subject.CheckID(e.Origin); err != nil {
		return fmt.Errorf("cannot take record %q: origin: %w", e.Id, err)
	}
	return nil
}

// checkForeign checks a record of a kind that this version does not know: it
// is kept for masters and versions that do. Its id must begin with a word of
// its own and end with the body's hash.
func (e *entry) checkForeign() error {
	word, _, _ := strings.Cut(e.Id, "/")
	switch word {
	case wordJob, wordReturn, wordCancel, wordKey, wordAudit, wordEvent, wordOperator, wordMaster,
		wordBundle, wordToken, wordGrains, wordMine, "":
		return fmt.Errorf("cannot take record %q: it is not of kind %d", e.Id, e.Kind)
	}
	if !strings.HasSuffix(e.Id, "/"+encode(e.hash[:])) {
		return fmt.Errorf("cannot take record %q: its body is another one", e.Id)
	}
	return nil
}

// id is what the record's id must be.
func (e *entry) id() string {
	sum := encode(e.hash[:])
	stamp := strconv.FormatInt(e.Stamp, 10)
	switch e.Kind {
	case proto.RecordKind_RECORD_JOB:
		return wordJob + "/" + jidString(e.jid) + "/" + sum
	case proto.RecordKind_RECORD_CANCEL:
		return wordCancel + "/" + jidString(e.jid) + "/" + sum
	case proto.RecordKind_RECORD_RETURN:
		return wordReturn + "/" + e.ret.Jid + "/" + e.minion + "/" + sum
	case proto.RecordKind_RECORD_KEY:
		return wordKey + "/" + e.name + "/" + stamp + "/" + sum
	case proto.RecordKind_RECORD_OPERATOR:
		return wordOperator + "/" + e.name + "/" + stamp + "/" + sum
	case proto.RecordKind_RECORD_MASTER:
		return wordMaster + "/" + e.name + "/" + stamp + "/" + sum
	case proto.RecordKind_RECORD_TOKEN:
		return wordToken + "/" + e.name + "/" + stamp + "/" + sum
	case proto.RecordKind_RECORD_GRAINS:
		return wordGrains + "/" + e.name + "/" + stamp + "/" + sum
	case proto.RecordKind_RECORD_MINE:
		return wordMine + "/" + e.name + "/" + stamp + "/" + sum
	case proto.RecordKind_RECORD_BUNDLE:
		return wordBundle + "/" + stamp + "/" + sum
	case proto.RecordKind_RECORD_AUDIT:
		return wordAudit + "/" + stamp + "/" + sum
	}
	return wordEvent + "/" + stamp + "/" + sum
}

func hash(data []byte) (h [16]byte) {
	sum := sha256.Sum256(data)
	copy(h[:], sum[:])
	return h
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// printable tells whether s has only the bytes that ids are made of.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// jidMicro is a job id as a number that sorts like it.
func jidMicro(id string) (int64, error) {
	t, err := jid.Time(id)
	return t.UnixMicro(), err
}
