package group

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/module"
)

// which is the group that most functions are about.
type which struct {
	Name string `arg:"name,required" doc:"the name of the group"`
}

func (a which) CheckArgs() error { return checkName("name", a.Name) }

// checkName refuses what would be something else in a file of accounts or on a command line. What else a name may
// be is the system's to say.
func checkName(arg, name string) error {
	if name == "" || name[0] == '-' || name[0] == '+' || strings.ContainsAny(name, ":,/\n\x00") {
		return fmt.Errorf("argument %q: want the name of an account, got %q", arg, name)
	}
	return nil
}

// names is a list of names of users, also as one text with commas.
type names []string

func (n *names) ArgType() string { return "list of text" }

func (n *names) ParseArg(v module.Value) error {
	*n = names{}
	var errs []error
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("names of users")
		}
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if checkName("", name) != nil {
				errs = append(errs, fmt.Errorf("want names of users, got %q", name))
			}
			*n = append(*n, name)
		}
	}
	return errors.Join(errs...)
}

// id is the number of a group.
type id uint32

func (n *id) ArgType() string { return "integer" }

func (n *id) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("the number of a group")
	}
	u, err := strconv.ParseUint(text, 10, 32)
	if err != nil || u >= 1<<32-1 { // the last one means none
		return v.Want("the number of a group")
	}
	*n = id(u)
	return nil
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
