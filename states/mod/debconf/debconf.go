// Package debconf manages the answers to the questions that Debian's packages ask when they are installed.
package debconf

import "brine/states/module"

// Module is the debconf module.
var Module = module.Module{
	Name: "debconf",
	Doc: `
		Manage the answers to the questions that Debian's packages ask when they are installed. They are read where debconf
		keeps them, so that debconf-utils is not needed, and set by debconf-set-selections. Passwords go into no command line.`,
	Funcs: []module.Func{
		{
			Name: "get_selections", Doc: "Return all answers by package, each as question, type and value; passwords only with private.",
			Example: "fetchempty=False", Do: module.Call(getSelections),
		},
		{
			Name: "set", Doc: "Set the answer to a question of a package.",
			Example: "tzdata tzdata/Areas select Europe", Do: module.Call(set),
		},
		{
			Name: "set_file", Doc: "Set the answers in a file; false when there is none.",
			Example: "salt://web/selections", Do: module.Call(setFile),
		},
		{
			Name: "set_template", Doc: "Set the answers in a template; false when there is none.",
			Example: "salt://web/selections.jinja jinja '{mode: fast}' '{}'", Do: module.Call(setTemplate),
		},
		{
			Name: "show", Doc: "Return the answers of a package, each as question, type and value, passwords only with private; nothing when there are none.",
			Example: "tzdata", Do: module.Call(show),
		},
	},
	States: []module.State{
		{
			Name: "set", Doc: "Have answers to the questions of a package.",
			Example: `
				nullmailer:
				  debconf.set:
				    - data:
				        shared/mailname: {type: string, value: web.example.com}
				        nullmailer/adminaddr: {type: string, value: admin@example.com}`,
			Plan: module.Look(planSet),
		},
		{
			Name: "set_file", Doc: "Have the answers that are in a file.",
			Example: `
				answers:
				  debconf.set_file:
				    - source: salt://web/selections`,
			Plan: module.Look(planSetFile),
		},
	},
}
