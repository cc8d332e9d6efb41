// Package virtualenv makes virtual environments of Python.
package virtualenv

import "brine/states/module"

// Module is the virtualenv module.
var Module = module.Module{
	Name: "virtualenv",
	Doc: `
		Make virtual environments of Python, by the program virtualenv where the host has it, else by the module venv of
		python3; venv_bin chooses another one.`,
	Funcs: []module.Func{
		{
			Name: "create", Doc: "Make a virtual environment; return how the command ended and what it wrote.",
			Example: "/srv/app/venv python=/usr/bin/python3.11", Do: module.Call(create),
		},
		{
			Name: "get_distribution_path", Doc: "Return the directory that a package of a virtual environment lies in.",
			Example: "/srv/app/venv django", Do: module.Call(distributionPath),
		},
		{
			Name: "get_site_packages", Doc: "Return the directory that the packages of a virtual environment lie in.",
			Example: "/srv/app/venv", Do: module.Call(sitePackages),
		},
	},
	States: []module.State{
		{
			Name: "manage", Doc: "The same as managed.", Example: example("manage"), Plan: module.Look(planManaged),
		},
		{
			Name: "managed",
			Doc: `
				Make sure that there is a virtual environment, and that packages are installed in it. One that is there is
				left as it was made, unless clear says to make it anew at every run.`,
			Example: example("managed"), Plan: module.Look(planManaged),
		},
	},
}

func example(state string) string {
	return "/srv/app/venv:\n  virtualenv." + state + ":\n    - pip_pkgs:\n      - django>=4,<5"
}
