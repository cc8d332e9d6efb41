package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
)

// sourceArgs say where content comes from.
type sourceArgs struct {
	Source     sources `arg:"source" doc:"salt://PATH, https://HOST/PATH, or a path of this host; of a list the first that is there, each alone or as SOURCE: HASH"`
	SourceHash string  `arg:"source_hash" doc:"hash of the source as it is before it is rendered: digits, TYPE=digits, or where a file of hashes is"`
	HashName   string  `arg:"source_hash_name" doc:"the name by which the file of hashes knows the source; its own when absent"`
	SkipVerify bool    `arg:"skip_verify" doc:"take what comes by http(s) without source_hash"`
	VerifySSL  *bool   `arg:"verify_ssl" doc:"false is refused: let the host trust the server's certificate instead"`
	KeepSource bool    `arg:"keep_source" default:"true" doc:"accepted for Salt: nothing of a source is kept but what is cached by its hash"`
	Saltenv    string  `arg:"saltenv" doc:"environment to fetch source from; the job's when absent"`
}

// sources are the places that a file may come from, and what hash each has, in place of source_hash.
type sources struct {
	urls   []string
	hashes map[string]string
}

func (s *sources) ArgType() string { return "text or list" }

func (s *sources) ParseArg(v module.Value) error {
	var errs []error
	for _, item := range v.Each() {
		text, err := item.Str()
		if pairs, ok := item.Pairs(); ok && len(pairs) == 1 {
			hash := ""
			if text, err = pairs[0][0].Str(); err == nil {
				hash, err = pairs[0][1].Str()
			}
			if err == nil {
				err = (&sourceArgs{SourceHash: hash}).understood()
				errs = append(errs, err)
			}
			if s.hashes == nil {
				s.hashes = map[string]string{}
			}
			s.hashes[text], err = hash, nil
		}
		if err != nil || text == "" {
			return v.Want("salt://PATH, https://HOST/PATH or the path of a file")
		}
		if !knownSource(text) {
			errs = append(errs, fmt.Errorf("want salt://PATH, https://HOST/PATH or an absolute path, got %q", text))
		}
		s.urls = append(s.urls, text)
	}
	return errors.Join(errs...)
}

func knownSource(text string) bool {
	for _, scheme := range []string{"salt://", "file:///", "http://", "https://", "/"} {
		if strings.HasPrefix(text, scheme) && len(text) > len(scheme) {
			return true
		}
	}
	return false
}

func isHTTP(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// fetched returns the content of the first source that is there; nil when none is named.
func (a *sourceArgs) fetched(ctx context.Context, h *host.Host, target string) (*wanted, error) {
	if len(a.Source.urls) == 0 {
		return nil, nil
	}
	for _, source := range a.Source.urls {
		want, err := a.sum(ctx, h, source, target)
		if err != nil {
			return nil, err
		}
		w, err := openSource(ctx, h, source, a.Saltenv, want, a.SkipVerify)
		if err == nil && len(a.Source.urls) > 1 && w.size < 0 {
			err = w.isThere(ctx)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot take the source %s: %w", withoutSecrets(source), err)
		}
		return w, w.expect(ctx, want)
	}
	missing := module.Certain
	if slices.ContainsFunc(a.Source.urls, func(s string) bool { return !strings.HasPrefix(s, "salt://") }) {
		missing = module.Unknown // another state may make a file of this host, or have a server come up
	}
	if len(a.Source.urls) > 1 {
		return nil, missing("cannot find any of the sources %s", strings.Join(a.Source.urls, ", "))
	}
	return nil, missing("cannot find the source %s%s", a.Source.urls[0], meant(ctx, h, a.Source.urls[0]))
}

// meant names the file of the masters that is most like one that they do not have, or is "".
func meant(ctx context.Context, h *host.Host, url string) string {
	name, query, _ := strings.Cut(url, "?")
	if !strings.HasPrefix(name, "salt://") || query != "" || h.Files == nil {
		return ""
	}
	all, err := h.Files.List(ctx, "salt://")
	if err != nil {
		return "" // the source is missing all the same
	}
	if near := spell.Nearest(strings.TrimPrefix(name, "salt://"), all); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", "salt://"+near)
	}
	return ""
}

// isThere asks for content that would only be fetched when it is needed.
func (w *wanted) isThere(ctx context.Context) error {
	from, err := w.reader(ctx)
	if err != nil {
		return err
	}
	return from.Close()
}

// expect checks the content against a hash that the operator gave.
func (w *wanted) expect(ctx context.Context, want sums) error {
	if len(want) == 0 || want.equal(w.sums) {
		return nil
	}
	from, err := w.reader(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	got, err := want.of(ctx, from)
	if err != nil {
		return err
	}
	return (&wanted{from: w.from, sums: want, stated: true}).differs(got)
}

// understood refuses a source_hash that is neither a hash nor a place.
func (a *sourceArgs) understood() error {
	if a.VerifySSL != nil && !*a.VerifySSL {
		return fmt.Errorf("argument %q: false lets anyone answer in the server's place: let this host trust its certificate", "verify_ssl")
	}
	if _, ok := parseSum(a.SourceHash); ok || a.SourceHash == "" || knownSource(a.SourceHash) {
		return nil
	}
	return fmt.Errorf("argument %q: want a hash such as sha256=DIGITS, or where a file of hashes is, got %q",
		"source_hash", a.SourceHash)
}

// sum is the hash that source_hash gives a source; none when it is not given.
func (a *sourceArgs) sum(ctx context.Context, h *host.Host, source, target string) (sums, error) {
	hash := cmp.Or(a.Source.hashes[source], a.SourceHash)
	if hash == "" || a.SkipVerify && isHTTP(source) {
		return nil, nil
	}
	if sum, ok := parseSum(hash); ok {
		return sum, nil
	}
	list, err := openSource(ctx, h, hash, a.Saltenv, nil, true)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes: %w", err)
	}
	text, whole, err := list.read(ctx, templateMax)
	if err == nil && !whole {
		err = errors.New("it is too large for a file of hashes")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of %s: %w", hash, err)
	}
	names := []string{a.HashName}
	if a.HashName == "" {
		names = []string{path.Base(pathIn(source)), path.Base(target)}
	}
	sum, err := sumIn(string(text), names...)
	if err != nil {
		return nil, fmt.Errorf("cannot find the hash of %s in %s: %w", source, hash, err)
	}
	return sum, nil
}

// pathIn is the path of a source's URL.
func pathIn(source string) string {
	if u, err := url.Parse(source); err == nil && u.Path != "" {
		return u.Path
	}
	return source
}

// openSource finds a source. errors.Is(err, fs.ErrNotExist) when it isn't there.
func openSource(ctx context.Context, h *host.Host, source, saltenv string, sum sums, unverified bool) (*wanted, error) {
	switch {
	case strings.HasPrefix(source, "salt://"):
		return served(ctx, h, source, saltenv)
	case isHTTP(source):
		return download(ctx, h, source, sum, unverified)
	}
	return local(ctx, h, strings.TrimPrefix(source, "file://"))
}

// served is a file that masters serve.
func served(ctx context.Context, h *host.Host, source, saltenv string) (*wanted, error) {
	if h.Files == nil {
		return nil, fmt.Errorf("cannot fetch %q: this host has no masters to fetch from", source)
	}
	source = ofEnvironment(source, saltenv)
	f, err := h.Files.Stat(ctx, source)
	if err != nil {
		return nil, err
	}
	return &wanted{
		from: source, sums: sums{"sha256": f.SHA256}, size: f.Size, mode: uint32(f.Mode.Perm()),
		open: func(ctx context.Context) (io.ReadCloser, error) {
			name, err := h.Files.Fetch(ctx, source)
			if err != nil {
				return nil, err
			}
			return os.Open(name)
		},
	}, nil
}

// local is a file of the host.
func local(ctx context.Context, h *host.Host, name string) (*wanted, error) {
	f, err := openFile(h, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum, err := sums{"sha256": ""}.of(ctx, f)
	return &wanted{
		from: name, sums: sum, size: f.info.Size, mode: f.info.bits() & 0o777,
		open: func(context.Context) (io.ReadCloser, error) {
			return openFile(h, name)
		},
	}, err
}
