package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"

	"brine/states/host"
)

// download is content that comes by http or https. It is fetched to memory as far as a difference of it could be shown;
// what is larger comes again when it is written. The hash decides then whether it is what was promised.
func download(ctx context.Context, h *host.Host, source string, sum sums, unverified bool) (*wanted, error) {
	name := withoutSecrets(source)
	switch {
	case h.HTTP == nil:
		return nil, errors.New("this host may not fetch by http")
	case len(sum) == 0 && !unverified:
		return nil, errors.New("set source_hash, or skip_verify to take whatever comes")
	}
	w := &wanted{
		from: name, sums: sum, stated: len(sum) > 0, size: -1, mode: newMode,
		open: func(ctx context.Context) (io.ReadCloser, error) { return get(ctx, h, source) },
	}
	if len(sum) > 0 {
		return w, nil
	}
	from, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	return w.taste(ctx, from)
}

// taste reads content that nothing is known of, and closes it: small one is in memory then, of other the hash is known.
func (w *wanted) taste(ctx context.Context, from io.ReadCloser) (*wanted, error) {
	defer from.Close()
	var head bytes.Buffer
	all := sums{"sha256": ""}.hashes()
	n, err := io.Copy(all.tee(&limited{&head, diffFile}), until(ctx, from))
	if err != nil {
		return nil, fmt.Errorf("cannot fetch %s: %w", w.from, err)
	}
	w.sums, w.size = all.sums(), n
	if n <= diffFile {
		small := inMemory(w.from, head.Bytes())
		small.sums = w.sums
		return small, nil
	}
	return w, nil
}

// limited keeps the first bytes of what is written.
type limited struct {
	to   *bytes.Buffer
	most int
}

func (l *limited) Write(p []byte) (int, error) {
	if room := l.most - l.to.Len(); room > 0 {
		l.to.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// get asks for a URL. Not found is an fs.ErrNotExist.
func get(ctx context.Context, h *host.Host, source string) (io.ReadCloser, error) {
	body, _, err := getNewer(ctx, h, source, "")
	return body, err
}

// getNewer asks for a URL, unless what the server has there bears the mark (its ETag) still: then there is no body.
// It returns the mark of what it has now.
func getNewer(ctx context.Context, h *host.Host, source, mark string) (body io.ReadCloser, now string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, "", fmt.Errorf("cannot fetch %s: it is no URL", withoutSecrets(source))
	}
	if mark != "" {
		req.Header.Set("If-None-Match", mark)
	}
	resp, err := h.HTTP.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text holds the URL with all that is secret in it
			err = u.Err
		}
		return nil, "", fmt.Errorf("cannot fetch %s: %w", withoutSecrets(source), err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, resp.Header.Get("ETag"), nil
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && mark != "" {
		return nil, mark, nil
	}
	err = fmt.Errorf("the server answered %s", resp.Status)
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		err = fmt.Errorf("%w (%w)", err, fs.ErrNotExist)
	}
	return nil, "", fmt.Errorf("cannot fetch %s: %w", withoutSecrets(source), err)
}

// withoutSecrets is a URL as it may be shown: without the password and what follows the path.
func withoutSecrets(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return "a URL that cannot be read"
	}
	u.RawQuery, u.Fragment = "", ""
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	return u.String()
}
