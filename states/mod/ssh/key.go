package ssh

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/module"
)

// A key is a public key as a line of authorized_keys has it.
type key struct {
	options string // as written, with commas between
	enc     string // its type, such as ssh-ed25519
	blob    string // in base64
	comment string
}

func (k *key) line() string {
	var parts []string
	for _, part := range []string{k.options, k.enc, k.blob, k.comment} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// isType says whether a word is the type of a key, and not an option or a key.
func isType(word string) bool {
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-", "rsa-sha2-", "sk-ssh-", "sk-ecdsa-"} {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return false
}

// types are those that sshd knows, and what Salt calls them in short.
func refined(enc string) (string, error) {
	switch enc {
	case "r", "rsa":
		return "ssh-rsa", nil
	case "d", "dsa", "dss":
		return "ssh-dss", nil
	case "e", "ecdsa":
		return "ecdsa-sha2-nistp256", nil
	case "ed25519":
		return "ssh-ed25519", nil
	}
	base := strings.TrimSuffix(enc, "-cert-v01@openssh.com")
	known := strings.Fields("ssh-rsa ssh-dss ssh-ed25519 rsa-sha2-256 rsa-sha2-512 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 " +
		"sk-ssh-ed25519@openssh.com sk-ecdsa-sha2-nistp256@openssh.com sk-ssh-ed25519 sk-ecdsa-sha2-nistp256")
	if !slices.Contains(known, base) || base == enc && strings.HasPrefix(enc, "sk-") && !strings.HasSuffix(enc, "@openssh.com") {
		return "", fmt.Errorf("there is no type of keys %q", enc)
	}
	return enc, nil
}

var errNoKey = errors.New("it is no public key, or not a whole one")

// typeOf reads the type of a key from the key itself, and makes sure that it is whole: texts with their lengths before.
// Certificates hold other things too.
func typeOf(blob string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil {
		return "", errNoKey
	}
	is, rest, ok := text(raw)
	if !ok || !isType(is) {
		return "", errNoKey
	}
	if strings.Contains(is, "-cert-") {
		return is, nil
	}
	n := 0
	for ; ok && len(rest) > 0; n++ {
		_, rest, ok = text(rest)
	}
	if want := parts(is); !ok || n == 0 || want > 0 && n != want {
		return "", errNoKey
	}
	return is, nil
}

// parts is how many texts a key of a type has; 0 when that is not known.
func parts(is string) int {
	switch is {
	case "ssh-ed25519":
		return 1
	case "ssh-rsa", "sk-ssh-ed25519@openssh.com":
		return 2
	case "sk-ecdsa-sha2-nistp256@openssh.com":
		return 3
	case "ssh-dss":
		return 4
	}
	if strings.HasPrefix(is, "ecdsa-") {
		return 2
	}
	return 0
}

// text reads a text with its length before.
func text(raw []byte) (s string, rest []byte, ok bool) {
	if len(raw) < 4 {
		return "", nil, false
	}
	n := binary.BigEndian.Uint32(raw)
	if uint64(n) > uint64(len(raw)-4) {
		return "", nil, false
	}
	return string(raw[4 : 4+n]), raw[4+n:], true
}

// check makes sure that a key is of the type that it is said to be; without one it gets its own.
func (k *key) check() error {
	is, err := typeOf(k.blob)
	if err != nil {
		return err
	}
	if k.enc == "" {
		k.enc = is
	}
	if strings.HasPrefix(is, "ssh-rsa") && strings.HasPrefix(k.enc, "rsa-sha2-") {
		return nil // the same key, for other signatures
	}
	if k.enc != is {
		return fmt.Errorf("the key is of the type %s, not %s", is, k.enc)
	}
	return nil
}

// parse reads a line of authorized_keys; false when it is none. Of the key it makes sure only that it is base64.
func parse(line string) (key, bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return key{}, false
	}
	var k key
	if first, _, _ := strings.Cut(line, " "); !isType(first) {
		end := optionsEnd(line)
		k.options, line = line[:end], strings.TrimSpace(line[end:])
	}
	f := strings.Fields(line)
	if len(f) < 2 || !isType(f[0]) || !isBase64(f[1]) {
		return key{}, false
	}
	k.enc, k.blob = f[0], f[1]
	_, rest, _ := strings.Cut(line, f[0])
	_, rest, _ = strings.Cut(rest, f[1])
	k.comment = strings.TrimSpace(rest)
	return k, true
}

func isBase64(s string) bool {
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil && s != ""
}

// optionsEnd is where the options at the start of a line end: at the first blank that is in no quotes.
func optionsEnd(line string) int {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
		case c == '"':
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return i
		}
	}
	return len(line)
}

// checkOptions refuses options that would not end where they do.
func checkOptions(options string) error {
	if strings.ContainsAny(options, "\n\r") || optionsEnd(options+" x") != len(options) {
		return fmt.Errorf("argument \"options\": blanks and quotes of %q are not quoted as sshd wants them", options)
	}
	return nil
}

// A hashType is how fingerprints are made; "" is sha256.
type hashType string

func (*hashType) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (t *hashType) ParseArg(v module.Value) error {
	s, err := v.Str()
	*t = hashType(strings.ToLower(s))
	if err != nil || t.sum(nil) == nil {
		return v.Want("sha256, sha512, sha1 or md5")
	}
	return nil
}

func (t hashType) sum(data []byte) []byte {
	switch t {
	case "", "sha256":
		s := sha256.Sum256(data)
		return s[:]
	case "sha512":
		s := sha512.Sum512(data)
		return s[:]
	case "sha1":
		s := sha1.Sum(data)
		return s[:]
	case "md5":
		s := md5.Sum(data)
		return s[:]
	}
	return nil
}

// of is the fingerprint of a key as Salt writes it: its bytes with colons between.
func (t hashType) of(blob string) string {
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil {
		return ""
	}
	return colons(t.sum(raw))
}

func colons(sum []byte) string {
	var parts []string
	for _, b := range sum {
		parts = append(parts, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}

// fingerprint reads one as Salt or OpenSSH writes it, and makes Salt's. A type that none was given is seen by its length.
func fingerprint(text string, t hashType) (string, hashType, error) {
	var sum []byte
	var err error
	if rest, ok := strings.CutPrefix(text, "SHA256:"); ok {
		sum, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(rest, "="))
	} else {
		sum, err = hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(text, "MD5:"), ":", ""))
	}
	for _, is := range []hashType{"sha256", "md5", "sha1", "sha512"} {
		if err == nil && len(sum) == len(is.sum(nil)) && (t == "" || t == is) {
			return colons(sum), is, nil
		}
	}
	return "", t, fmt.Errorf("cannot read the fingerprint: want the digits of a %s fingerprint with colons between, or SHA256:TEXT, got %q",
		map[bool]string{true: "sha256 or md5", false: string(t)}[t == ""], text)
}
