package job

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// kind is what a record tells. The numbers are part of the disk format.
type kind uint64

const (
	kindAccepted   kind = iota + 1 // the job waits; data: its envelope
	kindStarted                    // it may have had effects
	kindRestarting                 // it is about to end this process on purpose
	kindValue                      // data: piece index of a large return value
	kindReturned                   // data: Return; index: number of pieces before it
	kindSettled                    // all live masters have the return
	kindCancelled                  // cancelled before it came
	kindNewest                     // issued: newest issued-at that a master signed
	kindTakeAfter                  // issued: only jobs issued later are taken, by any minion of the file
	kindEnd                        // no kind
)

// requestID is the 128 bits that a requester gave a job, besides its jid.
type requestID [16]byte

// key names a job.
type key struct {
	jid string
	req requestID
}

// record is one fact in the journal. It is encoded in protobuf's wire format,
// so that a field can be added; minion, jid and req stand in every record of a job.
type record struct {
	kind     kind
	minion   string
	jid      string
	req      requestID
	issued   int64
	notAfter int64
	function string
	index    uint32
	data     []byte
}

func (r *record) key() key { return key{r.jid, r.req} }

// append encodes r behind its length; at is where its data begins in the result.
func (r *record) append(b []byte) (_ []byte, at int) {
	b = binary.AppendUvarint(b, uint64(r.encodedLen()))
	b = protowire.AppendTag(b, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(r.kind))
	if r.minion != "" {
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendString(b, r.minion)
	}
	if r.jid != "" {
		b = protowire.AppendTag(b, 3, protowire.BytesType)
		b = protowire.AppendString(b, r.jid)
		b = protowire.AppendTag(b, 4, protowire.BytesType)
		b = protowire.AppendBytes(b, r.req[:])
	}
	for i, n := range r.numbers() {
		if n != 0 {
			b = protowire.AppendTag(b, protowire.Number(5+i), protowire.VarintType)
			b = protowire.AppendVarint(b, n)
		}
	}
	if r.function != "" {
		b = protowire.AppendTag(b, 8, protowire.BytesType)
		b = protowire.AppendString(b, r.function)
	}
	if len(r.data) > 0 {
		b = protowire.AppendTag(b, 9, protowire.BytesType)
		b = protowire.AppendBytes(b, r.data)
	}
	return b, len(b) - len(r.data)
}

func (r *record) numbers() [3]uint64 {
	return [3]uint64{uint64(r.issued), uint64(r.notAfter), uint64(r.index)}
}

func (r *record) encodedLen() int {
	n := 1 + protowire.SizeVarint(uint64(r.kind))
	for _, field := range []int{len(r.minion), len(r.function), len(r.data)} {
		if field > 0 {
			n += 1 + protowire.SizeBytes(field)
		}
	}
	if r.jid != "" {
		n += 1 + protowire.SizeBytes(len(r.jid)) + 1 + protowire.SizeBytes(len(r.req))
	}
	for _, v := range r.numbers() {
		if v != 0 {
			n += 1 + protowire.SizeVarint(v)
		}
	}
	return n
}

var errRecord = errors.New("no record that this version knows")

// decodeRecord reads the first record of b. Its data is a part of b that
// begins at at; rest is what follows the record.
func decodeRecord(b []byte) (r record, at int, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return r, 0, nil, errRecord
	}
	end := n + int(size)
	for i := n; i < end; {
		num, typ, n := protowire.ConsumeTag(b[i:end])
		if n < 0 {
			return r, 0, nil, errRecord
		}
		i += n
		if n = r.field(num, typ, b[i:end]); n < 0 {
			return r, 0, nil, errRecord
		}
		i += n
		if num == 9 {
			at = i - len(r.data)
		}
	}
	return r, at, b[end:], r.check()
}

// field reads one field and returns its length; negative when it is malformed.
func (r *record) field(num protowire.Number, typ protowire.Type, b []byte) int {
	switch typ {
	case protowire.VarintType:
		v, n := protowire.ConsumeVarint(b)
		switch num {
		case 1:
			r.kind = kind(v)
		case 5:
			r.issued = int64(v)
		case 6:
			r.notAfter = int64(v)
		case 7:
			r.index = uint32(v)
		}
		return n
	case protowire.BytesType:
		v, n := protowire.ConsumeBytes(b)
		switch num {
		case 2:
			r.minion = string(v)
		case 3:
			r.jid = string(v)
		case 4:
			if len(v) != len(r.req) {
				return -1
			}
			r.req = requestID(v)
		case 8:
			r.function = string(v)
		case 9:
			r.data = v
		}
		return n
	}
	return protowire.ConsumeFieldValue(num, typ, b)
}

func (r *record) check() error {
	if r.kind == 0 || r.kind >= kindEnd {
		return fmt.Errorf("kind %d: %w", r.kind, errRecord)
	}
	if !utf8.ValidString(r.minion) || !utf8.ValidString(r.jid) || !utf8.ValidString(r.function) {
		return fmt.Errorf("text is not UTF-8: %w", errRecord)
	}
	if r.kind != kindTakeAfter && r.minion == "" {
		return fmt.Errorf("no minion: %w", errRecord)
	}
	if r.kind < kindNewest && r.jid == "" {
		return fmt.Errorf("no jid: %w", errRecord)
	}
	return nil
}
