package master

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

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

// complainEvery is how often one line about the same trouble with the same
// minion or operator goes to the log.
const complainEvery = 10 * time.Second

// complaints keep those who send rubbish from filling the log.
type complaints struct {
	mu   sync.Mutex // guards the field below
	last map[string]time.Time
}

func (c *complaints) due(about string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.last[about]; ok && now.Sub(last) < complainEvery {
		return false
	}
	if c.last == nil || len(c.last) > 10_000 {
		c.last = map[string]time.Time{}
	}
	c.last[about] = now
	return true
}

// complain warns of what a minion or operator did, now and then.
func (m *Master) complain(who, text string, args ...any) {
	if m.complaints.due(who+" "+text, time.Now()) {
		m.log.Warn(text, args...)
	}
}
