package user

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"brine/states/account"
	"brine/states/module"
)

// who is the user that most functions are about.
type who struct {
	Name string `arg:"name,required" doc:"the name of the user"`
}

func (a who) CheckArgs() error { return checkName("name", a.Name) }

// checkName refuses what would be something else in a file of accounts or on a command line. What else a name may
// be is the system's to say.
func checkName(arg, name string) error {
	if name == "" || name[0] == '-' || name[0] == '+' || strings.ContainsAny(name, ":,/\n\x00") {
		return fmt.Errorf("argument %q: want the name of an account, got %q", arg, name)
	}
	return nil
}

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

// names is a list of names, also as one text with commas.
type names []string

func (n *names) ArgType() string { return "list of text" }

func (n *names) ParseArg(v module.Value) error {
	*n = names{}
	var errs []error
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("names of groups")
		}
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if checkName("", name) != nil {
				errs = append(errs, fmt.Errorf("want names of groups, got %q", name))
			}
			*n = append(*n, name)
		}
	}
	return errors.Join(errs...)
}

// id is the number of a user.
type id uint32

func (n *id) ArgType() string { return "integer" }

func (n *id) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a number of an account")
	}
	u, err := strconv.ParseUint(text, 10, 32)
	if err != nil || u >= 1<<32-1 { // the last one means none
		return v.Want("a number of an account")
	}
	*n = id(u)
	return nil
}

func checkPath(arg, name string) error {
	if !path.IsAbs(name) || strings.ContainsAny(name, ":\n\x00") {
		return fmt.Errorf("argument %q: want an absolute path, got %q", arg, name)
	}
	return nil
}
