package master

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

// NewOperator makes an operator who may do everything, for a site of which nobody has such an operator's key any more: the
// passphrase of the site key is the right to it. The master under root must not run; the others learn of it from its log. dir
// gets operator.toml and operator.key, and nothing that is there is overwritten. It returns the path of operator.toml.
func NewOperator(ctx context.Context, root, name, passphrase, dir string) (config string, err error) {
	l := Layout{root}
	if err := subject.CheckID(name); err != nil {
		return "", fmt.Errorf("cannot make operator %.140q: %w", name, err)
	}
	lock, err := acquire(l)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	id, err := pki.LoadIdentity(l.State())
	if err != nil {
		return "", err
	}
	if _, err := openSiteKey(root, passphrase); err != nil {
		return "", err
	}
	s, err := store.Open(l.Store(), store.Options{Master: id.Name})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if known, err := s.Operators(ctx, name); err != nil {
		return "", err
	} else if len(known) > 0 {
		return "", fmt.Errorf("cannot make operator %q: the site has one of that name: choose another, and revoke the old one with it", name)
	}
	masters, err := addressesOf(ctx, s, root)
	if err != nil {
		return "", err
	}
	config, key, err := operatorFiles(dir, name, id.Site(), masters)
	if err != nil {
		return "", err
	}
	return config, appendAll(ctx, s, id.Name, allowed(name, key), &proto.Audit{
		Operator: name, Key: key, Action: "operator.new", Detail: name + " at " + id.Name + ", with the passphrase of the site key",
		Outcome: store.AuditDone, Address: "not connected to " + id.Name,
	})
}

// addressesOf are where operators reach the masters, as the store knows them; without any where this one is to listen.
func addressesOf(ctx context.Context, s *store.Store, root string) (all []string, err error) {
	told, err := s.Masters(ctx)
	for _, m := range told {
		if m.Bus != "" {
			all = append(all, m.Bus)
		}
	}
	if err != nil || len(all) > 0 {
		return all, err
	}
	c, err := LoadConfig(root, os.Environ())
	if err != nil {
		return nil, err
	}
	near, err := nearby(c.Listen.Bus)
	return []string{near}, err
}

// nearby is where a host reaches its own listener.
func nearby(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("cannot use the address %q: want host:port", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// operatorFiles makes a key and the configuration that names it.
func operatorFiles(dir, name string, site pki.Fingerprint, masters []string) (config string, public ed25519.PublicKey, err error) {
	config, path := filepath.Join(dir, "operator.toml"), filepath.Join(dir, "operator.key")
	for _, file := range []string{config, path} {
		if _, err := os.Lstat(file); err == nil {
			return "", nil, fmt.Errorf("cannot make the key of operator %q: %s exists already (move it away, or name another directory)", name, file)
		}
	}
	key, err := pki.NewOperatorKey()
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("cannot make %s: %w", dir, err)
	}
	if err := pki.SaveOperatorKey(path, key); err != nil {
		return "", nil, err
	}
	text := client.ConfigText(name, filepath.Base(path), site, masters)
	return config, key.Public().(ed25519.PublicKey), writeFile(config, []byte(text), 0o600)
}

// allowed is the record of an operator who may do everything.
func allowed(name string, key ed25519.PublicKey) *proto.OperatorRecord {
	return &proto.OperatorRecord{Name: name, Key: key, Roles: []*proto.Role{{Functions: []string{"*"}, Targets: []string{"*"}}}}
}

// appendAll stores what a master that does not run has decided.
func appendAll(ctx context.Context, s *store.Store, master string, bodies ...pb.Message) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var recs []*proto.Record
	for _, b := range bodies {
		rec, err := store.NewRecord(s.Stamp(), master, b)
		if err != nil {
			return err
		}
		recs = append(recs, rec)
	}
	return s.Append(ctx, recs...)
}
