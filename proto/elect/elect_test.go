package elect_test

import (
	"fmt"
	"slices"
	"testing"

	"brine/proto/elect"
)

// Each has its share, the order of the names does not matter, and of those of one that goes only they change hands.
func TestFirst(t *testing.T) {
	names := []string{"m1", "m2", "m3"}
	share := map[string]int{}
	for i := range 3000 {
		key := fmt.Sprint("job", i)
		first := elect.First(names, key)
		share[first]++
		if other := elect.First([]string{"m3", "m1", "m2"}, key); other != first {
			t.Fatalf("%s: got %s and %s", key, first, other)
		}
		left := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "m2" })
		if after := elect.First(left, key); first != "m2" && after != first {
			t.Errorf("%s: %s gave it to %s", key, first, after)
		}
	}
	for _, n := range names {
		if share[n] < 800 || share[n] > 1200 {
			t.Errorf("the shares are %v", share)
		}
	}
	if got := elect.First(nil, "job"); got != "" {
		t.Errorf("got %q of none", got)
	}
}
