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
