package minion

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"brine/minion/beacon"
	"brine/minion/grains"
	"brine/pki"
	pb "brine/proto"
	"brine/proto/clock"
	"brine/states/custom"
)

// CheckConfig looks for what would keep a minion from running: mistakes in
// its configuration, and files of its state that cannot be used or that others
// can read. Masters that do not answer now are only warnings, a minion waits
// for them; so is a clock that differs from theirs.
func CheckConfig(ctx context.Context, root string, environ []string) (problems, warnings []error) {
	l := Layout{root}
	c, err := LoadConfig(root, environ)
	if err != nil {
		return []error{err}, nil
	}
	if _, err := pki.LoadMinionKey(l.Key()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		problems = append(problems, err)
	}
	for _, path := range []string{l.Key(), l.Token()} {
		if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o077 != 0 {
			problems = append(problems, fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", path, st.Mode().Perm()))
		}
	}
	pin, err := loadPin(l, c)
	trust := pki.NewTrust(pin)
	if err != nil {
		problems = append(problems, err)
	} else if err := loadBundle(l, trust); err != nil {
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
	for _, p := range custom.NewStore(l.Custom(), nil).GrainPrograms() {
		if p.Err != nil {
			warnings = append(warnings, p.Err)
		}
	}
	problems = append(problems, beacon.New(beaconOptions(l, c)).Problems()...)
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
	return problems, append(warnings, checkClocks(ctx, trust, learnt)...)
}

// checkClocks compares the clock with those of the masters that answer.
func checkClocks(ctx context.Context, trust *pki.Trust, masters []*pb.MasterAddress) (warnings []error) {
	if err := clock.Kernel(); err != nil {
		warnings = append(warnings, err)
	}
	web := &http.Client{
		Timeout:   3 * time.Second,
		Transport: &http.Transport{TLSClientConfig: pki.ClientTLS(trust), DisableKeepAlives: true},
	}
	for _, m := range masters {
		ahead, err := clock.Compare(ctx, web, m.Files, time.Now)
		if err != nil {
			continue // whether it can be reached was said above
		}
		if err := clock.Differs("master "+m.Name, ahead); err != nil {
			warnings = append(warnings, err)
		}
	}
	return warnings
}
