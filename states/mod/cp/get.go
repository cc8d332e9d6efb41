package cp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// Fetch returns where a file is on this machine, which only may be read: one of masters (salt://), of the web, or of the
// host. errors.Is(err, fs.ErrNotExist) when there is none.
func Fetch(ctx context.Context, h *host.Host, from, saltenv string) (string, error) {
	return fetch(ctx, h, from, saltenv, "")
}

// fetch returns where a file is on this machine. What comes from the web is kept in the minion's cache.
func fetch(ctx context.Context, h *host.Host, from, saltenv, hash string) (string, error) {
	switch {
	case strings.HasPrefix(from, "salt://"):
		if h.Files == nil {
			return "", errNoFiles
		}
		return h.Files.Fetch(ctx, ofEnv(from, saltenv))
	case strings.HasPrefix(from, "http://"), strings.HasPrefix(from, "https://"):
		return download(ctx, h, from, cmp.Or(saltenv, "base"), hash)
	}
	name := strings.TrimPrefix(from, "file://")
	if !path.IsAbs(name) {
		return "", fmt.Errorf("cannot fetch %q: want salt://PATH, https://HOST/PATH or an absolute path", withoutSecrets(from))
	}
	local := h.Path(name)
	st, err := os.Stat(local)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("cannot fetch %s: it is no regular file", name)
	}
	return local, err
}

type cacheArgs struct {
	pathArgs
	SourceHash string `arg:"source_hash" doc:"hash of what comes by http(s), as TYPE=digits or digits; it is fetched again only when it differs"`
	VerifySSL  bool   `arg:"verify_ssl" default:"true" doc:"false is refused"`
	Etag       bool   `arg:"use_etag" doc:"taken for Salt's sake"`
}

var errCertificate = errors.New(`argument "verify_ssl": false lets anyone answer in the server's place: let this host trust its certificate`)

func (a cacheArgs) CheckArgs() error {
	if !a.VerifySSL {
		return errCertificate
	}
	return checkHash(a.SourceHash)
}

// cacheFile returns where the copy of a file is, and false when there is no such file, as Salt does.
func cacheFile(ctx context.Context, h *host.Host, a cacheArgs) (any, error) {
	local, err := fetch(ctx, h, a.Path, a.Saltenv, a.SourceHash)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return nil, err
	}
	return seen(h, local), nil
}

type cacheFilesArgs struct {
	Paths []string `arg:"paths,required" doc:"the files, each as salt://PATH or https://HOST/PATH"`
	envArgs
}

func cacheFiles(ctx context.Context, h *host.Host, a cacheFilesArgs) ([]any, error) {
	all := []any{}
	for _, p := range a.Paths {
		for p := range strings.SplitSeq(p, ",") {
			local, err := cacheFile(ctx, h, cacheArgs{pathArgs: pathArgs{p, a.envArgs}})
			if err != nil {
				return nil, err
			}
			all = append(all, local)
		}
	}
	return all, nil
}

type cacheDirArgs struct {
	pathArgs
	Empty   bool   `arg:"include_empty" doc:"taken for Salt's sake: a tree has no directories without files"`
	Include string `arg:"include_pat" doc:"only files whose path this glob matches, or with E@ this regular expression"`
	Exclude string `arg:"exclude_pat" doc:"no files whose path this glob matches, or with E@ this regular expression"`
}

func cacheDir(ctx context.Context, h *host.Host, a cacheDirArgs) ([]string, error) {
	if h.Files == nil {
		return nil, errNoFiles
	}
	paths, err := h.Files.List(ctx, ofEnv(a.Path, a.Saltenv))
	locals := []string{}
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		in, err1 := matches(a.Include, p, true)
		out, err2 := matches(a.Exclude, p, false)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if !in || out {
			continue
		}
		local, err := h.Files.Fetch(ctx, ofEnv(strings.TrimRight(a.Path, "/")+"/"+p, a.Saltenv))
		if err != nil {
			return nil, err
		}
		locals = append(locals, seen(h, local))
	}
	return locals, nil
}

func matches(pattern, name string, without bool) (bool, error) {
	if pattern == "" {
		return without, nil
	}
	if expression, ok := strings.CutPrefix(pattern, "E@"); ok {
		re, err := regexp.Compile(expression)
		if err != nil {
			return false, fmt.Errorf("cannot read the pattern %q: %w", pattern, err)
		}
		return re.MatchString(name), nil
	}
	ok, err := path.Match(pattern, name)
	if base, _ := path.Match(pattern, path.Base(name)); base {
		ok = true
	}
	return ok, err
}

func cacheMaster(ctx context.Context, h *host.Host, a envArgs) ([]string, error) {
	return cacheDir(ctx, h, cacheDirArgs{pathArgs: pathArgs{"salt://", a}})
}

type localArgs struct {
	Path string `arg:"path,required" doc:"the absolute path of a file of this host"`
}

// cacheLocal copies a file of the host into the minion's cache.
func cacheLocal(_ context.Context, h *host.Host, a localArgs) (string, error) {
	from, err := os.Open(h.Path(a.Path))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !path.IsAbs(a.Path) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer from.Close()
	name := path.Join(cacheRoot, "localfiles", a.Path)
	return name, keep(h, name, func(w io.Writer) error { _, err := io.Copy(w, from); return err })
}

type destArgs struct {
	Path string `arg:"path,required" doc:"salt://PATH, https://HOST/PATH or the absolute path of a file of this host"`
	Dest string `arg:"dest,required" doc:"where it goes; into a directory that is there, or when it ends with a slash, by its name"`
	envArgs
	MakeDirs bool   `arg:"makedirs" doc:"make the directories that are missing above dest"`
	Template string `arg:"template" doc:"render path and dest, by jinja"`
	Gzip     any    `arg:"gzip" doc:"taken for Salt's sake"`
}

func getFile(ctx context.Context, h *host.Host, a destArgs) (string, error) {
	return a.get(ctx, h, true)
}

// get puts the file in its place. Alone says that it is the only one.
func (a *destArgs) get(ctx context.Context, h *host.Host, alone bool) (string, error) {
	if err := a.render(ctx, h); err != nil {
		return "", err
	}
	if strings.HasPrefix(a.Path, "salt://") {
		return a.pour(ctx, h, alone)
	}
	local, err := fetch(ctx, h, a.Path, a.Saltenv, "")
	if err != nil {
		return "", fmt.Errorf("cannot get %s: %w", withoutSecrets(a.Path), err)
	}
	return a.copyTo(h, local)
}

// pour puts a file of masters in its place, with its mode when it is new, unless it is there already.
func (a *destArgs) pour(ctx context.Context, h *host.Host, alone bool) (string, error) {
	f, err := served(ctx, h, a.Path, a.Saltenv)
	if err != nil {
		return "", fmt.Errorf("cannot get %s: %w", a.Path, err)
	}
	name := a.place(h)
	if st, err := os.Stat(h.Path(name)); err == nil && st.Mode().IsRegular() && st.Size() == f.Size {
		if sum, err := localSum(h, name); err == nil && sum == f.SHA256 {
			return name, nil
		}
	}
	return a.put(h, f.Mode.Perm(), alone, func(w io.Writer) error { return host.Pour(ctx, h.Files, ofEnv(a.Path, a.Saltenv), w) })
}

// render makes the names of templates.
func (a *destArgs) render(ctx context.Context, h *host.Host) error {
	if a.Template == "" {
		return nil
	}
	for name, text := range map[string]*string{"path": &a.Path, "dest": &a.Dest} {
		out, err := rendered(ctx, h, a.Template, name, *text, a.Saltenv, nil)
		if err != nil {
			return err
		}
		*text = out
	}
	return nil
}

func rendered(ctx context.Context, h *host.Host, engine, name, text, saltenv string, vars *value.Dict) (string, error) {
	if h.Render == nil {
		return "", errors.New("cannot render: this host has no engine for templates")
	}
	out, err := h.Render.Render(ctx, host.Template{Engine: engine, Name: name, Text: []byte(text), Saltenv: saltenv, Context: vars})
	return string(out), err
}

// copyTo puts a local file in its place.
func (a *destArgs) copyTo(h *host.Host, local string) (string, error) {
	from, err := os.Open(local)
	if err != nil {
		return "", err
	}
	defer from.Close()
	return a.put(h, 0o644, true, func(w io.Writer) error { _, err := io.Copy(w, from); return err })
}

// place is where dest means the file to be.
func (a *destArgs) place(h *host.Host) string {
	name := path.Clean(a.Dest)
	if st, err := os.Stat(h.Path(a.Dest)); strings.HasSuffix(a.Dest, "/") || err == nil && st.IsDir() {
		name = path.Join(name, path.Base(strings.SplitN(a.Path, "?", 2)[0]))
	}
	return name
}

// put writes a file to dest and returns where that is.
func (a *destArgs) put(h *host.Host, bits fs.FileMode, alone bool, write func(io.Writer) error) (string, error) {
	if !path.IsAbs(a.Dest) {
		return "", fmt.Errorf("cannot write to %q: want an absolute path", a.Dest)
	}
	name := a.place(h)
	p := place{name: name, path: h.Path(name), file: &file{mode: bits, write: write}}
	err := p.look(h)
	if err == nil && len(p.dirs) > 0 && !a.MakeDirs {
		err = fmt.Errorf("the directory %s is not there (makedirs makes it)", seen(h, p.dirs[0]))
	}
	if err == nil {
		err = p.write(h, recvArgs{}, -1, -1, alone)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write %s: %w", name, err)
	}
	return name, nil
}

// getDir gets all files below a directory, into a directory of its name below dest, as Salt does.
func getDir(ctx context.Context, h *host.Host, a destArgs) ([]string, error) {
	if err := a.render(ctx, h); err != nil {
		return nil, err
	}
	if h.Files == nil || !strings.HasPrefix(a.Path, "salt://") {
		return nil, fmt.Errorf("cannot get the directory %s: want salt://PATH of a site with masters", withoutSecrets(a.Path))
	}
	dir := strings.TrimRight(a.Path, "/")
	paths, err := h.Files.List(ctx, ofEnv(dir, a.Saltenv))
	if err == nil && len(paths) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get the directory %s: %w", a.Path, err)
	}
	done := []string{}
	for _, p := range paths {
		one := a
		one.Path, one.Template, one.MakeDirs = dir+"/"+p, "", true
		one.Dest = path.Join(a.Dest, path.Base(strings.TrimPrefix(dir, "salt:/")), p)
		name, err := one.get(ctx, h, false)
		if err != nil {
			return nil, err
		}
		done = append(done, name)
	}
	return done, nil
}

type templateArgs struct {
	Path string `arg:"path,required" doc:"the template, as salt://PATH, https://HOST/PATH or an absolute path"`
	Dest string `arg:"dest,required" doc:"where what it makes goes"`
	envArgs
	Template string      `arg:"template" default:"jinja" doc:"what renders it"`
	MakeDirs bool        `arg:"makedirs" doc:"make the directories that are missing above dest"`
	Vars     *value.Dict `arg:"kwargs,named" doc:"variables of the template"`
}

func getTemplate(ctx context.Context, h *host.Host, a templateArgs) (string, error) {
	local, err := fetch(ctx, h, a.Path, a.Saltenv, "")
	if err != nil {
		return "", fmt.Errorf("cannot get %s: %w", withoutSecrets(a.Path), err)
	}
	text, err := readText(local, a.Path)
	if err == nil {
		text, err = rendered(ctx, h, a.Template, a.Path, text, a.Saltenv, a.Vars)
	}
	if err != nil {
		return "", err
	}
	d := destArgs{Path: a.Path, Dest: a.Dest, MakeDirs: a.MakeDirs}
	return d.put(h, 0o644, true, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
}

type urlArgs struct {
	Path string `arg:"path,required" doc:"https://HOST/PATH, salt://PATH or the absolute path of a file of this host"`
	Dest any    `arg:"dest" default:"''" doc:"where it goes; empty: into the minion's cache; null: nowhere, it is returned as text"`
	envArgs
	MakeDirs   bool   `arg:"makedirs" doc:"make the directories that are missing above dest"`
	SourceHash string `arg:"source_hash" doc:"hash of what comes by http(s), as TYPE=digits or digits"`
	VerifySSL  bool   `arg:"verify_ssl" default:"true" doc:"false is refused"`
	Etag       bool   `arg:"use_etag" doc:"taken for Salt's sake"`
}

func (a urlArgs) CheckArgs() error {
	if !a.VerifySSL {
		return errCertificate
	}
	if _, ok := a.Dest.(string); !ok && a.Dest != nil {
		return fmt.Errorf(`argument "dest": want a path, got %v`, a.Dest)
	}
	return checkHash(a.SourceHash)
}

func getURL(ctx context.Context, h *host.Host, a urlArgs) (string, error) {
	if dest, _ := a.Dest.(string); dest != "" && strings.HasPrefix(a.Path, "salt://") {
		d := destArgs{Path: a.Path, Dest: dest, envArgs: a.envArgs, MakeDirs: a.MakeDirs}
		return d.pour(ctx, h, true)
	}
	local, err := fetch(ctx, h, a.Path, a.Saltenv, a.SourceHash)
	if err != nil {
		return "", fmt.Errorf("cannot get %s: %w", withoutSecrets(a.Path), err)
	}
	switch dest := a.Dest.(type) {
	case nil:
		return readText(local, a.Path)
	case string:
		if dest != "" {
			d := destArgs{Path: a.Path, Dest: dest, envArgs: a.envArgs, MakeDirs: a.MakeDirs}
			return d.copyTo(h, local)
		}
	}
	return seen(h, filepath.Clean(local)), nil
}
