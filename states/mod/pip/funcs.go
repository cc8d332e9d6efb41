package pip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// packages are versions by normalised name.
type packages map[string]string

// installed asks what is installed.
func (t *tool) installed(ctx context.Context, options ...string) (packages, error) {
	items, err := t.json(ctx, append([]string{"list", "--format=json"}, options...)...)
	all := packages{}
	for _, p := range items {
		all[normal(p.Name)] = p.Version
	}
	return all, err
}

type listed struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Latest  string `json:"latest_version"`

	Location string `json:"location"` // with --verbose
}

func (t *tool) json(ctx context.Context, args ...string) ([]listed, error) {
	out, err := t.output(ctx, nil, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot list the packages of pip: %w", err)
	}
	var items []listed
	if i := strings.IndexByte(out, '['); i > 0 {
		out = out[i:] // pip may warn first
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&items); err != nil {
		return nil, fmt.Errorf("cannot read the packages that pip lists: %w", err)
	}
	return items, nil
}

func freeze(ctx context.Context, h *host.Host, a place) ([]string, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return nil, err
	}
	out, err := t.output(ctx, nil, "freeze", "--all")
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(out), "\n"), func(l string) bool { return l == "" })
	for i := range lines {
		lines[i] = withoutSecrets(lines[i])
	}
	return lines, err
}

type listArgs struct {
	Prefix string `arg:"prefix" doc:"only packages whose names begin so"`
	place
}

func list(ctx context.Context, h *host.Host, a listArgs) (*value.Dict, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return nil, err
	}
	items, err := t.json(ctx, "list", "--format=json")
	found := &value.Dict{}
	for _, p := range items {
		if strings.HasPrefix(strings.ToLower(p.Name), strings.ToLower(a.Prefix)) {
			found.Put(p.Name, p.Version)
		}
	}
	return found, err
}

func listUpgrades(ctx context.Context, h *host.Host, a place) (*value.Dict, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return nil, err
	}
	items, err := t.json(ctx, "list", "--outdated", "--format=json")
	found := &value.Dict{}
	for _, p := range items {
		found.Put(p.Name, p.Latest)
	}
	return found, err
}

type allVersionsArgs struct {
	Package string `arg:"pkg,required" doc:"the package"`
	place
	IndexURL string `arg:"index_url" doc:"index to ask in place of pypi.org"`
	Alpha    bool   `arg:"include_alpha" doc:"alpha versions too"`
	Beta     bool   `arg:"include_beta" doc:"beta versions too"`
	RC       bool   `arg:"include_rc" doc:"release candidates too"`
}

func allVersions(ctx context.Context, h *host.Host, a allVersionsArgs) ([]string, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return nil, err
	}
	r, err := parseRequirement(a.Package)
	if err != nil || r.name == "" || r.reference {
		return nil, errors.Join(fmt.Errorf("cannot list the versions of %q: it is no name of a package", withoutSecrets(a.Package)), err)
	}
	private, _ := (&installing{IndexURL: a.IndexURL}).args()
	out, err := t.output(ctx, private, "index", "versions", "--pre", r.name)
	if err != nil {
		return nil, err
	}
	_, line, _ := strings.Cut(out, "Available versions:")
	line, _, _ = strings.Cut(line, "\n")
	var all []string
	for _, text := range slices.Backward(strings.Split(line, ",")) {
		text = strings.TrimSpace(text)
		v, err := parseVersion(text)
		if err != nil || v.pre.kind == "a" && !a.Alpha || v.pre.kind == "b" && !a.Beta || v.pre.kind == "rc" && !a.RC || v.dev >= 0 && !a.Alpha {
			continue
		}
		all = append(all, text)
	}
	return all, nil
}

func versionOf(ctx context.Context, h *host.Host, a place) (string, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return "", err
	}
	return t.version(ctx)
}

func (t *tool) version(ctx context.Context) (string, error) {
	out, err := t.output(ctx, nil, "--version")
	if err != nil {
		return "", err
	}
	f := regexp.MustCompile(`^pip (\S+)`).FindStringSubmatch(out)
	if f == nil {
		return "", fmt.Errorf("cannot read the version of pip: it says %q", out)
	}
	return f[1], nil
}

type isInstalledArgs struct {
	Name string `arg:"pkgname,required" doc:"the package; conditions such as foo>=1.2 count"`
	place
}

func isInstalled(ctx context.Context, h *host.Host, a isInstalledArgs) (bool, error) {
	r, err := parseRequirement(a.Name)
	if err != nil {
		return false, err
	}
	t, err := a.find(ctx, h)
	if err != nil {
		return false, err
	}
	have, err := t.installed(ctx)
	return r.met(have), err
}

type installArgs struct {
	Packages     names `arg:"pkgs" doc:"packages, such as django>=4,<5, URLs or paths"`
	Requirements texts `arg:"requirements" doc:"files of requirements: salt://PATH or a path of this host"`
	place
	installing
}

// CheckArgs implements module.Checker.
func (a *installArgs) CheckArgs() error {
	_, err := a.wanted()
	return errors.Join(a.check(), err)
}

func install(ctx context.Context, h *host.Host, a installArgs) (module.Returned, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return module.Returned{}, err
	}
	return t.returned(a.run(ctx, t))
}

// run installs, and returns how pip ended.
func (a *installArgs) run(ctx context.Context, t *tool, options ...string) (host.Output, error) {
	private, args := a.args()
	command := []string{"install"}
	if a.Download != "" {
		command = []string{"download", "--dest", a.Download}
	}
	command = append(append(command, options...), args...)
	files, done, err := local(ctx, t.h, a.Cwd, a.Requirements)
	defer done()
	if err != nil {
		return host.Output{}, err
	}
	for _, f := range files {
		command = append(command, "--requirement", f)
	}
	for _, e := range a.Editable {
		command = append(command, "--editable", e)
	}
	for _, p := range a.Packages {
		if _, err := parseRequirement(p); err != nil {
			return host.Output{}, err
		}
		command = append(command, p)
	}
	if len(a.Packages)+len(files)+len(a.Editable) == 0 {
		return host.Output{}, errors.New("cannot install nothing: give pkgs, requirements or editable")
	}
	return t.exec(ctx, private, command...)
}

// exec runs pip to whatever end.
func (t *tool) exec(ctx context.Context, private []string, args ...string) (host.Output, error) {
	c, err := t.command(private, args...)
	if err != nil {
		return host.Output{}, err
	}
	out, err := t.h.Exec(ctx, c)
	if err != nil {
		return out, fmt.Errorf("cannot run pip: %w", err)
	}
	return out, nil
}

// returned is what Salt's functions return of a run of pip.
func (t *tool) returned(out host.Output, err error) (module.Returned, error) {
	if err != nil {
		return module.Returned{}, err
	}
	text := func(b []byte) string { return withoutSecrets(strings.TrimRight(string(b), "\n")) }
	return module.Returned{Retcode: out.Code, Value: value.NewDict("pid", int64(out.PID), "retcode", int64(out.Code),
		"stdout", text(out.Stdout), "stderr", text(out.Stderr))}, nil
}

type uninstallArgs struct {
	Packages     names  `arg:"pkgs" doc:"packages"`
	Requirements texts  `arg:"requirements" doc:"files of requirements whose packages go: salt://PATH or a path of this host"`
	BinEnv       string `arg:"bin_env,alias=pip_bin" doc:"a virtual environment, or the path of a pip or a python; python3 -m pip when absent"`
	network
	running
}

func uninstall(ctx context.Context, h *host.Host, a uninstallArgs) (module.Returned, error) {
	t, err := place{a.BinEnv, a.running}.find(ctx, h)
	if err != nil {
		return module.Returned{}, err
	}
	return t.returned(a.run(ctx, t))
}

func (a *uninstallArgs) run(ctx context.Context, t *tool) (host.Output, error) {
	private, args := a.args()
	command := append([]string{"uninstall", "--yes"}, args...)
	files, done, err := local(ctx, t.h, a.Cwd, a.Requirements)
	defer done()
	if err != nil {
		return host.Output{}, err
	}
	for _, f := range files {
		command = append(command, "--requirement", f)
	}
	for _, p := range a.Packages {
		r, err := parseRequirement(p)
		if err != nil {
			return host.Output{}, err
		}
		if r.name == "" {
			return host.Output{}, fmt.Errorf("cannot remove %q: it has no name", withoutSecrets(p))
		}
		command = append(command, r.name)
	}
	if len(a.Packages)+len(files) == 0 {
		return host.Output{}, errors.New("cannot remove nothing: give pkgs or requirements")
	}
	return t.exec(ctx, private, command...)
}

func upgrade(ctx context.Context, h *host.Host, a place) (*value.Dict, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return nil, err
	}
	items, err := t.json(ctx, "list", "--outdated", "--format=json")
	if err != nil {
		return nil, err
	}
	return t.upgrade(ctx, items)
}

// upgrade brings packages to their newest versions, and returns what changed.
func (t *tool) upgrade(ctx context.Context, items []listed) (*value.Dict, error) {
	if len(items) == 0 {
		return &value.Dict{}, nil
	}
	before, err := t.installed(ctx)
	if err != nil {
		return nil, err
	}
	args := []string{"install", "--upgrade"}
	for _, p := range items {
		args = append(args, p.Name)
	}
	out, err := t.exec(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	after, err := t.installed(ctx)
	return differences(before, after), errors.Join(failure("upgrade", out), err)
}

// differences are old and new versions by name, in order of name.
func differences(before, after packages) *value.Dict {
	all := &value.Dict{}
	every := maps.Clone(before)
	maps.Copy(every, after)
	for _, name := range slices.Sorted(maps.Keys(every)) {
		if before[name] != after[name] {
			all.Put(name, value.NewDict("old", before[name], "new", after[name]))
		}
	}
	return all
}

// failure is the error of a run of pip that ended with another status than 0.
func failure(what string, out host.Output) error {
	if out.Code == 0 {
		return nil
	}
	said := strings.TrimSpace(strings.TrimSpace(string(out.Stdout)) + "\n" + string(out.Stderr))
	return fmt.Errorf("cannot %s: pip ended with %d: %s", what, out.Code, withoutSecrets(said))
}
