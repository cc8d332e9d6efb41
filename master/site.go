package master

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/token"
)

//go:embed master.toml
var sampleConfig string

// InitOptions say what site to make.
type InitOptions struct {
	Root       string
	Name       string // of the first master
	Listen     string // host:port of the bus; the next two ports are for masters and files; port 0 chooses
	Passphrase string // encrypts the site key
	Operator   string // the first operator; "" is "admin"
}

// Site is what init made, for the person who ran it.
type Site struct {
	Fingerprint pki.Fingerprint
	Operator    string // path of operator.toml
	Config      string // path of master.toml
}

// Init makes a site: the site key, the first master and the first operator,
// who may do everything. It refuses a root where there is a master already.
func Init(ctx context.Context, o InitOptions) (*Site, error) {
	l := Layout{o.Root}
	if err := errors.Join(checkListen(o.Listen), vacant(l)); err != nil {
		return nil, err
	}
	now := time.Now()
	site, err := pki.NewSite(o.Name, now)
	if err != nil {
		return nil, err
	}
	sealed, err := site.Encrypt(o.Passphrase)
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := site.IssueMaster(o.Name, key.Public().(ed25519.PublicKey), now)
	if err != nil {
		return nil, err
	}
	bundle, err := site.SignBundle(&proto.Bundle{
		Serial: 1, IssuedAt: now.UnixMicro(),
		Masters: []*proto.MasterKey{{Name: o.Name, Key: key.Public().(ed25519.PublicKey)}},
	})
	if err != nil {
		return nil, err
	}
	if err := settle(l, o.Name, key, der, site.CA(), sealed, bundle); err != nil {
		return nil, err
	}
	if err := firstOperator(ctx, l, o, pki.SiteFingerprint(site.CA()), bundle); err != nil {
		return nil, err
	}
	if err := writeConfig(l, o.Name, o.Listen); err != nil {
		return nil, err
	}
	return &Site{pki.SiteFingerprint(site.CA()), l.OperatorConfig(), l.Config()}, nil
}

// vacant refuses a root that holds a master, so that no key is overwritten.
func vacant(l Layout) error {
	for _, path := range []string{l.State(), l.Config()} {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("cannot make a master under %s: %s exists already "+
				"(remove it first if that master is really gone)", filepath.Clean(l.Root), path)
		}
	}
	return nil
}

// probe makes the directories that a new master needs and tries to write
// there; undo takes away what it made.
func probe(l Layout) (undo func(), err error) {
	var made []string
	undo = func() {
		for _, dir := range slices.Backward(made) {
			_ = os.RemoveAll(dir) // it was not there before
		}
	}
	for _, dir := range []string{l.State(), filepath.Dir(l.Config())} {
		if top := missing(dir); top != "" {
			made = append(made, top)
		}
		mode := os.FileMode(0o755)
		if dir == l.State() {
			mode = 0o700
		}
		err := makeDir(dir, mode)
		if err == nil {
			err = writeFile(filepath.Join(dir, "probe"), make([]byte, 1<<20), 0o600)
		}
		if err == nil {
			err = os.Remove(filepath.Join(dir, "probe"))
		}
		if err != nil {
			undo()
			return nil, fmt.Errorf("cannot write to %s: %w", dir, err)
		}
	}
	return undo, nil
}

// makeDir makes a directory. Those above are open to all: the daemon may be a user of its own, who must get there.
func makeDir(dir string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return os.MkdirAll(dir, mode)
}

// missing is the topmost directory of a path that does not exist; "" when all do.
func missing(dir string) (top string) {
	for {
		if _, err := os.Lstat(dir); err == nil || filepath.Dir(dir) == dir {
			return top
		}
		top, dir = dir, filepath.Dir(dir)
	}
}

// settle writes a master's own files.
func settle(l Layout, name string, key ed25519.PrivateKey, der []byte, ca *x509.Certificate, siteKey []byte, bundle *proto.Envelope) error {
	if err := makeDir(l.State(), 0o700); err != nil {
		return fmt.Errorf("cannot make %s: %w", l.State(), err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("cannot read the certificate of %q: %w", name, err)
	}
	id := &pki.Identity{Name: name, Key: key, Certificate: cert, CA: ca}
	if err := id.Save(l.State()); err != nil {
		return err
	}
	if err := writeFile(l.SiteKey(), siteKey, 0o600); err != nil {
		return err
	}
	data, err := pb.Marshal(bundle)
	if err != nil {
		return err
	}
	return writeFile(l.Bundle(), data, 0o600)
}

// firstOperator makes the operator for local root, and tells the store.
func firstOperator(ctx context.Context, l Layout, o InitOptions, site pki.Fingerprint, bundle *proto.Envelope) error {
	name := cmp.Or(o.Operator, "admin")
	near, err := nearby(busAddress(o.Listen))
	if err != nil {
		return err
	}
	_, key, err := operatorFiles(filepath.Dir(l.OperatorConfig()), name, site, []string{near})
	if err != nil {
		return err
	}
	s, err := store.Open(l.Store(), store.Options{Master: o.Name})
	if err != nil {
		return err
	}
	defer s.Close()
	return appendAll(ctx, s, o.Name, allowed(name, key), bundle)
}

func busAddress(listen string) string {
	if listen == "" {
		return net.JoinHostPort("0.0.0.0", strconv.Itoa(defaultPort))
	}
	return listen
}

// checkListen refuses what writeConfig could not use, before anything is made.
func checkListen(listen string) error {
	_, port, err := net.SplitHostPort(busAddress(listen))
	if err != nil {
		return fmt.Errorf("cannot use --listen %q: want host:port", listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65533 {
		return fmt.Errorf("cannot use --listen %q: want a port from 0 to 65533", listen)
	}
	return nil
}

// writeConfig writes the commented sample with this master's name and listeners.
func writeConfig(l Layout, name, listen string) error {
	host, port, err := net.SplitHostPort(busAddress(listen))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	bus, route, files := listenOn(host, n)
	text := strings.NewReplacer("@NAME@", name, "@BUS@", bus, "@ROUTE@", route, "@FILES@", files).Replace(sampleConfig)
	if err := os.MkdirAll(filepath.Dir(l.Config()), 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", filepath.Dir(l.Config()), err)
	}
	return writeFile(l.Config(), []byte(text), 0o644)
}

// JoinOptions say how to become a further master.
type JoinOptions struct {
	Root   string
	Token  string // as brine master invite prints it
	Listen string // as for Init
}

// Join makes this host a further master of the site that a token names. It
// needs one live master, and no passphrase: the operator gave it at the invitation.
func Join(ctx context.Context, o JoinOptions) (_ *Site, _ string, err error) {
	l := Layout{o.Root}
	invited, err := token.ParseJoin(o.Token)
	if err != nil {
		return nil, "", err
	}
	if err := errors.Join(checkListen(o.Listen), vacant(l)); err != nil {
		return nil, "", err
	}
	// A token serves once: what can be wrong here must be found before it is shown.
	undo, err := probe(l)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			undo()
		}
	}()
	site := pki.Fingerprint(invited.CaFingerprint)
	reply, err := askToJoin(ctx, invited, site)
	if err != nil {
		return nil, "", err
	}
	plain, err := pki.OpenSecret(invited.Secret, reply.Kit)
	if err != nil {
		return nil, "", fmt.Errorf("cannot open the key of %q: %w", invited.Name, err)
	}
	kit := &proto.JoinKit{}
	if err := pb.Unmarshal(plain, kit); err != nil || len(kit.Seed) != ed25519.SeedSize {
		return nil, "", fmt.Errorf("cannot read the key of %q: the invitation is damaged, invite again", invited.Name)
	}
	ca, err := x509.ParseCertificate(reply.CaCertificate)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the site's certificate: %w", err)
	}
	if pki.SiteFingerprint(ca) != site {
		return nil, "", errors.New("cannot join: the master's site is not the one in the token")
	}
	key := ed25519.NewKeyFromSeed(kit.Seed)
	if err := settle(l, invited.Name, key, kit.Certificate, ca, reply.SiteKey, reply.Bundle); err != nil {
		return nil, "", err
	}
	if err := rememberMasters(ctx, l, invited.Name, reply); err != nil {
		return nil, "", err
	}
	if err := writeConfig(l, invited.Name, o.Listen); err != nil {
		return nil, "", err
	}
	return &Site{Fingerprint: site, Config: l.Config()}, invited.Name, nil
}

// rememberMasters gives the new store the addresses of the others, so that
// the first start finds them.
func rememberMasters(ctx context.Context, l Layout, name string, reply *proto.JoinReply) error {
	s, err := store.Open(l.Store(), store.Options{Master: name})
	if err != nil {
		return err
	}
	defer s.Close()
	rec, err := store.NewRecord(s.Stamp(), name, reply.Bundle)
	if err != nil {
		return err
	}
	records := []*proto.Record{rec}
	for _, m := range reply.Masters {
		rec, err := store.NewRecord(s.Stamp(), name, m)
		if err != nil {
			return err
		}
		records = append(records, rec)
	}
	return s.Append(ctx, records...)
}

// askToJoin tries each master of the token until one lets us in or refuses.
func askToJoin(ctx context.Context, invited *proto.JoinToken, site pki.Fingerprint) (*proto.JoinReply, error) {
	// The proof, not the secret: no master but the new one may open the kit.
	proof, err := pki.SecretProof(invited.Secret)
	if err != nil {
		return nil, err
	}
	body, err := pb.Marshal(&proto.JoinRequest{Proof: proof, Name: invited.Name})
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: pki.ClientTLS(pki.NewTrust(site)), DisableKeepAlives: true,
	}}
	var errs []error
	for _, addr := range invited.Masters {
		reply, err := postJoin(ctx, client, addr, body)
		if err == nil {
			return reply, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", addr, err))
	}
	return nil, fmt.Errorf("cannot join: %w", errors.Join(errs...))
}

func postJoin(ctx context.Context, client *http.Client, addr string, body []byte) (*proto.JoinReply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+"/join", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(data)))
	}
	reply := &proto.JoinReply{}
	return reply, pb.Unmarshal(data, reply)
}

// writeFile writes a file whole or not at all.
func writeFile(path string, data []byte, mode os.FileMode) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
