package minion

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"brine/minion/grains"
	"brine/pki"
)

// CheckConfig looks for what would keep a minion from running: mistakes in
// its configuration, and files of its state that cannot be used. Masters that
// do not answer now are only warnings: a minion waits for them.
func CheckConfig(ctx context.Context, root string, environ []string) (problems, warnings []error) {
	l := Layout{root}
	c, err := LoadConfig(root, environ)
	if err != nil {
		return []error{err}, nil
	}
	if _, err := pki.LoadMinionKey(l.Key()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		problems = append(problems, err)
	}
	pin, err := loadPin(l, c)
	if err != nil {
		problems = append(problems, err)
	} else if err := loadBundle(l, pki.NewTrust(pin)); err != nil {
		warnings = append(warnings, err)
	}
	if c.ID == "" {
		if _, err := os.Stat(l.ID()); err != nil {
			if _, err := hostname(); err != nil {
				problems = append(problems, err)
			}
		}
	}
	warnings = append(warnings, grains.Check(l.Grains(), l.GrainPrograms()...)...)
	learnt, err := loadMasters(l)
	if err != nil {
		warnings = append(warnings, err)
	}
	if len(c.Masters)+len(learnt) == 0 {
		problems = append(problems, fmt.Errorf("%s: no master is known: set masters, or run brine-minion enrol TOKEN", l.Config()))
	}
	dialer := net.Dialer{Timeout: 3 * time.Second}
	for _, addr := range c.Masters {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			warnings = append(warnings, fmt.Errorf("cannot reach master at %s: %w", addr, err))
			continue
		}
		conn.Close()
	}
	return problems, warnings
}
