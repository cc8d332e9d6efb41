package proto

import (
	"encoding/hex"
	"testing"
)

func TestMarksStandForOneReturnEach(t *testing.T) {
	request := []byte("0123456789abcdef")
	m := MarkOf("web1", "20260131120000000123", request)
	// Minions and masters of all versions must agree on it.
	if got, want := hex.EncodeToString(m[:]), "9608e762118864ab6edf286901d5c4b9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, other := range map[string]Mark{
		"minion":  MarkOf("web2", "20260131120000000123", request),
		"job":     MarkOf("web1", "20260131120000000124", request),
		"request": MarkOf("web1", "20260131120000000123", []byte("0123456789abcdeg")),
		"cut":     MarkOf("web12", "0260131120000000123", request),
	} {
		if other == m {
			t.Errorf("another %s has the same mark", name)
		}
	}
}
