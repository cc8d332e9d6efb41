package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

// userFile says whose keys and where.
type userFile struct {
	User   string   `arg:"user,required" doc:"whose keys"`
	Config string   `arg:"config" default:".ssh/authorized_keys" doc:"the file: an absolute path, or one in the home directory; %h is that, %u the user"`
	Hash   hashType `arg:"fingerprint_hash_type" doc:"how fingerprints are made: sha256, md5; here nothing depends on it"`
}

// keyArgs are what a key has that is not written with it.
type keyArgs struct {
	Enc        string   `arg:"enc" doc:"its type, such as ssh-rsa or ed25519; absent is the one that the key itself tells"`
	Comment    string   `arg:"comment" doc:"its comment"`
	Options    []string `arg:"options" doc:"its options, such as no-pty or command=\"/bin/date\""`
	Source     string   `arg:"source" doc:"a file of keys in place of one: salt://PATH, https://HOST/PATH or a path of this host"`
	SourceHash string   `arg:"source_hash" doc:"hash of source, which http:// needs"`
}

// check finds what is wrong with the arguments themselves.
func (a *keyArgs) check() error {
	var errs []error
	if a.Enc != "" {
		enc, err := refined(a.Enc)
		if err != nil {
			errs = append(errs, fmt.Errorf("argument \"enc\": %w", err))
		}
		a.Enc = enc
	}
	if strings.ContainsAny(a.Comment, "\n\r") {
		errs = append(errs, fmt.Errorf("argument \"comment\": want one line, got %q", a.Comment))
	}
	if strings.HasPrefix(a.Source, "http://") && a.SourceHash == "" {
		errs = append(errs, errors.New("argument \"source\": who may log in can't be left to who is on the way: use https://, or give source_hash"))
	}
	return errors.Join(append(errs, checkOptions(strings.Join(a.Options, ",")))...)
}

// key reads a key that is written alone, with its type, or as a whole line.
func (a *keyArgs) key(text string) (key, error) {
	text = strings.TrimSpace(text)
	shown := text
	if len(shown) > 40 {
		shown = shown[:40] + "..."
	}
	if strings.ContainsAny(text, "\n\r") {
		return key{}, fmt.Errorf("cannot use the key %q: it has more than one line", shown)
	}
	k, whole := parse(text)
	if !whole {
		blob, comment, _ := strings.Cut(text, " ")
		k = key{enc: a.Enc, blob: blob, comment: strings.TrimSpace(comment)}
	}
	if k.options == "" {
		k.options = strings.Join(a.Options, ",")
	}
	if k.comment == "" {
		k.comment = a.Comment
	}
	if err := k.check(); err != nil {
		return k, fmt.Errorf("cannot use the key %q: %w", shown, err)
	}
	return k, nil
}

// sourceMax is how large a file of keys may be.
const sourceMax = 4 << 20

// sourceKeys are the keys of the source.
func (a *keyArgs) sourceKeys(ctx context.Context, h *host.Host) ([]key, error) {
	o := file.Of(a.Source)
	o.SourceHash, o.SkipVerify = a.SourceHash, strings.HasPrefix(a.Source, "https://")
	c, err := o.Find(ctx, h, "")
	if err != nil {
		return nil, err
	}
	r, err := c.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, sourceMax+1))
	if err != nil || len(data) > sourceMax {
		return nil, errors.Join(err, fmt.Errorf("cannot use %s: it has more than %d bytes", c.From(), sourceMax))
	}
	var keys []key
	for i, line := range split(data) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		k, err := (&keyArgs{Options: a.Options}).key(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", c.From(), i+1, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("cannot use %s: there are no keys in it", c.From())
	}
	return keys, nil
}
