package store

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
)

// maxWindow is the longest that a job may wait for its minions.
const maxWindow = 31 * 24 * time.Hour

// oldestJID is the first moment of 2020, in microseconds.
const oldestJID = 1577836800_000000

// requestLen is the length of a request id, in bytes.
const requestLen = 16

// fill checks the record's body, given decoded, and takes from it what ids and
// projections need.
func (e *entry) fill(body pb.Message) error {
	switch b := body.(type) {
	case *proto.JobRecord:
		return e.fillJob(b)
	case *proto.Return:
		return e.fillReturn(b)
	case *proto.CancelRecord:
		return e.fillCancel(b)
	case *proto.KeyRecord:
		return e.fillKey(b)
	case *proto.Audit:
		e.audit = b
	case *proto.OperatorRecord:
		return e.fillOperator(b)
	case *proto.MasterAddress:
		return e.fillMaster(b)
	case *proto.Envelope:
		return e.fillBundle(b)
	case *proto.TokenRecord:
		return e.fillToken(b)
	case *proto.Grains:
		return e.fillGrains(b)
	case *proto.Mine:
		return e.fillMine(b)
	case *proto.Event:
		e.event = b
	}
	return nil
}

func (e *entry) fillJob(b *proto.JobRecord) error {
	job, asked := new(proto.Job), new(proto.JobRequest)
	if err := open(b.Job, proto.Kind_KIND_JOB, job); err != nil {
		return err
	}
	if err := open(job.Request, proto.Kind_KIND_JOB_REQUEST, asked); err != nil {
		return err
	}
	if err := e.fillIDs(asked.Jid, asked.RequestId); err != nil {
		return err
	}
	if asked.Function == "" || len(asked.Function) > maxText {
		return fmt.Errorf("the function's name has %d bytes", len(asked.Function))
	}
	if len(asked.Cause) > maxID {
		return fmt.Errorf("the job's cause has %d bytes", len(asked.Cause))
	}
	window := job.NotAfter - job.IssuedAt
	if job.IssuedAt <= 0 || window < 0 || window > maxWindow.Microseconds() {
		return fmt.Errorf("the job's window is %s", time.Duration(window)*time.Microsecond)
	}
	named := [][]string{b.Expected, b.Offline}
	for _, l := range b.LeftOut {
		if len(l.Why) > maxReason {
			return errors.New("the reason why the job leaves minions out is too long")
		}
		named = append(named, l.Minions)
	}
	for _, ids := range named {
		for _, id := range ids {
			if err := subject.CheckID(id); err != nil {
				return err
			}
		}
	}
	e.job, e.asked = job, asked
	return nil
}

func (e *entry) fillReturn(b *proto.Return) error {
	if err := e.fillIDs(b.Jid, b.RequestId); err != nil {
		return err
	}
	if err := subject.CheckID(b.Minion); err != nil {
		return err
	}
	if e.Origin != b.Minion {
		return fmt.Errorf("the return of minion %q has origin %q", b.Minion, e.Origin)
	}
	if b.Outcome == proto.Outcome_OUTCOME_UNSPECIFIED {
		return errors.New("the return has no outcome")
	}
	if len(b.Reason) > maxReason || len(b.Function) > maxText {
		return errors.New("the return's reason or function is too long")
	}
	e.minion, e.ret = b.Minion, b
	return nil
}

// maxReason is the length of the longest reason, in bytes: it may hold the
// mistakes of a whole state tree.
const maxReason = 64 << 10

func (e *entry) fillCancel(b *proto.CancelRecord) error {
	cancel := new(proto.Cancel)
	if err := open(b.Cancel, proto.Kind_KIND_CANCEL, cancel); err != nil {
		return err
	}
	return e.fillIDs(cancel.Jid, cancel.RequestId)
}

func (e *entry) fillIDs(id string, request []byte) (err error) {
	if e.jid, err = jidMicro(id); err != nil {
		return err
	}
	if e.jid < oldestJID {
		return fmt.Errorf("job id %q is older than brine", id)
	}
	if len(request) != requestLen {
		return fmt.Errorf("the request id has %d bytes, want %d", len(request), requestLen)
	}
	e.request = request
	return nil
}

func (e *entry) fillKey(b *proto.KeyRecord) error {
	if err := subject.CheckID(b.Id); err != nil {
		return err
	}
	if len(b.SigningKey) != ed25519.PublicKeySize || len(b.SealingKey) != 0 && len(b.SealingKey) != 32 {
		return errors.New("the minion's keys do not have 32 bytes each")
	}
	e.name = encode(b.SigningKey)
	switch b.State {
	case proto.KeyState_KEY_PENDING:
		e.slot = slotRequest
	case proto.KeyState_KEY_ACCEPTED, proto.KeyState_KEY_REJECTED:
		e.slot = slotDecision
	case proto.KeyState_KEY_REVOKED:
		e.slot, e.rank = slotRevoked, -e.Stamp // the first revocation counts
	case proto.KeyState_KEY_DELETED:
		e.slot = slotDeleted
	default:
		return fmt.Errorf("the key's state is %d", b.State)
	}
	return nil
}

// maxNotAfter is the last second of the year 9999.
const maxNotAfter = 253402300799

func (e *entry) fillOperator(b *proto.OperatorRecord) error {
	if err := subject.CheckOperator(b.Name, b.Via); err != nil {
		return err
	}
	if len(b.Key) != ed25519.PublicKeySize {
		return errors.New("the operator's key does not have 32 bytes")
	}
	if b.NotAfter < 0 || b.NotAfter > maxNotAfter || len(b.Via) > maxText || len(b.AddedBy) > maxText {
		return errors.New("the operator's end, or how it came, is out of bounds")
	}
	e.name, e.slot = b.Name, encode(b.Key)
	if b.Revoked {
		e.rank = 1
	} else if Session(b) {
		e.ends = time.Unix(b.NotAfter, 0).UnixMicro()
	}
	return nil
}

func (e *entry) fillMaster(b *proto.MasterAddress) error {
	e.name = b.Name
	for _, address := range []string{b.Bus, b.Files, b.Route} {
		if len(address) > maxText || !printable(address) {
			return fmt.Errorf("the address %.40q is odd", address)
		}
	}
	return subject.CheckID(b.Name)
}

func (e *entry) fillBundle(b *proto.Envelope) error {
	bundle := new(proto.Bundle)
	if err := open(b, proto.Kind_KIND_BUNDLE, bundle); err != nil {
		return err
	}
	if bundle.Serial == 0 || bundle.Serial > 1<<62 {
		return fmt.Errorf("the bundle's serial is %d", bundle.Serial)
	}
	// One register for each: a revocation in any of them counts for ever.
	sum := sha256.Sum256(b.Body)
	e.slot, e.rank = encode(sum[:]), int64(bundle.Serial)
	return nil
}

func (e *entry) fillToken(b *proto.TokenRecord) error {
	if b.Purpose == "" || len(b.Purpose) > maxText || len(b.Pattern) > maxText {
		return errors.New("the token's purpose or pattern has no fitting length")
	}
	if len(b.SecretSha256) != 32 {
		return errors.New("the hash of the token's secret does not have 32 bytes")
	}
	e.name = b.Name
	if b.Withdrawn {
		e.rank = 1
	}
	return subject.CheckID(b.Name)
}

func (e *entry) fillGrains(b *proto.Grains) error {
	if err := subject.CheckID(b.Minion); err != nil {
		return err
	}
	if e.Origin != b.Minion || e.Stamp != b.At {
		return fmt.Errorf("the grains of minion %q at %d have origin %q and stamp %d", b.Minion, b.At, e.Origin, e.Stamp)
	}
	if len(b.Data) == 0 || b.Data[0] != '{' {
		return fmt.Errorf("the grains of minion %q are no object", b.Minion)
	}
	e.name = b.Minion
	return nil
}

func (e *entry) fillMine(b *proto.Mine) error {
	if err := subject.CheckID(b.Minion); err != nil {
		return err
	}
	if e.Origin != b.Minion || e.Stamp != b.At {
		return fmt.Errorf("the mine of minion %q at %d has origin %q and stamp %d", b.Minion, b.At, e.Origin, e.Stamp)
	}
	if len(b.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("the mine of minion %q does not say whose key it is of", b.Minion)
	}
	e.name = b.Minion
	return nil
}

// open decodes what an envelope holds, without a look at its signature: that
// is the business of whoever acts on it.
func open(env *proto.Envelope, kind proto.Kind, body pb.Message) error {
	if env == nil || env.Kind != kind {
		return fmt.Errorf("there is no envelope of %s", kind)
	}
	if len(env.Key) != ed25519.PublicKeySize || len(env.Signature) != ed25519.SignatureSize {
		return fmt.Errorf("the envelope of %s is not signed", kind)
	}
	if err := pb.Unmarshal(env.Body, body); err != nil {
		return fmt.Errorf("the body of %s cannot be read", kind)
	}
	return nil
}

// jidString is the inverse of jidMicro.
func jidString(micro int64) string { return jid.FromTime(time.UnixMicro(micro)) }
