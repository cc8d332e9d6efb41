package repo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

// keyMax is how large a file of keys may be.
const keyMax = 4 << 20

// A key is a file of keys that has to be written.
type key struct {
	file string
	had  string // file, when there is one
	want func(ctx context.Context, h *host.Host) ([]byte, error)
}

// put writes the file as apt wants it: armor where its name ends with .asc, else packets.
func (k *key) put(ctx context.Context, h *host.Host) error {
	data, err := k.want(ctx, h)
	if err != nil {
		return err
	}
	packets, err := Dearmor(data)
	if err != nil {
		return fmt.Errorf("cannot take the key for %s: %w", k.file, err)
	}
	if strings.HasSuffix(k.file, ".asc") {
		packets = Armor(packets)
	}
	return file.Put(ctx, h, k.file, packets, 0o644)
}

// keys are the files of keys that a repository needs and that are not there as they should be. A key without a file of
// its own is trusted for all repositories, or with aptkey: false gets a file in /etc/apt/keyrings that the source names.
func (a *Args) keys(ctx context.Context, h *host.Host, s *Source) ([]*key, error) {
	if a.KeyURL == "" && a.KeyText == "" && len(a.KeyID) == 0 && !a.launchpad() {
		return nil, nil
	}
	k := &key{file: s.Option("signed-by")}
	switch {
	case path.IsAbs(k.file) && !strings.Contains(k.file, ","):
	case !a.AptKey:
		k.file = "/etc/apt/keyrings/" + a.keyName() + ".gpg"
		s.Set("signed-by", k.file)
	default:
		k.file = "/etc/apt/trusted.gpg.d/" + a.keyName() + ".gpg"
	}
	have, err := file.Get(h, k.file)
	if err != nil {
		return nil, err
	}
	if have != nil {
		k.had = k.file
	}
	ok, err := a.haveKey(ctx, h, have)
	if ok || err != nil {
		return nil, err
	}
	k.want = a.fetchKey
	return []*key{k}, nil
}

// launchpad says whether the key has to be asked of Launchpad.
func (a *Args) launchpad() bool { return a.PPA != "" || strings.HasPrefix(a.Name, "ppa:") }

// keyName names a file for the key: by where it comes from.
func (a *Args) keyName() string {
	name := a.Name
	switch {
	case len(a.KeyID) > 0:
		name = a.KeyID[0]
	case a.KeyURL != "":
		_, name, _ = strings.Cut(a.KeyURL, "://")
		name = strings.TrimSuffix(strings.TrimSuffix(name, path.Ext(name)), ".")
	case a.KeyText != "":
		if packets, err := Dearmor([]byte(a.KeyText)); err == nil {
			name = Fingerprints(packets)[0]
		}
	}
	slug := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' {
			return c
		}
		return '-'
	}, name)
	return strings.Trim(slug, "-.")
}

// haveKey says whether a file has the key. One that comes by http is fetched once.
func (a *Args) haveKey(ctx context.Context, h *host.Host, have []byte) (bool, error) {
	packets, err := Dearmor(have)
	if err != nil {
		return false, a.tryKey(ctx, h)
	}
	if len(a.KeyID) > 0 {
		for _, id := range a.KeyID {
			if !HasKey(Fingerprints(packets), id) {
				return false, nil
			}
		}
		return true, nil
	}
	if !a.near() {
		return true, nil
	}
	data, err := a.fetchKey(ctx, h)
	if err != nil {
		return false, err
	}
	want, err := Dearmor(data)
	return bytes.Equal(packets, want), err
}

// near says whether the key is at hand, and costs no fetch from elsewhere.
func (a *Args) near() bool {
	return a.KeyText != "" || strings.HasPrefix(a.KeyURL, "salt:") || strings.HasPrefix(a.KeyURL, "/") || strings.HasPrefix(a.KeyURL, "file:")
}

// tryKey finds out whether what is at hand is a key.
func (a *Args) tryKey(ctx context.Context, h *host.Host) error {
	if !a.near() {
		return nil
	}
	data, err := a.fetchKey(ctx, h)
	if err == nil {
		_, err = Dearmor(data)
	}
	if err != nil {
		return fmt.Errorf("cannot take the key of %s: %w", a.Name, err)
	}
	return nil
}

func (a *Args) fetchKey(ctx context.Context, h *host.Host) ([]byte, error) {
	switch {
	case a.KeyText != "":
		return []byte(a.KeyText), nil
	case a.KeyURL != "":
		return fetch(ctx, h, a.KeyURL)
	}
	ids := []string(a.KeyID)
	if len(ids) == 0 {
		id, err := a.launchpadKey(ctx, h)
		if err != nil {
			return nil, err
		}
		ids = []string{id}
	}
	var all []byte
	for _, id := range ids {
		packets, err := a.fromServer(ctx, h, id)
		if err != nil {
			return nil, fmt.Errorf("cannot fetch the key %s from %s: %w", id, a.KeyServer, err)
		}
		all = append(all, packets...)
	}
	return all, nil
}

// fromServer fetches a key and makes sure that it is the one that was asked for.
func (a *Args) fromServer(ctx context.Context, h *host.Host, id string) ([]byte, error) {
	id = strings.TrimPrefix(strings.TrimPrefix(strings.ReplaceAll(id, " ", ""), "0x"), "0X")
	data, err := fetch(ctx, h, keyServer(a.KeyServer)+"/pks/lookup?op=get&options=mr&search=0x"+url.QueryEscape(id))
	if err != nil {
		return nil, err
	}
	packets, err := Dearmor(data)
	if err == nil && !HasKey(Fingerprints(packets), id) {
		err = errors.New("the server answered with another key")
	}
	return packets, err
}

// keyServer is the URL of a server of keys. Its own protocol is http on another port.
func keyServer(name string) string {
	name = strings.TrimRight(name, "/")
	switch scheme, rest, ok := strings.Cut(name, "://"); {
	case !ok:
		return "https://" + name
	case scheme == "hkps":
		return "https://" + rest
	case scheme == "hkp" && strings.Contains(rest, ":"):
		return "http://" + rest
	case scheme == "hkp":
		return "http://" + rest + ":11371"
	}
	return name
}

// launchpadKey asks Launchpad for the fingerprint of a PPA's key.
func (a *Args) launchpadKey(ctx context.Context, h *host.Host) (string, error) {
	name := a.PPA
	if name == "" {
		name = a.Name
	}
	owner, archive, _ := strings.Cut(strings.TrimPrefix(name, "ppa:"), "/")
	data, err := fetch(ctx, h, fmt.Sprintf("https://launchpad.net/api/1.0/~%s/+archive/%s", url.PathEscape(owner), url.PathEscape(archive)))
	if err != nil {
		return "", err
	}
	var answer struct {
		Fingerprint string `json:"signing_key_fingerprint"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Fingerprint == "" {
		return "", fmt.Errorf("cannot tell the key of the PPA %s: Launchpad named none", name)
	}
	return answer.Fingerprint, nil
}

// fetch returns the content of a path of the host, of salt:// or of a URL.
func fetch(ctx context.Context, h *host.Host, source string) ([]byte, error) {
	switch scheme, rest, _ := strings.Cut(source, "://"); {
	case path.IsAbs(source):
		return own(h, source)
	case scheme == "file":
		return own(h, rest)
	case scheme == "salt":
		name, err := h.Files.Fetch(ctx, source)
		if err != nil {
			return nil, err
		}
		return os.ReadFile(name)
	case scheme != "http" && scheme != "https":
		return nil, fmt.Errorf("cannot fetch %q: want a path, salt:// or a URL of http or https", source)
	}
	if h.HTTP == nil {
		return nil, fmt.Errorf("cannot fetch %s: this host may not fetch by http", source)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch %s: it is no URL", source)
	}
	resp, err := h.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch it: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cannot fetch %s: the server answered %s", source, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, keyMax))
}

func own(h *host.Host, name string) ([]byte, error) {
	data, err := file.Get(h, name)
	if err == nil && data == nil {
		err = fmt.Errorf("cannot read %s: %w", name, os.ErrNotExist)
	}
	return data, err
}
