package file

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// webRoot is where copies of files of the web are kept.
const webRoot = "/var/cache/brine/minion/extrn_files"

// WebCopy is where the host keeps its copy of a file of the web, for an environment. Only the minion's user may read it.
func WebCopy(from, env string) (string, error) {
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return "", errors.New("cannot fetch: the URL cannot be read")
	}
	name := path.Join("/", u.Path)
	if name == "/" {
		name = "/index"
	}
	if u.RawQuery != "" {
		sum := sha256.Sum256([]byte(u.RawQuery))
		name += "-" + hex.EncodeToString(sum[:8])
	}
	return path.Join(webRoot, path.Base("/"+env), path.Base("/"+u.Host), name), nil
}

type cachedArgs struct {
	Name       string `arg:"name,required" doc:"salt://PATH, https://HOST/PATH, or the path of a file of this host, of which only the hash is looked at"`
	SourceHash string `arg:"source_hash" doc:"hash of the content: digits, TYPE=digits, or where a file of hashes is; what comes by http(s) is fetched again only when it differs"`
	HashName   string `arg:"source_hash_name" doc:"the name by which the file of hashes knows it; its own when absent"`
	SkipVerify bool   `arg:"skip_verify" doc:"take what comes by http(s) without source_hash, and look at every run whether it changed"`
	Saltenv    string `arg:"saltenv" doc:"environment to fetch from; the job's when absent"`
	Etag       bool   `arg:"use_etag" doc:"take what comes by http(s) without source_hash, and fetch it again when the server says that it changed"`
}

// CheckArgs implements module.Checker.
func (a *cachedArgs) CheckArgs() error {
	var errs []error
	if !knownSource(a.Name) {
		errs = append(errs, fmt.Errorf("argument %q: want salt://PATH, https://HOST/PATH or an absolute path, got %q", "name", a.Name))
	}
	if isHTTP(a.Name) && a.SourceHash == "" && !a.SkipVerify && !a.Etag {
		errs = append(errs, fmt.Errorf("cannot verify %s: set source_hash, or skip_verify or use_etag to take whatever comes",
			withoutSecrets(a.Name)))
	}
	return errors.Join(append(errs, a.source().understood())...)
}

func (a *cachedArgs) source() *sourceArgs {
	return &sourceArgs{SourceHash: a.SourceHash, HashName: a.HashName, SkipVerify: a.SkipVerify, Saltenv: a.Saltenv}
}

func planCached(ctx context.Context, h *host.Host, a cachedArgs) (module.Plan, error) {
	want, err := a.source().sum(ctx, h, a.Name, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	c := &caching{cachedArgs: a, host: h, want: want}
	switch {
	case isHTTP(a.Name):
		return c.web(ctx)
	case strings.HasPrefix(a.Name, "salt://"):
		return c.served(ctx)
	}
	return c.local(ctx)
}

// A caching is a file.cached that looks.
type caching struct {
	cachedArgs
	host *host.Host
	want sums // as source_hash says; none when it does not
}

// local looks at a file of the host itself.
func (c *caching) local(ctx context.Context) (plan module.Plan, err error) {
	name := strings.TrimPrefix(c.Name, "file://")
	f, err := openFile(c.host, name)
	if isNothing(err) {
		return plan, module.Unknown("File %s is not present on the minion", name)
	}
	if err != nil {
		return plan, err
	}
	defer f.Close()
	plan.Same = fmt.Sprintf("File %s is present on the minion", name)
	if len(c.want) == 0 {
		return plan, nil
	}
	got, err := c.want.of(ctx, f)
	if err != nil {
		return plan, fmt.Errorf("cannot read %s: %w", name, err)
	}
	plan.Same += " and has hash " + got.digits()
	return plan, (&wanted{from: name, sums: c.want, stated: true}).differs(got)
}

// A keeper knows what of the masters' files is on this machine already.
type keeper interface {
	Cached(ctx context.Context, url string) (string, error)
}

// served looks at a file of the masters, which is kept by its hash.
func (c *caching) served(ctx context.Context) (plan module.Plan, err error) {
	w, err := served(ctx, c.host, c.Name, c.Saltenv)
	if errors.Is(err, fs.ErrNotExist) {
		return plan, module.Unknown("cannot find the source %s", c.Name)
	}
	if err != nil {
		return plan, err
	}
	at := w.from
	if sum, ok := c.want["sha256"]; ok && sum != w.sums["sha256"] {
		return plan, (&wanted{from: at, sums: c.want, stated: true}).differs(w.sums)
	}
	have := ""
	if k, ok := c.host.Files.(keeper); ok {
		if have, err = k.Cached(ctx, at); err != nil {
			return plan, err
		}
	}
	if have != "" {
		plan.Same = fmt.Sprintf("File is cached to %s", have)
		return plan, w.expect(ctx, c.want)
	}
	plan.Would = fmt.Sprintf("File %s is set to be cached", c.Name)
	changes := hashChange(nil, w.sums["sha256"])
	plan.Steps = []module.Step{{Changes: changes, Do: func(ctx context.Context) (done module.Done, err error) {
		have, err := c.host.Files.Fetch(ctx, at)
		if err != nil {
			return done, err
		}
		return module.Done{Changes: changes, Comment: fmt.Sprintf("File is cached to %s", have)}, w.expect(ctx, c.want)
	}}}
	return plan, nil
}

func hashChange(old any, new string) *value.Dict {
	return value.NewDict("hash", value.NewDict("old", old, "new", new))
}

// web looks at a file of the web, which is kept by its name.
func (c *caching) web(ctx context.Context) (plan module.Plan, err error) {
	if c.host.HTTP == nil {
		return plan, errors.New("cannot fetch: this host may not ask the web")
	}
	name, err := WebCopy(c.Name, cmp.Or(c.Saltenv, "base"))
	if err != nil {
		return plan, err
	}
	s, err := find(c.host, name, false)
	if err != nil {
		return plan, err
	}
	defer s.leave()
	old, err := s.look()
	if err == nil && old != nil && !old.isFile() {
		err = fmt.Errorf("cannot keep %s: a %s is at %s", withoutSecrets(c.Name), old.kind(), name)
	}
	if err != nil {
		return plan, err
	}
	w, mark, err := c.newer(ctx, name, old)
	if err != nil {
		return plan, err
	}
	plan.Same = fmt.Sprintf("File is cached to %s", name)
	if w == nil {
		return plan, nil
	}
	have, err := c.kept(ctx, s, old, w)
	if err != nil || have == w.sums.digits() {
		plan.Same += " with hash " + w.sums.digits()
		return plan, err
	}
	plan.Would = fmt.Sprintf("File %s is set to be cached", withoutSecrets(c.Name))
	plan.Did = fmt.Sprintf("File is cached to %s", name)
	changes := hashChange(have, w.sums.digits())
	if old == nil {
		changes = hashChange(nil, w.sums.digits())
	}
	plan.Steps = []module.Step{doing(changes, func(ctx context.Context) error { return c.keep(ctx, s, old, w, name, mark) })}
	return plan, nil
}

// newer is the content that the copy is to have, nil when the server says that it is the same as before.
func (c *caching) newer(ctx context.Context, name string, old *info) (w *wanted, mark string, err error) {
	source := c.Name
	w = &wanted{
		from: withoutSecrets(source), sums: c.want, stated: len(c.want) > 0, size: -1, mode: 0o600,
		open: func(ctx context.Context) (io.ReadCloser, error) { return get(ctx, c.host, source) },
	}
	if len(c.want) > 0 {
		return w, "", nil
	}
	if c.Etag && old != nil {
		kept, err := Get(c.host, name+".etag")
		if err != nil {
			return nil, "", err
		}
		mark = strings.TrimSpace(string(kept))
	}
	body, mark, err := getNewer(ctx, c.host, source, mark)
	if body == nil || err != nil {
		return nil, mark, err
	}
	w, err = w.taste(ctx, body)
	return w, mark, err
}

// kept is the hash of the copy, of the kind that is known of the content; "" when there is none.
func (c *caching) kept(ctx context.Context, s *spot, old *info, w *wanted) (string, error) {
	if old == nil {
		return "", nil
	}
	f, err := s.openRead()
	if err != nil {
		return "", err
	}
	defer f.Close()
	got, err := w.sums.of(ctx, f)
	return got.digits(), err
}

// keep writes the copy, and the mark by which the server knows it.
func (c *caching) keep(ctx context.Context, s *spot, old *info, w *wanted, name, mark string) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.makeDirs(rights{uid: -1, gid: -1, mode: modeOf(0o700)}); err != nil {
		return err
	}
	// The old mark would tell of other content.
	if err := Remove(ctx, c.host, name+".etag"); err != nil {
		return err
	}
	s.final = true // nobody compares it with what it is to be
	r := rights{uid: -1, gid: -1, mode: modeOf(0o600)}
	if err := s.put(old, r, func(to io.Writer) error { return w.write(ctx, to) }); err != nil {
		return fmt.Errorf("cannot keep %s: %w", w.from, err)
	}
	if !c.Etag || mark == "" {
		return nil
	}
	return Put(ctx, c.host, name+".etag", []byte(mark+"\n"), 0o600)
}
