package jinja

import (
	"runtime"
	"runtime/metrics"

	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
	"brine/states/value"
)

// Bounds of the memory that one run takes. What it makes is counted whether it keeps it or not, which costs little: only
// after much was made is it looked at how much there is. Others of the process may take memory at the same time, so that
// a run which made little itself is never to blame.
const (
	mayMake   = 256 << 20 // bytes made that are nobody's concern
	lookAfter = 64 << 20  // bytes made since it was looked at last
	mayKeep   = 512 << 20 // bytes more in use than when the run had made next to nothing
	toNothing = 16 << 20
)

// A memory is what a run took of it.
type memory struct {
	before uint64 // in use when the run had made next to nothing; 0 until then
	made   int    // bytes of values, about
	next   int    // what made is when it is looked at again
}

// account counts what an expression made, so that a loop that keeps it can't use up the memory.
func (m *memory) account(e syntax.Expr, v any) error {
	switch e.(type) {
	case *syntax.Const, *syntax.Name, *syntax.Attr:
		return nil // they make nothing
	}
	switch v := v.(type) {
	case string:
		m.made += len(v)
	case python.Markup:
		m.made += len(v)
	case *value.List:
		m.made += 16 * len(v.Items)
	case value.Tuple:
		m.made += 16 * len(v)
	case *value.Dict:
		m.made += 64 * v.Len()
	}
	if m.made < max(m.next, toNothing) {
		return nil
	}
	if m.before == 0 {
		m.before, m.next = inUse(), mayMake
		return nil
	}
	m.next = m.made + lookAfter
	if m.kept() && m.keptForSure() {
		return &limitError{"values of more bytes than memory is meant for"}
	}
	return nil
}

func (m *memory) kept() bool { return inUse() > m.before+mayKeep }

// keptForSure looks again when what nobody needs is gone.
func (m *memory) keptForSure() bool {
	runtime.GC()
	return m.kept()
}

// inUse is the bytes of all objects of the process, with those that nobody needs and that are not collected yet.
func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
