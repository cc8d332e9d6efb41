package master

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"brine/master/gitfs"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/clock"
)

// clockTime is how long the other masters may take to tell their time.
const clockTime = 3 * time.Second

// CheckConfig returns everything that would keep a master from running well:
// mistakes in the configuration, keys that others can read, ports that are
// taken, a certificate that does not count now, a trust bundle without this
// master. What another host may be to blame for, such as a clock that differs
// from that of another master, is a warning.
func CheckConfig(ctx context.Context, root string, environ []string) (problems, warnings []error) {
	l := Layout{root}
	c, err := LoadConfig(root, environ)
	if err != nil {
		return []error{err}, nil
	}
	if _, err := NewLogger(c, io.Discard); err != nil {
		problems = append(problems, err)
	}
	if err := clock.Kernel(); err != nil {
		warnings = append(warnings, err)
	}
	id, err := pki.LoadIdentity(l.State())
	if err != nil {
		problems = append(problems, err)
	} else {
		trust, wrong := checkIdentity(l, c, id, time.Now())
		problems = append(problems, wrong...)
		warnings = append(warnings, checkClocks(ctx, l, c, id.Name, trust)...)
	}
	warnings = append(warnings, c.signIns().Reach(ctx)...)
	warnings = append(warnings, gitfs.Reach(ctx, append(c.gitRemotes(), c.pillarRemotes()...))...)
	for _, name := range []string{"master.key", "site.key"} {
		path := filepath.Join(l.State(), name)
		if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o077 != 0 {
			problems = append(problems, fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", path, st.Mode().Perm()))
		}
	}
	return append(problems, checkPorts(l, c)...), warnings
}

// checkIdentity looks at who the master is, and whom it trusts.
func checkIdentity(l Layout, c *Config, id *pki.Identity, now time.Time) (*pki.Trust, []error) {
	var problems []error
	if id.Name != c.Name {
		problems = append(problems, fmt.Errorf("%s: name = %q, but the certificate is of %q", l.Config(), c.Name, id.Name))
	}
	switch cert := id.Certificate; {
	case now.After(cert.NotAfter):
		problems = append(problems, fmt.Errorf("the certificate of %q ended on %s", id.Name, cert.NotAfter.Format(time.DateOnly)))
	case now.Before(cert.NotBefore):
		problems = append(problems, fmt.Errorf("the certificate of %q begins on %s, and here it is %s: check the clock",
			id.Name, cert.NotBefore.Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	}
	trust := pki.NewTrust(id.Site())
	data, err := os.ReadFile(l.Bundle())
	if err == nil {
		err = readOwnBundle(trust, id, data)
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("%s: %w", l.Bundle(), err))
	}
	return trust, problems
}

// checkClocks compares the clock with those of the other masters that answer.
func checkClocks(ctx context.Context, l Layout, c *Config, own string, trust *pki.Trust) []error {
	ctx, cancel := context.WithTimeout(ctx, clockTime)
	defer cancel()
	masters, err := store.MastersAt(ctx, l.Store())
	if err != nil {
		return []error{err}
	}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: pki.ClientTLS(trust), DisableKeepAlives: true}}
	var mu sync.Mutex
	var warnings []error
	var wait sync.WaitGroup
	for _, m := range masters {
		if m.Name == own || gone(trust, m.Name) {
			continue
		}
		if other := c.Peers[m.Name].Files; other != "" {
			m = &proto.MasterAddress{Name: m.Name, Files: other}
		}
		wait.Go(func() {
			ahead, err := clock.Compare(ctx, web, m.Files, time.Now)
			if err == nil {
				err = clock.Differs("master "+m.Name, ahead)
			} else {
				err = fmt.Errorf("cannot compare the clock with that of master %s: %w", m.Name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				warnings = append(warnings, err)
			}
		})
	}
	wait.Wait()
	return warnings
}

// gone tells whether no valid key of a master is left.
func gone(trust *pki.Trust, name string) bool {
	for _, k := range trust.Bundle().GetMasters() {
		if k.Name == name && !k.Revoked {
			return false
		}
	}
	return true
}

// checkPorts tries the listeners, unless a master holds them just now.
func checkPorts(l Layout, c *Config) []error {
	lock, err := acquire(l)
	if err != nil {
		return nil
	}
	defer lock.Close()
	var problems []error
	for _, p := range []struct{ key, address string }{
		{"listen.bus", c.Listen.Bus}, {"listen.route", c.Listen.Route}, {"listen.files", c.Listen.Files},
	} {
		listener, err := net.Listen("tcp", p.address)
		if err != nil {
			problems = append(problems, listenError(p.key, err))
			continue
		}
		listener.Close()
	}
	return problems
}
