package spell_test

import (
	"testing"

	"brine/proto/spell"
)

func TestNearest(t *testing.T) {
	words := []string{"dir_mode", "makedirs", "mode", "name", "source", "user"}
	for word, want := range map[string]string{
		"dirmode": "dir_mode", "mkdirs": "makedirs", "makkedirs": "makedirs", "sorce": "source", "nmae": "name",
		"owner": "", "x": "", "": "", "uesr": "user",
	} {
		if got := spell.Nearest(word, words); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
