package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/account"
	"brine/states/host"
	"brine/states/module"
)

// newArgs are what a user is made with, and what it is kept at.
type newArgs struct {
	who
	UID    *account.ID    `arg:"uid" doc:"the number; the system's choice when absent"`
	GID    string         `arg:"gid" doc:"the primary group, by number or name"`
	Groups *account.Names `arg:"groups" doc:"the groups that the user is in beside the primary one; all must be there"`
	Home   string         `arg:"home" doc:"the home directory"`
	Shell  string         `arg:"shell" doc:"the login shell"`
	Unique bool           `arg:"unique" default:"true" doc:"refuse a number that another user has"`
	System bool           `arg:"system" doc:"make a new user one of the system, with a low number"`
	gecosArgs
	CreateHome bool    `arg:"createhome" default:"true" doc:"make the home directory when it is not there"`
	LoginClass *string `arg:"loginclass" doc:"not on Linux: refused"`
	NoLogInit  bool    `arg:"nologinit" doc:"leave a new user out of lastlog and faillog, which a large number makes large"`
	UserGroup  *bool   `arg:"usergroup" doc:"true: a group with the user's name becomes the primary one, and is made with a new user; false: none is made"`
	Local      bool    `arg:"local" doc:"only the host's own files count, no directory service"`
}

// CheckArgs finds what contradicts itself.
func (a newArgs) CheckArgs() error {
	errs := []error{a.who.CheckArgs(), a.gecosArgs.check()}
	if a.Home != "" {
		errs = append(errs, checkPath("home", a.Home))
	}
	if a.Shell != "" {
		errs = append(errs, checkPath("shell", a.Shell))
	}
	if a.GID != "" && a.UserGroup != nil && *a.UserGroup {
		errs = append(errs, errors.New(`arguments "gid" and "usergroup" both name the primary group: give one`))
	}
	if a.LoginClass != nil {
		errs = append(errs, errors.New(`argument "loginclass": Linux has no login classes`))
	}
	return errors.Join(errs...)
}

// primary is the primary group that is asked for; false when none is, or it is made with the user.
func (a *newArgs) primary(ctx context.Context, h *host.Host) (gid uint32, given bool, err error) {
	name := a.GID
	if name == "" && a.UserGroup != nil && *a.UserGroup {
		if name = a.Name; !hasGroup(ctx, h, name) {
			return 0, false, nil
		}
	}
	if name == "" {
		return 0, false, nil
	}
	gid, err = h.GroupID(ctx, name)
	if n := new(account.ID); account.Missing(err) && n.ParseArg(module.Typed(name)) == nil {
		return uint32(*n), true, module.Unknown("cannot use the group %s for the user %q: there is no group of that number", name, a.Name)
	}
	if account.Missing(err) {
		err = module.Unknown("cannot use the group %q for the user %q: there is none of that name", name, a.Name)
	}
	return gid, true, err
}

func hasGroup(ctx context.Context, h *host.Host, name string) bool {
	_, err := account.FindGroup(ctx, h, name, false)
	return err == nil
}

// missingGroups are those of groups that are not there.
func missingGroups(ctx context.Context, h *host.Host, groups []string) (missing []string, err error) {
	for _, name := range groups {
		_, err := account.FindGroup(ctx, h, name, false)
		if account.Missing(err) {
			missing = append(missing, name)
		} else if err != nil {
			return nil, err
		}
	}
	return missing, nil
}

func absentGroups(missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return module.Unknown("cannot put a user into groups that are not there: %s", strings.Join(missing, ", "))
}

// command is the one that makes the user, with its groups.
func (a *newArgs) command(ctx context.Context, h *host.Host, groups []string) ([]string, error) {
	argv := []string{"useradd"}
	add := func(when bool, words ...string) {
		if when {
			argv = append(argv, words...)
		}
	}
	gid, given, err := a.primary(ctx, h)
	if err != nil {
		return nil, err
	}
	shared := !given && a.UserGroup == nil && account.OwnGroups(h) && hasGroup(ctx, h, a.Name)
	gecos := a.in(account.Gecos{}).String()
	add(a.Shell != "", "-s", a.Shell)
	if a.UID != nil {
		add(true, "-u", number(uint32(*a.UID)))
	}
	add(given, "-g", number(gid))
	add(shared, "-g", a.Name) // useradd does not take a group that is there by itself
	add(!given && a.UserGroup != nil && *a.UserGroup, "-U")
	add(!given && a.UserGroup != nil && !*a.UserGroup, "-N")
	add(len(groups) > 0, "-G", strings.Join(groups, ","))
	add(a.CreateHome, "-m")
	add(!a.CreateHome, "-M")
	add(a.Home != "", "-d", a.Home)
	add(gecos != "", "-c", gecos)
	add(!a.Unique, "-o")
	add(a.System, "-r")
	add(a.NoLogInit, "-l")
	return append(argv, a.Name), nil
}

// busybox is the command of BusyBox that makes the user; the groups are joined after it.
func (a *newArgs) busybox(ctx context.Context, h *host.Host) ([]string, error) {
	if !a.Unique {
		return nil, errors.New("BusyBox's adduser makes no second user with a number (install the package shadow)")
	}
	argv := []string{"adduser", "-D"}
	_, given, err := a.primary(ctx, h)
	if err != nil {
		return nil, err
	}
	group := a.GID
	switch {
	case given && group == "" || !given && a.UserGroup == nil && hasGroup(ctx, h, a.Name),
		a.System && a.UserGroup != nil && *a.UserGroup:
		group = a.Name
	case given: // by its name, which is all that it knows
		gid, err := h.GroupID(ctx, group)
		if err != nil {
			return nil, err
		}
		group = account.GroupName(ctx, h, gid)
	}
	for _, o := range []struct{ option, text string }{
		{"-s", a.Shell}, {"-h", a.Home}, {"-G", group}, {"-g", a.in(account.Gecos{}).String()},
	} {
		if o.text != "" {
			argv = append(argv, o.option, o.text)
		}
	}
	if a.UID != nil {
		argv = append(argv, "-u", number(uint32(*a.UID)))
	}
	if !a.CreateHome {
		argv = append(argv, "-H")
	}
	if a.System {
		argv = append(argv, "-S")
	}
	return append(argv, a.Name), nil
}

// create makes the user.
func (a *newArgs) create(ctx context.Context, h *host.Host, groups []string) error {
	t := account.ToolsOf(h)
	argv, err := a.command(ctx, h, groups)
	if t.BusyBox {
		argv, err = a.busybox(ctx, h)
	}
	if err == nil && a.CreateHome && a.Home != "" {
		err = makeParents(h, a.Home)
	}
	if err == nil && t.BusyBox && slices.Contains(argv, "-S") && slices.Contains(argv, "-G") && !hasGroup(ctx, h, a.Name) && a.GID == "" {
		err = t.Run(ctx, "addgroup", "-S", a.Name) // adduser makes none for a user of the system
	}
	if err == nil {
		err = t.Run(ctx, argv...)
	}
	if err != nil {
		return fmt.Errorf("cannot make the user %q: %w", a.Name, err)
	}
	if t.BusyBox {
		return regroup(ctx, t, a.Name, nil, groups)
	}
	return nil
}

// add is the execution function.
func add(ctx context.Context, h *host.Host, a newArgs) (bool, error) {
	var groups []string
	if a.Groups != nil {
		groups = *a.Groups
	}
	missing, err := missingGroups(ctx, h, groups)
	if err := errors.Join(err, absentGroups(missing)); err != nil {
		return false, err
	}
	if _, err := account.FindUser(ctx, h, a.Name, a.Local); !account.Missing(err) {
		return false, errors.Join(err, fmt.Errorf("cannot make the user %q: it is there already", a.Name))
	}
	err = a.create(ctx, h, slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return g == a.Name }))
	return err == nil, err
}
