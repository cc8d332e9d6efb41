package pip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// place says which pip is meant and how it is run. The order of the arguments is that of Salt's functions.
type place struct {
	BinEnv string `arg:"bin_env,alias=pip_bin" doc:"a virtual environment, or the path of a pip or a python; python3 -m pip when absent"`
	running
}

type running struct {
	User    string      `arg:"user,alias=runas" doc:"user to run pip as"`
	Cwd     string      `arg:"cwd" doc:"directory to run pip in"`
	VT      bool        `arg:"use_vt" doc:"make its outputs a terminal"`
	EnvVars *value.Dict `arg:"env_vars" doc:"variables to set for pip"`
}

// A tool is a pip that was found.
type tool struct {
	h    *host.Host
	argv []string // how it begins
	place
	user *host.User
}

// find finds pip. That there is none may be what another state changes first.
func (p place) find(ctx context.Context, h *host.Host) (*tool, error) {
	t := &tool{h: h, place: p}
	var err error
	if t.argv, err = p.program(h); err != nil {
		return nil, err
	}
	if p.User != "" {
		t.user, err = h.User(ctx, p.User)
		if err != nil {
			return nil, module.Unmade(err)
		}
	}
	if p.Cwd != "" {
		if st, err := os.Stat(h.Path(p.Cwd)); err != nil || !st.IsDir() {
			return nil, module.Unknown("cannot run pip in %q: no such directory", p.Cwd)
		}
	}
	return t, nil
}

// program is how pip is called: of a virtual environment by its python, as Salt does.
func (p place) program(h *host.Host) ([]string, error) {
	if p.BinEnv == "" {
		return []string{"python3", "-m", "pip"}, nil
	}
	if !path.IsAbs(p.BinEnv) {
		return nil, fmt.Errorf("cannot use the bin_env %q: want an absolute path", p.BinEnv)
	}
	bin := h.Path(p.BinEnv)
	st, err := os.Stat(bin)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, module.Unknown("cannot find pip: there is no %s", p.BinEnv)
	case err != nil:
		return nil, fmt.Errorf("cannot find pip: %w", err)
	case st.IsDir():
		return inEnvironment(bin, p.BinEnv)
	case unix.Access(bin, unix.X_OK) != nil:
		return nil, fmt.Errorf("cannot run %s: it is no program", p.BinEnv)
	case strings.Contains(path.Base(p.BinEnv), "python"):
		return []string{bin, "-m", "pip"}, nil
	}
	return []string{bin}, nil
}

func inEnvironment(dir, shown string) ([]string, error) {
	for _, name := range []string{"python", "python3", "bin/python", "bin/python3"} {
		file := filepath.Join(dir, name)
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() {
			return []string{file, "-m", "pip"}, nil
		}
	}
	return nil, module.Unknown("cannot find pip: %s is no virtual environment, it has no bin/python", shown)
}

// command is pip with arguments. What may hold a password goes into its environment, which only its user can read.
func (t *tool) command(private []string, args ...string) (host.Command, error) {
	c := host.Command{Argv: append(append([]string{}, t.argv...), args...), Dir: t.Cwd, User: t.user, Terminal: t.VT,
		Env: []string{"LC_ALL=C.UTF-8", "PYTHONIOENCODING=utf-8", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1",
			"PIP_NO_COLOR=1", "PIP_ROOT_USER_ACTION=ignore", "PIP_PROGRESS_BAR=off"}}
	if st, err := os.Stat(t.h.Path(t.BinEnv)); t.BinEnv != "" && err == nil && st.IsDir() {
		c.Env = append(c.Env, "VIRTUAL_ENV="+t.h.Path(t.BinEnv))
	}
	c.Env = append(c.Env, private...)
	for k, v := range t.EnvVars.All() {
		text, err := module.Data(v).Str()
		if err != nil {
			return c, fmt.Errorf("cannot set the variable %v of pip: %w", k, err)
		}
		c.Env = append(c.Env, fmt.Sprintf("%v=%s", k, text))
	}
	return c, nil
}

// output runs pip and returns what it writes; another end than 0 is an error that tells what pip said.
func (t *tool) output(ctx context.Context, private []string, args ...string) (string, error) {
	c, err := t.command(private, args...)
	if err != nil {
		return "", err
	}
	out, err := t.h.Exec(ctx, c)
	if errors.Is(err, os.ErrNotExist) {
		return "", module.Unknown("cannot run pip: there is no %s on this host", c.Argv[0])
	}
	if err != nil {
		return "", fmt.Errorf("cannot run pip: %w", err)
	}
	if out.Code == 0 {
		return string(out.Stdout), nil
	}
	said := strings.TrimSpace(string(out.Stderr) + "\n" + string(out.Stdout))
	if strings.Contains(said, "No module named pip") {
		return "", module.Unknown("cannot run pip: %s has no module pip; install the package python3-pip, or give bin_env", c.Argv[0])
	}
	return string(out.Stdout), fmt.Errorf("pip ended with %d: %s", out.Code, withoutSecrets(said))
}
