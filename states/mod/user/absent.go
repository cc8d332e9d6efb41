package user

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"brine/states/account"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type absentArgs struct {
	who
	Purge bool `arg:"purge" doc:"remove the home directory and mail too"`
	Force bool `arg:"force" doc:"also when the user is logged in"`
	Local bool `arg:"local" doc:"only a user of the host's own files, none of a directory service"`
}

func absent(ctx context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	u, err := account.FindUser(ctx, h, a.Name, a.Local)
	if account.Missing(err) {
		return module.Plan{Same: fmt.Sprintf("User %s is not present", a.Name)}, nil
	}
	if err != nil {
		return module.Plan{}, err
	}
	if err := removable(u, a.Purge); err != nil {
		return module.Plan{}, err
	}
	changes := &value.Dict{}
	if own, err := takesGroup(ctx, h, u); err != nil {
		return module.Plan{}, err
	} else if own {
		changes.Put(u.Name+" group", "removed")
	}
	changes.Put(u.Name, "removed")
	return module.Plan{
		Writes: []string{"/etc/passwd"},
		Steps: []module.Step{{Changes: changes, Do: func(ctx context.Context) (module.Done, error) {
			return module.Done{}, drop(ctx, h, u, a.Purge, a.Force)
		}}},
		Would: fmt.Sprintf("User %s set for removal", a.Name),
		Did:   fmt.Sprintf("Removed user %s", a.Name),
	}, nil
}

// removable refuses what would leave no host behind.
func removable(u *account.User, purge bool) error {
	if u.Name == "root" {
		return errors.New("cannot remove root: no one could log in any more")
	}
	home := path.Clean(u.Home)
	system := []string{"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin",
		"/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/sbin", "/var", "/var/cache", "/var/lib",
		"/var/log", "/var/mail", "/var/run", "/var/spool"}
	if purge && slices.Contains(system, home) {
		return fmt.Errorf("cannot remove the files of the user %q: its home %s is a directory of the system", u.Name, home)
	}
	return nil
}

// takesGroup says whether the system removes the group of the same name with the user: it does when the group is no one
// else's.
func takesGroup(ctx context.Context, h *host.Host, u *account.User) (bool, error) {
	if !account.OwnGroups(h) && !account.ToolsOf(h).BusyBox {
		return false, nil
	}
	g, err := account.FindGroup(ctx, h, u.Name, true)
	if account.Missing(err) || err == nil && g.GID != u.GID {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	others := slices.ContainsFunc(g.Members, func(m string) bool { return m != u.Name })
	users, err := account.Users(ctx, h)
	for _, other := range users {
		others = others || other.Name != u.Name && other.GID == g.GID
	}
	return !others, err
}

// drop removes a user.
func drop(ctx context.Context, h *host.Host, u *account.User, purge, force bool) error {
	t := account.ToolsOf(h)
	argv := []string{"userdel"}
	if purge {
		argv = append(argv, "-r")
	}
	if force {
		argv = append(argv, "-f")
	}
	if t.BusyBox {
		argv = []string{"deluser"}
		if purge {
			argv = append(argv, "--remove-home")
		}
	}
	err := t.Run(ctx, append(argv, u.Name)...)
	var exit *host.ExitError
	if errors.As(err, &exit) && exit.Code == 12 && gone(ctx, h, u, purge) {
		err = nil // no mail was there to be removed, which userdel of some Debians takes for a failure
	}
	if err != nil {
		return fmt.Errorf("cannot remove the user %q: %w", u.Name, err)
	}
	return nil
}

func gone(ctx context.Context, h *host.Host, u *account.User, purge bool) bool {
	_, err := account.FindUser(ctx, h, u.Name, true)
	if purge {
		if _, there := os.Lstat(h.Path(u.Home)); there == nil {
			return false
		}
	}
	return account.Missing(err)
}
