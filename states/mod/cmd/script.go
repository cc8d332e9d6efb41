package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type scriptArgs struct {
	Source string `arg:"source,required,alias=name" doc:"salt://PATH, or the path of a file of this host"`
	Args   words  `arg:"args" doc:"its arguments, as a list, or text split at blanks that are not in quotes"`
	options
}

// A script is one with the variables of its template.
type script struct {
	scriptArgs
	variables *value.Dict
}

func runScript(ctx context.Context, h *host.Host, a scriptArgs) (module.Returned, error) {
	r, err := (&script{scriptArgs: a}).execute(ctx, h)
	return a.returned(r.dict(), r, err)
}

func scriptRetcode(ctx context.Context, h *host.Host, a scriptArgs) (module.Returned, error) {
	r, err := (&script{scriptArgs: a}).execute(ctx, h)
	return a.returned(r.code, r, err)
}

// execute copies the script to where the user it runs as may read it, and runs the copy.
func (a *script) execute(ctx context.Context, h *host.Host) (r outcome, err error) {
	from, err := a.fetch(ctx, h)
	if err != nil {
		return outcome{}, err
	}
	f, err := os.Open(from)
	if err != nil {
		return outcome{}, fmt.Errorf("cannot copy the script %q: %w", a.Source, err)
	}
	defer f.Close()
	in := io.Reader(f)
	if a.Template != "" {
		text, err := readTemplate(f, a.Source)
		if err == nil {
			text, err = a.render(ctx, h, a.Source, text, a.variables)
		}
		if err != nil {
			return outcome{}, err
		}
		in = strings.NewReader(text)
	}
	name, _, _ := strings.Cut(a.Source, "?")
	return a.runCopy(ctx, h, in, filepath.Base(name), a.Source, func(file string, head []byte) []string {
		return append(a.interpreted(file, head), a.Args...)
	})
}

// interpreted is how a script is run: by the program that it names, or by the shell when it names none.
func (o *options) interpreted(file string, head []byte) []string {
	switch {
	case isPowershell(o.Shell):
		return []string{o.Shell, "-NonInteractive", "-NoProfile", "-File", file}
	case bytes.HasPrefix(head, []byte("#!")), bytes.HasPrefix(head, []byte("\x7fELF")):
		return []string{file}
	}
	return []string{o.Shell, file}
}

// runCopy runs what argv makes of a copy that only its user may read, and of its first bytes.
func (o *options) runCopy(ctx context.Context, h *host.Host, in io.Reader, file, name string,
	argv func(file string, head []byte) []string) (r outcome, err error) {
	c, err := o.command(ctx, h, nil)
	if err != nil {
		return outcome{}, err
	}
	dir, err := os.MkdirTemp(scratch(h), "brine-script-")
	if err != nil {
		return outcome{}, fmt.Errorf("cannot make a place for the script: %w", err)
	}
	defer func() {
		if !o.Background || err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	copied := filepath.Join(dir, file)
	head, err := install(in, copied, c.User)
	if err != nil {
		return outcome{}, fmt.Errorf("cannot copy the script %q: %w", name, err)
	}
	c.Argv = argv(copied, head)
	if o.Background {
		c.Argv = append([]string{"/bin/sh", "-c", `dir=$1; shift; "$@"; rm -rf -- "$dir"`, "sh", dir}, c.Argv...)
	}
	return o.perform(ctx, h, c, name)
}

func (a *scriptArgs) fetch(ctx context.Context, h *host.Host) (string, error) {
	if err := a.check(ctx, h); err != nil {
		return "", err
	}
	if filepath.IsAbs(a.Source) {
		return h.Path(a.Source), nil
	}
	return h.Files.Fetch(ctx, a.url())
}

// check says what is wrong with the source, as far as can be told without fetching it.
func (a *scriptArgs) check(ctx context.Context, h *host.Host) error {
	if filepath.IsAbs(a.Source) {
		st, err := os.Stat(h.Path(a.Source))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return module.Unknown("cannot run the script %q: there is no such file", a.Source)
		case err == nil && !st.Mode().IsRegular():
			return fmt.Errorf("cannot run the script %q: it is no file", a.Source)
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

// scratch is the host's directory for temporary files that can be run.
func scratch(h *host.Host) string {
	for _, dir := range []string{"/tmp", "/var/tmp", "/run"} {
		var fs unix.Statfs_t
		dir = h.Path(dir)
		if isDir(dir) && unix.Statfs(dir, &fs) == nil && fs.Flags&unix.ST_NOEXEC == 0 {
			return dir
		}
	}
	return os.TempDir()
}

// install makes an executable copy that only its user may read, and returns its first bytes.
func install(in io.Reader, to string, u *host.User) (head []byte, err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return nil, err
	}
	head = make([]byte, 4)
	n, err := io.ReadFull(in, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	head = head[:n]
	if err == nil {
		_, err = io.Copy(out, io.MultiReader(bytes.NewReader(head), in))
	}
	if err = errors.Join(err, out.Close()); err != nil || u == nil || int(u.UID) == os.Geteuid() {
		return head, err
	}
	for _, name := range []string{filepath.Dir(to), to} {
		if err := os.Chown(name, int(u.UID), int(u.GID)); err != nil {
			return head, err
		}
	}
	return head, nil
}
