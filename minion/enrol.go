package minion

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"

	"brine/minion/link"
	"brine/pki"
	pb "brine/proto"
	"brine/proto/token"
)

// Enrol prepares the minion under root to join the site that the token is of:
// it keeps the site's fingerprint, the masters' addresses and the token's
// secret, which the minion shows until it is accepted.
func Enrol(root, text string) error {
	t, err := token.ParseEnrol(text)
	if err != nil {
		return err
	}
	l := Layout{root}
	c, err := LoadConfig(root, nil)
	if err != nil {
		return err
	}
	site := pki.Fingerprint(t.CaFingerprint)
	pin, err := loadPin(l, c)
	if err != nil {
		return err
	}
	if !pin.IsZero() && pin != site {
		return fmt.Errorf("cannot enrol at site %v: this minion belongs to site %v (to move it remove %s and ca_fingerprint)",
			site, pin, l.Fingerprint())
	}
	for i, addr := range t.Masters {
		if t.Masters[i], err = address(addr); err != nil {
			return fmt.Errorf("cannot use the enrolment token: %w", err)
		}
	}
	if err := writeEnrolConfig(l, site, t.Masters); err != nil {
		return fmt.Errorf("cannot keep the masters' addresses: %w", err)
	}
	if err := writeFile(l.Token(), t.Secret); err != nil {
		return fmt.Errorf("cannot keep the enrolment token: %w", err)
	}
	return nil
}

// writeEnrolConfig writes what the token said where people look for it.
func writeEnrolConfig(l Layout, site pki.Fingerprint, masters []string) error {
	var b bytes.Buffer
	quoted := make([]string, len(masters))
	for i, m := range masters {
		quoted[i] = strconv.Quote(m)
	}
	fmt.Fprintf(&b, "# Written by brine-minion enrol.\nca_fingerprint = %q\nmasters = [%s]\n", site, strings.Join(quoted, ", "))
	path := filepath.Join(l.ConfigDir(), "enrol.toml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return writeFile(path, b.Bytes())
}

// AskAcceptance connects as the minion under root does, until the masters
// have decided about its key or ctx ends. The state says how it went: Linked
// when the key is accepted. No job is taken, and the daemon may run meanwhile.
func AskAcceptance(ctx context.Context, root string, log hclog.Logger) (link.Status, error) {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	l := Layout{root}
	c, err := LoadConfig(root, os.Environ())
	if err != nil {
		return link.Status{}, err
	}
	s, err := loadState(l, c, log.Warn)
	if err != nil {
		return link.Status{}, err
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // it stops when its state is read: else that is that it stops
	defer stop()
	accepted := false
	k, err := link.New(link.Options{
		ID: s.id, Key: s.keys.Now(), Changes: s.keys.changes, Trust: s.trust, Masters: c.Masters, Known: s.masters, Token: s.token,
		Version: pb.Version, Log: log,
		Enrolled: func() {
			accepted = true
			stop() // before it hears any job
			cancel()
		},
	})
	if err != nil {
		return link.Status{}, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.Run(running)
	}()
	_ = k.Wait(within, func(s link.Status) bool { // what it waited for is in the status
		return s.State == link.Rejected || s.State == link.Refused
	})
	status := k.Status()
	stop()
	<-ended
	if !accepted {
		return status, nil
	}
	return link.Status{State: link.Linked}, removeFile(l.Token())
}
