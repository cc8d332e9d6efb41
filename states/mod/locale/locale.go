// Package locale makes locales, and tells and sets the one that the host speaks.
package locale

import "brine/states/module"

// Module is the locale module.
var Module = module.Module{
	Name: "locale",
	Doc: `
		Make locales, and tell and set the one that the host speaks.

		Names are compared as the C library does: en_US.UTF-8, en_US.utf8 and "en_US.UTF-8 UTF-8", with the character
		map that Debian and Gentoo write behind it, are the same locale.`,
	Funcs: []module.Func{
		{
			Name: "avail", Doc: "Say whether a locale can be used.",
			Example: "de_DE.UTF-8", Do: module.Call(available),
		},
		{
			Name: "gen_locale", Doc: "Make a locale, also for the next time that all are made.",
			Example: "'de_DE.UTF-8 UTF-8'", Do: module.Call(generate),
		},
		{Name: "get_locale", Doc: "Return the locale that the host speaks; empty text when none is set.", Do: module.Call(getLocale)},
		{Name: "list_avail", Doc: "Return the locales that can be used.", Do: module.Call(list)},
		{
			Name: "set_locale", Doc: "Set the locale that the host speaks, and leave what is set for single purposes, such as LC_TIME.",
			Example: "de_DE.UTF-8", Do: module.Call(setLocale),
		},
	},
	States: []module.State{
		{
			Name: "present", Doc: "Have a locale made.",
			Example: `
				de_DE.UTF-8:
				  locale.present`,
			Plan: module.Look(planPresent),
		},
		{
			Name: "system", Doc: "Have the host speak a locale.",
			Example: `
				de_DE.UTF-8:
				  locale.system`,
			Plan: module.Look(planSystem),
		},
	},
}
