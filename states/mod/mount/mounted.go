package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
	"brine/states/value"
)

type mountedArgs struct {
	Name    string `arg:"name,required" doc:"where to mount"`
	Device  string `arg:"device,required" doc:"what: a device, UUID=ID, LABEL=NAME, a directory to bind, SERVER:/PATH and the like"`
	Fstype  string `arg:"fstype,required" doc:"the kind of file system; none for bind"`
	Mkmnt   bool   `arg:"mkmnt" doc:"make the directory where to mount, and those above it"`
	Opts    list   `arg:"opts" default:"defaults" doc:"options: a list, or text with commas; passwords of cifs, and of ceph where mount.ceph is there, stay off command lines"`
	Dump    int    `arg:"dump" doc:"for dump, in fstab"`
	PassNum int    `arg:"pass_num" doc:"when to check it at boot, in fstab"`
	Config  string `arg:"config" default:"/etc/fstab" doc:"the fstab"`
	Persist bool   `arg:"persist" default:"true" doc:"have it in the fstab"`
	Mount   bool   `arg:"mount" default:"true" doc:"have it mounted now; false looks after the fstab alone"`
	User    string `arg:"user" doc:"who runs mount, and owns a directory that mkmnt makes"`
	MatchOn match  `arg:"match_on" default:"auto" doc:"what tells its line in fstab from others: device, name, fstype, opts, dump, pass_num; auto: device where that is one, else name"`

	DeviceNameRegex []string `arg:"device_name_regex" doc:"devices, as regular expressions, that are as good as device when they are mounted already"`
	Invisible       list     `arg:"extra_mount_invisible_options" doc:"options that the kernel does not show, so that they are no reason to remount"`
	InvisibleKeys   list     `arg:"extra_mount_invisible_keys" doc:"the same, for options of the form KEY=VALUE"`
	IgnoreFsKeys    lists    `arg:"extra_mount_ignore_fs_keys" doc:"options that are no reason to remount: a map of kinds of file systems to lists"`
	Translate       pairs    `arg:"extra_mount_translate_options" doc:"a map of options to what the kernel shows for them"`
	HiddenOpts      list     `arg:"hidden_opts" doc:"options that are no reason to remount"`
	CopyActiveOpts  bool     `arg:"bind_mount_copy_active_opts" default:"true" doc:"a bind that has to be remounted keeps flags such as nosuid of what it shows"`
}

// CheckArgs implements module.Checker.
func (a *mountedArgs) CheckArgs() error {
	errs := []error{absolute("name", &a.Name), absolute("config", &a.Config), filled("device", a.Device), filled("fstype", a.Fstype)}
	for _, expr := range a.DeviceNameRegex {
		if _, err := regex.Compile(expr, 0); err != nil {
			errs = append(errs, fmt.Errorf("argument \"device_name_regex\": %w", err))
		}
	}
	return errors.Join(errs...)
}

// absolute makes sure that an argument is an absolute path, and takes slashes off its end.
func absolute(arg string, name *string) error {
	if !path.IsAbs(*name) {
		return fmt.Errorf("argument %q: want an absolute path, got %q", arg, *name)
	}
	*name = path.Clean(*name)
	return nil
}

func filled(arg, val string) error {
	if val == "" || strings.ContainsAny(val, "\n\x00") {
		return fmt.Errorf("argument %q: want something in one line, got %q", arg, val)
	}
	return nil
}

func (a *mountedArgs) isBind() bool {
	return strings.HasPrefix(a.Device, "/") && (slices.Contains(a.Opts, "bind") || slices.Contains(a.Opts, "rbind"))
}

func (a *mountedArgs) entry() *entry {
	return &entry{a.Device, a.Name, a.Fstype, a.Opts.text(), fmt.Sprint(a.Dump), fmt.Sprint(a.PassNum)}
}

func (a *mountedArgs) comparison(ctx context.Context, h *host.Host) *comparison {
	c := standardComparison(ctx, h, a.Fstype)
	c.bind = a.isBind()
	c.invisible = append(append(c.invisible, a.Invisible...), a.HiddenOpts...)
	c.keys = append(c.keys, a.InvisibleKeys...)
	for fstype, keys := range a.IgnoreFsKeys {
		c.ignored[fstype] = keys
	}
	for from, to := range a.Translate {
		c.translate[from] = to
	}
	return c
}

func planMounted(ctx context.Context, h *host.Host, a mountedArgs) (module.Plan, error) {
	now, err := a.planNow(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	kept, err := a.planKept(h, a.Mount && now.step == nil)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Same: now.same, Would: now.would, Did: now.did}
	if now.step != nil {
		p.Steps = append(p.Steps, *now.step)
	} else {
		p.Would, p.Did = now.same, now.same
	}
	if kept.step != nil {
		p.Steps = append(p.Steps, *kept.step)
		p.Would, p.Did = p.Would+". "+kept.would, p.Did+". "+kept.did
	} else if kept.same != "" {
		p.Same, p.Would, p.Did = p.Same+". "+kept.same, p.Would+". "+kept.same, p.Did+". "+kept.same
	}
	return p, nil
}

// A part is a half of a plan: what is mounted now, or what fstab keeps.
type part struct {
	step             *module.Step
	same, would, did string
}

func doing(changes *value.Dict, do func(context.Context) error) *module.Step {
	return &module.Step{Changes: changes, Do: func(ctx context.Context) (module.Done, error) { return module.Done{}, do(ctx) }}
}

// planNow plans what has to be mounted.
func (a *mountedArgs) planNow(ctx context.Context, h *host.Host) (part, error) {
	point, m, all, err := place(h, a.Name)
	switch {
	case err != nil:
		return part{}, err
	case !a.Mount:
		return a.unmountedPart(ctx, h, m)
	case m == nil && awaits(all, point):
		if dir, err := os.Open(h.Path(point)); err == nil { // systemd mounts it at the first use
			dir.Close()
		}
		if all, err = mounts(h); err != nil {
			return part{}, err
		}
		m = at(all, point)
	}
	if m == nil {
		return a.mountPart(ctx, h)
	}
	same, why, from, err := a.isDevice(ctx, h, m, all)
	if err != nil {
		return part{}, err
	}
	if !same {
		return a.replacePart(h, point, m), nil
	}
	return a.optionsPart(ctx, h, point, m, from, why)
}

// unmountedPart is for a state that looks after fstab alone; at most it makes the directory.
func (a *mountedArgs) unmountedPart(ctx context.Context, h *host.Host, m *mounted) (part, error) {
	switch {
	case m != nil, exists(h, a.Name):
		return part{same: a.Name + " not mounted"}, nil
	case !a.Mkmnt:
		return part{same: a.Name + " not present and not mounted"}, nil
	}
	r := a.request()
	return part{
		step:  doing(value.NewDict("mkmnt", true), func(ctx context.Context) error { return r.makePoint(ctx, h) }),
		would: a.Name + " would be created, but not mounted", did: a.Name + " was created, not mounted",
	}, nil
}

func (a *mountedArgs) request() *request {
	return &request{device: a.Device, point: a.Name, fstype: a.Fstype, opts: a.Opts, user: a.User, mkmnt: a.Mkmnt}
}

func (a *mountedArgs) mountPart(ctx context.Context, h *host.Host) (part, error) {
	would := a.Name + " would be mounted"
	if !exists(h, a.Name) {
		if !a.Mkmnt {
			return part{}, module.Unknown("cannot mount %s: there is no such directory (mkmnt makes it)", a.Name)
		}
		would = a.Name + " would be created and mounted"
	}
	d, err := find(ctx, h, a.Device)
	if err != nil {
		return part{}, err
	}
	local := a.isBind() || strings.HasPrefix(a.Device, "/") && slices.Contains(a.Opts, "loop") || strings.HasPrefix(d.names[0], "/dev/")
	if local && !exists(h, d.names[0]) {
		return part{}, module.Unknown("cannot mount %s: there is no %s", a.Name, a.Device)
	}
	r := a.request()
	return part{
		step:  doing(value.NewDict("mount", true), func(ctx context.Context) error { return r.mount(ctx, h) }),
		would: would, did: "Target was successfully mounted",
	}, nil
}

// isDevice says whether what is mounted is what is wanted, or as good.
func (a *mountedArgs) isDevice(ctx context.Context, h *host.Host, m *mounted, all []mounted) (same bool, why string, from *mounted, err error) {
	if a.isBind() {
		if same, from = bound(h, all, m, a.Device); same {
			return true, "", from, nil
		}
	} else {
		d, err := find(ctx, h, a.Device)
		if err != nil {
			return false, "", nil, err
		}
		if d.is(h, m) {
			return true, "", nil, nil
		}
	}
	for _, expr := range a.DeviceNameRegex {
		re, err := regex.Compile(expr, 0)
		if err != nil {
			return false, "", nil, err
		}
		if at, err := re.Begins(m.device); err != nil || at != nil {
			return true, "An umount will not be forced because device matched device_name_regex: " + m.device, nil, err
		}
	}
	return false, "", nil, nil
}
