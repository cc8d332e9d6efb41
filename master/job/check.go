package job

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/role"
	"brine/proto/target"
)

// Bounds of a request.
const (
	minWindow    = time.Second
	maxWindow    = 30 * 24 * time.Hour
	maxRequest   = 512 << 10 // bytes; a job travels in one message of the bus
	maxArgs      = 1000
	maxCalls     = 50
	maxName      = 128
	requestIDLen = 16
	// maxAhead and maxOld bound how far an operator's clock may be off, and how
	// long a request copied from the bus could serve again once its record is gone.
	maxAhead = time.Minute
	maxOld   = 10 * time.Minute
	// maxLate is how long after its cause masters make a job by themselves. Rules give up after 24 h unless they say otherwise.
	maxLate = 25 * time.Hour
)

// request is an operator's request that was found in order.
type request struct {
	*proto.JobRequest
	envelope *proto.Envelope
	operator *proto.OperatorRecord
	target   *target.Matcher

	nodegroups []byte             // JSON of those that the target refers to
	keys       []*proto.SealedKey // of sealed arguments
	with       []*proto.Record    // that the other masters are to have before the job
}

// open verifies what op sent and checks that it can be carried out at all.
func (m *Manager) open(op *proto.OperatorRecord, env *proto.Envelope) (*request, error) {
	if n := pb.Size(env); n > maxRequest {
		return nil, refuse(proto.ApiError_INVALID,
			"cannot take the request: it has %d bytes, at most %d are allowed; put large data into a file of the tree",
			n, maxRequest)
	}
	q := &request{JobRequest: &proto.JobRequest{}, envelope: env}
	body, err := pki.Verify(env, m.o.Site, proto.Kind_KIND_JOB_REQUEST, func(key ed25519.PublicKey) error {
		var known bool
		if q.operator, known = m.o.Operator(key); !known {
			return fmt.Errorf("no operator has its key")
		}
		return nil
	})
	if err != nil {
		return nil, refuse(proto.ApiError_NOT_PERMITTED, "cannot take the request: %v", err)
	}
	if err := pb.Unmarshal(body, q.JobRequest); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "cannot read the request: %v", err)
	}
	if q.operator.GetName() != q.Operator || op.GetName() != q.Operator {
		return nil, refuse(proto.ApiError_NOT_PERMITTED,
			"cannot take the request: operator %q sends what %q signed in the name of %q",
			op.GetName(), q.operator.GetName(), q.Operator)
	}
	if q.Cause != "" || q.Depth != 0 {
		return nil, refuse(proto.ApiError_INVALID, "cannot take the request: only masters say what led to a job")
	}
	if err := m.check(q); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	if err := m.readTarget(q); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	return q, nil
}

// check tells what is wrong with a request.
func (m *Manager) check(q *request) error {
	if err := q.check(); err != nil || m.o.ByName == nil {
		return err
	}
	for _, c := range q.Asked() {
		if err := named(c, m.o.ByName(c.GetFunction())); err != nil {
			return err
		}
	}
	return nil
}

// named refuses arguments by their positions that masters would not find.
func named(c *proto.Call, names map[int]string) error {
	position := 0
	for _, a := range c.GetArgs() {
		if a.GetName() != "" {
			continue
		}
		if name := names[position]; name != "" {
			why := "masters have to know whether you may use that environment"
			if name == "pillar" {
				why = "what it says would stand in every store: give it sealed"
			}
			return fmt.Errorf("cannot use argument %d of %s, which is %s, without its name: %s", position+1, c.GetFunction(), name, why)
		}
		position++
	}
	return nil
}

// check tells what is wrong with the content of a request.
func (q *request) check() error {
	if _, err := jid.Time(q.Jid); err != nil {
		return err
	}
	if len(q.RequestId) != requestIDLen {
		return fmt.Errorf("cannot use a request id of %d bytes, want %d", len(q.RequestId), requestIDLen)
	}
	if err := q.checkCalls(); err != nil {
		return err
	}
	if q.Environment != "" {
		if err := role.CheckEnvironment(q.Environment); err != nil {
			return err
		}
	}
	if w := time.Duration(q.Window) * time.Microsecond; q.Window != 0 &&
		(q.Window > maxWindow.Microseconds() || w < minWindow) {
		return fmt.Errorf("cannot use a window of %v: want %v to %v", w, minWindow, maxWindow)
	}
	if err := checkBatch(q.Batch); err != nil {
		return err
	}
	return nil
}

// checkCalls looks at what is to be called.
func (q *request) checkCalls() error {
	if n := len(q.Calls); n > 0 {
		switch {
		case n == 1 || n > maxCalls:
			return fmt.Errorf("cannot use %d functions: want one, or 2 to %d", n, maxCalls)
		case q.Function != proto.CallNames(q.Calls) || len(q.Args) > 0:
			return fmt.Errorf("cannot use function %.80q: it does not agree with the functions of the request", q.Function)
		case len(q.Sealed) > 0:
			return errors.New("cannot use sealed arguments with several functions: ask for the one that has them by itself")
		}
	}
	for _, c := range q.Asked() {
		if err := checkFunction(c.GetFunction()); err != nil {
			return err
		}
		if len(c.GetArgs()) > maxArgs {
			return fmt.Errorf("cannot use %d arguments of %s: at most %d are allowed", len(c.Args), c.Function, maxArgs)
		}
		for i, a := range c.GetArgs() {
			if err := checkArgument(a); err != nil {
				return fmt.Errorf("cannot use argument %d of %s: %w", i+1, c.Function, err)
			}
		}
	}
	return nil
}

// checkFunction accepts names such as test.ping. Whether there is such a
// function, only a minion knows.
func checkFunction(name string) error {
	module, function, dotted := strings.Cut(name, ".")
	if !dotted || module == "" || function == "" || len(name) > maxName ||
		strings.ContainsFunc(name, notNameRune) || strings.HasSuffix(name, ".") {
		return fmt.Errorf("cannot use function %.80q: want MODULE.FUNCTION, such as test.ping", name)
	}
	return nil
}

func notNameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
}

func checkArgument(a *proto.Argument) error {
	if len(a.GetName()) > maxName {
		return fmt.Errorf("its name has %d bytes, at most %d are allowed", len(a.GetName()), maxName)
	}
	switch v := a.GetValue().(type) {
	case *proto.Argument_Text:
	case *proto.Argument_Json:
		if !json.Valid(v.Json) {
			return fmt.Errorf("its value is not JSON")
		}
	default:
		return fmt.Errorf("it has no value")
	}
	return nil
}

// checkClock refuses a new request whose time is not about now. One that is
// known already was judged when it was new. The id of one that masters make by
// themselves is of the time of its cause, which may be long ago: somebody had to
// approve of it, it had to last, or a monitoring system told of it late.
func (q *request) checkClock(master string, now time.Time) error {
	at, _ := jid.Time(q.Jid) // read by check
	if off := now.Sub(at); q.Automatic() && off > maxLate {
		return refuse(proto.ApiError_INVALID, "cannot make job %s: what led to it is %s ago, at most %s may pass", q.Jid, off.Round(time.Minute), maxLate)
	}
	for i, t := range []time.Time{at, time.UnixMicro(q.IssuedAt)} {
		off := now.Sub(t)
		if late := off > maxOld && !(q.Automatic() && i == 0); late || -off > maxAhead {
			return refuse(proto.ApiError_INVALID, "cannot take job %s: clock differs by %.0f s from %s: check NTP",
				q.Jid, off.Abs().Seconds(), master)
		}
	}
	return nil
}

// needsFiles tells whether a job may read the file tree.
func needsFiles(q *proto.JobRequest) bool { return slices.ContainsFunc(q.Asked(), callNeedsFiles) }

func callNeedsFiles(q *proto.Call) bool {
	module, function, _ := strings.Cut(q.GetFunction(), ".")
	if module == "state" || module == "cp" || q.GetFunction() == "cmd.script" || module == "saltutil" && strings.HasPrefix(function, "sync_") {
		return true
	}
	for _, a := range q.GetArgs() {
		if strings.Contains(a.GetText(), "salt://") || strings.Contains(string(a.GetJson()), "salt://") {
			return true
		}
	}
	return false
}
