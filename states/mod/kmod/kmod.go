// Package kmod loads modules of the kernel, and takes them away.
package kmod

import "brine/states/module"

// Module is the kmod module.
var Module = module.Module{
	Name: "kmod",
	Doc: `
		Load modules of the Linux kernel, now and at every boot, and take them away.

		A name may have options behind it, as in "bonding mode=4". A hyphen in a name is the same as an underscore. What
		is built into the kernel counts as loaded. What is loaded at boot is kept in /etc/modules-load.d/salt_managed.conf,
		or in /etc/modules on hosts without systemd.`,
	Funcs: []module.Func{
		{Name: "available", Doc: "Return the modules that this kernel has, loaded or not.", Do: module.Call(availableFunc)},
		{Name: "check_available", Doc: "Say whether this kernel has a module.", Example: "br_netfilter", Do: module.Call(checkAvailable)},
		{Name: "is_loaded", Doc: "Say whether a module is loaded.", Example: "br_netfilter", Do: module.Call(isLoaded)},
		{
			Name: "load", Doc: "Load a module, and return those that are loaded because of that.",
			Example: "br_netfilter persist=true", Do: module.Call(loadFunc),
		},
		{Name: "lsmod", Doc: "Return the modules that are loaded, each with its size and those that use it.", Do: module.Call(lsmod)},
		{Name: "mod_list", Doc: "Return the names of the modules that are loaded, or of those that are at boot.", Example: "only_persist=true", Do: module.Call(modList)},
		{Name: "remove", Doc: "Take a module away, and return those that went.", Example: "br_netfilter", Do: module.Call(removeFunc)},
	},
	States: []module.State{
		{
			Name: "absent", Doc: "Have modules not loaded.",
			Example: `
				pcspkr:
				  kmod.absent:
				    - persist: true`,
			Plan: module.Look(planAbsent),
		},
		{
			Name: "present", Doc: "Have modules loaded.",
			Example: `
				for containers:
				  kmod.present:
				    - persist: true
				    - mods: [br_netfilter, overlay]`,
			Plan: module.Look(planPresent),
		},
	},
}
