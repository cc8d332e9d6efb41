package job

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"brine/proto"
)

// Bounds of values that arrive in parts. They are gathered on disk.
const (
	maxParts      = 1024
	maxPart       = 1 << 20 // bytes; the bus takes no larger message
	maxGathered   = 512     // values at the same time
	maxByMinion   = 16      // of them from one minion: as many as it runs jobs
	maxOnDisk     = 4 << 30 // bytes of them together
	idleParts     = 30 * time.Second
	idleAfterLast = 5 * time.Second // once the return itself is here
)

// assembler gathers return values that arrive in parts, in any order.
type assembler struct {
	dir   string
	ready chan struct{} // says that whole is not empty

	mu     sync.Mutex // guards the fields below
	values map[valueID]*value
	count  map[string]int // of values, by minion
	disk   int64
	whole  []*value
}

// valueID names a value on its way.
type valueID struct{ minion, jid, request string }

// value is a return value of which some parts are here.
type value struct {
	id      valueID
	file    *os.File // has no name any more
	pieces  []span   // by index
	have    int
	size    int64
	final   *proto.Return
	touched time.Time
}

type span struct {
	offset int64
	length int
}

func newAssembler(dir string) *assembler {
	return &assembler{
		dir: dir, ready: make(chan struct{}, 1),
		values: map[valueID]*value{}, count: map[string]int{},
	}
}

func idOfValue(minion string, a about) valueID {
	return valueID{minion, a.GetJid(), string(a.GetRequestId())}
}

// has tells whether parts of the same value are here.
func (a *assembler) has(minion string, p about) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.values[idOfValue(minion, p)] != nil
}

// part takes in a piece. One that is here already is ignored.
func (a *assembler) part(minion string, p *proto.Part, now time.Time) error {
	if p.Count == 0 || p.Count > maxParts || p.Index >= p.Count || len(p.Data) == 0 || len(p.Data) > maxPart {
		return fmt.Errorf("cannot use part %d of %d with %d bytes", p.Index, p.Count, len(p.Data))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	v, err := a.value(idOfValue(minion, p), int(p.Count), now)
	if err != nil {
		return err
	}
	if v.pieces[p.Index].length > 0 {
		return nil
	}
	if v.size+int64(len(p.Data)) > maxValue {
		a.drop(v)
		return fmt.Errorf("cannot take a value of more than %d bytes", maxValue)
	}
	if a.disk+int64(len(p.Data)) > maxOnDisk {
		return fmt.Errorf("cannot take a part: %d bytes of values are on their way already", a.disk)
	}
	if _, err := v.file.WriteAt(p.Data, v.size); err != nil {
		a.drop(v)
		return fmt.Errorf("cannot put a part on disk: %w", err)
	}
	v.pieces[p.Index] = span{v.size, len(p.Data)}
	v.size += int64(len(p.Data))
	a.disk += int64(len(p.Data))
	v.have++
	a.check(v)
	return nil
}

// final takes in the return whose value went as parts.
func (a *assembler) final(minion string, r *proto.Return, now time.Time) error {
	if r.Parts > maxParts || len(r.ValueSha256) != sha256.Size {
		return fmt.Errorf("cannot use a value of %d parts with a hash of %d bytes", r.Parts, len(r.ValueSha256))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	v, err := a.value(idOfValue(minion, r), int(r.Parts), now)
	if err != nil {
		return err
	}
	v.final = r
	a.check(v)
	return nil
}

// value finds or begins a value of so many parts. The caller holds mu.
func (a *assembler) value(id valueID, parts int, now time.Time) (*value, error) {
	v := a.values[id]
	if v != nil && len(v.pieces) != parts {
		a.drop(v)
		return nil, fmt.Errorf("cannot join values of %d and of %d parts", len(v.pieces), parts)
	}
	if v == nil {
		if len(a.values) >= maxGathered || a.count[id.minion] >= maxByMinion {
			return nil, errors.New("cannot take a value in parts: too many are on their way")
		}
		file, err := os.CreateTemp(a.dir, "brine-value-")
		if err != nil {
			return nil, fmt.Errorf("cannot put a value on disk: %w", err)
		}
		if err := os.Remove(file.Name()); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot put a value on disk: %w", err), file.Close())
		}
		v = &value{id: id, file: file, pieces: make([]span, parts)}
		a.values[id] = v
		a.count[id.minion]++
	}
	v.touched = now
	return v, nil
}

// check passes on a value that is whole. The caller holds mu.
func (a *assembler) check(v *value) {
	if v.final == nil || v.have < len(v.pieces) {
		return
	}
	a.forget(v)
	a.whole = append(a.whole, v)
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

// forget takes v out of what is gathered; its file stays open.
func (a *assembler) forget(v *value) {
	delete(a.values, v.id)
	if a.count[v.id.minion]--; a.count[v.id.minion] == 0 {
		delete(a.count, v.id.minion)
	}
}

func (a *assembler) drop(v *value) {
	a.forget(v)
	a.disk -= v.size
	_ = v.file.Close() // read by nobody any more
}

// next returns a whole value, or nil.
func (a *assembler) next() *value {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.whole) == 0 {
		return nil
	}
	v := a.whole[0]
	a.whole = a.whole[1:]
	return v
}

// join reads the parts of v in order into its return, and closes v.
func (a *assembler) join(v *value) (*proto.Return, error) {
	defer func() {
		_ = v.file.Close() // it was only read
		a.mu.Lock()
		a.disk -= v.size
		a.mu.Unlock()
	}()
	data := make([]byte, v.size)
	rest := data
	for _, p := range v.pieces {
		if _, err := v.file.ReadAt(rest[:p.length], p.offset); err != nil {
			return nil, fmt.Errorf("cannot read a part: %w", err)
		}
		rest = rest[p.length:]
	}
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], v.final.ValueSha256) {
		return nil, errors.New("cannot join the parts: their hash is another one")
	}
	if !json.Valid(data) {
		return nil, errors.New("cannot take a value that is not JSON")
	}
	// So the record is the same however the value travelled.
	v.final.Value, v.final.Parts, v.final.ValueSha256 = data, 0, nil
	return v.final, nil
}

// expire drops the values of which nothing came for long, and returns their ids.
func (a *assembler) expire(now time.Time) (dropped []valueID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, v := range a.values {
		limit := idleParts
		if v.final != nil {
			limit = idleAfterLast
		}
		if now.Sub(v.touched) >= limit {
			a.drop(v)
			dropped = append(dropped, id)
		}
	}
	return dropped
}

func (a *assembler) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.values {
		a.drop(v)
	}
	for _, v := range a.whole {
		_ = v.file.Close() // read by nobody any more
	}
	a.whole = nil
}

// assemble stores whole values one after the other until ctx ends, so that no
// more than one of them is in memory.
func (m *Manager) assemble(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.large.ready:
		}
		for v := m.large.next(); v != nil; v = m.large.next() {
			if err := m.keepLarge(ctx, v); err != nil {
				if m.rare.due(v.id.minion, time.Now()) {
					m.log.Warn("large return refused", "minion", v.id.minion, "job", v.id.jid, "err", err)
				}
				m.ask(v.id.minion, v.final)
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

func (m *Manager) keepLarge(ctx context.Context, v *value) error {
	r, err := m.large.join(v)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	if err := m.keep(ctx, r, func() { close(done) }); err != nil {
		return err
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	return nil
}

// stale drops what arrived only in part and asks for it again.
func (m *Manager) stale(now time.Time) {
	for _, id := range m.large.expire(now) {
		m.log.Warn("parts of a return are missing; asking again", "minion", id.minion, "job", id.jid)
		m.ask(id.minion, &proto.Return{Jid: id.jid, RequestId: []byte(id.request)})
	}
}
