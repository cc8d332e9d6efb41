package file_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
)

func TestLongTextIsFoundAgain(t *testing.T) {
	for _, state := range []string{"append", "prepend"} {
		for _, spaces := range []string{"True", "False"} {
			h := hosttest.New(t)
			h.Write("/f", "a\r\n a\n")
			long := strings.Repeat("a (line) of *some* length.\n", 2000)
			for i, want := range []string{"true", "true {} File /f is in correct state"} {
				b := bind(t, state+" name=/f ignore_whitespace="+spaces+" show_changes=False", text("text", long))
				if got := show(b.Run(t.Context(), h.Host, false)); !strings.HasPrefix(got, want) {
					t.Errorf("%s, run %d: got %.300s, want %s", state, i, got, want)
				}
			}
		}
	}
}
