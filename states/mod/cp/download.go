package cp

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"brine/states/host"
	hostfile "brine/states/mod/file"
)

// cacheRoot is where what does not come from masters is kept.
const cacheRoot = "/var/cache/brine/minion"

// download brings a file of the web into the minion's cache, unless what is there has the hash.
func download(ctx context.Context, h *host.Host, from, env, wanted string) (string, error) {
	name, err := hostfile.WebCopy(from, env)
	if err != nil {
		return "", err
	}
	if wanted != "" {
		if f, err := os.Open(h.Path(name)); err == nil {
			err := verify(wanted, f, io.Discard)
			_ = f.Close() // it was only read
			if err == nil {
				return h.Path(name), nil
			}
		}
	}
	if h.HTTP == nil {
		return "", errors.New("cannot fetch: this host may not ask the web")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", fmt.Errorf("cannot fetch %s: it is no URL", withoutSecrets(from))
	}
	resp, err := h.HTTP.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) { // its text holds the URL with all that is secret in it
			err = u.Err
		}
		return "", fmt.Errorf("cannot fetch %s: %w", withoutSecrets(from), err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return "", fmt.Errorf("cannot fetch %s: the server answered %s (%w)", withoutSecrets(from), resp.Status, fs.ErrNotExist)
	default:
		return "", fmt.Errorf("cannot fetch %s: the server answered %s", withoutSecrets(from), resp.Status)
	}
	err = keep(h, name, func(w io.Writer) error { return verify(wanted, resp.Body, w) })
	if err != nil {
		return "", fmt.Errorf("cannot fetch %s: %w", withoutSecrets(from), err)
	}
	return h.Path(name), nil
}

// keep writes a file of the cache, which only the minion's user may read.
func keep(h *host.Host, name string, write func(io.Writer) error) error {
	return hostfile.Write(h, name, hostfile.As{Mode: 0o600, Fix: true, Dirs: 0o755, Final: true}, write)
}

// hashOf makes the hash that a source_hash speaks of; nil when it is none.
func hashOf(wanted string) (h hash.Hash, digits string) {
	kind, digits, ok := strings.Cut(wanted, "=")
	if !ok {
		kind, digits = "", wanted
	}
	digits = strings.ToLower(digits)
	for _, known := range []struct {
		name   string
		length int
		make   func() hash.Hash
	}{{"md5", 32, md5.New}, {"sha1", 40, sha1.New}, {"sha224", 56, sha256.New224}, {"sha256", 64, sha256.New},
		{"sha384", 96, sha512.New384}, {"sha512", 128, sha512.New}} {
		if len(digits) == known.length && (kind == "" || strings.EqualFold(kind, known.name)) && strings.Trim(digits, "0123456789abcdef") == "" {
			return known.make(), digits
		}
	}
	return nil, digits
}

func checkHash(wanted string) error {
	if h, _ := hashOf(wanted); wanted != "" && h == nil {
		return fmt.Errorf(`argument "source_hash": want a hash such as sha256=DIGITS, got %q`, wanted)
	}
	return nil
}

// verify copies, and refuses in the end what has another hash.
func verify(wanted string, from io.Reader, to io.Writer) error {
	h, digits := hashOf(wanted)
	if h == nil {
		_, err := io.Copy(to, from)
		return err
	}
	if _, err := io.Copy(io.MultiWriter(to, h), from); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != digits {
		return fmt.Errorf("its hash is %s, source_hash says %s", got, digits)
	}
	return nil
}

// withoutSecrets is a URL as it may be shown: without the password and what follows the path.
func withoutSecrets(from string) string {
	if !strings.Contains(from, "://") {
		return from
	}
	u, err := url.Parse(from)
	if err != nil {
		return "a URL that cannot be read"
	}
	u.RawQuery, u.Fragment = "", ""
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	return u.String()
}
