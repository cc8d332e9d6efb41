package mount

import (
	"context"
	"errors"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type unmountedArgs struct {
	Name    string `arg:"name,required" doc:"where nothing is to be mounted"`
	Device  string `arg:"device" doc:"only when it is this; absent is whatever is mounted there"`
	Config  string `arg:"config" default:"/etc/fstab" doc:"the fstab"`
	Persist bool   `arg:"persist" doc:"take it out of the fstab too"`
	User    string `arg:"user" doc:"who runs umount"`

	// What mount.mounted takes is no mistake here, so that a declaration can be turned round.
	Others *value.Dict `arg:"kwargs,others" doc:"taken so that a declaration of mounted can be turned round: it says nothing here"`
}

// CheckArgs implements module.Checker.
func (a *unmountedArgs) CheckArgs() error {
	return errors.Join(absolute("name", &a.Name), absolute("config", &a.Config))
}

func planUnmounted(ctx context.Context, h *host.Host, a unmountedArgs) (module.Plan, error) {
	point, m, all, err := place(h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	if m != nil && a.Device != "" {
		if m, err = a.ofDevice(ctx, h, m, all); err != nil {
			return module.Plan{}, err
		}
	}
	p := module.Plan{Same: "Target was already unmounted", Would: "Target was already unmounted", Did: "Target was already unmounted"}
	if m != nil {
		p.Would, p.Did = "Mount point "+a.Name+" is mounted but should not be", "Target was successfully unmounted"
		p.Steps = append(p.Steps, *doing(value.NewDict("umount", true), func(ctx context.Context) error {
			return unmount(ctx, h, point, a.User)
		}))
	}
	if !a.Persist {
		return p, nil
	}
	return a.purge(h, p)
}

// ofDevice is the mount when it is of the device; nil when it is not.
func (a *unmountedArgs) ofDevice(ctx context.Context, h *host.Host, m *mounted, all []mounted) (*mounted, error) {
	if same, _ := bound(h, all, m, a.Device); same {
		return m, nil
	}
	d, err := find(ctx, h, a.Device)
	if _, _, isTag := tag(a.Device); isTag && len(d.names) == 0 {
		return nil, nil // what no device has is not mounted
	}
	if err != nil || d.is(h, m) {
		return m, err
	}
	return nil, nil
}

// purge adds to a plan what takes the entry out of the fstab.
func (a *unmountedArgs) purge(h *host.Host, p module.Plan) (module.Plan, error) {
	t, err := load(h, a.Config)
	if err != nil {
		return p, err
	}
	if !t.remove(a.Name, a.Device) {
		const none = ". fstab entry not found"
		p.Same, p.Would, p.Did = p.Same+none, p.Would+none, p.Did+none
		return p, nil
	}
	if len(p.Steps) == 0 {
		p.Would = "Mount point " + a.Name + " is unmounted but needs to be purged from " + a.Config + " to be made persistent"
	} else {
		p.Would += ". It needs to be purged from " + a.Config + " to be made persistent"
	}
	p.Did += ". Removed target from fstab"
	p.Steps = append(p.Steps, *doing(value.NewDict("persist", "purged"), func(ctx context.Context) error {
		t, err := load(h, a.Config)
		if err == nil && t.remove(a.Name, a.Device) {
			err = t.save(ctx, h, a.Config)
		}
		return err
	}))
	return p, nil
}
