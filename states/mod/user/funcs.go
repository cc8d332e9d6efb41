package user

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"brine/states/account"
	"brine/states/host"
	"brine/states/module"
)

type textArgs struct {
	who
	Text string `arg:"value,required,alias=fullname,alias=roomnumber,alias=workphone,alias=homephone,alias=other,alias=shell" doc:"the new value"`
}

// A text is a part of a user that is text.
type text struct {
	of    func(*account.User) *string
	check func(string) error
}

var (
	fullName   = text{func(u *account.User) *string { return &u.Gecos.FullName }, noComma}
	roomNumber = text{func(u *account.User) *string { return &u.Gecos.Room }, noComma}
	workPhone  = text{func(u *account.User) *string { return &u.Gecos.Work }, noComma}
	homePhone  = text{func(u *account.User) *string { return &u.Gecos.Home }, noComma}
	otherText  = text{func(u *account.User) *string { return &u.Gecos.Other }, func(s string) error { return checkField("value", s, "") }}
	shell      = text{func(u *account.User) *string { return &u.Shell }, func(s string) error { return checkPath("value", s) }}
)

func noComma(s string) error { return checkField("value", s, ",") }

// changer makes the function that changes one text.
func changer(t text) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a textArgs) (bool, error) {
		if err := t.check(a.Text); err != nil {
			return false, err
		}
		return change(ctx, h, a.Name, func(to *wanted) error {
			*t.of(&to.User) = a.Text
			return nil
		})
	})
}

// change changes a user, and sees that it is as wanted then.
func change(ctx context.Context, h *host.Host, name string, alter func(*wanted) error) (bool, error) {
	from, err := account.FindUser(ctx, h, name, false)
	if err != nil {
		return false, err
	}
	to := wanted{User: *from, unique: true}
	to.Groups = slices.Clone(from.Groups)
	if err := alter(&to); err != nil {
		return false, err
	}
	err = apply(ctx, h, from, to)
	return err == nil, err
}

type uidArgs struct {
	who
	UID account.ID `arg:"uid,required" doc:"the new number"`
}

func changeUID(ctx context.Context, h *host.Host, a uidArgs) (bool, error) {
	return change(ctx, h, a.Name, func(to *wanted) error {
		to.UID = uint32(a.UID)
		return nil
	})
}

type gidArgs struct {
	who
	GID string `arg:"gid,required" doc:"the new primary group, by number or name"`
}

func changeGID(ctx context.Context, h *host.Host, a gidArgs) (bool, error) {
	return change(ctx, h, a.Name, func(to *wanted) (err error) {
		others := supplementary(ctx, h, &to.User)
		if to.GID, err = h.GroupID(ctx, a.GID); err == nil {
			to.Groups = []string{account.GroupName(ctx, h, to.GID)}
			to.join(others)
		}
		return err
	})
}

type homeArgs struct {
	who
	Home    string `arg:"home,required" doc:"the new home directory"`
	Persist bool   `arg:"persist" doc:"move the files of the old one there"`
}

func changeHome(ctx context.Context, h *host.Host, a homeArgs) (bool, error) {
	if err := checkPath("home", a.Home); err != nil {
		return false, err
	}
	return change(ctx, h, a.Name, func(to *wanted) error {
		to.Home, to.move = a.Home, a.Persist
		return nil
	})
}

type groupsArgs struct {
	who
	Groups account.Names `arg:"groups,required" doc:"the groups"`
	Append bool          `arg:"append" doc:"stay in those the user is in"`
}

func changeGroups(ctx context.Context, h *host.Host, a groupsArgs) (bool, error) {
	if missing, err := missingGroups(ctx, h, a.Groups); err != nil || len(missing) > 0 {
		return false, errors.Join(err, absentGroups(missing))
	}
	return change(ctx, h, a.Name, func(to *wanted) error {
		if !a.Append {
			to.Groups = []string{account.GroupName(ctx, h, to.GID)}
		}
		to.join(a.Groups)
		return nil
	})
}

// join adds groups to those of a user.
func (w *wanted) join(groups []string) {
	w.Groups = append(w.Groups, groups...)
	slices.Sort(w.Groups)
	w.Groups = slices.Compact(w.Groups)
}

type renameArgs struct {
	who
	New string `arg:"new_name,required" doc:"the new name"`
}

func rename(ctx context.Context, h *host.Host, a renameArgs) (bool, error) {
	if err := account.CheckName("new_name", a.New); err != nil {
		return false, err
	}
	if _, err := account.FindUser(ctx, h, a.Name, false); err != nil {
		return false, err
	}
	if _, err := account.FindUser(ctx, h, a.New, false); !account.Missing(err) {
		return false, errors.Join(err, fmt.Errorf("cannot rename %q: there is a user %q already", a.Name, a.New))
	}
	if err := account.ToolsOf(h).Run(ctx, "usermod", "-l", a.New, a.Name); err != nil {
		return false, fmt.Errorf("cannot rename the user %q: %w", a.Name, err)
	}
	return true, nil
}

type removeArgs struct {
	who
	Remove bool `arg:"remove" doc:"remove the home directory and mail too"`
	Force  bool `arg:"force" doc:"also when the user is logged in"`
	Local  bool `arg:"local" doc:"only a user of the host's own files, none of a directory service"`
}

func remove(ctx context.Context, h *host.Host, a removeArgs) (bool, error) {
	u, err := account.FindUser(ctx, h, a.Name, a.Local)
	if err != nil {
		return false, err
	}
	if err := removable(u, a.Remove); err != nil {
		return false, err
	}
	err = drop(ctx, h, u, a.Remove, a.Force)
	return err == nil, err
}
