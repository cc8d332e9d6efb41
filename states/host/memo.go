package host

import (
	"sync"
	"time"
)

// A Memo keeps what modules found out about the host for as long as one job runs, so that its next state need not ask
// again. Keep is for what notices itself when it is no longer true, Remember for what holds until a state changes the
// host. A key is of the caller's own type and always stands for the same. Safe for concurrent use; a nil Memo keeps nothing.
type Memo struct {
	mu         sync.Mutex // guards the fields below
	kept       map[any]any
	runs       int // state runs that go on
	changes    int // of the host in them
	remembered map[any]remembered
}

type remembered struct {
	value any
	at    time.Time
}

// Keep returns what is kept under a key, and makes it when nothing is.
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

// Remember returns what look found out. In a state run a later call returns the same without looking again, until a
// state changed anything of the host, or it is older than fresh: what many states ask is asked once. What comes with an
// error is not remembered, and nothing is where no states run, as functions don't tell whether they change the host.
func Remember[T any](m *Memo, key any, fresh time.Duration, look func() (T, error)) (T, error) {
	r, changes, running := m.recall(key)
	if r.value != nil && time.Since(r.at) < fresh {
		return r.value.(T), nil
	}
	at := time.Now()
	v, err := look()
	if err == nil && running {
		m.learn(key, remembered{v, at}, changes)
	}
	return v, err
}

func (m *Memo) recall(key any) (r remembered, changes int, running bool) {
	if m == nil {
		return r, 0, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.remembered[key], m.changes, m.runs > 0
}

func (m *Memo) learn(key any, r remembered, changes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs == 0 || m.changes != changes { // another state changed the host meanwhile
		return
	}
	if m.remembered == nil {
		m.remembered = map[any]remembered{}
	}
	m.remembered[key] = r
}

// Running says that states run until the function that it returns is called.
func (m *Memo) Running() (end func()) {
	m.count(1, 0)
	return func() { m.count(-1, 0) }
}

// Changed says that a state has changed the host, or tried to: nothing is remembered from before.
func (m *Memo) Changed() { m.count(0, 1) }

// Changes counts how often states have changed the host so far in the runs that go on.
func (m *Memo) Changes() int {
	_, changes, _ := m.recall(nil)
	return changes
}

func (m *Memo) count(runs, changes int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs += runs
	m.changes += changes
	if m.runs == 0 {
		m.changes = 0
	}
	if m.runs == 0 || changes > 0 {
		clear(m.remembered)
	}
}
