package user

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"brine/states/account"
)

// who is the user that most functions are about.
type who struct {
	Name string `arg:"name,required" doc:"the name of the user"`
}

func (a who) CheckArgs() error { return account.CheckName("name", a.Name) }

// checkField refuses what can't stand in one field of passwd.
func checkField(arg, text, more string) error {
	if strings.ContainsAny(text, ":\n\x00"+more) {
		return fmt.Errorf("argument %q: a colon, line end%s can't be in it, got %q", arg,
			map[bool]string{true: " or comma"}[more != ""], text)
	}
	return nil
}

// gecosArgs tell about a person.
type gecosArgs struct {
	FullName *string `arg:"fullname" doc:"the full name"`
	Room     *string `arg:"roomnumber" doc:"the number of the room"`
	Work     *string `arg:"workphone" doc:"the phone at work"`
	HomeTel  *string `arg:"homephone" doc:"the phone at home"`
	Other    *string `arg:"other" doc:"what else passwd tells about the person"`
}

func (a gecosArgs) check() error {
	var errs []error
	for _, f := range []struct {
		name string
		text *string
		more string
	}{{"fullname", a.FullName, ","}, {"roomnumber", a.Room, ","}, {"workphone", a.Work, ","}, {"homephone", a.HomeTel, ","}, {"other", a.Other, ""}} {
		if f.text != nil {
			errs = append(errs, checkField(f.name, *f.text, f.more))
		}
	}
	return errors.Join(errs...)
}

// in lays what is given over what is there.
func (a gecosArgs) in(g account.Gecos) account.Gecos {
	for _, f := range []struct{ to, from *string }{
		{&g.FullName, a.FullName}, {&g.Room, a.Room}, {&g.Work, a.Work}, {&g.Home, a.HomeTel}, {&g.Other, a.Other},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return g
}

func checkPath(arg, name string) error {
	if !path.IsAbs(name) || strings.ContainsAny(name, ":\n\x00") {
		return fmt.Errorf("argument %q: want an absolute path, got %q", arg, name)
	}
	return nil
}
