package gitfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyring is who may sign commits: keys of OpenSSH, and of OpenPGP, which the
// command gpgv verifies.
type keyring struct {
	ssh  []ssh.PublicKey
	pgp  []byte // binary keys
	gpgv string
}

// newKeyring reads keys; none is no keyring: nothing need be signed.
func newKeyring(from []string) (*keyring, error) {
	if len(from) == 0 {
		return nil, nil
	}
	k := &keyring{}
	for _, text := range from {
		more, err := readKeys(text)
		if err != nil {
			return nil, err
		}
		k.ssh, k.pgp = append(k.ssh, more.ssh...), append(k.pgp, more.pgp...)
	}
	if len(k.pgp) > 0 {
		var err error
		if k.gpgv, err = exec.LookPath("gpgv"); err != nil {
			return nil, errors.New("cannot find the command gpgv, which verifies what is signed by OpenPGP: install the package gpgv or gnupg2")
		}
	}
	return k, nil
}

// readKeys reads one item of require_signed: a file, or a key of OpenSSH as
// its line. A file has such lines, also those of allowed_signers, or keys of
// OpenPGP, armored or not.
func readKeys(text string) (*keyring, error) {
	if strings.ContainsAny(text, " \t") && !filepath.IsAbs(text) {
		key, err := sshLine(text)
		if err != nil {
			return nil, err
		}
		return &keyring{ssh: []ssh.PublicKey{key}}, nil
	}
	data, err := os.ReadFile(text)
	if err != nil {
		return nil, err
	}
	k := &keyring{}
	if bytes.Contains(data, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")) {
		if k.pgp, err = dearmor(string(data)); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		return k, nil
	}
	if len(data) > 0 && data[0]&0x80 != 0 { // every packet of OpenPGP begins so, and no text
		k.pgp = data
		return k, nil
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, err := sshLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", text, n, err)
		}
		k.ssh = append(k.ssh, key)
	}
	if len(k.ssh) == 0 {
		return nil, fmt.Errorf("%s: there is no key in it", text)
	}
	return k, nil
}

// sshLine reads a key as authorized_keys and allowed_signers have it.
func sshLine(line string) (ssh.PublicKey, error) {
	fields := strings.Fields(line)
	for i := 0; i < len(fields)-1; i++ {
		if strings.HasPrefix(fields[i], "ssh-") || strings.HasPrefix(fields[i], "ecdsa-") || strings.HasPrefix(fields[i], "sk-") {
			data, err := base64.StdEncoding.DecodeString(fields[i+1])
			if err != nil {
				break
			}
			return ssh.ParsePublicKey(data)
		}
	}
	return nil, fmt.Errorf("%.40q is no key of OpenSSH", line)
}

// dearmor takes OpenPGP's text form off.
func dearmor(text string) ([]byte, error) {
	var out []byte
	for {
		_, rest, ok := strings.Cut(text, "-----BEGIN PGP PUBLIC KEY BLOCK-----")
		if !ok {
			return out, nil
		}
		body, after, ok := strings.Cut(rest, "-----END PGP PUBLIC KEY BLOCK-----")
		if !ok {
			return nil, errors.New("the key has no end")
		}
		text = after
		if _, b, ok := strings.Cut(strings.ReplaceAll(body, "\r", ""), "\n\n"); ok {
			body = b // what is before are headings
		}
		var digits strings.Builder
		for line := range strings.Lines(body) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "=") { // a checksum
				digits.WriteString(line)
			}
		}
		data, err := base64.StdEncoding.DecodeString(digits.String())
		if err != nil {
			return nil, fmt.Errorf("the key can't be read: %w", err)
		}
		out = append(out, data...)
	}
}

// plainKey tells why a private key can't be used without asking anyone.
func plainKey(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil // somebody else tells
	}
	var missing *ssh.PassphraseMissingError
	if _, err := ssh.ParseRawPrivateKey(data); errors.As(err, &missing) {
		return fmt.Errorf("%s has a passphrase, and nobody is there to type it: use a key of its own without", file)
	}
	return nil
}

// unsigned tells of the refs which make environments why their commit is not to be served.
func (r *remote) unsigned(ctx context.Context, refs map[string]string) map[string]string {
	var commits []string
	for _, ref := range r.c.environments(refs) {
		commits = append(commits, refs[ref])
	}
	verdicts := r.judge(ctx, commits)
	why := map[string]string{}
	for _, ref := range r.c.environments(refs) {
		if text := verdicts[refs[ref]]; text != "" {
			why[ref] = text
		}
	}
	return why
}

// judge tells of commits why they count as unsigned; "" is of those that are well signed.
func (r *remote) judge(ctx context.Context, commits []string) map[string]string {
	verdicts := map[string]string{}
	var open []string
	r.mu.Lock()
	for _, c := range commits {
		text, known := r.verdicts[c]
		if _, twice := verdicts[c]; !known && !twice {
			text = "its signature could not be looked at"
			open = append(open, c)
		}
		if _, twice := verdicts[c]; !twice {
			verdicts[c] = text
		}
	}
	r.mu.Unlock()
	err := r.batch(ctx, open, func(i int, size int64, content io.Reader) error {
		if size > smallFile {
			return fmt.Errorf("commit %s is too large", open[i])
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		verdicts[open[i]] = ""
		if err := r.keys.verify(ctx, data); err != nil {
			verdicts[open[i]] = err.Error()
		}
		if ctx.Err() == nil {
			r.mu.Lock()
			r.verdicts[open[i]] = verdicts[open[i]]
			r.mu.Unlock()
		}
		return ctx.Err()
	})
	if err != nil {
		r.log.Warn("cannot look at signatures", "err", err)
	}
	return verdicts
}

// verify tells why a commit counts as unsigned.
func (k *keyring) verify(ctx context.Context, commit []byte) error {
	signature, signed := split(commit)
	switch {
	case signature == nil:
		return errors.New("it is not signed")
	case bytes.HasPrefix(signature, []byte("-----BEGIN SSH SIGNATURE-----")):
		return k.verifySSH(signature, signed)
	case bytes.HasPrefix(signature, []byte("-----BEGIN PGP SIGNATURE-----")):
		return k.verifyPGP(ctx, signature, signed)
	}
	return errors.New("it is signed in a way that is not known")
}

// split takes the signature out of a commit: what is left is what was signed.
func split(commit []byte) (signature, signed []byte) {
	head, message, _ := bytes.Cut(commit, []byte("\n\n"))
	within, seen := false, false
	for line := range bytes.Lines(append(bytes.Clone(head), '\n')) {
		switch {
		case within && line[0] == ' ':
			signature = append(signature, line[1:]...)
			continue
		case bytes.HasPrefix(line, []byte("gpgsig ")) && !seen:
			signature, within, seen = append([]byte{}, line[len("gpgsig "):]...), true, true
			continue
		case bytes.HasPrefix(line, []byte("gpgsig ")), bytes.HasPrefix(line, []byte("gpgsig-sha256 ")):
			return nil, nil // of two hashes, or two signatures: neither is what we can check
		}
		within = false
		signed = append(signed, line...)
	}
	return signature, append(append(signed, '\n'), message...)
}

// sshSignature is what stands in the text form, after the magic.
type sshSignature struct {
	Version   uint32
	Key       []byte
	Namespace string
	Reserved  []byte
	Hash      string
	Signature []byte
}

const sshMagic = "SSHSIG"

func (k *keyring) verifySSH(text, signed []byte) error {
	block, _ := pem.Decode(text)
	if block == nil || !bytes.HasPrefix(block.Bytes, []byte(sshMagic)) {
		return errors.New("its signature can't be read")
	}
	var s sshSignature
	if err := ssh.Unmarshal(block.Bytes[len(sshMagic):], &s); err != nil || s.Version != 1 || s.Namespace != "git" {
		return errors.New("its signature can't be read")
	}
	key, err := ssh.ParsePublicKey(s.Key)
	if err != nil {
		return errors.New("its signature can't be read")
	}
	if !k.has(key) {
		return fmt.Errorf("it is signed by %s, which is none of require_signed", ssh.FingerprintSHA256(key))
	}
	var sum []byte
	switch s.Hash {
	case "sha512":
		h := sha512.Sum512(signed)
		sum = h[:]
	case "sha256":
		h := sha256.Sum256(signed)
		sum = h[:]
	default:
		return fmt.Errorf("its signature uses the hash %q", s.Hash)
	}
	var sig ssh.Signature
	if err := ssh.Unmarshal(s.Signature, &sig); err != nil {
		return errors.New("its signature can't be read")
	}
	if sig.Format == ssh.KeyAlgoRSA { // by SHA-1
		return errors.New("its signature uses SHA-1")
	}
	message := append([]byte(sshMagic), ssh.Marshal(struct {
		Namespace string
		Reserved  []byte
		Hash      string
		Sum       []byte
	}{s.Namespace, s.Reserved, s.Hash, sum})...)
	if key.Verify(message, &sig) != nil {
		return errors.New("its signature is wrong")
	}
	return nil
}

func (k *keyring) has(key ssh.PublicKey) bool {
	for _, known := range k.ssh {
		if bytes.Equal(known.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// verifyPGP has gpgv look, which trusts the keys of one file and nothing else.
func (k *keyring) verifyPGP(ctx context.Context, signature, signed []byte) error {
	if k.gpgv == "" {
		return errors.New("it is signed by OpenPGP, and require_signed has no such key")
	}
	dir, err := os.MkdirTemp("", "brine-gpgv-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // of an own temporary directory
	for name, data := range map[string][]byte{"keys": k.pgp, "signature": signature, "signed": signed} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, quickly)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.gpgv, "--homedir", dir, "--keyring", filepath.Join(dir, "keys"), "--status-fd", "1", "--",
		filepath.Join(dir, "signature"), filepath.Join(dir, "signed"))
	cmd.Env = []string{"LC_ALL=C", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	said := &tail{}
	cmd.Stderr = said
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	status := "\n" + string(out)
	has := func(word string) bool { return strings.Contains(status, "\n[GNUPG:] "+word+" ") }
	switch {
	case has("EXPKEYSIG"), has("KEYEXPIRED") && !has("GOODSIG"):
		return errors.New("it is signed by a key that has expired")
	case has("REVKEYSIG"):
		return errors.New("it is signed by a key that was revoked")
	case has("EXPSIG"):
		return errors.New("its signature has expired")
	case has("BADSIG"):
		return errors.New("its signature is wrong")
	case has("ERRSIG"), has("NO_PUBKEY"):
		return errors.New("it is signed by a key that is none of require_signed")
	case err != nil || !has("GOODSIG") || !has("VALIDSIG"):
		return fmt.Errorf("its signature can't be verified: %s", said)
	}
	return nil
}
