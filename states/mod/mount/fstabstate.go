package mount

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type fstabArgs struct {
	Name    string `arg:"name,required" doc:"what is mounted: a device, UUID=ID and the like"`
	FsFile  string `arg:"fs_file,required" doc:"where, or none and the like for swap"`
	MountBy by     `arg:"mount_by" doc:"what the fstab calls the device: device, label, uuid, partlabel or partuuid; absent is as it is given"`
	Config  string `arg:"config" default:"/etc/fstab" doc:"the fstab"`
}

// by is what the fstab calls a device.
type by string

func (*by) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (b *by) ParseArg(v module.Value) error {
	s, err := v.Str()
	if err != nil || !slices.Contains([]string{"", "device", "label", "uuid", "partlabel", "partuuid"}, s) {
		return v.Want("device, label, uuid, partlabel or partuuid")
	}
	*b = by(s)
	return nil
}

// CheckArgs implements module.Checker.
func (a *fstabArgs) CheckArgs() error {
	errs := []error{filled("name", a.Name), filled("fs_file", a.FsFile), absolute("config", &a.Config)}
	if strings.HasPrefix(a.FsFile, "/") {
		errs = append(errs, absolute("fs_file", &a.FsFile))
	}
	return errors.Join(errs...)
}

// spec is what the fstab calls the device.
func (a *fstabArgs) spec(ctx context.Context, h *host.Host) (string, error) {
	key, _, isTag := tag(a.Name)
	want := strings.ToUpper(string(a.MountBy))
	if want == "" || want == "DEVICE" && strings.HasPrefix(a.Name, "/") || isTag && key == want {
		return a.Name, nil
	}
	cannot := func(err error) error {
		return module.Unknown("cannot convert device %s to %s: %w", a.Name, a.MountBy, err)
	}
	d, err := find(ctx, h, a.Name)
	if err != nil {
		return "", cannot(err)
	}
	if want == "DEVICE" {
		return d.names[0], nil
	}
	out, err := h.Run(ctx, "blkid", "-o", "value", "-s", want, "--", d.names[0])
	if err == nil && strings.TrimSpace(out) == "" {
		err = errors.New("it has none")
	}
	if err != nil {
		return "", cannot(err)
	}
	return want + "=" + strings.TrimSpace(out), nil
}

type fstabPresentArgs struct {
	fstabArgs
	FsVfstype string `arg:"fs_vfstype,required" doc:"the kind of file system"`
	FsMntops  list   `arg:"fs_mntops" default:"defaults" doc:"options: a list, or text with commas"`
	FsFreq    int    `arg:"fs_freq" doc:"for dump"`
	FsPassno  int    `arg:"fs_passno" doc:"when to check it at boot"`
	Mount     bool   `arg:"mount" default:"true" doc:"mount what has a new entry"`
	MatchOn   match  `arg:"match_on" default:"auto" doc:"what tells its line from others, as in mount.mounted"`
	NotChange bool   `arg:"not_change" doc:"leave an entry that is there as it is"`
	FsMount   bool   `arg:"fs_mount" default:"true" doc:"taken for Salt's sake: it is for AIX"`
}

// CheckArgs implements module.Checker.
func (a *fstabPresentArgs) CheckArgs() error {
	return errors.Join(a.fstabArgs.CheckArgs(), filled("fs_vfstype", a.FsVfstype))
}

func (a *fstabPresentArgs) entry(spec string) *entry {
	return &entry{spec, a.FsFile, a.FsVfstype, a.FsMntops.text(), fmt.Sprint(a.FsFreq), fmt.Sprint(a.FsPassno)}
}

func planFstabPresent(ctx context.Context, h *host.Host, a fstabPresentArgs) (module.Plan, error) {
	spec, err := a.spec(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	t, err := load(h, a.Config)
	if err != nil {
		return module.Plan{}, err
	}
	was := t.put(a.entry(spec), a.MatchOn, a.NotChange)
	p := module.Plan{Same: fmt.Sprintf("%s entry was already in %s.", a.FsFile, a.Config)}
	if was == present {
		return p, nil
	}
	p.Would = fmt.Sprintf("%s entry will be updated in %s.", a.FsFile, a.Config)
	p.Did = fmt.Sprintf("%s entry updated in %s.", a.FsFile, a.Config)
	if was == added {
		p.Would = fmt.Sprintf("%s entry will be written in %s.", a.FsFile, a.Config)
		p.Did = fmt.Sprintf("%s entry added in %s.", a.FsFile, a.Config)
	}
	p.Steps = []module.Step{*doing(value.NewDict("persist", string(was)), func(ctx context.Context) error {
		t, err := load(h, a.Config)
		if err == nil && t.put(a.entry(spec), a.MatchOn, a.NotChange) != present {
			err = t.save(ctx, h, a.Config)
		}
		return err
	})}
	if was == added && a.Mount && a.FsVfstype != "swap" {
		return a.mountNew(h, p)
	}
	return p, nil
}

// mountNew adds to a plan that the new entry is mounted.
func (a *fstabPresentArgs) mountNew(h *host.Host, p module.Plan) (module.Plan, error) {
	_, m, _, err := place(h, a.FsFile)
	switch {
	case err != nil || m != nil:
		return p, err
	case !exists(h, a.FsFile):
		return p, module.Unknown("cannot mount %s: there is no such directory", a.FsFile)
	}
	p.Would += fmt.Sprintf("\nWill mount %s on %s", a.Name, a.FsFile)
	p.Did += fmt.Sprintf("\nMounted %s on %s", a.Name, a.FsFile)
	p.Steps = append(p.Steps, *doing(value.NewDict("mount", true), func(ctx context.Context) error {
		if a.Config == standardTable && !setsAside(h, a.FsVfstype, a.FsMntops) { // else mount would say the password to its helper
			return (&request{point: a.FsFile}).mount(ctx, h)
		}
		return (&request{device: a.Name, point: a.FsFile, fstype: a.FsVfstype, opts: a.FsMntops}).mount(ctx, h)
	}))
	return p, nil
}

func planFstabAbsent(ctx context.Context, h *host.Host, a fstabArgs) (module.Plan, error) {
	t, err := load(h, a.Config)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("%s entry is already missing in %s.", a.FsFile, a.Config),
		Would: fmt.Sprintf("%s entry will be removed from %s.", a.FsFile, a.Config),
		Did:   fmt.Sprintf("%s entry removed from %s.", a.FsFile, a.Config),
	}
	if len(t.find(func(e *entry) bool { return e.isAt(a.FsFile) })) == 0 {
		return p, nil
	}
	spec, err := a.spec(ctx, h)
	if err != nil || !t.remove(a.FsFile, spec) {
		return p, err
	}
	p.Steps = []module.Step{*doing(value.NewDict("persist", "removed"), func(ctx context.Context) error {
		t, err := load(h, a.Config)
		if err == nil && t.remove(a.FsFile, spec) {
			err = t.save(ctx, h, a.Config)
		}
		return err
	})}
	return p, nil
}
