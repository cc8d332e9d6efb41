// Package apache enables and disables what Apache loads, and asks it about itself: the functions of module apache, and the
// states of apache_module, apache_site and apache_conf.
package apache

import "brine/states/module"

// Module is the apache module, which has the functions.
var Module = module.Module{
	Name: "apache",
	Doc: `
		Enable and disable modules, sites and pieces of configuration of Apache as Debian lays them out, and ask Apache about
		itself.`,
	Funcs: []module.Func{
		{Name: "a2disconf", Doc: "Disable a piece of configuration.", Example: "security", Do: module.Call(conf.disable)},
		{Name: "a2dismod", Doc: "Disable a module.", Example: "status", Do: module.Call(mod.disable)},
		{Name: "a2dissite", Doc: "Disable a site.", Example: "www.example.com", Do: module.Call(site.disable)},
		{Name: "a2enconf", Doc: "Enable a piece of configuration.", Example: "security", Do: module.Call(conf.enable)},
		{Name: "a2enmod", Doc: "Enable a module.", Example: "status", Do: module.Call(mod.enable)},
		{Name: "a2ensite", Doc: "Enable a site.", Example: "www.example.com", Do: module.Call(site.enable)},
		{
			Name: "check_conf_enabled", Doc: "Say whether a piece of configuration is enabled.",
			Example: "security", Do: module.Call(conf.check),
		},
		{
			Name: "check_mod_enabled", Doc: "Say whether a module is enabled; NAME.conf asks for its configuration.",
			Example: "status", Do: module.Call(mod.check),
		},
		{Name: "check_site_enabled", Doc: "Say whether a site is enabled.", Example: "www.example.com", Do: module.Call(site.check)},
		{Name: "directives", Doc: "Return all directives with their arguments, and where they may stand.", Do: module.Call(directives)},
		{Name: "fullversion", Doc: "Return the version, and what it was built with.", Do: module.Call(fullVersion)},
		{Name: "modules", Doc: "Return the modules that are loaded, static and shared.", Do: module.Call(modules)},
		{Name: "servermods", Doc: "Return the modules that are built in.", Do: module.Call(serverMods)},
		{
			Name: "signal", Doc: "Let Apache start, stop, restart, graceful or graceful-stop, or ask it for configtest, status or fullstatus.",
			Example: "graceful", Do: module.Call(signal),
		},
		{Name: "version", Doc: "Return the version.", Do: module.Call(version)},
		{Name: "vhosts", Doc: "Return the virtual hosts of its configuration.", Do: module.Call(vhosts)},
	},
}

// Modules are the modules that have the states.
var (
	ConfModule   = states("apache_conf", conf, "security")
	ModuleModule = states("apache_module", mod, "rewrite")
	SiteModule   = states("apache_site", site, "www.example.com")
)

func states(name string, k *kind, example string) module.Module {
	return module.Module{
		Name: name,
		Doc:  "Have " + k.doc + "s of Apache enabled or disabled, as Debian lays them out.",
		States: []module.State{
			{
				Name: "disabled", Doc: "Have a " + k.doc + " disabled.",
				Example: "old:\n  " + name + ".disabled", Plan: module.Look(k.planDisabled),
			},
			{
				Name: "enabled", Doc: "Have a " + k.doc + " enabled.",
				Example: example + ":\n  " + name + ".enabled", Plan: module.Look(k.planEnabled),
			},
		},
	}
}
