package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

type scriptArgs struct {
	Source string `arg:"source,required,alias=name" doc:"salt://PATH, or the path of a file of this host"`
	Args   string `arg:"args" doc:"arguments, as one would type them after the script's name"`
	options
	Saltenv      string `arg:"saltenv" doc:"environment to fetch it from; the job's when absent"`
	IgnoreStatus bool   `arg:"ignore_retcode" doc:"end the job with 0 whatever the exit status"`
}

func script(ctx context.Context, h *host.Host, a scriptArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h)
	if err != nil || a.IgnoreStatus {
		return module.Returned{Value: r.dict()}, err
	}
	return module.Returned{Value: r.dict(), Retcode: r.code}, nil
}

// execute copies the script to where the user it runs as may read it, and runs the copy.
func (a *scriptArgs) execute(ctx context.Context, h *host.Host) (r outcome, err error) {
	from, err := a.fetch(ctx, h)
	if err != nil {
		return outcome{}, err
	}
	c, err := a.command(ctx, h, nil)
	if err != nil {
		return outcome{}, err
	}
	dir, err := os.MkdirTemp(scratch(h), "brine-script-")
	if err != nil {
		return outcome{}, fmt.Errorf("cannot make a place for the script: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name, _, _ := strings.Cut(a.Source, "?")
	copied := filepath.Join(dir, filepath.Base(name))
	if err := install(from, copied, c.User); err != nil {
		return outcome{}, fmt.Errorf("cannot copy the script %q: %w", a.Source, err)
	}
	c.Argv = []string{a.Shell, "-c", quote(copied) + " " + a.Args}
	return a.perform(ctx, h, c, a.Source)
}

func (a *scriptArgs) fetch(ctx context.Context, h *host.Host) (string, error) {
	if filepath.IsAbs(a.Source) {
		return h.Path(a.Source), nil
	}
	if err := a.check(ctx, h); err != nil {
		return "", err
	}
	return h.Files.Fetch(ctx, a.url())
}

// check says what is wrong with the source, as far as can be told without fetching it.
func (a *scriptArgs) check(ctx context.Context, h *host.Host) error {
	if filepath.IsAbs(a.Source) {
		_, err := os.Stat(h.Path(a.Source))
		if errors.Is(err, os.ErrNotExist) {
			return module.Unknown("cannot run the script %q: there is no such file", a.Source)
		}
		return err
	}
	if !strings.HasPrefix(a.Source, "salt://") {
		return fmt.Errorf("cannot run the script %q: source must be salt://PATH or an absolute path", a.Source)
	}
	if h.Files == nil {
		return fmt.Errorf("cannot fetch %q: this host has no masters to fetch from", a.Source)
	}
	_, err := h.Files.Stat(ctx, a.url())
	return err
}

func (a *scriptArgs) url() string {
	if a.Saltenv == "" || strings.Contains(a.Source, "?saltenv=") {
		return a.Source
	}
	return a.Source + "?saltenv=" + a.Saltenv
}

// scratch is the host's directory for temporary files.
func scratch(h *host.Host) string {
	if dir := h.Path("/tmp"); isDir(dir) {
		return dir
	}
	return os.TempDir()
}

func isDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

// install makes an executable copy that only its user may read.
func install(from, to string, u *host.User) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil || u == nil || int(u.UID) == os.Geteuid() {
		return err
	}
	for _, name := range []string{filepath.Dir(to), to} {
		if err := os.Chown(name, int(u.UID), int(u.GID)); err != nil {
			return err
		}
	}
	return nil
}

// quote makes one word of text for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
