// Package alternatives chooses which of several programs a common name stands for.
package alternatives

import "brine/states/module"

// Module is the alternatives module.
var Module = module.Module{
	Name: "alternatives",
	Doc: `
		Choose which of several programs a common name such as editor stands for, by update-alternatives (Debian, SUSE) or
		alternatives (Red Hat). In auto mode the one of highest priority counts; set leaves that mode.`,
	Funcs: []module.Func{
		{Name: "auto", Doc: "Let the highest priority decide.", Example: "editor", Do: module.Call(auto)},
		{
			Name: "check_exists", Doc: "Say whether a path is one of the alternatives of a name.",
			Example: "editor /usr/bin/vim", Do: module.Call(checkExists),
		},
		{
			Name: "check_installed", Doc: "Say whether a name stands for a path now.",
			Example: "editor /usr/bin/vim", Do: module.Call(checkInstalled),
		},
		{Name: "display", Doc: "Return what the host's program tells of a name.", Example: "editor", Do: module.Call(display)},
		{
			Name: "install", Doc: "Add an alternative, or change its priority.",
			Example: "editor /usr/bin/editor /usr/bin/vim 50", Do: module.Call(install),
		},
		{
			Name: "remove", Doc: "Take an alternative away.",
			Example: "editor /usr/bin/vim", Do: module.Call(remove),
		},
		{Name: "set", Doc: "Let a name stand for a path.", Example: "editor /usr/bin/vim", Do: module.Call(set)},
		{
			Name: "show_current", Doc: "Return the path that a name stands for, or false.",
			Example: "editor", Do: module.Call(showCurrent),
		},
		{Name: "show_link", Doc: "Return the link of a name, or false.", Example: "editor", Do: module.Call(showLink)},
	},
	States: []module.State{
		{
			Name: "auto", Doc: "Have the highest priority decide what a name stands for.",
			Example: `
				pager:
				  alternatives.auto`,
			Plan: module.Look(planAuto),
		},
		{
			Name: "install", Doc: "Have a path among the alternatives of a name, with a priority.",
			Example: `
				editor:
				  alternatives.install:
				    - link: /usr/bin/editor
				    - path: /usr/bin/vim
				    - priority: 50`,
			Plan: module.Look(planInstall),
		},
		{
			Name: "remove", Doc: "Have a path not among the alternatives of a name.",
			Example: `
				pager:
				  alternatives.remove:
				    - path: /usr/bin/less`,
			Plan: module.Look(planRemove),
		},
		{
			Name: "set", Doc: "Have a name stand for a path.",
			Example: `
				pager:
				  alternatives.set:
				    - path: /bin/more`,
			Plan: module.Look(planSet),
		},
	},
}
