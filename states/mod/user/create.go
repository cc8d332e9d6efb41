package user

import (
	"context"
	"fmt"
	"slices"

	"brine/states/account"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// planNew plans to make the user.
func (a *presentArgs) planNew(ctx context.Context, h *host.Host, groups []string) (module.Plan, error) {
	if err := account.CheckNew(a.Name); err != nil {
		return module.Plan{}, err
	}
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == a.Name && a.GID == "" })
	foretold, err := a.foretell(ctx, h, groups)
	if err != nil {
		return module.Plan{}, err
	}
	return module.Plan{
		Writes: []string{"/etc/passwd"},
		Steps: []module.Step{{Changes: foretold, Do: func(ctx context.Context) (module.Done, error) {
			return a.build(ctx, h, groups)
		}}},
		Would: fmt.Sprintf("User %s set to be added", a.Name),
		Did:   fmt.Sprintf("New user %s created", a.Name),
	}, nil
}

// build makes the user, then its password: between the two no password fits.
func (a *presentArgs) build(ctx context.Context, h *host.Host, groups []string) (module.Done, error) {
	if err := a.create(ctx, h, groups); err != nil {
		return module.Done{Changes: &value.Dict{}}, err
	}
	u, err := account.FindUser(ctx, h, a.Name, a.Local)
	if err != nil {
		return module.Done{Changes: &value.Dict{}}, err
	}
	done := module.Done{Changes: u.Info()}
	if !a.touchesShadow() {
		return done, nil
	}
	old, err := account.FindShadow(h, a.Name)
	if err != nil {
		return done, err
	}
	want, err := a.wanted(old)
	if err != nil {
		return done, err
	}
	err = account.ChangeShadow(ctx, h, a.Name, old, want)
	now, bad := account.FindShadow(h, a.Name)
	if err == nil && bad == nil {
		a.shadowChanges(done.Changes)
		if left := shadowDifferences(now, want); left.Len() > 0 {
			err = fmt.Errorf("cannot set all of the new user %q: it is not %s", a.Name, flat(left))
		}
	}
	return done, err
}

// shadowChanges shows what of shadow was asked for.
func (a *presentArgs) shadowChanges(changes *value.Dict) {
	switch {
	case a.Empty:
		changes.Put("password", "")
	case a.given():
		changes.Put("password", account.Redacted)
	}
	if a.Lock != nil {
		changes.Put("password_lock", *a.Lock)
	}
	for _, f := range []struct {
		name string
		days *int64
	}{
		{"date", (*int64)(a.Date)}, {"mindays", a.MinDays}, {"maxdays", a.MaxDays}, {"inactdays", a.Inactive}, {"warndays", a.WarnDays},
		{"expire", (*int64)(a.Expire)},
	} {
		if f.days != nil {
			changes.Put(f.name, *f.days)
		}
	}
}

// foretell is what is known of a user before it is made. What the system chooses is not.
func (a *presentArgs) foretell(ctx context.Context, h *host.Host, groups []string) (*value.Dict, error) {
	u := &account.User{Name: a.Name, Passwd: "x", Gecos: a.in(account.Gecos{}), Home: a.Home, Shell: a.Shell}
	gid, given, err := a.primary(ctx, h)
	if err != nil {
		return nil, err
	}
	own := a.UserGroup != nil && *a.UserGroup || a.UserGroup == nil && account.OwnGroups(h)
	primary := a.Name
	switch {
	case given:
		primary = account.GroupName(ctx, h, gid)
	case own && hasGroup(ctx, h, a.Name):
		gid, err = h.GroupID(ctx, a.Name)
		given = err == nil
	}
	if given || own {
		u.Groups = append(slices.Clone(groups), primary)
		slices.Sort(u.Groups)
		u.Groups = slices.Compact(u.Groups)
	}
	u.GID = gid
	if u.Home == "" {
		u.Home = account.HomeBase(h) + "/" + a.Name
	}
	if u.Shell == "" {
		u.Shell = account.Setting(h, "/etc/default/useradd", "SHELL")
	}
	if a.UID != nil {
		u.UID = uint32(*a.UID)
	}
	known := u.Info()
	for name, is := range map[string]bool{
		"gid": given, "uid": a.UID != nil, "groups": len(u.Groups) > 0, "shell": u.Shell != "",
	} {
		if !is {
			known.Delete(name)
		}
	}
	a.shadowChanges(known)
	return known, err
}
