// Package ini edits files of sections and options.
package ini

import "brine/states/module"

// Module is the ini module.
var Module = module.Module{
	Name: "ini",
	Doc: `
		Edit files of sections and options, such as [main] and key = value. Lines that are not changed stay as they are.
		Values are text as they stand in the state: yes stays yes.`,
	Funcs: []module.Func{
		{Name: "get_ini", Doc: "Return all sections with their options.", Example: "/etc/app.ini", Do: module.Call(getIni)},
		{
			Name: "get_option", Doc: "Return the value of an option, or nothing.",
			Example: "/etc/app.ini main key", Do: module.Call(getOption),
		},
		{Name: "get_section", Doc: "Return the options of a section.", Example: "/etc/app.ini main", Do: module.Call(getSection)},
		{
			Name: "remove_option", Doc: "Remove an option, and return the value that it had.",
			Example: "/etc/app.ini main key", Do: module.Call(removeOption),
		},
		{
			Name: "remove_section", Doc: "Remove a section, and return what was in it.",
			Example: "/etc/app.ini main", Do: module.Call(removeSection),
		},
		{
			Name: "set_option", Doc: "Set options, and return what changed.",
			Example: "/etc/app.ini '{main: {key: value}}'", Do: module.Call(setOption),
		},
	},
	States: []module.State{
		{
			Name: "options_absent", Doc: "Make sure that options are not in a file.",
			Example: `
				/etc/app.ini:
				  ini.options_absent:
				    - sections:
				        main: [old]`,
			Plan: module.Look(planOptionsAbsent),
		},
		{
			Name: "options_present", Doc: "Have options in a file, in their sections.",
			Example: `
				/etc/app.ini:
				  ini.options_present:
				    - sections:
				        main:
				          key: yes
				          mode: 0644`,
			Plan: module.Look(planOptionsPresent),
		},
		{
			Name: "sections_absent", Doc: "Have sections not in a file.",
			Example: `
				/etc/app.ini:
				  ini.sections_absent:
				    - sections: [other]`,
			Plan: module.Look(planSectionsAbsent),
		},
		{
			Name: "sections_present", Doc: "Have sections in a file.",
			Example: `
				/etc/app.ini:
				  ini.sections_present:
				    - sections: [new]`,
			Plan: module.Look(planSectionsPresent),
		},
	},
}
