package ssh

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// A known is a line of known_hosts: hosts that have a key.
type known struct {
	marker string // @cert-authority or @revoked
	hosts  string // names and patterns with commas between, or one that is hashed
	enc    string
	blob   string
	rest   string
}

// parseKnown reads a line of known_hosts; false when it is none.
func parseKnown(line string) (known, bool) {
	f := strings.Fields(line)
	var k known
	if len(f) > 0 && f[0][0] == '@' {
		k.marker, f = f[0], f[1:]
	}
	if len(f) < 3 || f[0][0] == '#' || !isBase64(f[2]) {
		return known{}, false
	}
	k.hosts, k.enc, k.blob, k.rest = f[0], f[1], f[2], strings.Join(f[3:], " ")
	return k, true
}

func (k *known) line() string {
	var parts []string
	for _, part := range []string{k.marker, k.hosts, k.enc, k.blob, k.rest} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

func (k *known) dict(t hashType) *value.Dict {
	return value.NewDict("hostname", k.hosts, "key", k.blob, "enc", k.enc, "fingerprint", t.of(k.blob))
}

// hostName is how known_hosts calls a host.
func hostName(name string, port int) string {
	name = strings.ToLower(name)
	if port == 0 || port == 22 {
		return name
	}
	return fmt.Sprintf("[%s]:%d", strings.Trim(name, "[]"), port)
}

// is says whether a line is about a host.
func (k *known) is(name string) bool {
	if parts := strings.Split(k.hosts, "|"); len(parts) == 4 && parts[0] == "" && parts[1] == "1" {
		salt, err := base64.StdEncoding.DecodeString(parts[2])
		return err == nil && parts[3] == macOf(salt, name)
	}
	found := false
	for pattern := range strings.SplitSeq(strings.ToLower(k.hosts), ",") {
		pattern, not := strings.CutPrefix(pattern, "!")
		if matches(pattern, name) {
			if not {
				return false
			}
			found = true
		}
	}
	return found
}

// matches compares a name with a pattern of * and ?.
func matches(pattern, name string) bool {
	star, back := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, back = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			back++
			p, n = star+1, back
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func macOf(salt []byte, name string) string {
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// hashed hides the name of a host.
func hashed(name string) string {
	salt := make([]byte, sha1.Size)
	rand.Read(salt)
	return "|1|" + base64.StdEncoding.EncodeToString(salt) + "|" + macOf(salt, name)
}

// about are the lines about a host, without those of authorities and those that revoke.
func (l lines) about(name string) (all []known) {
	for _, line := range l {
		if k, ok := parseKnown(line); ok && k.marker == "" && k.is(name) {
			all = append(all, k)
		}
	}
	return all
}

// forget takes a host out of the lines that are meant. Other hosts of a line stay, where it names them.
func (l *lines) forget(name string, meant func(known) bool) {
	var now lines
	for _, line := range *l {
		k, ok := parseKnown(line)
		if !ok || k.marker != "" || !k.is(name) || !meant(k) {
			now = append(now, line)
			continue
		}
		if k.hosts = without(k.hosts, name); k.hosts != "" {
			now = append(now, k.line())
		}
	}
	*l = now
}

// without takes a name out of the names and patterns of a line; "" when no other is left.
func without(hosts, name string) string {
	var others []string
	left := false
	for other := range strings.SplitSeq(hosts, ",") {
		if !matches(strings.ToLower(other), name) {
			others = append(others, other)
			left = left || other != "" && other[0] != '!' && other[0] != '|'
		}
	}
	if !left {
		return ""
	}
	return strings.Join(others, ",")
}

// hash hides the names of all hosts. Patterns can't be hidden.
func (l *lines) hash() {
	var now lines
	for _, line := range *l {
		k, ok := parseKnown(line)
		if !ok || k.marker != "" || k.hosts[0] == '|' || strings.ContainsAny(k.hosts, "*?!") {
			now = append(now, line)
			continue
		}
		for name := range strings.SplitSeq(k.hosts, ",") {
			one := k
			one.hosts = hashed(strings.ToLower(name))
			now = append(now, one.line())
		}
	}
	*l = now
}

// hostsArgs say where hosts are known.
type hostsArgs struct {
	User   string `arg:"user" doc:"who knows the host; absent is everyone on this one"`
	Config string `arg:"config" doc:"the file: an absolute path, or one in the home directory; absent is .ssh/known_hosts, or /etc/ssh/ssh_known_hosts for everyone"`
}

func (a *hostsArgs) check() error {
	if a.User == "" && a.Config != "" && !path.IsAbs(a.Config) {
		return fmt.Errorf("argument \"config\": want an absolute path where there is no user, got %q", a.Config)
	}
	return nil
}

// shown is the file as results call it.
func (a *hostsArgs) shown() string {
	switch {
	case a.Config != "":
		return a.Config
	case a.User == "":
		return "/etc/ssh/ssh_known_hosts"
	}
	return ".ssh/known_hosts"
}

// place finds the file.
func (a *hostsArgs) place(ctx context.Context, h *host.Host) (place, error) {
	if err := a.check(); err != nil {
		return place{}, err
	}
	if a.User == "" {
		me := file.Owner{UID: uint32(unix.Geteuid()), GID: uint32(unix.Getegid())}
		return place{path.Clean(a.shown()), me, 0o644}, nil
	}
	u, err := h.User(ctx, a.User)
	if err != nil {
		return place{}, module.Unmade(err)
	}
	p := place{path.Clean(a.shown()), file.Owner{UID: u.UID, GID: u.GID, Home: u.Home}, 0o600}
	if !path.IsAbs(p.name) {
		p.name = path.Join(u.Home, p.name)
	}
	if !path.IsAbs(p.name) {
		return p, fmt.Errorf("cannot find %s: the user %s has no home directory", a.shown(), u.Name)
	}
	return p, nil
}

// checkHost refuses what can be no name of a host.
func checkHost(name string) error {
	if name == "" || name[0] == '-' || name[0] == '@' || name[0] == '#' || name[0] == '|' || strings.ContainsAny(name, ", \t\n\r*?!") {
		return fmt.Errorf("argument \"name\": want the name or address of one host, got %q", name)
	}
	return nil
}
