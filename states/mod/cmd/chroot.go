package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

type chrootArgs struct {
	Root absolute `arg:"root,required" doc:"the directory that is the root of what it runs in"`
	runArgs
	Binds    []absolute `arg:"binds" doc:"directories of this host that it finds at the same place under root"`
	Redirect bool       `arg:"redirect_stderr" doc:"put what it wrote to standard error into stdout"`
}

func runChroot(ctx context.Context, h *host.Host, a chrootArgs) (module.Returned, error) {
	j := jail{string(a.Root), a.Binds}
	r, err := j.execute(ctx, h, a.options, a.Cmd, a.Redirect)
	return a.returned(r.dict(), r, a.err(a.Cmd.String(), r, err))
}

// A jail is another root directory. Its mounts and its processes are its own: both are gone when the command ends.
type jail struct {
	root  string
	binds []absolute
}

// enter mounts and goes in: root, how many directories to bind, those, and then the words for chroot.
const enter = `
root=$1 n=$2
shift 2
for dir in dev sys; do
	[ ! -d "$root/$dir" ] || mount --rbind "/$dir" "$root/$dir" || exit 125
done
[ ! -d "$root/proc" ] || mount -t proc proc "$root/proc" || exit 125
while [ "$n" -gt 0 ]; do
	mount --rbind "$1" "$root$1" || exit 125
	shift
	n=$((n - 1))
done
exec chroot "$@"`

func (j jail) execute(ctx context.Context, h *host.Host, o options, l line, merge bool) (outcome, error) {
	r, l, err := o.rendered(ctx, h, l)
	if err != nil {
		return outcome{}, err
	}
	o = *r
	c, err := j.command(ctx, h, o, l)
	if err != nil {
		return outcome{}, err
	}
	c.Merge = merge
	if c.Env, err = (&options{surround: o.surround}).environ(ctx, h, nil); err != nil {
		return outcome{}, err
	}
	if o.Runas != "" {
		u, err := j.host(h).User(ctx, o.Runas)
		if err != nil {
			return outcome{}, err
		}
		c.Env = append([]string{"HOME=" + u.Home, "USER=" + u.Name, "LOGNAME=" + u.Name, "SHELL=" + u.Shell}, c.Env...)
	}
	return o.perform(ctx, h, c, l.String())
}

// command is all but its environment. Nothing runs yet.
func (j jail) command(ctx context.Context, h *host.Host, o options, l line) (host.Command, error) {
	inside := j.host(h)
	if !isDir(inside.Root) {
		return host.Command{}, module.Unknown("cannot run in the root %q: no such directory", j.root)
	}
	var missing []error
	for _, b := range j.binds {
		if !isDir(h.Path(string(b))) || !isDir(inside.Path(string(b))) {
			missing = append(missing, module.Unknown("cannot bind %q: it must be a directory here and under %q", b, j.root))
		}
	}
	if len(missing) > 0 {
		return host.Command{}, errors.Join(missing...)
	}
	if o.Shell == "/bin/sh" {
		if _, err := os.Lstat(inside.Path("/bin/bash")); err == nil {
			o.Shell = "/bin/bash"
		}
	}
	argv, err := o.argv(ctx, l)
	if err != nil {
		return host.Command{}, err
	}
	who, err := userspec(ctx, inside, o.account)
	if err != nil {
		return host.Command{}, err
	}
	if dir := string(o.Cwd); dir != "" {
		if !isDir(inside.Path(dir)) {
			return host.Command{}, module.Unknown("cannot run in %q: no such directory under %q", dir, j.root)
		}
		argv = append([]string{"/bin/sh", "-c", `cd "$1" && shift && exec "$@"`, "sh", dir}, argv...)
	}
	o.account, o.Cwd = account{}, "/"
	return o.look(ctx, h, j.argv(h, who, argv))
}

// host is the jail as a host of its own: its accounts are its own too.
func (j jail) host(h *host.Host) *host.Host { return &host.Host{Root: h.Path(j.root)} }

func (j jail) argv(h *host.Host, who, argv []string) []string {
	root := filepath.Clean(h.Path(j.root))
	all := []string{"unshare", "--mount", "--pid", "--fork", "/bin/sh", "-c", enter, "sh",
		strings.TrimSuffix(root, "/"), fmt.Sprint(len(j.binds))}
	for _, b := range j.binds {
		all = append(all, filepath.Clean(string(b)))
	}
	all = append(append(all, who...), root)
	return append(all, argv...)
}

// userspec is what chroot is told of the account, in numbers.
func userspec(ctx context.Context, inside *host.Host, a account) ([]string, error) {
	if a.Runas == "" && a.Group == "" {
		return nil, nil
	}
	u := &host.User{Groups: []uint32{0}}
	var err error
	if a.Runas != "" {
		if u, err = inside.User(ctx, a.Runas); err != nil {
			return nil, module.Unmade(err)
		}
	}
	if a.Group != "" {
		if u.GID, err = inside.GroupID(ctx, a.Group); err != nil {
			return nil, module.Unmade(err)
		}
	}
	groups := strings.Trim(strings.ReplaceAll(fmt.Sprint(u.Groups), " ", ","), "[]")
	return []string{fmt.Sprintf("--userspec=+%d:+%d", u.UID, u.GID), "--groups=" + groups}, nil
}
