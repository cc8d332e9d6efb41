package pkg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// inspect returns name and version of a package in a file. Nothing of the host is changed: what has to be fetched goes
// to a temporary file of the minion.
func (r *request) inspect(ctx context.Context, w want) (name, version string, err error) {
	file, remove, err := r.fetch(ctx, w.source, os.TempDir())
	if err != nil {
		return "", "", err
	}
	defer remove()
	return r.fileInfo(ctx, w, file)
}

// fileInfo is name and version of a package in a file of the minion, which must be the one that is wanted.
func (r *request) fileInfo(ctx context.Context, w want, file string) (name, version string, err error) {
	name, version, err = r.system.FileInfo(ctx, file)
	if err == nil && name != w.name {
		err = fmt.Errorf("cannot take %s for %s: it is the package %s", shown(w.source), w.name, name)
	}
	return name, version, err
}

// local puts the package where the package manager takes it from, and returns that path of the host. Done removes it.
func (r *request) local(ctx context.Context, w want) (string, error) {
	if path.IsAbs(w.source) {
		if _, err := os.Stat(r.host.Path(w.source)); err != nil {
			return "", fmt.Errorf("cannot install %s: %w", w.name, err)
		}
		_, _, err := r.fileInfo(ctx, w, r.host.Path(w.source))
		return w.source, err
	}
	above := r.host.Path("/var/tmp")
	if err := os.MkdirAll(above, 0o1777); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(above, "brine-pkg-")
	if err != nil {
		return "", err
	}
	r.temporary = append(r.temporary, dir)
	if err := os.Chmod(dir, 0o755); err != nil { // apt drops to a user of its own
		return "", err
	}
	file, remove, err := r.fetch(ctx, w.source, dir)
	if err != nil {
		return "", err
	}
	defer remove()
	name := fileName(w)
	if err := copyFile(file, filepath.Join(dir, name)); err != nil {
		return "", err
	}
	_, _, err = r.fileInfo(ctx, w, filepath.Join(dir, name))
	return path.Join("/var/tmp", filepath.Base(dir), name), err
}

// done removes what local put anywhere.
func (r *request) done() error {
	var errs []error
	for _, dir := range r.temporary {
		errs = append(errs, os.RemoveAll(dir))
	}
	r.temporary = nil
	return errors.Join(errs...)
}

// fileName is the name of the source's file, whose end tells package managers what it is.
func fileName(w want) string {
	source, _, _ := strings.Cut(w.source, "?")
	name := path.Base(source)
	if name == "." || name == "/" || strings.HasPrefix(name, "-") {
		return w.name
	}
	return name
}

// fetch returns a file of the minion with the content of a source.
func (r *request) fetch(ctx context.Context, source, dir string) (file string, remove func(), err error) {
	nothing := func() {}
	switch scheme, rest, ok := strings.Cut(source, "://"); {
	case path.IsAbs(source):
		return r.host.Path(source), nothing, nil
	case !ok:
		return "", nil, fmt.Errorf("cannot fetch %q: want a path, salt:// or a URL", source)
	case scheme == "file":
		return r.host.Path(rest), nothing, nil
	case scheme == "salt":
		file, err := r.host.Files.Fetch(ctx, source)
		return file, nothing, err
	case scheme == "http" || scheme == "https":
		return r.download(ctx, source, dir)
	}
	return "", nil, fmt.Errorf("cannot fetch %s: want a path, salt:// or a URL of http or https", shown(source))
}

func (r *request) download(ctx context.Context, source, dir string) (string, func(), error) {
	if r.host.HTTP == nil {
		return "", nil, fmt.Errorf("cannot fetch %s: this host may not fetch by http", shown(source))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return "", nil, fmt.Errorf("cannot fetch %s: it is no URL", shown(source))
	}
	resp, err := r.host.HTTP.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // without the URL, which may hold a password
		}
		return "", nil, fmt.Errorf("cannot fetch %s: %w", shown(source), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("cannot fetch %s: the server answered %s", shown(source), resp.Status)
	}
	f, err := os.CreateTemp(dir, "brine-pkg-")
	if err != nil {
		return "", nil, err
	}
	remove := func() { _ = os.Remove(f.Name()) }
	_, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return "", nil, fmt.Errorf("cannot fetch %s: %w", shown(source), err)
	}
	return f.Name(), remove, nil
}

// shown is a source without its password.
func shown(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return "a URL that cannot be read"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	u.RawQuery = ""
	return u.String()
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
