package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/account"
	"brine/states/host"
	"brine/states/value"
)

func info(ctx context.Context, h *host.Host, a which) (*value.Dict, error) {
	g, err := account.FindGroup(ctx, h, a.Name, false)
	if account.Missing(err) {
		return &value.Dict{}, nil
	}
	if err != nil {
		return nil, err
	}
	return g.Info(), nil
}

type refreshArgs struct {
	Refresh bool `arg:"refresh" doc:"taken for Salt's sake: nothing is remembered"`
}

func all(ctx context.Context, h *host.Host, _ refreshArgs) (*value.List, error) {
	groups, err := account.Groups(ctx, h)
	list := value.NewList()
	for _, g := range groups {
		list.Items = append(list.Items, g.Info())
	}
	return list, err
}

type addArgs struct {
	which
	GID       *account.ID `arg:"gid" doc:"the number; the system's choice when absent"`
	System    bool        `arg:"system" doc:"make it one of the system, with a low number"`
	NonUnique bool        `arg:"non_unique" doc:"take a number that another group has"`
	Local     bool        `arg:"local" doc:"only the host's own files count, no directory service"`
}

func add(ctx context.Context, h *host.Host, a addArgs) (bool, error) {
	if _, err := account.FindGroup(ctx, h, a.Name, a.Local); !account.Missing(err) {
		return false, errors.Join(err, fmt.Errorf("cannot make the group %q: it is there already", a.Name))
	}
	err := a.create(ctx, h)
	return err == nil, err
}

// create makes the group.
func (a *addArgs) create(ctx context.Context, h *host.Host) error {
	t := account.ToolsOf(h)
	argv := []string{"groupadd"}
	system := "-r"
	if t.BusyBox {
		argv, system = []string{"addgroup"}, "-S"
	}
	if a.GID != nil {
		argv = append(argv, "-g", number(uint32(*a.GID)))
	}
	if a.System {
		argv = append(argv, system)
	}
	if a.NonUnique && !t.BusyBox { // which asks for nothing
		argv = append(argv, "-o")
	}
	if err := t.Run(ctx, append(argv, a.Name)...); err != nil {
		return fmt.Errorf("cannot make the group %q: %w", a.Name, err)
	}
	return nil
}

type gidArgs struct {
	which
	GID       account.ID `arg:"gid,required" doc:"the new number"`
	NonUnique bool       `arg:"non_unique" doc:"take a number that another group has"`
}

func changeGID(ctx context.Context, h *host.Host, a gidArgs) (bool, error) {
	g, err := account.FindGroup(ctx, h, a.Name, false)
	if err != nil {
		return false, err
	}
	if g.GID != uint32(a.GID) {
		err = renumber(ctx, h, a.Name, uint32(a.GID), a.NonUnique)
	}
	return err == nil, err
}

func renumber(ctx context.Context, h *host.Host, name string, gid uint32, nonUnique bool) error {
	argv := []string{"groupmod", "-g", number(gid)}
	if nonUnique {
		argv = append(argv, "-o")
	}
	if err := account.ToolsOf(h).Run(ctx, append(argv, name)...); err != nil {
		return fmt.Errorf("cannot change the number of the group %q: %w", name, err)
	}
	return nil
}

type removeArgs struct {
	which
	Local bool `arg:"local" doc:"only a group of the host's own files, none of a directory service"`
}

func remove(ctx context.Context, h *host.Host, a removeArgs) (bool, error) {
	if _, err := account.FindGroup(ctx, h, a.Name, a.Local); err != nil {
		return false, err
	}
	err := drop(ctx, h, a.Name)
	return err == nil, err
}

func drop(ctx context.Context, h *host.Host, name string) error {
	t, program := account.ToolsOf(h), "groupdel"
	if t.BusyBox {
		program = "delgroup"
	}
	if err := t.Run(ctx, program, name); err != nil {
		return fmt.Errorf("cannot remove the group %q: %w", name, err)
	}
	return nil
}

type memberArgs struct {
	which
	User string `arg:"username,required" doc:"the user"`
}

func addUser(ctx context.Context, h *host.Host, a memberArgs) (bool, error) {
	return a.move(ctx, h, true)
}
func delUser(ctx context.Context, h *host.Host, a memberArgs) (bool, error) {
	return a.move(ctx, h, false)
}

// move puts the user into the group, or takes it out; true too when that is so already.
func (a memberArgs) move(ctx context.Context, h *host.Host, in bool) (bool, error) {
	if err := account.CheckName("username", a.User); err != nil {
		return false, err
	}
	g, err := account.FindGroup(ctx, h, a.Name, false)
	if err != nil {
		return false, err
	}
	to := slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return m == a.User })
	if in {
		if _, err := account.FindUser(ctx, h, a.User, false); err != nil {
			return false, err
		}
		to = append(to, a.User)
	}
	err = fill(ctx, h, a.Name, g.Members, to)
	return err == nil, err
}

// fill adds users to a group and takes others out, one by one: so those stay whom someone else puts in meanwhile.
func fill(ctx context.Context, h *host.Host, name string, from, to []string) error {
	t := account.ToolsOf(h)
	run := func(option, busybox, user string) error {
		argv := []string{"gpasswd", option, user, name}
		if t.BusyBox {
			argv = []string{busybox, user, name}
		}
		if err := t.Run(ctx, argv...); err != nil {
			return fmt.Errorf("cannot change who is in the group %q: %w", name, err)
		}
		return nil
	}
	for _, user := range to {
		if !slices.Contains(from, user) {
			if err := run("-a", "addgroup", user); err != nil {
				return err
			}
		}
	}
	for _, user := range from {
		if !slices.Contains(to, user) {
			if err := run("-d", "delgroup", user); err != nil {
				return err
			}
		}
	}
	return nil
}

type membersArgs struct {
	which
	Members account.Names `arg:"members_list,required" doc:"the users, as a list or one text with commas"`
}

func setMembers(ctx context.Context, h *host.Host, a membersArgs) (bool, error) {
	g, err := account.FindGroup(ctx, h, a.Name, false)
	if err != nil {
		return false, err
	}
	if missing, err := missingUsers(ctx, h, a.Members); err != nil || len(missing) > 0 {
		return false, errors.Join(err, fmt.Errorf("cannot put users into the group %q that are not there: %s", a.Name, strings.Join(missing, ", ")))
	}
	err = fill(ctx, h, a.Name, g.Members, a.Members)
	return err == nil, err
}

func missingUsers(ctx context.Context, h *host.Host, users []string) (missing []string, err error) {
	for _, name := range users {
		_, err := account.FindUser(ctx, h, name, false)
		if account.Missing(err) {
			missing = append(missing, name)
		} else if err != nil {
			return nil, err
		}
	}
	return missing, nil
}
