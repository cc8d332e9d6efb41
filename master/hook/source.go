package hook

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A Source is a system that tells something.
type Source struct {
	Kind       string            `toml:"kind"`
	TokenFile  string            `toml:"token_file"`  // it shows this as Authorization: Bearer
	HMACFile   string            `toml:"hmac_file"`   // or it signs its messages with this, by HMAC-SHA256
	HMACHeader string            `toml:"hmac_header"` // where the signature is, in hexadecimal digits, maybe behind "sha256="
	Signing                      // what is signed beside the message
	MaxBytes   int               `toml:"max_bytes"`   // of a message
	HostLabels []string          `toml:"host_labels"` // alertmanager: labels that name the host, the best first
	Fields     Fields            `toml:"fields"`      // json
	Aliases    map[string]string `toml:"aliases"`     // minions, by what the source calls their hosts
}

const (
	kindSalt = "salt"

	defaultHeader = "X-Hub-Signature-256"
	defaultBytes  = 8 << 20
	mostBytes     = 64 << 20
)

// CheckName tells why a source cannot have a name.
func CheckName(name string) error {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
	switch {
	case name == "" || len(name) > 64 || strings.ContainsFunc(name, odd):
		return errors.New("want a name of a-z, 0-9, - and _")
	case name == "git":
		return errors.New("git is the webhook of gitfs: take another name")
	}
	return nil
}

// Check tells what is wrong with a source; secret reads the file of one.
func (s *Source) Check(secret func(file string) ([]byte, error)) (errs []error) {
	wrong := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	kinds := append(slices.Sorted(maps.Keys(parsers())), kindSalt)
	if !slices.Contains(kinds, s.Kind) {
		wrong("kind", "%q is none of %s", s.Kind, strings.Join(kinds, ", "))
	}
	switch {
	case s.TokenFile == "" && s.HMACFile == "":
		wrong("token_file", "is missing, and so is hmac_file: anybody could tell anything. "+
			"Make one (openssl rand -hex 32 > FILE; chmod 600 FILE; chown brine FILE)")
	case s.TokenFile != "" && s.HMACFile != "":
		wrong("token_file", "there is hmac_file too: want one of them")
	}
	for key, file := range map[string]string{"token_file": s.TokenFile, "hmac_file": s.HMACFile} {
		if file == "" {
			continue
		}
		if _, err := secret(file); err != nil {
			wrong(key, "%w", err)
		}
	}
	s.checkSigning(wrong)
	if s.MaxBytes < 0 || s.MaxBytes > mostBytes {
		wrong("max_bytes", "want 1 to %d", mostBytes)
	}
	if len(s.HostLabels) > 0 && s.Kind != "alertmanager" {
		wrong("host_labels", "is for the kind alertmanager")
	}
	f := s.Fields
	switch used := f.Alerts != "" || f.Status != "" || f.Key != "" || f.Name != "" || len(f.Host) > 0; {
	case s.Kind != "json" && used:
		wrong("fields", "are for the kind json")
	case s.Kind == "json" && f.Status == "":
		wrong("fields.status", "is missing: where does a message say that there is a problem, or that it is over?")
	case s.Kind == "json" && f.Key == "" && len(f.Host) == 0:
		wrong("fields.host", "is missing, and so is fields.key: what is an alert about?")
	}
	return errs
}

func (s *Source) limit() int64 {
	if s.MaxBytes > 0 {
		return int64(s.MaxBytes)
	}
	return defaultBytes
}

func (s *Source) header() string {
	if s.HMACHeader != "" {
		return s.HMACHeader
	}
	return defaultHeader
}

// A refusal is an answer to who has not shown the secret.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// early tells who shows no secret, or a wrong token, before the message is read.
func (s *Source) early(r *http.Request, secret []byte) error {
	if s.HMACFile != "" {
		if r.Header.Get(s.header()) == "" {
			return &refusal{http.StatusUnauthorized, "the message is not signed: want its HMAC-SHA256 in the header " + s.header()}
		}
		return nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return &refusal{http.StatusUnauthorized, "there is no token: want the header Authorization: Bearer TOKEN"}
	}
	if subtle.ConstantTimeCompare([]byte(strings.TrimSpace(token)), secret) != 1 {
		return &refusal{http.StatusForbidden, "the token is not that of this source: compare it with the file that token_file names on the master"}
	}
	return nil
}
