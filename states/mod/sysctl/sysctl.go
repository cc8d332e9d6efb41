// Package sysctl sets parameters of the kernel, now and for every boot.
package sysctl

import "brine/states/module"

// Module is the sysctl module.
var Module = module.Module{
	Name: "sysctl",
	Doc: `
		Set parameters of the kernel, now and for every boot.

		A name is written with dots, such as net.ipv4.ip_forward; a dot that is part of a name, as of an interface, is
		written as a slash (net.ipv4.conf.eth0/100.forwarding). Values are compared word by word.`,
	Funcs: []module.Func{
		{
			Name: "assign", Doc: "Set a parameter now, and return it with its value.",
			Example: "net.ipv4.ip_forward 1", Do: module.Call(assign),
		},
		{
			Name: "default_config", Doc: "Return the file in which parameters are kept when no other is named.",
			Do: module.Call(defaultConfig),
		},
		{Name: "get", Doc: "Return the value of a parameter.", Example: "net.ipv4.ip_forward", Do: module.Call(get)},
		{
			Name:    "persist",
			Doc:     "Set a parameter now and keep it in a file. Returns Updated, or Already set.",
			Example: "net.ipv4.ip_forward 1", Do: module.Call(persist),
		},
		{
			Name: "show", Doc: "Return all parameters with their values, or those that a file sets.",
			Example: "config_file=/etc/sysctl.conf", Do: module.Call(show),
		},
	},
	States: []module.State{{
		Name: "present", Doc: "Have a parameter set, now and in a file that is read at every boot.",
		Example: `
			net.ipv4.ip_forward:
			  sysctl.present:
			    - value: 1`,
		Plan: module.Look(planPresent),
	}},
}
