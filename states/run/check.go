package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"brine/states/plan"
	"brine/states/value"
)

// held asks onlyif, unless and creates. When the state is not to run, why is its comment. The error is
// of a check that could not be asked: then nobody knows whether the state may run.
func (w *worker) held(n *plan.Node) (why string, err error) {
	for _, c := range n.OnlyIf {
		ok, err := w.holds(c)
		if err != nil {
			return "", fmt.Errorf("cannot ask onlyif %q: %w", c.Text, err)
		}
		if !ok {
			return "onlyif condition is false", nil
		}
	}
	skip := len(n.Unless) > 0
	for _, c := range n.Unless {
		ok, err := w.holds(c)
		if err != nil {
			return "", fmt.Errorf("cannot ask unless %q: %w", c.Text, err)
		}
		if !ok {
			skip = false
			break
		}
	}
	if skip {
		return "unless condition is true", nil
	}
	switch exist, err := w.exist(n.Creates); {
	case err != nil:
		return "", err
	case len(n.Creates) == 0 || !exist:
		return "", nil
	case len(n.Creates) == 1:
		return n.Creates[0] + " exists", nil
	}
	return "All files in creates exist", nil
}

// exist says whether all paths are there. Nothing is below a file.
func (w *worker) exist(paths []string) (bool, error) {
	for _, p := range paths {
		_, err := os.Stat(w.host.Path(p))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("cannot ask creates %q: %w", p, err)
		}
	}
	return true, nil
}

// holds asks one check: a command that ends with 0, or a function whose value is true as Python sees it.
func (w *worker) holds(c plan.Check) (bool, error) {
	if c.Func == nil {
		return c.Constant, nil
	}
	out, err := c.Func.Call(w.ctx, w.host, c.Input)
	if err != nil {
		return false, err
	}
	if c.Command {
		return out.Value == int64(0), nil
	}
	v := out.Value
	if c.Get != "" {
		var ok bool
		if v, ok = value.Lookup(v, c.Get, ":"); !ok {
			return false, fmt.Errorf("%s: its value has no %q", c.Text, c.Get)
		}
	}
	return out.Retcode == 0 && value.Truth(v), nil
}
