package output

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Colors are the values of --color.
var Colors = []string{"auto", "always", "never"}

// CheckColor refuses what is none of Colors.
func CheckColor(color string) error {
	for _, c := range Colors {
		if c == color {
			return nil
		}
	}
	return fmt.Errorf("unknown --color %q (known: auto, always, never)", color)
}

// Terminal returns the options that fit to what w is. With the color auto, the zero one too, a terminal gets
// colours, unless NO_COLOR is set or TERM is dumb.
func Terminal(w io.Writer, color string) Options {
	f, isFile := w.(*os.File)
	isTerminal := isFile && term.IsTerminal(int(f.Fd()))
	o := Options{Color: isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	switch color {
	case "always":
		o.Color = true
	case "never":
		o.Color = false
	}
	if isTerminal {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			o.Width = columns
		}
	}
	return o
}
