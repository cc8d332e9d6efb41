package virtualenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// making are the arguments that say how an environment is made.
type making struct {
	VenvBin     string `arg:"venv_bin" doc:"the program that makes it, such as virtualenv, or venv for the module of python"`
	System      bool   `arg:"system_site_packages" doc:"let it see the packages of the system"`
	Distribute  bool   `arg:"distribute" doc:"taken for Salt: nothing has it any more"`
	Clear       bool   `arg:"clear" doc:"take away what is there first"`
	Python      string `arg:"python" doc:"the python that it is of"`
	ExtraSearch texts  `arg:"extra_search_dir" doc:"directories in which virtualenv looks for wheels of pip"`
	NoDownload  bool   `arg:"never_download" doc:"let virtualenv download nothing"`
	Prompt      string `arg:"prompt" doc:"text before the shell's prompt where it is active"`
	Symlinks    *bool  `arg:"symlinks" doc:"link to python, or copy it"`
	Upgrade     bool   `arg:"upgrade" doc:"bring an environment that is there to the python that is there now; only of the module venv"`
}

type running struct {
	User string `arg:"user,alias=runas" doc:"user to make it and to run pip as"`
	VT   bool   `arg:"use_vt" doc:"make the outputs of commands a terminal"`
}

// texts is one text or a list of them.
type texts []string

func (t *texts) ArgType() string { return "text or list of text" }

func (t *texts) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil || text == "" {
			return v.Want("text or list of text")
		}
		*t = append(*t, text)
	}
	return nil
}

type createArgs struct {
	Path string `arg:"path,required,alias=name" doc:"the environment"`
	making
	running
}

func create(ctx context.Context, h *host.Host, a createArgs) (*value.Dict, error) {
	m, err := a.maker(ctx, h, a.Path, a.running)
	if err != nil {
		return nil, err
	}
	out, err := m.run(ctx)
	if err != nil {
		return nil, err
	}
	return value.NewDict("pid", int64(out.PID), "retcode", int64(out.Code),
		"stdout", strings.TrimRight(string(out.Stdout), "\n"), "stderr", strings.TrimRight(string(out.Stderr), "\n")), nil
}

// A maker is a command that makes an environment, and that was found to be there.
type maker struct {
	h *host.Host
	c host.Command
}

func (a *making) maker(ctx context.Context, h *host.Host, dir string, r running) (*maker, error) {
	if !path.IsAbs(dir) {
		return nil, fmt.Errorf("cannot make the environment %q: want an absolute path", dir)
	}
	m := &maker{h: h, c: host.Command{Env: []string{"LC_ALL=C.UTF-8"}, Terminal: r.VT}}
	if r.User != "" {
		u, err := h.User(ctx, r.User)
		if err != nil {
			return nil, module.Unmade(err)
		}
		m.c.User = u
	}
	program, isModule, err := a.program(ctx, h)
	if err != nil {
		return nil, err
	}
	options, err := a.options(isModule)
	m.c.Argv = append(append(program, options...), h.Path(dir))
	return m, err
}

// program is what makes environments, and whether that is the module venv of python.
func (a *making) program(ctx context.Context, h *host.Host) (argv []string, isModule bool, err error) {
	python := a.Python
	if python == "" {
		python = "python3"
	}
	bin := a.VenvBin
	if bin == "" {
		if _, err := h.Run(ctx, "virtualenv", "--version"); err == nil {
			return []string{"virtualenv"}, false, nil
		}
		bin = "venv"
	}
	argv, isModule = []string{bin}, false
	if name := path.Base(bin); name == "venv" || strings.HasPrefix(name, "pyvenv") {
		argv, isModule = []string{python, "-m", "venv"}, true
	}
	_, err = h.Run(ctx, append(append([]string{}, argv...), "--help")...)
	if err != nil {
		return nil, false, module.Unknown("cannot make virtual environments: install virtualenv or python3-venv: %w", err)
	}
	return argv, isModule, nil
}

func (a *making) options(isModule bool) ([]string, error) {
	var args []string
	var errs []error
	if a.System {
		args = append(args, "--system-site-packages")
	}
	if a.Clear {
		args = append(args, "--clear")
	}
	if a.Prompt != "" {
		args = append(args, "--prompt="+a.Prompt)
	}
	if a.Symlinks != nil {
		args = append(args, map[bool]string{true: "--symlinks", false: "--copies"}[*a.Symlinks])
	}
	only := func(ok, set bool, name, who string) {
		if set && !ok {
			errs = append(errs, fmt.Errorf("cannot use %q: only %s has it", name, who))
		}
	}
	only(!isModule, len(a.ExtraSearch) > 0, "extra_search_dir", "virtualenv")
	only(!isModule, a.NoDownload, "never_download", "virtualenv")
	only(isModule, a.Upgrade, "upgrade", "the module venv")
	if isModule && a.Upgrade {
		args = append(args, "--upgrade")
	}
	if !isModule && a.Python != "" {
		args = append(args, "--python="+a.Python)
	}
	for _, dir := range a.ExtraSearch {
		args = append(args, "--extra-search-dir="+dir)
	}
	if a.NoDownload {
		args = append(args, "--no-download")
	}
	return args, errors.Join(errs...)
}

func (m *maker) run(ctx context.Context) (host.Output, error) {
	out, err := m.h.Exec(ctx, m.c)
	if err != nil {
		return out, fmt.Errorf("cannot make the virtual environment: %w", err)
	}
	return out, nil
}

// pythonOf is the python of an environment, "" when there is none.
func pythonOf(h *host.Host, dir string) string {
	for _, name := range []string{"bin/python", "bin/python3"} {
		file := filepath.Join(h.Path(dir), name)
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

type venvArgs struct {
	Venv string `arg:"venv,required" doc:"the environment"`
}

func sitePackages(ctx context.Context, h *host.Host, a venvArgs) (string, error) {
	return ask(ctx, h, a.Venv, `import sysconfig; print(sysconfig.get_path("purelib"))`)
}

type distributionArgs struct {
	venvArgs
	Distribution string `arg:"distribution,required" doc:"the package"`
}

func distributionPath(ctx context.Context, h *host.Host, a distributionArgs) (string, error) {
	return ask(ctx, h, a.Venv, "import sys, importlib.metadata as m; print(m.distribution(sys.argv[1]).locate_file(''))", a.Distribution)
}

// ask lets the python of an environment answer.
func ask(ctx context.Context, h *host.Host, dir, program string, args ...string) (string, error) {
	python := pythonOf(h, dir)
	if python == "" {
		return "", fmt.Errorf("cannot find the python of %s: it is no virtual environment", dir)
	}
	out, err := h.Run(ctx, append([]string{python, "-c", program}, args...)...)
	var exit *host.ExitError
	if errors.As(err, &exit) {
		lines := strings.Split(exit.Stderr, "\n")
		return "", fmt.Errorf("cannot ask the python of %s: %s", dir, lines[len(lines)-1])
	}
	return out, err
}
