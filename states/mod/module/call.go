package modulemod

import (
	"errors"
	"fmt"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

type runArgs struct {
	Name     string       `arg:"name" doc:"the function, in the older form"`
	Args     *value.List  `arg:"args" doc:"positional arguments of the function, in the older form"`
	Kwargs   *value.Dict  `arg:"kwargs" doc:"named arguments of the function, in the older form"`
	Returner string       `arg:"returner" doc:"taken for Salt's sake: the masters keep what a run returns"`
	Rest     []module.Arg `arg:"arguments,named" doc:"functions with their arguments; in the older form arguments of the function"`
}

// A call is one function with its arguments.
type call struct {
	label    string // as it was written
	function string
	args     []any
	named    *value.Dict
}

// CheckArgs implements module.Checker.
func (a *runArgs) CheckArgs() error {
	_, err := a.calls()
	return err
}

// newer says whether functions are named as arguments.
func (a *runArgs) newer() bool {
	for _, arg := range a.Rest {
		if strings.Contains(arg.Name, ".") {
			return true
		}
	}
	return false
}

// calls reads what is to be called, in either form.
func (a *runArgs) calls() ([]call, error) {
	if !a.newer() {
		c, err := a.older()
		return []call{c}, err
	}
	var errs []error
	var all []call
	for _, arg := range a.Rest {
		if !strings.Contains(arg.Name, ".") {
			errs = append(errs, fmt.Errorf("argument %q is neither a function nor in the list of one", arg.Name))
			continue
		}
		c, err := newerCall(arg)
		all, errs = append(all, c), append(errs, err)
	}
	if a.Args != nil || a.Kwargs != nil {
		errs = append(errs, errors.New(`arguments "args" and "kwargs" belong to the older form: write them into the list of the function`))
	}
	return all, errors.Join(errs...)
}

// older is the call of a function that name names.
func (a *runArgs) older() (call, error) {
	c := call{label: a.Name, function: a.Name, named: &value.Dict{}}
	if !strings.Contains(a.Name, ".") {
		return c, fmt.Errorf("%q is no function: write FUNCTION: [ARGUMENTS], or name: FUNCTION", a.Name)
	}
	if a.Args != nil {
		c.args = a.Args.Items
	}
	for k, v := range a.Kwargs.All() {
		if err := c.named.Set(k, v); err != nil {
			return c, err
		}
	}
	for _, arg := range a.Rest {
		name := arg.Name
		switch name {
		case "m_name", "m_fun", "m_names", "m_state", "m_saltenv":
			name = name[2:]
		}
		c.named.Put(name, arg.Value)
	}
	return c, nil
}

// newerCall reads FUNCTION: ARGUMENTS: a list of positional ones and of maps of named ones, a map, one value, or nothing.
func newerCall(arg module.Arg) (call, error) {
	c := call{label: arg.Name, named: &value.Dict{}}
	c.function, _, _ = strings.Cut(arg.Name, ":")
	if arg.Value.Data == nil {
		return c, nil
	}
	for _, item := range arg.Value.Each() {
		pairs, isMap := item.Pairs()
		if !isMap {
			c.args = append(c.args, item)
			continue
		}
		for _, p := range pairs {
			name, err := p[0].Str()
			if err != nil {
				return c, fmt.Errorf("argument of %s: %w", c.label, err)
			}
			if _, twice := c.named.Get(name); twice {
				return c, fmt.Errorf("argument %q of %s is given twice", name, c.label)
			}
			c.named.Put(name, p[1])
		}
	}
	return c, nil
}
