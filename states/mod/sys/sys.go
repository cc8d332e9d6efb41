// Package sys tells what can be called on a host.
package sys

import (
	"context"
	"errors"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the sys module.
var Module = module.Module{
	Name: "sys",
	Doc:  "Tell what functions and states there are, and how they are used.",
	Funcs: []module.Func{
		{
			Name: "argspec", Doc: "Return the arguments of functions and their defaults.",
			Example: "cmd.run", Do: module.Call(tell(host.Modules.FunctionArgs)),
		},
		{
			Name: "doc", Doc: "Return the documentation of functions, and that of a state that no function is named as.",
			Example: "cmd.run file.managed 'test.*'", Do: module.Call(tell(docs)),
		},
		{
			Name: "list_functions", Doc: "Return the names of the functions.",
			Example: "cmd", Do: module.Call(tell(host.Modules.Functions)),
		},
		{
			Name: "list_modules", Doc: "Return the names of the modules that have functions.",
			Do: module.Call(list(host.Modules.Modules)),
		},
		{
			Name: "list_state_functions", Doc: "Return the names of the states.",
			Example: "file", Do: module.Call(tell(host.Modules.States)),
		},
		{
			Name: "list_state_modules", Doc: "Return the names of the modules that have states.",
			Do: module.Call(list(host.Modules.StateModules)),
		},
		{
			Name: "state_argspec", Doc: "Return the arguments of states and their defaults.",
			Example: "file.managed", Do: module.Call(tell(host.Modules.StateArgs)),
		},
		{
			Name: "state_doc", Doc: "Return the documentation of states.",
			Example: "file.managed", Do: module.Call(tell(host.Modules.StateDocs)),
		},
	},
}

var errNoModules = errors.New("cannot tell what can be called: this host has no index of its modules")

type patternArgs struct {
	Patterns []string `arg:"patterns,rest" doc:"names, globs over them, or names of modules; everything when absent"`
}

type noArgs struct{}

// docs are those of functions, and of the states among the patterns: globs and whole modules mean functions.
func docs(m host.Modules, patterns ...string) *value.Dict {
	d := m.FunctionDocs(patterns...)
	for _, name := range patterns {
		if len(m.Functions(name)) > 0 {
			continue
		}
		if doc, ok := m.StateDocs(name).Get(name); ok {
			d.Put(name, doc)
		}
	}
	return d
}

// tell makes a function of one that takes patterns.
func tell[R *value.Dict | []string](
	ask func(host.Modules, ...string) R,
) func(context.Context, *host.Host, patternArgs) (R, error) {
	return func(_ context.Context, h *host.Host, a patternArgs) (R, error) {
		if h.Modules == nil {
			return nil, errNoModules
		}
		return ask(h.Modules, a.Patterns...), nil
	}
}

func list(ask func(host.Modules) []string) func(context.Context, *host.Host, noArgs) ([]string, error) {
	return func(_ context.Context, h *host.Host, _ noArgs) ([]string, error) {
		if h.Modules == nil {
			return nil, errNoModules
		}
		return ask(h.Modules), nil
	}
}
