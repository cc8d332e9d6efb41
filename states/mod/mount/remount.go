package mount

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// replacePart unmounts what is another device, and mounts the one that is wanted.
func (a *mountedArgs) replacePart(h *host.Host, point string, m *mounted) part {
	r := a.request()
	text := fmt.Sprintf("Forced unmount because devices don't match. Wanted: %s, current: %s", a.Device, m.device)
	return part{
		step: doing(value.NewDict("umount", text, "mount", true), func(ctx context.Context) error {
			if err := unmount(ctx, h, point, a.User); err != nil {
				return err
			}
			return r.mount(ctx, h)
		}),
		would: "An umount would have been forced because devices do not match.  Watched: " + a.Device,
		did:   "Target was successfully mounted",
	}
}

// optionsPart remounts what lacks options, or has flags that the fstab no longer wants. From is what a bind shows.
func (a *mountedArgs) optionsPart(ctx context.Context, h *host.Host, point string, m, from *mounted, why string) (part, error) {
	same := part{same: "Target was already mounted"}
	if why != "" {
		same.same = why
	}
	c := a.comparison(ctx, h)
	lacks := c.missing(m, a.Opts)
	off, err := a.taken(h, m)
	if err != nil || len(lacks)+len(off) == 0 {
		return same, err
	}
	var named []string
	named = append(named, lacks...)
	for _, flag := range off {
		named = append(named, negative()[flag])
	}
	slices.Sort(named)
	named = shown(slices.Compact(named))
	again := a.needsUnmount(lacks)
	how, would := "Forced remount", "Remount would be forced"
	if again {
		how, would = "Forced unmount and mount", "An unmount and mount would be forced"
	}
	because := fmt.Sprintf(" because options (%s) changed", strings.Join(named, ","))
	r := a.request()
	r.point = point
	return part{
		step: doing(value.NewDict("umount", how+because), func(ctx context.Context) error {
			if again {
				if err := unmount(ctx, h, point, a.User); err != nil {
					return err
				}
				return r.mount(ctx, h)
			}
			r.opts = a.remountOptions(from, off)
			if err := r.remount(ctx, h); err != nil {
				return err
			}
			return a.inForce(ctx, h, c, point, off)
		}),
		would: would + because,
		did:   "Target was remounted",
	}, nil
}

// taken are the flags that the fstab gave to what is mounted, and the state does not.
func (a *mountedArgs) taken(h *host.Host, m *mounted) ([]string, error) {
	if !a.Persist {
		return nil, nil
	}
	t, err := load(h, a.Config)
	if err != nil {
		return nil, err
	}
	var before []string
	for _, i := range t.find(func(e *entry) bool { return e.isAt(a.Name) }) {
		e, _ := parseEntry(t.lines[i])
		before = append(before, e.options()...)
	}
	return taken(m, before, a.Opts), nil
}

// needsUnmount says whether a kind of file system takes options only when it is mounted.
func (a *mountedArgs) needsUnmount(lacks []string) bool {
	switch {
	case a.Fstype == "btrfs":
		return slices.ContainsFunc(lacks, func(o string) bool { return strings.HasPrefix(o, "subvol") })
	case a.Fstype == "overlay":
		return slices.ContainsFunc(lacks, func(o string) bool { return strings.Contains(o, "dir=") })
	case a.isBind():
		return false
	}
	return a.Fstype == "nfs" || a.Fstype == "nfs4" || a.Fstype == "cvfs" || strings.HasPrefix(a.Fstype, "fuse")
}

// remountOptions are those that a remount is given: a flag that it does not name goes away, or stays, as the mount
// program at hand sees fit.
func (a *mountedArgs) remountOptions(from *mounted, off []string) []string {
	opts := slices.Clone(a.Opts)
	for _, flag := range off {
		if on := negative()[flag]; !slices.Contains(opts, on) {
			opts = append(opts, on)
		}
	}
	chosen := func(o string) bool { return o == "noatime" || o == "relatime" || o == "strictatime" }
	if slices.ContainsFunc(opts, func(o string) bool { return o == "atime" || o == "diratime" }) && !slices.ContainsFunc(opts, chosen) {
		opts = append(opts, "relatime") // the kernel keeps what it has of times when no one of these is given
	}
	if from == nil || !a.CopyActiveOpts {
		return opts
	}
	for _, flag := range from.opts {
		on, isFlag := negative()[flag]
		if isFlag && !slices.Contains(opts, flag) && !slices.Contains(opts, on) {
			opts = append(opts, flag)
		}
	}
	return opts
}

// inForce makes sure that flags are as wanted after a remount: the kernel shows all of them.
func (a *mountedArgs) inForce(ctx context.Context, h *host.Host, c *comparison, point string, off []string) error {
	all, err := mounts(h)
	if err != nil {
		return err
	}
	m := at(all, point)
	if m == nil {
		return fmt.Errorf("cannot remount %s: nothing is mounted there any more", point)
	}
	for _, opt := range append(c.missing(m, a.Opts), off...) {
		on, flag := negative()[opt]
		switch {
		case flag && slices.Contains(off, opt) && slices.Contains(m.opts, opt):
			return fmt.Errorf("cannot remount %s: mount reported no error, and it still is not %s", point, on)
		case flag && !slices.Contains(off, opt):
			return fmt.Errorf("cannot remount %s: mount reported no error, and it is not %s", point, opt)
		}
	}
	return nil
}

// planKept plans what has to change in the fstab, for what is mounted as wanted or not.
func (a *mountedArgs) planKept(h *host.Host, isMounted bool) (part, error) {
	if !a.Persist {
		return part{}, nil
	}
	t, err := load(h, a.Config)
	if err != nil {
		return part{}, err
	}
	was := t.put(a.entry(), a.MatchOn, false)
	if was == present {
		return part{same: "Entry already exists in the fstab."}, nil
	}
	step := doing(nil, func(ctx context.Context) error {
		t, err := load(h, a.Config)
		if err == nil && t.put(a.entry(), a.MatchOn, false) != present {
			err = t.save(ctx, h, a.Config)
		}
		return err
	})
	is := "It "
	if isMounted {
		is = a.Name + " is mounted, but "
	}
	if was == added {
		step.Changes = value.NewDict("persist", "new")
		return part{step: step, would: is + "needs to be written to the fstab in order to be made persistent.",
			did: "Added new entry to the fstab."}, nil
	}
	step.Changes = value.NewDict("persist", "update")
	is = "Its "
	if isMounted {
		is = a.Name + " is mounted, but its "
	}
	return part{step: step, would: is + "fstab entry must be updated.", did: "Updated the entry in the fstab."}, nil
}

// watchMounted remounts because something else changed.
func watchMounted(_ context.Context, h *host.Host, a mountedArgs, _ []string) (module.Plan, error) {
	point, m, _, err := place(h, a.Name)
	if err != nil || !a.Mount {
		return module.Plan{}, err
	}
	r := a.request()
	r.point = point
	p := module.Plan{Would: a.Name + " would be remounted", Did: a.Name + " remounted"}
	p.Steps = []module.Step{*doing(value.NewDict("remount", true), func(ctx context.Context) error {
		if m == nil {
			return r.mount(ctx, h)
		}
		r.opts = a.remountOptions(nil, nil)
		return r.remount(ctx, h)
	})}
	return p, nil
}
