// Package shadow looks at passwords and their dates, and sets them.
package shadow

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/account"
	"brine/states/host"
	"brine/states/module"
	"brine/states/shadow"
	"brine/states/value"
)

// Module is the shadow module.
var Module = module.Module{
	Name: "shadow",
	Doc:  "Look at the passwords of users and their dates, and set them.",
	Funcs: []module.Func{
		{Name: "default_hash", Doc: "Return what shadow has for a user without a password.", Do: module.Call(defaultHash)},
		{Name: "del_password", Doc: "Let a user log in without a password.", Example: "fred", Do: setter(deletePassword)},
		{Name: "gen_password", Doc: "Return the hash of a password, as shadow has it.",
			Example: "secret crypt_salt=somesalt algorithm=sha512", Do: module.Call(generate)},
		{Name: "info", Doc: "Return what shadow has of a user, an empty map when there is none. In the place of the hash stands what shows no one.",
			Example: "root", Do: module.Call(info)},
		{Name: "list_users", Doc: "Return the users that have an entry in shadow.", Do: module.Call(listUsers)},
		{Name: "lock_password", Doc: "Let no password of a user fit until it is unlocked.", Example: "fred", Do: setter(lock)},
		{Name: "set_date", Doc: "Set when the password was changed last, in days since 1970 or as YYYY-MM-DD.", Example: "fred 2026-11-26",
			Do: days(func(s *account.Shadow) *int64 { return &s.LastChange })},
		{Name: "set_expire", Doc: "Set when the account is closed, in days since 1970 or as YYYY-MM-DD; -1: never.", Example: "fred -1",
			Do: days(func(s *account.Shadow) *int64 { return &s.Ends })},
		{Name: "set_inactdays", Doc: "Set how many days after the password had to be changed the account is closed; -1: never.", Example: "fred 7",
			Do: count(func(s *account.Shadow) *int64 { return &s.Inactive })},
		{Name: "set_maxdays", Doc: "Set after how many days the password must be changed.", Example: "fred 90",
			Do: count(func(s *account.Shadow) *int64 { return &s.Max })},
		{Name: "set_mindays", Doc: "Set how many days a new password must be kept.", Example: "fred 7",
			Do: count(func(s *account.Shadow) *int64 { return &s.Min })},
		{Name: "set_password", Doc: "Set the hash of a user's password; see gen_password.", Example: "fred '$6$somesalt$hash'", Do: module.Call(setPassword)},
		{Name: "set_warndays", Doc: "Set how many days before the password must be changed the user is told.", Example: "fred 7",
			Do: count(func(s *account.Shadow) *int64 { return &s.Warn })},
		{Name: "unlock_password", Doc: "Let the password of a user fit again.", Example: "fred", Do: setter(unlock)},
	},
}

type whoArgs struct {
	Name string `arg:"name,required" doc:"the user"`
}

func defaultHash(context.Context, *host.Host, struct{}) (string, error) { return "!", nil }

type generateArgs struct {
	Password  string `arg:"password,required" doc:"the password"`
	Salt      string `arg:"crypt_salt" doc:"the salt; random when absent"`
	Algorithm string `arg:"algorithm" default:"sha512" doc:"sha512, sha256, blowfish or md5"`
}

func generate(_ context.Context, _ *host.Host, a generateArgs) (string, error) {
	return shadow.Hash(a.Algorithm, a.Salt, a.Password)
}

func info(ctx context.Context, h *host.Host, a whoArgs) (*value.Dict, error) {
	if _, err := account.FindUser(ctx, h, a.Name, false); account.Missing(err) {
		return &value.Dict{}, nil
	} else if err != nil {
		return nil, err
	}
	s, err := account.FindShadow(h, a.Name)
	if err != nil {
		return nil, err
	}
	d := value.NewDict("name", a.Name)
	for k, v := range s.Info().All() {
		_ = d.Set(k, v) // it was a key already
	}
	if !s.HasPassword() {
		d.Put("passwd", s.Passwd)
	}
	return d, nil
}

func listUsers(ctx context.Context, h *host.Host, _ struct{}) ([]string, error) {
	users, err := account.Users(ctx, h)
	names := []string{}
	for _, u := range users {
		if account.IsLocal(ctx, h, "passwd", u.Name) {
			names = append(names, u.Name)
		}
	}
	return names, err
}

// change changes the entry of a user.
func change(ctx context.Context, h *host.Host, name string, alter func(*account.Shadow) error) (bool, error) {
	if _, err := account.FindUser(ctx, h, name, true); err != nil {
		return false, err
	}
	from, err := account.FindShadow(h, name)
	if err != nil {
		return false, err
	}
	to := from
	if err := alter(&to); err != nil {
		return false, err
	}
	if to.Passwd != from.Passwd {
		to.LastChange = account.Today()
	}
	err = account.ChangeShadow(ctx, h, name, from, to)
	return err == nil, err
}

func setter(alter func(*account.Shadow) error) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a whoArgs) (bool, error) { return change(ctx, h, a.Name, alter) })
}

func deletePassword(s *account.Shadow) error {
	s.Passwd = ""
	return nil
}

func lock(s *account.Shadow) error {
	if !strings.HasPrefix(s.Passwd, "!") {
		s.Passwd = "!" + s.Passwd
	}
	return nil
}

func unlock(s *account.Shadow) error {
	if strings.TrimLeft(s.Passwd, "!") == "" {
		return errors.New("cannot unlock the password: there is none")
	}
	s.Passwd = strings.TrimLeft(s.Passwd, "!")
	return nil
}

type daysArgs struct {
	whoArgs
	Days account.Days `arg:"date,required,alias=expire" doc:"the day"`
}

type countArgs struct {
	whoArgs
	Days int64 `arg:"days,required,alias=inactdays,alias=maxdays,alias=mindays,alias=warndays" doc:"how many days"`
}

func count(of func(*account.Shadow) *int64) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a countArgs) (bool, error) {
		return change(ctx, h, a.Name, func(s *account.Shadow) error {
			*of(s) = a.Days
			return nil
		})
	})
}

func days(of func(*account.Shadow) *int64) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a daysArgs) (bool, error) {
		return change(ctx, h, a.Name, func(s *account.Shadow) error {
			*of(s) = int64(a.Days)
			return nil
		})
	})
}

type passwordArgs struct {
	whoArgs
	Password string `arg:"password,required" doc:"the hash"`
}

func setPassword(ctx context.Context, h *host.Host, a passwordArgs) (bool, error) {
	if err := account.CheckHash(a.Password); err != nil {
		return false, fmt.Errorf("cannot set the password of the user %q: %w", a.Name, err)
	}
	return change(ctx, h, a.Name, func(s *account.Shadow) error {
		s.Passwd = a.Password
		return nil
	})
}
