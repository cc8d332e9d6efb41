// Package account reads the users and groups of a host, and runs the programs that change them.
package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// A User is an entry of passwd with the names of the user's groups.
type User struct {
	Name, Passwd string
	UID, GID     uint32
	Gecos        Gecos
	Home, Shell  string
	Groups       []string // all groups it is in, the primary one too, sorted
}

// Gecos are the parts of the field that tells about a person.
type Gecos struct{ FullName, Room, Work, Home, Other string }

// String is the field as passwd has it.
func (g Gecos) String() string {
	return strings.TrimRight(strings.Join([]string{g.FullName, g.Room, g.Work, g.Home, g.Other}, ","), ",")
}

func parseGecos(field string) Gecos {
	f := append(strings.SplitN(field, ",", 5), "", "", "", "")
	return Gecos{f[0], f[1], f[2], f[3], f[4]}
}

// Info is what Salt tells of a user.
func (u *User) Info() *value.Dict {
	groups := &value.List{Items: []any{}}
	for _, g := range u.Groups {
		groups.Items = append(groups.Items, g)
	}
	return value.NewDict("gid", int64(u.GID), "groups", groups, "home", u.Home, "name", u.Name, "passwd", u.Passwd,
		"shell", u.Shell, "uid", int64(u.UID), "fullname", u.Gecos.FullName, "roomnumber", u.Gecos.Room,
		"workphone", u.Gecos.Work, "homephone", u.Gecos.Home, "other", u.Gecos.Other)
}

// FindUser looks up a user by name; errors.Is(err, host.ErrNoAccount) when there is none. With local only the host's
// own files count.
func FindUser(ctx context.Context, h *host.Host, name string, local bool) (*User, error) {
	f, err := h.Account(ctx, "passwd", name)
	if err == nil && local && !IsLocal(ctx, h, "passwd", name) {
		err = host.ErrNoAccount
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find user %q: %w", name, err)
	}
	u, ok := parseUser(f)
	if !ok {
		return nil, fmt.Errorf("cannot find user %q: its entry in passwd is broken", name)
	}
	u.Groups, err = groupsOf(ctx, h, name)
	return u, err
}

// groupsOf are the names of a user's groups; the number of one that has no name.
func groupsOf(ctx context.Context, h *host.Host, name string) ([]string, error) {
	u, err := h.User(ctx, name)
	if err != nil {
		return nil, err
	}
	groups := []string{}
	for _, gid := range u.Groups {
		groups = append(groups, GroupName(ctx, h, gid))
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// GroupName is the name of the group with a number; the number when it has none.
func GroupName(ctx context.Context, h *host.Host, gid uint32) string {
	if name, ok := h.AccountName("group", gid); ok {
		return name
	}
	digits := strconv.FormatUint(uint64(gid), 10)
	if !h.Real() || h.Exec == nil {
		return digits
	}
	out, err := h.Run(ctx, "getent", "group", digits)
	if name, _, ok := strings.Cut(out, ":"); err == nil && ok {
		return name
	}
	return digits
}

func parseUser(f []string) (*User, bool) {
	if len(f) < 7 || isMark(f[0]) {
		return nil, false
	}
	uid, err1 := strconv.ParseUint(f[2], 10, 32)
	gid, err2 := strconv.ParseUint(f[3], 10, 32)
	return &User{
		Name: f[0], Passwd: f[1], UID: uint32(uid), GID: uint32(gid), Gecos: parseGecos(f[4]), Home: f[5], Shell: f[6],
	}, err1 == nil && err2 == nil
}

// isMark says whether a name is one of NIS's, that stands for entries which are elsewhere.
func isMark(name string) bool { return name == "" || name[0] == '+' || name[0] == '-' }

// Users returns all users, in the order of passwd. Their groups are those that name them in the same source, and their
// primary ones.
func Users(ctx context.Context, h *host.Host) ([]*User, error) {
	lines, err := h.Accounts(ctx, "passwd")
	if err != nil {
		return nil, err
	}
	groups, err := Groups(ctx, h)
	if err != nil {
		return nil, err
	}
	byUser, names := map[string][]string{}, map[uint32]string{}
	for _, g := range groups {
		for _, member := range g.Members {
			byUser[member] = append(byUser[member], g.Name)
		}
		if _, twice := names[g.GID]; !twice {
			names[g.GID] = g.Name
		}
	}
	var users []*User
	for _, f := range lines {
		u, ok := parseUser(f)
		if !ok {
			continue
		}
		primary, named := names[u.GID]
		if !named {
			primary = strconv.FormatUint(uint64(u.GID), 10)
		}
		u.Groups = append([]string{primary}, byUser[u.Name]...)
		slices.Sort(u.Groups)
		u.Groups = slices.Compact(u.Groups)
		users = append(users, u)
	}
	return users, nil
}

// A Group is an entry of group.
type Group struct {
	Name, Passwd string
	GID          uint32
	Members      []string // as they stand there
}

// Info is what Salt tells of a group.
func (g *Group) Info() *value.Dict {
	members := &value.List{Items: []any{}}
	for _, m := range g.Members {
		members.Items = append(members.Items, m)
	}
	return value.NewDict("name", g.Name, "passwd", g.Passwd, "gid", int64(g.GID), "members", members)
}

// FindGroup looks up a group by name; errors.Is(err, host.ErrNoAccount) when there is none. With local only the host's
// own files count.
func FindGroup(ctx context.Context, h *host.Host, name string, local bool) (*Group, error) {
	f, err := h.Account(ctx, "group", name)
	if err == nil && local && !IsLocal(ctx, h, "group", name) {
		err = host.ErrNoAccount
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find group %q: %w", name, err)
	}
	g, ok := parseGroup(f)
	if !ok {
		return nil, fmt.Errorf("cannot find group %q: its entry in group is broken", name)
	}
	return g, nil
}

func parseGroup(f []string) (*Group, bool) {
	if len(f) < 4 || isMark(f[0]) {
		return nil, false
	}
	gid, err := strconv.ParseUint(f[2], 10, 32)
	members := slices.DeleteFunc(strings.Split(f[3], ","), func(m string) bool { return m == "" })
	return &Group{Name: f[0], Passwd: f[1], GID: uint32(gid), Members: members}, err == nil
}

// Groups returns all groups, in the order of group.
func Groups(ctx context.Context, h *host.Host) ([]*Group, error) {
	lines, err := h.Accounts(ctx, "group")
	var groups []*Group
	for _, f := range lines {
		if g, ok := parseGroup(f); ok {
			groups = append(groups, g)
		}
	}
	return groups, err
}

// IsLocal says whether the account stands in the host's own file, "passwd" or "group", where programs can change it.
func IsLocal(ctx context.Context, h *host.Host, file, name string) bool {
	files := *h
	files.Exec = nil // no name service
	_, err := files.Account(ctx, file, name)
	return err == nil
}

// Missing says whether an error is that of an account which isn't there.
func Missing(err error) bool { return errors.Is(err, host.ErrNoAccount) }
