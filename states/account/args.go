package account

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/module"
)

// CheckName refuses what would be something else in a file of accounts or on a command line. What else the name of a user
// or group may be is the system's to say. The error names the argument.
func CheckName(arg, name string) error {
	if !isName(name) {
		return fmt.Errorf("argument %q: want the name of an account, got %q", arg, name)
	}
	return nil
}

// CheckNew says why no new account gets a name that CheckName lets pass: one that is there may have come from a directory
// service, which is less strict.
func CheckNew(name string) error {
	const most = 32
	if len(name) > most || strings.ContainsAny(name, " \t") || strings.HasPrefix(name, "~") {
		return fmt.Errorf("cannot make an account with the name %q: want at most %d bytes without blanks, and no ~ first", name, most)
	}
	return nil
}

func isName(name string) bool {
	return name != "" && name[0] != '-' && name[0] != '+' && !strings.ContainsAny(name, ":,/\n\x00")
}

// Names is an argument: a list of names of users or groups, also as one text with commas.
type Names []string

// ArgType names the type.
func (n *Names) ArgType() string { return "list of text" }

// ParseArg reads it.
func (n *Names) ParseArg(v module.Value) error {
	names, err := v.Split("names of accounts")
	if err != nil {
		return err
	}
	*n = names
	var errs []error
	for _, name := range names {
		if !isName(name) {
			errs = append(errs, fmt.Errorf("want names of accounts, got %q", name))
		}
	}
	return errors.Join(errs...)
}

// ID is an argument: the number of a user or group.
type ID uint32

// ArgType names the type.
func (n *ID) ArgType() string { return "integer" }

// ParseArg reads it.
func (n *ID) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("the number of an account")
	}
	u, err := strconv.ParseUint(text, 10, 32)
	if err != nil || u >= 1<<32-1 { // the last one means none
		return v.Want("the number of an account")
	}
	*n = ID(u)
	return nil
}
