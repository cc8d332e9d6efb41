package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type activeArgs struct {
	Extended bool `arg:"extended" doc:"with numbers, what of the file system is mounted, and its own options"`
}

func active(_ context.Context, h *host.Host, a activeArgs) (*value.Dict, error) {
	all, err := mounts(h)
	d := &value.Dict{}
	for i := range all {
		d.Put(all[i].point, all[i].dict(h, a.Extended))
	}
	return d, err
}

type configArgs struct {
	Config  string `arg:"config" default:"/etc/fstab" doc:"the fstab"`
	Private bool   `arg:"private" doc:"also passwords in options: they go to masters, which keep what jobs return"`
}

func showFstab(_ context.Context, h *host.Host, a configArgs) (*value.Dict, error) {
	t, err := load(h, a.Config)
	if err != nil {
		return nil, err
	}
	return t.dict(a.Private), nil
}

type pathArgs struct {
	Path string `arg:"path,required" doc:"a path"`
}

// lies is the mount that a path lies in.
func (a *pathArgs) lies(h *host.Host) (*mounted, error) {
	if err := absolute("path", &a.Path); err != nil {
		return nil, err
	}
	all, err := mounts(h)
	if err != nil {
		return nil, err
	}
	m := above(all, real(h, a.Path))
	if m == nil {
		err = fmt.Errorf("cannot tell where %s lies: nothing is mounted above it", a.Path)
	}
	return m, err
}

func mountFromPath(_ context.Context, h *host.Host, a pathArgs) (string, error) {
	m, err := a.lies(h)
	if err != nil {
		return "", err
	}
	return m.point, nil
}

func deviceFromPath(_ context.Context, h *host.Host, a pathArgs) (string, error) {
	m, err := a.lies(h)
	if err != nil {
		return "", err
	}
	return m.device, nil
}

type cmdArgs struct {
	Cmd string `arg:"cmd,required" doc:"a program, by name or path"`
}

func isFuseExec(ctx context.Context, h *host.Host, a cmdArgs) (bool, error) {
	name := a.Cmd
	for _, dir := range strings.Fields("/usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin") {
		if full := path.Join(dir, a.Cmd); !strings.Contains(name, "/") && exists(h, full) {
			name = full
		}
	}
	if !path.IsAbs(name) || !exists(h, name) {
		return false, nil
	}
	out, err := h.Run(ctx, "ldd", name)
	if errors.As(err, new(*host.ExitError)) { // it is linked to nothing
		err = nil
	}
	return strings.Contains(out, "libfuse"), err
}

type nameArgs struct {
	Name string `arg:"name,required" doc:"the place"`
}

func isMounted(_ context.Context, h *host.Host, a nameArgs) (bool, error) {
	_, m, _, err := place(h, path.Clean(a.Name))
	return m != nil, err
}

type mountArgs struct {
	Name   string `arg:"name,required" doc:"the place"`
	Device text   `arg:"device" doc:"what to mount; absent is what fstab has for the place"`
	Mkmnt  bool   `arg:"mkmnt" doc:"make the directory"`
	Fstype string `arg:"fstype" doc:"the kind of file system"`
	Opts   list   `arg:"opts" default:"defaults" doc:"options: a list, or text with commas; passwords of cifs, and of ceph where mount.ceph is there, stay off command lines"`
	User   string `arg:"user" doc:"who runs mount"`
	Util   util   `arg:"util" doc:"mount, the only one there is"`
}

// text is text, and no text where Salt has False.
type text string

func (*text) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (t *text) ParseArg(v module.Value) error {
	s, err := v.Str()
	if b, ok := v.Data.(bool); ok && !b {
		s = ""
	}
	*t = text(s)
	return err
}

// util is the program that mounts.
type util string

func (*util) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (u *util) ParseArg(v module.Value) error {
	s, err := v.Str()
	if err != nil || s != "mount" {
		return v.Want("mount: images of disks are not mounted")
	}
	return nil
}

func (a *mountArgs) request() (*request, error) {
	err := absolute("name", &a.Name)
	return &request{device: string(a.Device), point: a.Name, fstype: a.Fstype, opts: a.Opts, user: a.User, mkmnt: a.Mkmnt}, err
}

func mountNow(ctx context.Context, h *host.Host, a mountArgs) (bool, error) {
	r, err := a.request()
	if err == nil {
		err = r.mount(ctx, h)
	}
	return err == nil, err
}

type remountArgs struct {
	Name   string `arg:"name,required" doc:"the place"`
	Device text   `arg:"device,required" doc:"what is mounted there"`
	Mkmnt  bool   `arg:"mkmnt" doc:"make the directory"`
	Fstype string `arg:"fstype" doc:"the kind of file system"`
	Opts   list   `arg:"opts" default:"defaults" doc:"options: a list, or text with commas; passwords of cifs, and of ceph where mount.ceph is there, stay off command lines"`
	User   string `arg:"user" doc:"who runs mount"`
}

func remountNow(ctx context.Context, h *host.Host, a remountArgs) (bool, error) {
	r, err := (&mountArgs{Name: a.Name, Device: a.Device, Mkmnt: a.Mkmnt, Fstype: a.Fstype, Opts: a.Opts, User: a.User}).request()
	if err != nil {
		return false, err
	}
	point, m, _, err := place(h, r.point)
	switch {
	case err != nil:
		return false, err
	case m == nil:
		err = r.mount(ctx, h)
	default:
		r.point = point
		err = r.remount(ctx, h)
	}
	return err == nil, err
}

type umountArgs struct {
	Name   string `arg:"name,required" doc:"the place"`
	Device string `arg:"device" doc:"only when it is this"`
	User   string `arg:"user" doc:"who runs umount"`
	Util   util   `arg:"util" doc:"mount, the only one there is"`
}

func umountNow(ctx context.Context, h *host.Host, a umountArgs) (bool, error) {
	if err := absolute("name", &a.Name); err != nil {
		return false, err
	}
	point, m, all, err := place(h, a.Name)
	if err == nil && m != nil && a.Device != "" {
		m, err = (&unmountedArgs{Device: a.Device}).ofDevice(ctx, h, m, all)
	}
	switch {
	case err != nil:
		return false, err
	case m == nil:
		return false, fmt.Errorf("cannot unmount %s: %s does not have anything mounted", a.Name, strings.TrimSpace(a.Device+" "+a.Name))
	}
	err = unmount(ctx, h, point, a.User)
	return err == nil, err
}

type setFstabArgs struct {
	Name      string `arg:"name,required" doc:"the place"`
	Device    string `arg:"device,required" doc:"the device"`
	Fstype    string `arg:"fstype,required" doc:"the kind of file system"`
	Opts      list   `arg:"opts" default:"defaults" doc:"options: a list, or text with commas; passwords of cifs, and of ceph where mount.ceph is there, stay off command lines"`
	Dump      int    `arg:"dump" doc:"for dump"`
	PassNum   int    `arg:"pass_num" doc:"when to check it at boot"`
	Config    string `arg:"config" default:"/etc/fstab" doc:"the fstab"`
	Test      bool   `arg:"test" doc:"only say what would be done"`
	MatchOn   match  `arg:"match_on" default:"auto" doc:"what tells its line from others, as in the state mounted"`
	NotChange bool   `arg:"not_change" doc:"leave an entry that is there as it is"`
}

func setFstab(ctx context.Context, h *host.Host, a setFstabArgs) (string, error) {
	if err := errors.Join(filled("name", a.Name), filled("device", a.Device), filled("fstype", a.Fstype)); err != nil {
		return "", err
	}
	t, err := load(h, a.Config)
	if err != nil {
		return "", err
	}
	e := &entry{a.Device, a.Name, a.Fstype, a.Opts.text(), fmt.Sprint(a.Dump), fmt.Sprint(a.PassNum)}
	was := t.put(e, a.MatchOn, a.NotChange)
	if was != present && !a.Test {
		err = t.save(ctx, h, a.Config)
	}
	return string(was), err
}

type rmFstabArgs struct {
	Name   string `arg:"name,required" doc:"the place"`
	Device string `arg:"device,required" doc:"the device; empty is any"`
	Config string `arg:"config" default:"/etc/fstab" doc:"the fstab"`
}

func rmFstab(ctx context.Context, h *host.Host, a rmFstabArgs) (bool, error) {
	t, err := load(h, a.Config)
	if err == nil && t.remove(a.Name, a.Device) {
		err = t.save(ctx, h, a.Config)
	}
	return err == nil, err
}

func showSwaps(_ context.Context, h *host.Host, _ struct{}) (*value.Dict, error) { return swaps(h) }

type swaponArgs struct {
	Name     string `arg:"name,required" doc:"the device or file"`
	Priority *int   `arg:"priority" doc:"which of several is used first: the highest"`
}

func swapon(ctx context.Context, h *host.Host, a swaponArgs) (*value.Dict, error) {
	d, err := find(ctx, h, a.Name)
	if err != nil {
		return nil, err
	}
	stats, err := swapping(h, d)
	if err != nil || stats != nil {
		return value.NewDict("stats", stats, "new", false), err
	}
	if err := swapTo(ctx, h, d, a.Priority); err != nil {
		return nil, err
	}
	stats, err = swapping(h, d)
	return value.NewDict("stats", stats, "new", true), err
}

// swapoff returns nothing when nobody swapped to it.
func swapoff(ctx context.Context, h *host.Host, a nameArgs) (any, error) {
	d, err := find(ctx, h, a.Name)
	if err != nil {
		return nil, err
	}
	if stats, err := swapping(h, d); err != nil || stats == nil {
		return nil, err
	}
	if _, err := h.Run(ctx, "swapoff", "--", d.names[0]); err != nil {
		return nil, err
	}
	stats, err := swapping(h, d)
	return stats == nil, err
}

func exists(h *host.Host, name string) bool {
	_, err := os.Stat(h.Path(name))
	return err == nil
}
