package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
)

// A request is what mount is asked for.
type request struct {
	device, point, fstype string
	opts                  []string
	user                  string // who mounts; "" is the minion's user
	mkmnt                 bool
}

// run runs a command as a user. Its error does not show the arguments, which may hold a password.
func run(ctx context.Context, h *host.Host, user string, env []string, argv ...string) error {
	c := host.Command{Argv: argv, Env: append([]string{"LC_ALL=C"}, env...)}
	if user != "" {
		u, err := h.User(ctx, user)
		if err != nil {
			return module.Unmade(err)
		}
		c.User = u
	}
	out, err := h.Exec(ctx, c)
	if err != nil || out.Code == 0 {
		return err
	}
	said := strings.TrimSpace(string(out.Stderr))
	if said == "" {
		said = fmt.Sprintf("%s ended with %d", argv[0], out.Code)
	}
	return errors.New(said)
}

// mount mounts, and makes sure that it is mounted then.
func (r *request) mount(ctx context.Context, h *host.Host) error {
	if r.mkmnt {
		if err := r.makePoint(ctx, h); err != nil {
			return err
		}
	}
	argv := []string{"mount"}
	opts, env, forget, err := aside(h, r.fstype, r.opts)
	defer forget()
	if err != nil {
		return err
	}
	if len(opts) > 0 && r.device != "" {
		argv = append(argv, "-o", strings.Join(opts, ","))
	}
	if r.fstype != "" && r.device != "" {
		argv = append(argv, "-t", r.fstype)
	}
	if r.device != "" {
		argv = append(argv, "--", r.device, r.point)
	} else {
		argv = append(argv, "--", r.point) // as fstab says
	}
	if err := run(ctx, h, r.user, env, argv...); err != nil {
		return fmt.Errorf("cannot mount %s: %w", r.point, unsaid(err, r.opts))
	}
	_, m, _, err := place(h, r.point)
	if err == nil && m == nil && r.fstype != "swap" {
		err = fmt.Errorf("cannot mount %s: mount reported no error, and nothing is mounted there", r.point)
	}
	return err
}

// makePoint makes the directory to mount at.
func (r *request) makePoint(ctx context.Context, h *host.Host) error {
	uid, gid := -1, -1
	if r.user != "" {
		u, err := h.User(ctx, r.user)
		if err != nil {
			return module.Unmade(err)
		}
		uid, gid = int(u.UID), int(u.GID)
	}
	return file.MakeDir(h, r.point, uid, gid)
}

// remount changes the options of what is mounted.
func (r *request) remount(ctx context.Context, h *host.Host) error {
	opts, env, forget, err := aside(h, r.fstype, r.opts)
	defer forget()
	if err != nil {
		return err
	}
	argv := []string{"mount", "-o", strings.Join(append([]string{"remount"}, opts...), ",")}
	if r.fstype != "" && r.fstype != "none" {
		argv = append(argv, "-t", r.fstype)
	}
	if err := run(ctx, h, r.user, env, append(argv, "--", r.device, r.point)...); err != nil {
		return fmt.Errorf("cannot remount %s: %w", r.point, unsaid(err, r.opts))
	}
	return nil
}

// unmount unmounts all that is mounted at a place.
func unmount(ctx context.Context, h *host.Host, point, user string) error {
	for {
		all, err := mounts(h)
		if err != nil {
			return err
		}
		m := at(all, point)
		if m == nil {
			return nil
		}
		if err := run(ctx, h, user, nil, "umount", "--", point); err != nil {
			return fmt.Errorf("cannot unmount %s: %w", point, err)
		}
		if all, err = mounts(h); err != nil {
			return err
		}
		if now := at(all, point); now != nil && now.id == m.id {
			return fmt.Errorf("cannot unmount %s: umount reported no error, and it is still mounted", point)
		}
	}
}

// reread lets systemd, which makes units of fstab, read it again: it would act on what was there before.
func reread(ctx context.Context, h *host.Host, config string) error {
	if _, err := os.Stat(h.Path("/run/systemd/system")); err != nil || config != standardTable {
		return nil
	}
	_, err := h.Run(ctx, "systemctl", "daemon-reload")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot let systemd read %s again: %w", config, err)
	}
	return nil
}
