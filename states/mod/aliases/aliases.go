// Package aliases manages where mail to local names goes: the functions of module aliases, the states of module alias.
package aliases

import "brine/states/module"

const doc = `
		Manage where mail to local names goes, in /etc/aliases or the file that the setting aliases.file names. Lines that are not
		changed stay as they are, and newaliases is run after a change where the host has it. The functions belong to the module
		aliases, the states to alias, as in Salt.`

// Module is the aliases module, which has the functions.
var Module = module.Module{
	Name: "aliases",
	Doc:  doc,
	Funcs: []module.Func{
		{Name: "get_target", Doc: "Return where mail to a name goes, or empty text.", Example: "root", Do: module.Call(getTarget)},
		{
			Name: "has_target", Doc: "Say whether mail to a name goes to a target.",
			Example: "root admin@example.com", Do: module.Call(hasTarget),
		},
		{Name: "list_aliases", Doc: "Return the targets of all names.", Do: module.Call(listAliases)},
		{Name: "rm_alias", Doc: "Take a name away.", Example: "root", Do: module.Call(rmAlias)},
		{
			Name: "set_target", Doc: "Let mail to a name go to a target.",
			Example: "root admin@example.com", Do: module.Call(setTarget),
		},
	},
}

// StateModule is the alias module, which has the states.
var StateModule = module.Module{
	Name: "alias",
	Doc:  doc,
	States: []module.State{
		{
			Name: "absent", Doc: "Have mail to a name go nowhere else.",
			Example: `
				old:
				  alias.absent`,
			Plan: module.Look(planAbsent),
		},
		{
			Name: "present", Doc: "Have mail to a name go to a target, or to several.",
			Example: `
				root:
				  alias.present:
				    - target: admin@example.com`,
			Plan: module.Look(planPresent),
		},
	},
}
