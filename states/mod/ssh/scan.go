package ssh

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// wantedHost is a host and which key it has to have.
type wantedHost struct {
	Fingerprint string   `arg:"fingerprint" doc:"of a key that the host has to have: digits with colons between, or SHA256:TEXT"`
	Key         string   `arg:"key" doc:"a key that the host has to have"`
	Port        int      `arg:"port" doc:"where its server listens; absent is 22"`
	Enc         string   `arg:"enc" doc:"the type of the key, such as ssh-rsa or ed25519; absent is that of key, or any"`
	HashHosts   bool     `arg:"hash_known_hosts" default:"true" doc:"hide the name of the host in the file"`
	Timeout     int      `arg:"timeout" default:"5" doc:"seconds to wait for the host"`
	Hash        hashType `arg:"fingerprint_hash_type" doc:"how fingerprint was made: sha256, md5, sha1 or sha512; absent is seen by its length"`
}

// check finds what is wrong with the arguments themselves.
func (a *wantedHost) check() error {
	var errs []error
	if a.Enc != "" {
		enc, err := refined(a.Enc)
		if err != nil {
			errs = append(errs, fmt.Errorf("argument \"enc\": %w", err))
		}
		a.Enc = enc
	}
	if a.Port < 0 || a.Port > 65535 {
		errs = append(errs, fmt.Errorf("argument \"port\": want a number up to 65535, got %d", a.Port))
	}
	if a.Timeout < 1 {
		errs = append(errs, fmt.Errorf("argument \"timeout\": want a second at least, got %d", a.Timeout))
	}
	return errors.Join(errs...)
}

// settle reads key and fingerprint. They often come from a pillar, of one host among many: what is wrong with one is
// no reason to do nothing at all.
func (a *wantedHost) settle() error {
	var errs []error
	if a.Key != "" {
		k, err := (&keyArgs{Enc: a.Enc}).key(a.Key)
		errs = append(errs, err)
		a.Key, a.Enc = k.blob, k.enc
	}
	if a.Fingerprint != "" {
		f, t, err := fingerprint(a.Fingerprint, a.Hash)
		errs = append(errs, err)
		a.Fingerprint, a.Hash = f, t
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if is := a.Hash.of(a.Key); a.Key != "" && a.Fingerprint != "" && is != a.Fingerprint {
		return fmt.Errorf("arguments \"key\" and \"fingerprint\" contradict each other: the fingerprint of the key is %s", is)
	}
	return nil
}

// status says what there is to do, by what is known of the host.
func (a *wantedHost) status(have []known) status {
	if len(have) == 0 {
		return add
	}
	for _, k := range have {
		if a.fits(k) {
			return exists
		}
	}
	return update
}

func (a *wantedHost) fits(k known) bool {
	return (a.Enc == "" || k.enc == a.Enc) && (a.Key == "" || k.blob == a.Key) && (a.Fingerprint == "" || a.Hash.of(k.blob) == a.Fingerprint)
}

// scan asks a host for its keys, and returns those that are wanted: a key that nobody vouches for is not taken beside
// one that somebody does, as whoever is on the way may add one.
func (a *wantedHost) scan(ctx context.Context, h *host.Host, name string) ([]known, error) {
	if a.Key != "" {
		return []known{{hosts: hostName(name, a.Port), enc: a.Enc, blob: a.Key}}, nil
	}
	all, err := scan(ctx, h, name, a.Port, a.Enc, a.Timeout)
	if err != nil {
		return nil, err
	}
	var fit []known
	for _, k := range all {
		if a.fits(k) {
			fit = append(fit, k)
		}
	}
	if len(fit) == 0 {
		what := "the type " + a.Enc
		if a.Fingerprint != "" {
			what = "the fingerprint " + a.Fingerprint
		}
		return nil, fmt.Errorf("cannot know %s: it has keys, and none of them has %s", name, what)
	}
	return fit, nil
}

// scan asks a host for its keys. A host that does not answer is a module.Unknown.
func scan(ctx context.Context, h *host.Host, name string, port int, enc string, timeout int) ([]known, error) {
	argv := []string{"ssh-keyscan", "-T", strconv.Itoa(timeout)}
	if port != 0 {
		argv = append(argv, "-p", strconv.Itoa(port))
	}
	if enc != "" {
		argv = append(argv, "-t", enc)
	}
	argv = append(argv, "--", strings.Trim(name, "[]"))
	said := ""
	for range 3 { // a busy server turns some away
		out, err := h.Exec(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C"}})
		if errors.Is(err, os.ErrNotExist) {
			return nil, module.Unknown("cannot ask %s for its keys: this host has no ssh-keyscan (is the ssh client installed?)", name)
		}
		if err != nil {
			return nil, err
		}
		var all []known
		for _, line := range split(out.Stdout) {
			if k, ok := parseKnown(line); ok && isType(k.enc) {
				k.hosts, k.rest = hostName(name, port), ""
				all = append(all, k)
			}
		}
		if len(all) > 0 {
			return all, nil
		}
		said = strings.TrimSpace(string(out.Stderr))
	}
	return nil, module.Unknown("cannot ask %s for its keys: %s", name, lastLine(said))
}

// lastLine is what a program said last, which is not the greeting of a server.
func lastLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			last = line
		}
	}
	if last == "" {
		return "it has none of that kind, or does not answer"
	}
	return last
}
