package host

import "sync"

// A Memo keeps what modules found out about the host for as long as one job runs, so that its next state need not ask
// again. Whoever keeps something must notice when it is no longer true. Safe for concurrent use; a nil Memo keeps nothing.
type Memo struct {
	mu   sync.Mutex
	kept map[any]any
}

// Keep returns what is kept under a key, which is of a type of its module's own, and makes it when nothing is.
func (m *Memo) Keep(key any, make func() any) any {
	if m == nil {
		return make()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.kept[key]; ok {
		return v
	}
	v := make()
	if m.kept == nil {
		m.kept = map[any]any{}
	}
	m.kept[key] = v
	return v
}
