// Package timezone tells and sets the time zone of the host, and what its hardware clock shows.
package timezone

import "brine/states/module"

// Module is the timezone module.
var Module = module.Module{
	Name: "timezone",
	Doc: `
		Tell and set the time zone of the host, and whether its hardware clock shows UTC or local time.

		The zone is where /etc/localtime leads. On a host that systemd runs, timedatectl sets both, so that who listens
		for it is told. Programs that run keep the zone that they had.`,
	Funcs: []module.Func{
		{Name: "get_hwclock", Doc: "Return what the hardware clock shows: UTC or localtime.", Do: module.Call(getClock)},
		{Name: "get_offset", Doc: "Return how far local time is from UTC now, such as +0100.", Do: module.Call(date("+%z"))},
		{Name: "get_zone", Doc: "Return the name of the time zone, such as Europe/Berlin.", Do: module.Call(getZone)},
		{Name: "get_zonecode", Doc: "Return the short name of the time zone as it is now, such as CET.", Do: module.Call(date("+%Z"))},
		{
			Name: "set_hwclock", Doc: "Have the hardware clock show UTC or localtime.",
			Example: "UTC", Do: module.Call(setClock),
		},
		{Name: "set_zone", Doc: "Set the time zone.", Example: "Europe/Berlin", Do: module.Call(setZone)},
		{
			Name: "zone_compare", Doc: "Say whether the host has a time zone, or one of another name that is the same.",
			Example: "Europe/Berlin", Do: module.Call(compareZone),
		},
	},
	States: []module.State{{
		Name: "system", Doc: "Have the host in a time zone, and its hardware clock on UTC.",
		Example: `
			Europe/Berlin:
			  timezone.system:
			    - utc: true`,
		Plan: module.Look(planSystem),
	}},
}
