package master

import (
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/term"
)

// NewLogger makes the daemon's logger: text on a terminal, JSON lines elsewhere.
func NewLogger(c *Config, w io.Writer) (hclog.Logger, error) {
	level := hclog.LevelFromString(c.Log.Level)
	if level == hclog.NoLevel {
		return nil, fmt.Errorf("unknown log.level %q (known: trace, debug, info, warn, error)", c.Log.Level)
	}
	asJSON := c.Log.Format == "json"
	switch c.Log.Format {
	case "text", "json":
	case "auto":
		f, ok := w.(*os.File)
		asJSON = !ok || !term.IsTerminal(int(f.Fd()))
	default:
		return nil, fmt.Errorf("unknown log.format %q (known: auto, text, json)", c.Log.Format)
	}
	return hclog.New(&hclog.LoggerOptions{Name: "master", Level: level, JSONFormat: asJSON, Output: w}), nil
}
