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
	"brine/states/value"
)

type presentArgs struct {
	newArgs
	GIDFromName    bool          `arg:"gid_from_name" doc:"the same as usergroup: true"`
	Optional       account.Names `arg:"optional_groups" doc:"groups that the user is in too, as far as they are there"`
	RemoveGroups   bool          `arg:"remove_groups" default:"true" doc:"take the user out of groups that are in neither list, when one of them is given"`
	AllowUIDChange bool          `arg:"allow_uid_change" doc:"change the number of a user that is there; files outside of the home directory keep the old one"`
	AllowGIDChange bool          `arg:"allow_gid_change" doc:"change the primary group of a user that is there; its files keep the old one"`
	passwordArgs
}

// CheckArgs finds what contradicts itself.
func (a presentArgs) CheckArgs() error {
	errs := []error{a.newArgs.CheckArgs(), a.passwordArgs.check()}
	if a.GIDFromName && a.GID != "" {
		errs = append(errs, errors.New(`arguments "gid" and "gid_from_name" both name the primary group: give one`))
	}
	return errors.Join(errs...)
}

func present(ctx context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	if a.GIDFromName {
		yes := true
		a.UserGroup = &yes
	}
	var groups []string
	if a.Groups != nil {
		groups = *a.Groups
	}
	missing, err := missingGroups(ctx, h, groups)
	if err := errors.Join(err, absentGroups(missing)); err != nil {
		return module.Plan{}, err
	}
	optional := slices.Clone(a.Optional)
	missing, err = missingGroups(ctx, h, optional)
	if err != nil {
		return module.Plan{}, err
	}
	optional = slices.DeleteFunc(optional, func(g string) bool { return slices.Contains(missing, g) })
	groups = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(groups), optional...))))
	u, err := account.FindUser(ctx, h, a.Name, a.Local)
	if err != nil && !account.Missing(err) {
		return module.Plan{}, err
	}
	if err := a.free(h, u); err != nil {
		return module.Plan{}, err
	}
	if u == nil {
		return a.planNew(ctx, h, groups)
	}
	return a.planChange(ctx, h, u, groups)
}

// free refuses a number that another user has.
func (a *presentArgs) free(h *host.Host, u *account.User) error {
	if a.UID == nil || !a.Unique || u != nil && (u.UID == uint32(*a.UID) || !a.AllowUIDChange) {
		return nil
	}
	if name, taken := h.AccountName("passwd", uint32(*a.UID)); taken && name != a.Name {
		return module.Unknown("cannot give the user %q the number %d: the user %q has it", a.Name, *a.UID, name)
	}
	return nil
}

// planChange plans what of a user that is there has to change.
func (a *presentArgs) planChange(ctx context.Context, h *host.Host, u *account.User, groups []string) (module.Plan, error) {
	to, err := a.target(ctx, h, u, groups)
	if err != nil {
		return module.Plan{}, err
	}
	var old, want account.Shadow
	if a.touchesShadow() {
		if old, err = account.FindShadow(h, a.Name); err == nil {
			want, err = a.wanted(old)
		}
		if err != nil {
			return module.Plan{}, err
		}
	}
	changes := differences(u.Info(), to.Info())
	merge(changes, shadowDifferences(old, want))
	home := a.CreateHome && lacksHome(h, to.Home)
	if home {
		changes.Put("homeDoesNotExist", to.Home)
	}
	plan := module.Plan{Same: fmt.Sprintf("User %s is present and up to date", a.Name)}
	if changes.Len() == 0 {
		return plan, nil
	}
	plan.Would = "The following user attributes are set to be changed:\n" + lines(changes)
	plan.Did = "Updated user " + a.Name
	plan.Writes = []string{"/etc/passwd"}
	plan.Steps = []module.Step{{Changes: changes, Do: func(ctx context.Context) (module.Done, error) {
		err := apply(ctx, h, u, to)
		if err == nil {
			err = account.ChangeShadow(ctx, h, a.Name, old, want)
		}
		if err == nil && home {
			err = makeHome(h, &to.User)
		}
		done, left := a.outcome(ctx, h, u, to, old, want)
		if home && !lacksHome(h, to.Home) {
			done.Put("homeDoesNotExist", to.Home)
		}
		if err == nil && left != "" {
			err = fmt.Errorf("cannot change all of the user %q: it is not %s", a.Name, left)
		}
		return module.Done{Changes: done}, err
	}}}
	return plan, nil
}

// target is the user as it is to be.
func (a *presentArgs) target(ctx context.Context, h *host.Host, u *account.User, groups []string) (wanted, error) {
	to := wanted{User: *u, unique: a.Unique}
	to.Gecos = a.in(u.Gecos)
	if a.UID != nil {
		to.UID = uint32(*a.UID)
	}
	if a.Home != "" {
		to.Home = a.Home
	}
	if a.Shell != "" {
		to.Shell = a.Shell
	}
	gid, given, err := a.primary(ctx, h)
	if err != nil {
		return to, err
	}
	if given {
		to.GID = gid
	}
	primary := account.GroupName(ctx, h, to.GID)
	to.Groups = []string{primary}
	keep := !a.RemoveGroups || a.Groups == nil && len(groups) == 0
	if keep {
		to.Groups = append(to.Groups, supplementary(ctx, h, u)...)
	}
	to.join(groups)
	return to, a.allowed(u, &to.User)
}

// allowed refuses to change numbers that files carry.
func (a *presentArgs) allowed(from, to *account.User) error {
	var errs []error
	for _, n := range []struct {
		what     string
		from, to uint32
		allow    bool
	}{{"uid", from.UID, to.UID, a.AllowUIDChange}, {"gid", from.GID, to.GID, a.AllowGIDChange}} {
		if n.from != n.to && !n.allow {
			errs = append(errs, fmt.Errorf("cannot change the %s of the user %q from %d to %d: set allow_%s_change to do it; "+
				"its files outside of the home directory keep the old number", n.what, from.Name, n.from, n.to, n.what))
		}
	}
	return errors.Join(errs...)
}

// outcome is what changed, and what is not as it was to be.
func (a *presentArgs) outcome(
	ctx context.Context, h *host.Host, u *account.User, to wanted, old, want account.Shadow,
) (changes *value.Dict, left string) {
	changes = &value.Dict{}
	now, err := account.FindUser(ctx, h, a.Name, a.Local)
	if err != nil {
		return changes, err.Error()
	}
	merge(changes, differences(u.Info(), now.Info()))
	rest := differences(now.Info(), to.Info())
	if a.touchesShadow() {
		s, err := account.FindShadow(h, a.Name)
		if err != nil {
			return changes, err.Error()
		}
		merge(changes, shadowDifferences(old, s))
		merge(rest, shadowDifferences(s, want))
	}
	return changes, flat(rest)
}

// differences are the parts of info that are others in now.
func differences(before, now *value.Dict) *value.Dict {
	changes := &value.Dict{}
	for k, v := range now.All() {
		if old, _ := before.Get(k); !value.Equal(old, v) {
			_ = changes.Set(k, v) // it was a key already
		}
	}
	return changes
}

func merge(into, from *value.Dict) {
	for k, v := range from.All() {
		_ = into.Set(k, v) // it was a key already
	}
}

// lines shows changes, one on a line.
func lines(d *value.Dict) string {
	var b strings.Builder
	for k, v := range d.All() {
		if list, ok := v.(*value.List); ok {
			var items []string
			for _, item := range list.Items {
				items = append(items, fmt.Sprint(item))
			}
			v = strings.Join(items, ",")
		}
		fmt.Fprintf(&b, "%v: %v\n", k, v)
	}
	return b.String()
}

// flat shows changes on one line.
func flat(d *value.Dict) string {
	return strings.ReplaceAll(strings.TrimSuffix(lines(d), "\n"), "\n", ", ")
}
