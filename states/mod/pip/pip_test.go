package pip_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/pip"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const python = "/srv/app/venv/bin/python"

// A fakePip is a pip whose packages are a map.
type fakePip struct {
	*hosttest.Host
	have    map[string]string
	answers map[string]func() string // of commands that only look
	env     []string                 // of the last command that changed something
}

// newPip makes a virtual environment with packages on a host.
func newPip(t testing.TB, have map[string]string) *fakePip {
	f := &fakePip{Host: hosttest.New(t), have: have, answers: map[string]func() string{}}
	f.Write(python, "")
	if err := os.Chmod(f.Path(python), 0o755); err != nil {
		t.Fatal(err)
	}
	next := f.Host.Host.Exec
	f.Host.Host.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		if look := f.answers[strings.Join(c.Argv, " ")]; look != nil {
			return host.Output{Stdout: []byte(look())}, nil
		}
		return next(ctx, c)
	}
	f.answer("list --format=json", func() string { return f.json() })
	f.answer("list --verbose --format=json", func() string { return f.json() })
	f.answer("--version", func() string { return "pip 23.0.1 from /somewhere (python 3.11)\n" })
	return f
}

func (f *fakePip) command(line string) string { return f.Path(python) + " -m pip " + line }

func (f *fakePip) json() string {
	items := value.NewList()
	for name, v := range f.have {
		items.Items = append(items.Items, value.NewDict("name", name, "version", v))
	}
	data, _ := value.MarshalJSON(items)
	return "WARNING: old\n" + string(data) + "\n"
}

func (f *fakePip) answer(line string, out func() string) { f.answers[f.command(line)] = out }

func (f *fakePip) change(line string, do func() host.Output) {
	f.Change(f.command(line), func(c host.Command) (host.Output, error) {
		f.env = c.Env
		return do(), nil
	})
}

// installs scripts an installation that ends well.
func (f *fakePip) installs(line, name, version string) {
	f.change(line, func() host.Output {
		f.have[name] = version
		return host.Output{Stdout: []byte("Successfully installed " + name + "-" + version + "\n")}
	})
}

func TestModule(t *testing.T) {
	moduletest.Run(t, pip.Module, moduletest.Options{
		Host: func(t testing.TB) *hosttest.Host {
			f := newPip(t, map[string]string{"Django": "3.2"})
			f.installs("install django>=4,<5", "Django", "4.2")
			f.change("uninstall --yes django", func() host.Output { delete(f.have, "Django"); return host.Output{} })
			f.answer("list --outdated --format=json", func() string {
				if f.have["Django"] == "5.0" {
					return "[]"
				}
				return `[{"name": "Django", "version": "3.2", "latest_version": "5.0"}]`
			})
			f.installs("install --upgrade Django", "Django", "5.0")
			return f.Host
		},
		Afterwards: []string{"installed"},
	})
}

func run(t *testing.T, f *fakePip, state string, test bool, args ...any) module.Result {
	t.Helper()
	s, err := module.NewIndex(pip.Module).State("pip." + state)
	if err != nil {
		t.Fatal(err)
	}
	var in module.Input
	for i := 0; i < len(args); i += 2 {
		in.Args = append(in.Args, module.Arg{Name: args[i].(string), Value: module.Data(args[i+1])})
	}
	b, err := s.Bind(in)
	if err != nil { // found before anything runs
		no := false
		return module.Result{Result: &no, Changes: value.NewDict(), Comment: err.Error()}
	}
	return b.Run(t.Context(), f.Host.Host, test)
}

func shown(r module.Result) string {
	result := "None"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	changes, _ := value.MarshalJSON(r.Changes)
	return result + " " + string(changes) + " " + r.Comment
}

func TestInstalled(t *testing.T) {
	venv := []any{"bin_env", "/srv/app/venv"}
	list := func(items ...any) *value.List { return value.NewList(items...) }
	for name, c := range map[string]struct {
		args []any
		test bool
		want string
	}{
		"there":          {[]any{"name", "PyYAML"}, false, "true {} Python package PyYAML was already installed"},
		"another name":   {[]any{"name", "py_yaml>=5"}, false, "true {} Python package py_yaml>=5 was already installed"},
		"all there":      {[]any{"name", "x", "pkgs", list("pyyaml", "requests[socks]~=2.28")}, false, "true {} All specified packages are already installed"},
		"too old":        {[]any{"name", "requests>=2.30"}, true, `None {"requests>=2.30":"Installed"} Python package(s) set to be installed: requests>=2.30`},
		"too old, run":   {[]any{"name", "requests>=2.30"}, false, `true {"requests==2.31":"Installed"} All packages were successfully installed`},
		"some there":     {[]any{"name", "x", "pkgs", list("pyyaml", "requests>=2.30")}, true, `None {"requests>=2.30":"Installed"} Python package(s) set to be installed: requests>=2.30`},
		"fails":          {[]any{"name", "nosuch"}, false, "false {} cannot install packages: pip ended with 1: looking at https://***@index/\nno such package"},
		"again":          {[]any{"name", "requests", "force_reinstall", true}, false, `true {"requests==2.28.1":"Installed"} All packages were successfully installed`},
		"upgrade":        {[]any{"name", "requests", "upgrade", true}, true, `None {"requests==2.31":"Installed","idna==3.4":"Installed"} Python package(s) set to be installed: requests==2.31, idna==3.4`},
		"nothing newer":  {[]any{"name", "pyyaml", "upgrade", true}, true, "true {} All specified packages are already installed"},
		"marker":         {[]any{"name", `pyyaml; python_version<"3"`}, true, "true {} All specified packages are already installed"},
		"file, met":      {[]any{"name", "x", "requirements", "salt://app/met.txt"}, false, "true {} All specified packages are already installed"},
		"reference":      {[]any{"name", "git+https://u:p@host/x.git#egg=requests"}, false, "true {} Python package git+https://***@host/x.git#egg=requests was already installed"},
		"no environment": {[]any{"name", "x", "bin_env", "/nowhere"}, false, "false {} cannot find pip: there is no /nowhere"},
		"no program":     {[]any{"name", "x", "bin_env", "/etc/passwd"}, false, "false {} cannot run /etc/passwd: it is no program"},
		"an option":      {[]any{"name", "--break-system-packages"}, false, `false {} cannot install "--break-system-packages": it is an option, no package`},
		"bad version":    {[]any{"name", "x>=1.0.*"}, false, `false {} cannot read the package "x>=1.0.*": >=1.0.*: only == and != may have .*`},
		"obsolete":       {[]any{"name", "x", "no_install", true}, false, `false {} cannot use "no_install": pip has no such option any more`},
	} {
		f := newPip(t, map[string]string{"PyYAML": "6.0.1", "py-yaml": "5.4", "requests": "2.28.1"})
		f.Files.Serve("salt://app/met.txt", "# what we need\npyyaml >= 5  # yaml\nrequests==2.* \\\n  --hash=sha256:00\n", 0o644)
		f.installs("install requests>=2.30", "requests", "2.31")
		f.installs("install pyyaml requests>=2.30", "requests", "2.31")
		f.change("install --force-reinstall requests", func() host.Output {
			return host.Output{Stdout: []byte("Successfully installed requests-2.28.1\n")}
		})
		f.change("install nosuch", func() host.Output {
			return host.Output{Code: 1, Stderr: []byte("no such package"), Stdout: []byte("looking at https://me:pw@index/\n")}
		})
		f.answer("install --dry-run --quiet --report - --upgrade requests", func() string {
			return `{"install": [{"metadata": {"name": "requests", "version": "2.31"}}, {"metadata": {"name": "idna", "version": "3.4"}}]}`
		})
		f.answer("install --dry-run --quiet --report - --upgrade pyyaml", func() string { return `{"install": []}` })
		f.answer(`install --dry-run --quiet --report - pyyaml; python_version<"3"`, func() string { return `{"install": []}` })
		args := c.args
		if !slices.Contains(args, any("bin_env")) {
			args = append(args, venv...)
		}
		if got := shown(run(t, f, "installed", c.test, args...)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// TestADirectoryIsAChangeOnlyWhenItsFilesAre: pip builds it again each time.
func TestADirectoryIsAChangeOnlyWhenItsFilesAre(t *testing.T) {
	f := newPip(t, map[string]string{"my.app": "1.0"})
	const site = "/srv/app/venv/lib/site"
	list := func(file string) {
		f.Write(site+"/my_app-1.0.dist-info/RECORD", file+"\n__pycache__/my.pyc,,\nmy_app-1.0.dist-info/RECORD,,\n")
	}
	f.answer("list --verbose --format=json", func() string {
		return fmt.Sprintf(`[{"name": "my.app", "version": "1.0", "location": %q}]`, f.Path(site))
	})
	f.answer("install --dry-run --quiet --report - /srv/my", func() string {
		return `{"install": [{"is_direct": true, "metadata": {"name": "my.app", "version": "1.0"}}]}`
	})
	list("my.py,sha256=1,4")
	for _, c := range []struct {
		file, test, run string
	}{
		{"my.py,sha256=1,4", "None {} All specified packages are already installed\nWhether my-app has changed is known when it was built again",
			"true {} All specified packages are already installed"},
		{"my.py,sha256=2,4", "", `true {"my-app==1.0":"Installed"} All packages were successfully installed`},
		{"my.py,sha256=2,4", "", "true {} All specified packages are already installed"},
		{"my.py,,", "", `true {"my-app==1.0":"Installed"} All packages were successfully installed`},
		{"my.py,,", "", `true {"my-app==1.0":"Installed"} All packages were successfully installed`},
	} {
		args := []any{"name", "/srv/my", "bin_env", "/srv/app/venv"}
		if c.test != "" {
			if got := shown(run(t, f, "installed", true, args...)); got != c.test {
				t.Errorf("%s: got\n%s\nwant\n%s", c.file, got, c.test)
			}
		}
		f.change("install /srv/my", func() host.Output {
			list(c.file)
			return host.Output{Stdout: []byte("Successfully installed my.app-1.0\n")}
		})
		if got := shown(run(t, f, "installed", false, args...)); got != c.run {
			t.Errorf("%s: got\n%s\nwant\n%s", c.file, got, c.run)
		}
	}
}

// TestSecretsReachPipInItsEnvironment: the list of processes shows arguments to all users of a host.
func TestSecretsReachPipInItsEnvironment(t *testing.T) {
	f := newPip(t, map[string]string{})
	f.installs("install --timeout=5 --cache-dir=/c x", "x", "1")
	r := run(t, f, "installed", false, "name", "x", "bin_env", "/srv/app/venv", "index_url", "https://me:pw@index/simple",
		"extra_index_url", value.NewList("https://a/", "https://b/"), "proxy", "http://me:pw@proxy", "timeout", int64(5),
		"cache_dir", "/c", "env_vars", value.NewDict("A", int64(1)))
	if r.Result == nil || !*r.Result {
		t.Fatal(shown(r))
	}
	for _, want := range []string{"PIP_INDEX_URL=https://me:pw@index/simple", "PIP_EXTRA_INDEX_URL=https://a/ https://b/",
		"PIP_PROXY=http://me:pw@proxy", "PIP_NO_INPUT=1", "A=1", "VIRTUAL_ENV=" + f.Path("/srv/app/venv")} {
		if !slices.Contains(f.env, want) {
			t.Errorf("%s is not set: %q", want, f.env)
		}
	}
	if strings.Contains(shown(r)+strings.Join(f.Ran(), " "), "pw") {
		t.Errorf("the password is shown: %s %v", shown(r), f.Ran())
	}
}

func TestARequirementsFileBringsWhatItIncludes(t *testing.T) {
	f := newPip(t, map[string]string{})
	f.Files.Serve("salt://app/req/all.txt", "-r ../base.txt\n-c limits.txt\nx\n", 0o644)
	f.Files.Serve("salt://app/base.txt", "y\n", 0o644)
	f.Files.Serve("salt://app/req/limits.txt", "y<2\n", 0o644)
	var seen []string
	exec := f.Exec
	f.Host.Host.Exec = hostExec(exec, func(file string) {
		for _, name := range []string{"", "../../base.txt", "../limits.txt"} {
			data, err := os.ReadFile(file + "/../" + strings.TrimPrefix(name, "../"))
			if name == "" {
				data, err = os.ReadFile(file)
			}
			seen = append(seen, fmt.Sprint(string(data), err))
		}
	})
	r := run(t, f, "installed", false, "name", "x", "bin_env", "/srv/app/venv", "requirements", "salt://app/req/all.txt")
	if len(seen) == 0 || !strings.HasPrefix(seen[0], "-r ../base.txt") || r.Result == nil || !*r.Result {
		t.Errorf("got %v, %q", shown(r), seen)
	}
	if _, err := os.Stat(requirementsFile); err == nil {
		t.Errorf("%s is left", requirementsFile)
	}
}

var requirementsFile string

// hostExec looks at the file of requirements of a command that has one.
func hostExec(next host.Exec, look func(string)) host.Exec {
	return func(ctx context.Context, c host.Command) (host.Output, error) {
		if i := slices.Index(c.Argv, "--requirement"); i > 0 {
			requirementsFile = c.Argv[i+1]
			look(requirementsFile)
			return host.Output{}, nil
		}
		return next(ctx, c)
	}
}

func TestRemoved(t *testing.T) {
	f := newPip(t, map[string]string{"a": "1", "b": "2"})
	f.change("uninstall --yes a", func() host.Output { delete(f.have, "a"); return host.Output{} })
	for _, want := range []string{`true {"a":"Removed"} Package was successfully removed.`, "true {} Package is not installed."} {
		if got := shown(run(t, f, "removed", false, "name", "A", "bin_env", "/srv/app/venv")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAHostWithoutPip(t *testing.T) {
	f := newPip(t, nil)
	f.Answer("python3 -m pip list --format=json", host.Output{Code: 1, Stderr: []byte("/usr/bin/python3: No module named pip\n")})
	r := run(t, f, "installed", false, "name", "x")
	if want := "has no module pip; install the package python3-pip"; !strings.Contains(r.Comment, want) || !r.Unknown {
		t.Errorf("got %v, want %s", shown(r), want)
	}
}
