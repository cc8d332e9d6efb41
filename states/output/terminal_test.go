package output_test

import (
	"os"
	"strings"
	"testing"

	"brine/states/output"
)

func TestColorsOffATerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Setenv("NO_COLOR", "1")
	for color, want := range map[string]bool{"": false, "auto": false, "always": true, "never": false} {
		if o := output.Terminal(f, color); o.Color != want || o.Width != 0 {
			t.Errorf("%s in a file: got %+v, want color %v and no width", color, o, want)
		}
		if o := output.Terminal(&strings.Builder{}, color); o.Color != want || o.Width != 0 {
			t.Errorf("%s in a buffer: got %+v, want color %v and no width", color, o, want)
		}
	}
	if err := output.CheckColor("yes"); err == nil || !strings.Contains(err.Error(), "auto, always, never") {
		t.Errorf("got %v, want the colours that there are", err)
	}
}
