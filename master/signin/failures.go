package signin

import (
	"sync"
	"time"
)

// How much may go wrong before whoever tries has to wait, and how long at most. A name alone waits shortly: else
// anybody could keep its owner out.
const (
	freePair    = 3
	freeAddress = 10
	freeUser    = 10

	longestPair    = 5 * time.Minute
	longestAddress = 5 * time.Minute
	longestUser    = 15 * time.Second

	forgetAfter = 15 * time.Minute
	maxKept     = 20_000
)

// failures counts what went wrong, by who tried and from where: each time after the first few the wait doubles.
type failures struct {
	now func() time.Time

	mu   sync.Mutex // guards the field below
	kept map[failureKey]*failure
}

type failureKey struct{ backend, user, address string }

type failure struct {
	count int
	last  time.Time
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, kept: map[failureKey]*failure{}}
}

// counted is one thing that failures are counted for.
type counted struct {
	key     failureKey
	free    int
	longest time.Duration
}

func (a Attempt) counted() []counted {
	return []counted{
		{failureKey{a.Backend, fold(a.User), a.Address}, freePair, longestPair},
		{failureKey{"", "", a.Address}, freeAddress, longestAddress},
		{failureKey{a.Backend, fold(a.User), ""}, freeUser, longestUser},
	}
}

// wait is how long the attempt has to wait. One that has to is not counted: it is not even looked at.
func (f *failures) wait(a Attempt) (longest time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, c := range a.counted() {
		k := f.kept[c.key]
		if k == nil || k.count < c.free {
			continue
		}
		pause := min(time.Second<<min(k.count-c.free, 20), c.longest)
		longest = max(longest, k.last.Add(pause).Sub(now))
	}
	return longest
}

func (f *failures) add(a Attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if len(f.kept) >= maxKept {
		f.sweep(now)
	}
	for _, c := range a.counted() {
		k := f.kept[c.key]
		if k == nil || now.Sub(k.last) > forgetAfter {
			k = &failure{}
			f.kept[c.key] = k
		}
		k.count++
		k.last = now
	}
}

// forget is for whoever was right: that of this name from there alone, since one who knows a password may try others.
func (f *failures) forget(a Attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.kept, a.counted()[0].key)
}

// sweep makes room: of what is old first, and of anything when that is not enough.
func (f *failures) sweep(now time.Time) {
	for key, k := range f.kept {
		if now.Sub(k.last) > forgetAfter {
			delete(f.kept, key)
		}
	}
	for key := range f.kept {
		if len(f.kept) < maxKept/2 {
			return
		}
		delete(f.kept, key)
	}
}
