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

// swaps returns what is swapped to, by device or file, as Salt shows it.
func swaps(h *host.Host) (*value.Dict, error) {
	data, err := os.ReadFile(h.Path("/proc/swaps"))
	if err != nil {
		return nil, fmt.Errorf("cannot tell what is swapped to: %w", err)
	}
	d := &value.Dict{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) >= 5 && f[0] != "Filename" {
			d.Put(unescape(f[0]), value.NewDict("type", f[1], "size", f[2], "used", f[3], "priority", f[4]))
		}
	}
	return d, nil
}

// swapping finds how a device is swapped to; nil when it is not.
func swapping(h *host.Host, d device) (*value.Dict, error) {
	on, err := swaps(h)
	if err != nil {
		return nil, err
	}
	for name, stats := range on.All() {
		for _, n := range d.names {
			if n == name || number(h, n) != "" && number(h, n) == number(h, name.(string)) {
				return stats.(*value.Dict), nil
			}
		}
	}
	return nil, nil
}

type swapArgs struct {
	Name    string `arg:"name,required" doc:"the device or file, UUID=ID or LABEL=NAME"`
	Persist bool   `arg:"persist" default:"true" doc:"have it in the fstab"`
	Config  string `arg:"config" default:"/etc/fstab" doc:"the fstab"`
}

// CheckArgs implements module.Checker.
func (a *swapArgs) CheckArgs() error {
	errs := []error{absolute("config", &a.Config)}
	if _, _, isTag := tag(a.Name); !isTag {
		errs = append(errs, absolute("name", &a.Name))
	}
	return errors.Join(errs...)
}

func planSwap(ctx context.Context, h *host.Host, a swapArgs) (module.Plan, error) {
	d, err := find(ctx, h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	on, err := swapping(h, d)
	if err != nil {
		return module.Plan{}, err
	}
	text := fmt.Sprintf("Swap %s already active", a.Name)
	p := module.Plan{Same: text, Would: text, Did: text}
	if on == nil {
		if !exists(h, d.names[0]) {
			return p, module.Unknown("cannot swap to %s: there is no such device or file", a.Name)
		}
		p.Would, p.Did = fmt.Sprintf("Swap %s is set to be activated", a.Name), fmt.Sprintf("Swap %s activated", a.Name)
		p.Steps = append(p.Steps, *doing(value.NewDict("swap", "activated"), func(ctx context.Context) error {
			return swapTo(ctx, h, d, nil)
		}))
	}
	if !a.Persist {
		return p, nil
	}
	t, err := load(h, a.Config)
	if err != nil || a.listed(h, t, d) {
		return p, err
	}
	p.Would += ". It is set to be added to the fstab."
	p.Did += ". Added new entry to the fstab."
	p.Steps = append(p.Steps, *doing(value.NewDict("persist", "new"), func(ctx context.Context) error {
		t, err := load(h, a.Config)
		if err == nil && !a.listed(h, t, d) {
			e := entry{a.Name, "none", "swap", "defaults", "0", "0"}
			t.lines = append(t.lines, e.line())
			err = t.save(ctx, h, a.Config)
		}
		return err
	}))
	return p, nil
}

// listed says whether the fstab has the swap, whatever its options are.
func (a *swapArgs) listed(h *host.Host, t *fstab, d device) bool {
	return len(t.find(func(e *entry) bool {
		if e.fstype != "swap" {
			return false
		}
		for _, n := range d.names {
			if e.device == n || real(h, path.Clean(e.device)) == n {
				return true
			}
		}
		return e.device == a.Name
	})) > 0
}

// swapTo starts swapping to a device, and makes sure that it is in use then.
func swapTo(ctx context.Context, h *host.Host, d device, priority *int) error {
	argv := []string{"swapon"}
	if priority != nil {
		argv = append(argv, "-p", fmt.Sprint(*priority))
	}
	if _, err := h.Run(ctx, append(argv, "--", d.names[0])...); err != nil {
		return fmt.Errorf("cannot swap to %s: %w", d.given, err)
	}
	on, err := swapping(h, d)
	if err == nil && on == nil {
		err = fmt.Errorf("cannot swap to %s: swapon reported no error, and it is not in use", d.given)
	}
	return err
}
