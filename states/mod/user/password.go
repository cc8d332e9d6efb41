package user

import (
	"errors"
	"strings"

	"brine/states/account"
	"brine/states/shadow"
	"brine/states/value"
)

// passwordArgs are what shadow holds.
type passwordArgs struct {
	Password *string       `arg:"password" doc:"the hash of the password; see hash_password. Never shown"`
	Hash     bool          `arg:"hash_password" doc:"password is the password itself, and hashed here"`
	Enforce  bool          `arg:"enforce_password" default:"true" doc:"false: set it only where none was ever set"`
	Empty    bool          `arg:"empty_password" doc:"let the user log in without a password"`
	Lock     *bool         `arg:"password_lock" doc:"true: no password fits until it is unlocked; false: unlock it"`
	Date     *account.Days `arg:"date" doc:"when the password was changed last"`
	MinDays  *int64        `arg:"mindays" doc:"how many days a new password must be kept"`
	MaxDays  *int64        `arg:"maxdays" doc:"after how many days the password must be changed"`
	Inactive *int64        `arg:"inactdays" doc:"how many days after that the account is closed; -1: never"`
	WarnDays *int64        `arg:"warndays" doc:"how many days before that the user is told"`
	Expire   *account.Days `arg:"expire" doc:"when the account is closed; -1: never"`
}

func (a *passwordArgs) check() error {
	switch {
	case a.given() && a.Empty:
		return errors.New(`arguments "password" and "empty_password" contradict one another: give one`)
	case a.Hash && !a.given():
		return errors.New(`argument "hash_password": there is no password to hash`)
	case !a.given() || a.Hash:
		return nil
	}
	if account.CheckHash(*a.Password) != nil {
		return errors.New(`argument "password": want a hash as shadow has it; set hash_password to give the password itself`)
	}
	return nil
}

// given says whether there is a password. As in Salt an empty one is none.
func (a *passwordArgs) given() bool { return a.Password != nil && *a.Password != "" }

// touchesShadow says whether anything of shadow is asked for.
func (a *passwordArgs) touchesShadow() bool {
	dates := a.Date != nil || a.MinDays != nil || a.MaxDays != nil || a.Inactive != nil || a.WarnDays != nil || a.Expire != nil
	return a.given() || a.Empty || a.Lock != nil || dates
}

// wanted is an entry of shadow as it is to be.
func (a *passwordArgs) wanted(old account.Shadow) (account.Shadow, error) {
	to := old
	hash, err := a.hash(old)
	if err != nil {
		return to, err
	}
	to.Passwd = a.locked(hash)
	if to.Passwd != old.Passwd {
		to.LastChange = account.Today()
	}
	for _, f := range []struct {
		to, from *int64
	}{
		{&to.LastChange, (*int64)(a.Date)}, {&to.Min, a.MinDays}, {&to.Max, a.MaxDays}, {&to.Inactive, a.Inactive}, {&to.Warn, a.WarnDays},
		{&to.Ends, (*int64)(a.Expire)},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return to, nil
}

// hash is the one that shadow is to hold.
func (a *passwordArgs) hash(old account.Shadow) (string, error) {
	switch {
	case a.Empty:
		return "", nil
	case !a.given(), !a.Enforce && old.HasPassword():
		return old.Passwd, nil
	case !a.Hash:
		return *a.Password, nil
	}
	bare := old.Passwd
	if a.Lock != nil && *a.Lock {
		bare = strings.TrimLeft(bare, "!")
	}
	if shadow.Fits(bare, *a.Password) {
		return bare, nil
	}
	return shadow.Hash("sha512", "", *a.Password)
}

// locked puts the mark of a locked password before a hash, or takes it away.
func (a *passwordArgs) locked(hash string) string {
	switch {
	case a.Lock == nil:
		return hash
	case *a.Lock && !strings.HasPrefix(hash, "!"):
		return "!" + hash
	case !*a.Lock && strings.TrimLeft(hash, "!") != "":
		return strings.TrimLeft(hash, "!")
	}
	return hash
}

// shadowDifferences are the parts of an entry of shadow that are others, without the hash.
func shadowDifferences(before, now account.Shadow) *value.Dict {
	changes := &value.Dict{}
	if before.Passwd != now.Passwd {
		changes.Put("passwd", account.Redacted)
	}
	merge(changes, differences(before.Info(), now.Info()))
	return changes
}
