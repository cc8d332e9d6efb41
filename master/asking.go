package master

import "sync"

const (
	// maxOfOne is how many questions of one minion may wait or be answered at a time: fewer than there are askers, so that
	// one that asks without end, and whose questions take long, leaves room for the others.
	maxOfOne = askers / 2
	// maxShort is the same of those that take no time to speak of: what others wait for them is short.
	maxShort = 32
)

// asking counts the questions of each minion that wait or are answered. The zero value is ready.
type asking struct {
	mu sync.Mutex // guards the field below
	of map[string]int
}

// begin takes a place for a question of a minion, of which it may have so many, and which end gives back; false when it has
// none left.
func (a *asking) begin(id string, most int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[id] >= most {
		return false
	}
	if a.of == nil {
		a.of = map[string]int{}
	}
	a.of[id]++
	return true
}

func (a *asking) end(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[id]--; a.of[id] <= 0 {
		delete(a.of, id)
	}
}
