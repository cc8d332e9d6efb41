package host_test

import (
	"testing"

	"brine/states/host"
)

func TestMemoKeepsWhatWasMadeFirst(t *testing.T) {
	type key struct{}
	n := 0
	count := func() any { n++; return n }
	var memo host.Memo
	for range 2 {
		if got := memo.Keep(key{}, count); got != 1 {
			t.Errorf("got %v, want 1", got)
		}
	}
	for range 2 {
		(*host.Memo)(nil).Keep(key{}, count)
	}
	if n != 3 {
		t.Errorf("made %d times, want 3: once, and each time where there is no memo", n)
	}
}
