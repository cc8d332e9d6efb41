package module

import (
	"context"
	"sync"
	"time"
)

// A memo keeps what the states of a run found out about the host.
type memo struct {
	mu    sync.Mutex // guards the fields below
	era   int        // counts the changes of the host
	known map[any]remembered
}

type remembered struct {
	value any
	at    time.Time
}

type memoKey struct{}

// WithMemo makes the states that run with the context remember for one another; see Remember.
func WithMemo(ctx context.Context) context.Context {
	return context.WithValue(ctx, memoKey{}, &memo{known: map[any]remembered{}})
}

// Remember returns what look found out. A later call in the same state run returns the same, without looking again,
// until a state changed anything of the host, or it is older than fresh. So what many states ask is asked once.
// The key is one of the caller's own type, and always stands for the same look. What comes with an error is not kept.
func Remember[T any](ctx context.Context, key any, fresh time.Duration, look func() (T, error)) (T, error) {
	m, ok := ctx.Value(memoKey{}).(*memo)
	if !ok {
		return look()
	}
	m.mu.Lock()
	era := m.era
	r, ok := m.known[key]
	m.mu.Unlock()
	if ok && time.Since(r.at) < fresh {
		return r.value.(T), nil
	}
	at := time.Now()
	v, err := look()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.era == era { // else another state changed the host meanwhile
		m.known[key] = remembered{v, at}
	}
	return v, nil
}

// Changed counts how often states of the run have changed the host so far.
func Changed(ctx context.Context) int {
	m, ok := ctx.Value(memoKey{}).(*memo)
	if !ok {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.era
}

// forget drops what is known, as the host changes.
func forget(ctx context.Context) {
	m, ok := ctx.Value(memoKey{}).(*memo)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.era++
	clear(m.known)
}
