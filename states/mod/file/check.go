package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"brine/states/host"
)

// checkArgs say how new content is tried before it takes its place.
type checkArgs struct {
	Check  string `arg:"check_cmd" doc:"command that gets the path of a copy of the new content at its end; unless it ends with 0 the file stays as it is"`
	TmpDir string `arg:"tmp_dir" default:"/tmp" doc:"where check_cmd's copy is made, in a directory of its own"`
	TmpExt string `arg:"tmp_ext" doc:"how the name of check_cmd's copy ends, such as .conf"`
}

// check lets check_cmd look at a copy of the content of the file name.
func (a *checkArgs) check(ctx context.Context, h *host.Host, name string, w *wanted) (err error) {
	if a.Check == "" {
		return nil
	}
	if strings.Contains(a.TmpExt, "/") {
		return fmt.Errorf("argument %q: want the end of a name, got %q", "tmp_ext", a.TmpExt)
	}
	if err := absolute("check in the directory", a.TmpDir); err != nil {
		return err
	}
	base := path.Base(name) + a.TmpExt
	beside, err := find(h, path.Join(a.TmpDir, base), false)
	if err != nil {
		return fmt.Errorf("cannot check the new content of %s: %w", name, err)
	}
	defer beside.leave()
	if len(beside.missing) > 0 {
		return fmt.Errorf("cannot check the new content of %s: the directory %s of tmp_dir is not there", name, a.TmpDir)
	}
	dir, err := beside.tempDir(ctx)
	if err != nil {
		return fmt.Errorf("cannot check the new content of %s in %s: %w", name, a.TmpDir, err)
	}
	defer func() { err = errors.Join(err, dir.remove(ctx)) }()
	copied := dir.spot(base)
	own := rights{uid: -1, gid: -1, mode: modeOf(0o600)}
	if err := copied.put(nil, own, func(to io.Writer) error { return w.write(ctx, to) }); err != nil {
		return fmt.Errorf("cannot check the new content of %s in %s: %w", name, a.TmpDir, err)
	}
	if err := a.run(ctx, h, copied.real()); err != nil {
		return fmt.Errorf("cannot take the new content of %s: %w", name, err)
	}
	return nil
}

func (a *checkArgs) run(ctx context.Context, h *host.Host, name string) error {
	if h.Exec == nil {
		return errors.New("cannot run check_cmd: this host runs no commands")
	}
	line := a.Check + " '" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	out, err := h.Exec(ctx, host.Command{Argv: []string{"/bin/sh", "-c", line}, Merge: true, Limit: 16 << 10})
	if err != nil {
		return fmt.Errorf("cannot run check_cmd: %w", err)
	}
	if out.Code != 0 {
		text := strings.TrimSpace(string(out.Stdout))
		return errors.New(strings.TrimSpace(fmt.Sprintf("check_cmd execution failed with status %d\n%s", out.Code, text)))
	}
	return nil
}
