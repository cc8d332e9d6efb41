package signin

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
)

// Reach tries whether the backends can be asked, and tells of each that can't why. It signs nobody in. Configurations
// in which Problems found something it leaves alone.
func (c *Config) Reach(ctx context.Context) (warnings []error) {
	tables := c.tables()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		r, err := readRights(name, tables[name])
		if err != nil {
			continue
		}
		b, err := c.backend(name, r.places())
		if err != nil {
			continue
		}
		switch b := b.(type) {
		case *pam:
			warnings = append(warnings, b.reach(ctx)...)
		case *directory:
			warnings = append(warnings, b.reach(ctx)...)
		}
	}
	return warnings
}

func (p *pam) reach(ctx context.Context) []error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", p.Socket)
	if err != nil {
		return []error{fmt.Errorf("auth.pam: cannot reach saslauthd: %w (does it run, and is this user in its group?)", err)}
	}
	_ = conn.Close() // nothing was said
	return nil
}

func (d *directory) reach(ctx context.Context) (warnings []error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	for _, uri := range d.URI {
		s, err := d.dial(ctx, uri)
		if err == nil && (d.Anonymous || d.BindPWFile != "") {
			err = s.bindSearcher()
		}
		if s != nil {
			s.close()
		}
		if err != nil {
			warnings = append(warnings, fmt.Errorf("auth.ldap: cannot ask %s: %w", uri, err))
		}
	}
	return warnings
}
