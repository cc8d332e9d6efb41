package user

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brine/states/account"
	"brine/states/host"
)

// wanted is a user as it is to be.
type wanted struct {
	account.User
	unique bool
	move   bool // the files of a home directory go with it
}

// apply brings an entry of passwd, and the groups that name the user, from one form to another. All but the groups
// on a host without usermod is one command.
func apply(ctx context.Context, h *host.Host, from *account.User, to wanted) error {
	t := account.ToolsOf(h)
	argv := []string{"usermod"}
	add := func(changed bool, words ...string) {
		if changed {
			argv = append(argv, words...)
		}
	}
	add(from.Gecos != to.Gecos, "-c", to.Gecos.String())
	add(from.Home != to.Home, "-d", to.Home)
	add(from.Home != to.Home && to.move, "-m")
	add(from.GID != to.GID, "-g", number(to.GID))
	add(from.Shell != to.Shell, "-s", to.Shell)
	add(from.UID != to.UID, "-u", number(to.UID))
	add(from.UID != to.UID && !to.unique, "-o")
	old, groups := supplementary(ctx, h, from), supplementary(ctx, h, &to.User)
	oneByOne := t.BusyBox || !account.IsLocal(ctx, h, "passwd", from.Name)
	add(!slices.Equal(old, groups) && !oneByOne, "-G", strings.Join(groups, ","))
	if len(argv) > 1 {
		if err := t.Run(ctx, append(argv, from.Name)...); err != nil {
			return fmt.Errorf("cannot change the user %q: %w", from.Name, err)
		}
	}
	if oneByOne {
		return regroup(ctx, t, from.Name, old, groups)
	}
	return nil
}

// regroup adds a user to groups and takes it out of others, one by one.
func regroup(ctx context.Context, t account.Tools, name string, old, groups []string) error {
	join, leave := []string{"gpasswd", "-a"}, []string{"gpasswd", "-d"}
	if t.BusyBox {
		join, leave = []string{"addgroup"}, []string{"delgroup"}
	}
	for _, g := range groups {
		if slices.Contains(old, g) {
			continue
		}
		if err := t.Run(ctx, append(slices.Clip(join), name, g)...); err != nil {
			return fmt.Errorf("cannot add the user %q to the group %q: %w", name, g, err)
		}
	}
	for _, g := range old {
		if slices.Contains(groups, g) {
			continue
		}
		if err := t.Run(ctx, append(slices.Clip(leave), name, g)...); err != nil {
			return fmt.Errorf("cannot take the user %q out of the group %q: %w", name, g, err)
		}
	}
	return nil
}

// supplementary are the groups but for the primary one.
func supplementary(ctx context.Context, h *host.Host, u *account.User) []string {
	primary := account.GroupName(ctx, h, u.GID)
	return slices.DeleteFunc(slices.Clone(u.Groups), func(g string) bool { return g == primary })
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// applyShadow brings an entry of shadow from one form to another.
func applyShadow(ctx context.Context, h *host.Host, name string, from, to account.Shadow) error {
	t := account.ToolsOf(h)
	if from.Passwd != to.Passwd {
		if err := setHash(ctx, t, name, to.Passwd); err != nil {
			return fmt.Errorf("cannot set the password of the user %q: %w", name, err)
		}
		now, err := account.FindShadow(h, name)
		if err != nil {
			return err
		}
		from.LastChange = now.LastChange // the program sets it too
	}
	argv := []string{"chage"}
	for _, f := range []struct {
		option   string
		from, to int64
	}{
		{"-d", from.LastChange, to.LastChange}, {"-m", from.Min, to.Min}, {"-M", from.Max, to.Max},
		{"-W", from.Warn, to.Warn}, {"-I", from.Inactive, to.Inactive}, {"-E", from.Ends, to.Ends},
	} {
		if f.from != f.to {
			argv = append(argv, f.option, strconv.FormatInt(f.to, 10))
		}
	}
	if len(argv) == 1 {
		return nil
	}
	if err := t.Run(ctx, append(argv, name)...); err != nil {
		return fmt.Errorf("cannot set the dates of the password of the user %q: %w", name, err)
	}
	return nil
}

// setHash gives a user a hash, which no list of processes shows.
func setHash(ctx context.Context, t account.Tools, name, hash string) error {
	if hash == "" {
		return t.Run(ctx, "passwd", "-d", name)
	}
	return t.Feed(ctx, name+":"+hash+"\n", "chpasswd", "-e")
}
