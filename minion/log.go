package minion

import (
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/term"
)

// NewLogger makes the daemon's logger: text on a terminal, JSON lines elsewhere.
func NewLogger(c *Config, w io.Writer) hclog.Logger {
	f, isFile := w.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	return hclog.New(&hclog.LoggerOptions{
		Name: "minion", Level: hclog.LevelFromString(c.Log.Level), Output: w,
		JSONFormat: c.Log.Format == "json" || c.Log.Format == "auto" && !terminal,
	})
}
