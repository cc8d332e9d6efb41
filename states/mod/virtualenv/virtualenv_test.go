package virtualenv_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/virtualenv"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const venv = "/srv/app/venv"

// newHost has python3 with venv, and no virtualenv.
func newHost(t testing.TB, make string) *hosttest.Host {
	h := hosttest.New(t)
	python := h.Path(venv + "/bin/python")
	list := python + " -m pip list --format=json"
	h.Answer("virtualenv --version", host.Output{Code: 127})
	h.Answer("python3 -m venv --help", host.Output{})
	h.Change(make+h.Path(venv), func(host.Command) (host.Output, error) {
		if err := os.MkdirAll(filepath.Dir(python), 0o755); err != nil {
			return host.Output{}, err
		}
		return host.Output{}, os.WriteFile(python, nil, 0o755)
	})
	h.Answer(python+" -V", host.Output{Stdout: []byte("Python 3.11.2\n")})
	h.Answer(list, host.Output{Stdout: []byte(`[{"name": "pip", "version": "23"}]`)})
	h.Change(python+" -m pip install django>=4,<5", func(host.Command) (host.Output, error) {
		h.Answer(list, host.Output{Stdout: []byte(`[{"name": "Django", "version": "4.2"}, {"name": "pip", "version": "23"}]`)})
		return host.Output{}, nil
	})
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, virtualenv.Module, moduletest.Options{
		Host:       func(t testing.TB) *hosttest.Host { return newHost(t, "python3 -m venv ") },
		Afterwards: []string{"manage", "managed"},
	})
}

func run(t *testing.T, h *hosttest.Host, test bool, args ...any) string {
	t.Helper()
	s, err := module.NewIndex(virtualenv.Module).State("virtualenv.managed")
	if err != nil {
		t.Fatal(err)
	}
	in := module.Input{Args: []module.Arg{{Name: "name", Value: module.Data(venv)}}}
	for i := 0; i < len(args); i += 2 {
		in.Args = append(in.Args, module.Arg{Name: args[i].(string), Value: module.Data(args[i+1])})
	}
	b, err := s.Bind(in)
	if err != nil {
		t.Fatal(err)
	}
	r := b.Run(t.Context(), h.Host, test)
	changes, _ := value.MarshalJSON(r.Changes)
	return string(changes) + " " + r.Comment
}

func TestManaged(t *testing.T) {
	h := newHost(t, "python3 -m venv --system-site-packages --prompt=x ")
	args := []any{"system_site_packages", true, "prompt", "x", "pip_pkgs", value.NewList("django>=4,<5")}
	for _, step := range []struct {
		test bool
		want string
	}{
		{true, `{"new":"/srv/app/venv","packages":{"django>=4,<5":"Installed"}} Virtualenv /srv/app/venv is set to be created`},
		{false, `{"new":"Python 3.11.2","packages":{"django==4.2":"Installed"}} All packages were successfully installed`},
		{true, `{} virtualenv exists`},
		{false, `{} virtualenv exists`},
	} {
		if got := run(t, h, step.test, args...); got != step.want {
			t.Errorf("test=%v: got %s, want %s", step.test, got, step.want)
		}
	}
	got := run(t, h, true, "pip_pkgs", value.NewList("x"))
	if want := `{"packages":{"x":"Installed"}} Python package(s) set to be installed: x`; got != want {
		t.Errorf("another package: got %s, want %s", got, want)
	}
}

func TestPrograms(t *testing.T) {
	for want, args := range map[string][]any{
		"virtualenv --python=/usr/bin/python3.9 --no-download ": {"python", "/usr/bin/python3.9", "never_download", true},
		"/usr/bin/python3.9 -m venv --copies ":                  {"python", "/usr/bin/python3.9", "venv_bin", "venv", "symlinks", false},
		"/opt/virtualenv --clear --extra-search-dir=/a ":        {"venv_bin", "/opt/virtualenv", "clear", true, "extra_search_dir", "/a"},
	} {
		h := newHost(t, want)
		h.Answer("virtualenv --version", host.Output{})
		for _, help := range []string{"/usr/bin/python3.9 -m venv --help", "/opt/virtualenv --help"} {
			h.Answer(help, host.Output{})
		}
		if got := run(t, h, false, args...); got != `{"new":"Python 3.11.2"} Created new virtualenv` {
			t.Errorf("%s: got %s", want, got)
		}
	}
	h := newHost(t, "")
	if got := run(t, h, false, "never_download", true); !strings.Contains(got, `cannot use "never_download": only virtualenv has it`) {
		t.Errorf("got %s", got)
	}
	h.Answer("python3 -m venv --help", host.Output{Code: 1, Stderr: []byte("No module named venv")})
	if got := run(t, h, false); !strings.Contains(got, "install virtualenv or python3-venv") {
		t.Errorf("got %s", got)
	}
	h.Change("python3 -m venv "+h.Path(venv), func(host.Command) (host.Output, error) {
		return host.Output{Code: 1, Stdout: []byte("ensurepip is not available")}, nil
	})
	h.Answer("python3 -m venv --help", host.Output{})
	if got := run(t, h, false); !strings.Contains(got, "the command ended with 1: ensurepip is not available") {
		t.Errorf("got %s", got)
	}
}
