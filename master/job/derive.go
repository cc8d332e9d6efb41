package job

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/role"
)

// A Derived job is one that masters make by themselves: for a rule, a schedule, a step of an orchestration. Its ids follow
// from its cause, so that masters which make it of the same cause make the same job, and no minion runs it twice.
type Derived struct {
	Cause string    // what led to it: the id of a record or of a job
	Key   string    // tells it from the other jobs of its cause, such as "rule web/attempt 1"
	At    time.Time // when the cause came to be, the same at each master: the job id is of that second
	Depth uint32    // one more than that of its cause
	// Actor is who has it made, as operators are told: "rule NAME", "schedule NAME". Not for an Operator's.
	Actor string
	// Operator is whose rights count, and who has it made; nil: nobody's, it may do everything.
	Operator *proto.OperatorRecord

	Target      *proto.Target
	Function    string
	Args        []*proto.Argument
	Sealed      []*proto.Argument // that only the minions may read, such as a pillar
	Environment string            // "" is base
	Batch       *proto.Batch      // nil: all at once
	Window      time.Duration     // 0: the master's
	WaitOffline bool
	// With are records of this master's store that no other may lack who has the job: what led to it.
	With []*proto.Record
}

const (
	idsTried = 16 // of a derived job, until one is free
	// MaxDepth is how many reactions may follow from each other, whoever makes them.
	MaxDepth = 8
)

// Derive makes a derived job and publishes it, or tells of the one that was made of the same cause and key before, here or at
// another master. A refusal is an *Error.
func (m *Manager) Derive(ctx context.Context, d Derived) (*proto.JobInfo, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	op := d.Operator
	if op == nil {
		op = Automaton(d.Actor)
	}
	for n := range idsTried {
		info, err := m.derive(ctx, op, &d, n)
		var refused *Error
		if errors.As(err, &refused) && refused.Code == proto.ApiError_JID_TAKEN {
			continue
		}
		return info, err
	}
	return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot make a job of %s for %s: %d job ids of its second are taken", d.Cause, op.GetName(), idsTried)
}

func (d *Derived) check() error {
	switch {
	case d.Cause == "" || d.Key == "" || d.At.IsZero():
		return refuse(proto.ApiError_INVALID, "cannot make a job of %q (%q, %v): its ids follow from cause, key and time", d.Cause, d.Key, d.At)
	case d.Operator == nil && d.Actor == "":
		return refuse(proto.ApiError_INVALID, "cannot make a job of %s: nobody has it made", d.Cause)
	case d.Depth > MaxDepth:
		return refuse(proto.ApiError_INVALID, "cannot make a job of %s: it would be reaction %d in a row, at most %d may follow from each other",
			d.Cause, d.Depth, MaxDepth)
	}
	return nil
}

func (m *Manager) derive(ctx context.Context, op *proto.OperatorRecord, d *Derived, n int) (*proto.JobInfo, error) {
	q := &request{JobRequest: d.request(op.GetName(), n), operator: op, with: d.With}
	if err := m.check(q); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	if err := m.readTarget(q); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	if err := m.seal(ctx, q, d.Sealed); err != nil {
		return nil, err
	}
	body, err := pb.Marshal(q.JobRequest)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a job of %s: %w", d.Cause, err)
	}
	q.envelope = m.o.Sign(proto.Kind_KIND_JOB_REQUEST, body)
	if err := m.take(ctx, q); err != nil {
		return nil, err
	}
	return m.info(q.Jid)
}

// request is what is asked for, under the n-th of the ids that it may have.
func (d *Derived) request(operator string, n int) *proto.JobRequest {
	sum := sha256.Sum256(fmt.Appendf(nil, "derived job\x00%s\x00%s", d.Cause, d.Key))
	micro := (uint64(binary.BigEndian.Uint32(sum[requestIDLen:])) + uint64(n)*61) % 1e6
	id := jid.FromTime(d.At.Truncate(time.Second).Add(time.Duration(micro) * time.Microsecond))
	return &proto.JobRequest{
		Jid: id, RequestId: sum[:requestIDLen], Target: d.Target, Function: d.Function, Args: d.Args, IssuedAt: time.Now().UnixMicro(),
		Window: d.Window.Microseconds(), Operator: operator, Environment: d.Environment, WaitOffline: d.WaitOffline, Batch: d.Batch,
		Cause: d.Cause, Depth: d.Depth,
	}
}

// seal puts arguments into a request that only the minions of its target can read.
func (m *Manager) seal(ctx context.Context, q *request, args []*proto.Argument) error {
	if len(args) == 0 {
		return nil
	}
	ids, _, err := m.resolve(ctx, q)
	if err != nil {
		return err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	data, err := pb.Marshal(&proto.SealedArguments{Args: args})
	if err == nil {
		q.Sealed, err = pki.SealSecret(secret, data)
	}
	for _, id := range ids {
		if err != nil {
			break
		}
		var sealed []byte
		sealed, err = pki.Seal(m.o.SealingKey(id), secret)
		q.keys = append(q.keys, &proto.SealedKey{Minion: id, Sealed: sealed})
	}
	if err != nil {
		return fmt.Errorf("cannot seal the arguments of %s: %w", q.Function, err)
	}
	return nil
}

// Automaton stands for the operator of what nobody has asked for: it may do everything.
func Automaton(actor string) *proto.OperatorRecord {
	all, err := role.Parse("admin")
	if err != nil {
		return &proto.OperatorRecord{Name: actor} // it may do nothing; there is always such a role
	}
	return &proto.OperatorRecord{Name: actor, Roles: []*proto.Role{all}}
}

// asker is whose rights count for a job that was made: nobody's of one that a master has signed for an operator.
func (m *Manager) asker(r *record) (*proto.OperatorRecord, bool) {
	key := ed25519.PublicKey(r.job.GetRequest().GetKey())
	if op, ok := m.o.Operator(key); ok {
		return op, true
	}
	if r.request.Cause == "" || !r.request.Automatic() {
		return nil, false
	}
	return Automaton(r.request.Operator), true
}
