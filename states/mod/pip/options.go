package pip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// network are options of pip for what is fetched. They may hold passwords.
type network struct {
	Log     string `arg:"log" doc:"file that pip logs to"`
	Proxy   string `arg:"proxy" doc:"proxy, such as http://user:password@proxy:3128"`
	Timeout int    `arg:"timeout" doc:"seconds that pip waits for a server"`
}

func (n network) args() (private, args []string) {
	if n.Log != "" {
		args = append(args, "--log", n.Log)
	}
	if n.Proxy != "" {
		private = append(private, "PIP_PROXY="+n.Proxy)
	}
	if n.Timeout > 0 {
		args = append(args, fmt.Sprintf("--timeout=%d", n.Timeout))
	}
	return private, args
}

// installing are the options of an installation.
type installing struct {
	network
	Editable         texts    `arg:"editable" doc:"directories or URLs to install in place"`
	FindLinks        texts    `arg:"find_links" doc:"files, directories or URLs that hold packages"`
	IndexURL         string   `arg:"index_url" doc:"index to use in place of pypi.org"`
	ExtraIndexURL    texts    `arg:"extra_index_url" doc:"further indexes"`
	NoIndex          bool     `arg:"no_index" doc:"use find_links alone"`
	Mirrors          texts    `arg:"mirrors" doc:"taken for Salt: further indexes, as no pip knows mirrors any more"`
	TrustedHost      texts    `arg:"trusted_host" doc:"hosts to trust without a valid certificate"`
	Cert             string   `arg:"cert" doc:"file of certificates to trust"`
	Target           string   `arg:"target" doc:"directory to install into"`
	Build            string   `arg:"build" doc:"directory for building"`
	Source           string   `arg:"source" doc:"directory to check editable packages out to"`
	Download         string   `arg:"download" doc:"only download, into this directory"`
	DownloadCache    string   `arg:"download_cache" doc:"as cache_dir"`
	CacheDir         string   `arg:"cache_dir" doc:"directory of pip's cache"`
	NoCacheDir       bool     `arg:"no_cache_dir" doc:"use no cache"`
	Upgrade          bool     `arg:"upgrade" doc:"bring packages to the newest version that is wanted"`
	ForceReinstall   bool     `arg:"force_reinstall" doc:"install again what is installed"`
	IgnoreInstalled  bool     `arg:"ignore_installed" doc:"install without looking at what is installed"`
	ExistsAction     string   `arg:"exists_action" doc:"what to do with a directory that is there: s(witch), i(gnore), w(ipe), b(ackup)"`
	NoDeps           bool     `arg:"no_deps" doc:"install no dependencies"`
	PreReleases      bool     `arg:"pre_releases" doc:"take pre-releases too"`
	NoBinary         texts    `arg:"no_binary" doc:"packages to build from source, or :all:"`
	NoBuildIsolation bool     `arg:"no_build_isolation" doc:"build with what is installed"`
	DisableCheck     bool     `arg:"disable_version_check" doc:"taken for Salt: pip is never asked about itself"`
	InstallOptions   texts    `arg:"install_options" doc:"options of setup.py install, for an old pip"`
	GlobalOptions    texts    `arg:"global_options" doc:"options of setup.py"`
	ExtraArgs        extra    `arg:"extra_args" doc:"further options of pip: a list of options, or maps of an option and its value"`
	UseWheel         bool     `arg:"use_wheel" doc:"taken for Salt: pip always uses wheels"`
	NoUseWheel       bool     `arg:"no_use_wheel" doc:"build everything from source"`
	Unverified       obsolete `arg:"allow_unverified" doc:"refused: no pip since 10 has it"`
	External         obsolete `arg:"allow_external" doc:"refused: no pip since 10 has it"`
	AllExternal      bool     `arg:"allow_all_external" doc:"refused: no pip since 10 has it"`
	DependencyLinks  bool     `arg:"process_dependency_links" doc:"refused: no pip since 19 has it"`
	NoInstall        bool     `arg:"no_install" doc:"refused: no pip since 7 has it; use download"`
	NoDownload       bool     `arg:"no_download" doc:"refused: no pip since 7 has it"`
}

type obsolete any

func (o *installing) check() error {
	var errs []error
	for _, c := range []struct {
		set  bool
		name string
	}{
		{o.Unverified != nil, "allow_unverified"}, {o.External != nil, "allow_external"}, {o.AllExternal, "allow_all_external"},
		{o.DependencyLinks, "process_dependency_links"}, {o.NoInstall, "no_install"}, {o.NoDownload, "no_download"},
	} {
		if c.set {
			errs = append(errs, fmt.Errorf("cannot use %q: pip has no such option any more", c.name))
		}
	}
	if o.NoIndex && (o.IndexURL != "" || len(o.ExtraIndexURL) > 0) {
		errs = append(errs, errors.New(`cannot use both "no_index" and "index_url" or "extra_index_url"`))
	}
	if o.ExistsAction != "" && (len(o.ExistsAction) != 1 || !strings.Contains("siwba", o.ExistsAction)) {
		errs = append(errs, fmt.Errorf("cannot use the exists_action %q: want s, i, w, b or a", o.ExistsAction))
	}
	for _, link := range o.FindLinks {
		if u, err := url.Parse(link); err != nil || u.Scheme == "" && !path.IsAbs(link) {
			errs = append(errs, fmt.Errorf("cannot use find_links %q: want a URL or an absolute path", withoutSecrets(link)))
		}
	}
	return errors.Join(errs...)
}

// args are pip's options; private are those that may hold a password.
func (o *installing) args() (private, args []string) {
	private, args = o.network.args()
	secret := func(name string, values ...string) {
		if text := strings.Join(values, " "); text != "" {
			private = append(private, name+"="+text)
		}
	}
	secret("PIP_INDEX_URL", o.IndexURL)
	secret("PIP_EXTRA_INDEX_URL", append(append([]string{}, o.ExtraIndexURL...), o.Mirrors...)...)
	secret("PIP_FIND_LINKS", o.FindLinks...)
	flag := func(on bool, name string) {
		if on {
			args = append(args, name)
		}
	}
	flag(o.NoIndex, "--no-index")
	flag(o.Upgrade, "--upgrade")
	flag(o.ForceReinstall, "--force-reinstall")
	flag(o.IgnoreInstalled, "--ignore-installed")
	flag(o.NoDeps, "--no-deps")
	flag(o.PreReleases, "--pre")
	flag(o.NoCacheDir, "--no-cache-dir")
	flag(o.NoBuildIsolation, "--no-build-isolation")
	if o.NoUseWheel && len(o.NoBinary) == 0 {
		args = append(args, "--no-binary=:all:")
	}
	for _, option := range []struct {
		name   string
		values []string
	}{
		{"--trusted-host", o.TrustedHost}, {"--cert", []string{o.Cert}}, {"--target", []string{o.Target}},
		{"--build", []string{o.Build}}, {"--src", []string{o.Source}}, {"--exists-action", []string{o.ExistsAction}},
		{"--cache-dir", []string{cmp.Or(o.CacheDir, o.DownloadCache)}}, {"--no-binary", o.NoBinary},
		{"--install-option", o.InstallOptions}, {"--global-option", o.GlobalOptions},
	} {
		for _, v := range option.values {
			if v != "" {
				args = append(args, option.name+"="+v)
			}
		}
	}
	return private, append(args, o.ExtraArgs...)
}

// extra are options as a list of texts and maps.
type extra []string

func (e *extra) ArgType() string { return "list of options, or of maps of an option and its value" }

func (e *extra) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		pairs, isMap := item.Pairs()
		if !isMap {
			pairs = [][2]module.Value{{item, {}}}
		}
		for _, pair := range pairs {
			name, err := pair[0].Str()
			if err != nil || !strings.HasPrefix(name, "-") {
				return v.Want("options of pip, such as --no-warn-script-location")
			}
			*e = append(*e, name)
			if val := pair[1]; isMap && val.Data != nil {
				text, err := val.Str()
				if err != nil {
					return v.Want("an option of pip and its value")
				}
				*e = append(*e, text)
			}
		}
	}
	return nil
}

// texts is one text or a list of them; one may have commas between them.
type texts []string

func (t *texts) ArgType() string { return "text or list of text" }

func (t *texts) ParseArg(v module.Value) error {
	parts, err := v.Split("text or list of text")
	*t = append(*t, parts...)
	return err
}

// names are packages: a list, a map with versions, or text with commas, of which those in a condition stay.
type names []string

func (n *names) ArgType() string { return "text or list of text" }

func (n *names) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("names of packages")
		}
		for part := range strings.SplitSeq(text, ",") {
			part = strings.TrimSpace(part)
			switch last := len(*n) - 1; {
			case part == "":
			case strings.ContainsAny(part[:1], "<>=!~") && last >= 0:
				(*n)[last] += "," + part
			default:
				*n = append(*n, part)
			}
		}
	}
	return nil
}

// local makes files of this host out of files of requirements, some of which masters serve. Call done when they were
// read.
func local(ctx context.Context, h *host.Host, cwd string, files []string) (paths []string, done func(), err error) {
	done = func() {}
	for _, file := range files {
		if rest, ok := strings.CutPrefix(file, "salt://"); ok {
			dir, err := os.MkdirTemp("", "brine-pip-")
			if err != nil {
				return nil, done, err
			}
			before := done
			done = func() { before(); os.RemoveAll(dir) }
			if err := os.Chmod(dir, 0o755); err != nil { // pip may run as another user
				return nil, done, err
			}
			rest, query, _ := strings.Cut(rest, "?")
			if err := copyServed(ctx, h, dir, rest, query, map[string]bool{}); err != nil {
				return nil, done, err
			}
			paths = append(paths, filepath.Join(dir, filepath.FromSlash(path.Clean("/"+rest))))
			continue
		}
		if !path.IsAbs(file) && cwd == "" {
			return nil, done, fmt.Errorf("cannot use the file of requirements %q: want salt://PATH, an absolute path, or cwd", file)
		}
		name := file
		if !path.IsAbs(file) {
			name = path.Join(cwd, file)
		}
		if _, err := os.Stat(h.Path(name)); err != nil {
			return nil, done, module.Unknown("cannot find the file of requirements %s: %w", name, err)
		}
		paths = append(paths, h.Path(name))
	}
	return paths, done, nil
}

// copyServed copies a file that masters serve, and those that it names, to a directory, in the same places.
func copyServed(ctx context.Context, h *host.Host, dir, name, query string, seen map[string]bool) error {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if seen[name] || len(seen) > 100 {
		return nil
	}
	seen[name] = true
	if h.Files == nil {
		return errors.New("cannot fetch a file of requirements: no master serves files here")
	}
	source := "salt://" + name
	if query != "" {
		source += "?" + query
	}
	cached, err := h.Files.Fetch(ctx, source)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(cached)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		return err
	}
	for _, other := range included(string(data)) {
		if err := copyServed(ctx, h, dir, path.Join(path.Dir(name), other), query, seen); err != nil {
			return err
		}
	}
	return nil
}

// included are the files that a file of requirements names by relative paths.
func included(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, option := range []string{"-r", "--requirement", "-c", "--constraint"} {
			rest, ok := strings.CutPrefix(line, option)
			if !ok || rest == "" || !strings.ContainsAny(rest[:1], " =\t") && len(option) > 2 {
				continue
			}
			name, _, _ := strings.Cut(strings.TrimLeft(rest, " =\t"), " ")
			if name != "" && !path.IsAbs(name) && !strings.Contains(name, "://") {
				all = append(all, name)
			}
		}
	}
	return all
}
