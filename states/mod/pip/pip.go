// Package pip installs and removes packages of Python by pip.
package pip

import "brine/states/module"

// Module is the pip module.
var Module = module.Module{
	Name: "pip",
	Doc: `
		Install and remove packages of Python by pip: that of a virtual environment (bin_env), or python3 -m pip. Versions are
		compared as PEP 440 says. Passwords in the URLs of indexes and proxies reach pip in its environment and are left out of
		results.`,
	Funcs: []module.Func{
		{
			Name: "freeze", Doc: "Return the installed packages as lines of a file of requirements.",
			Example: "/srv/app/venv", Do: module.Call(freeze),
		},
		{
			Name: "install", Doc: "Install packages, or what files of requirements name; return how pip ended and what it wrote.",
			Example: "'django>=4,<5' bin_env=/srv/app/venv", Do: module.Call(install),
		},
		{
			Name: "is_installed", Doc: "Say whether a package is installed, and its version as it is wanted.",
			Example: "'requests>=2' /srv/app/venv", Do: module.Call(isInstalled),
		},
		{
			Name: "list", Doc: "Return the versions of the installed packages by name.",
			Example: "django bin_env=/srv/app/venv", Do: module.Call(list),
		},
		{
			Name: "list_all_versions", Doc: "Return the versions of a package that its index has, the oldest first.",
			Example: "django", Do: module.Call(allVersions),
		},
		{
			Name: "list_upgrades", Doc: "Return the newest versions of the packages that have one that is not installed, by name.",
			Example: "/srv/app/venv", Do: module.Call(listUpgrades),
		},
		{
			Name: "uninstall", Doc: "Remove packages; return how pip ended and what it wrote.",
			Example: "django bin_env=/srv/app/venv", Do: module.Call(uninstall),
		},
		{
			Name: "upgrade", Doc: "Bring all packages to their newest versions, and return the old and new ones.",
			Example: "/srv/app/venv", Do: module.Call(upgrade),
		},
		{
			Name: "version", Doc: "Return the version of pip.",
			Example: "/srv/app/venv", Do: module.Call(versionOf),
		},
	},
	States: []module.State{
		{
			Name: "installed",
			Doc: `
				Make sure that packages are installed, in a version that the conditions allow. What is installed as it is wanted
				is not asked for at its index, unless upgrade, force_reinstall or ignore_installed say so.`,
			Example: `
				django:
				  pip.installed:
				    - name: django>=4,<5
				    - bin_env: /srv/app/venv`,
			Plan: module.Look(planInstalled),
		},
		{
			Name: "removed", Doc: "Make sure that packages are not installed.",
			Example: `
				django:
				  pip.removed:
				    - bin_env: /srv/app/venv`,
			Plan: module.Look(planRemoved),
		},
		{
			Name: "uptodate", Doc: "Make sure that all packages have their newest versions.",
			Example: `
				application:
				  pip.uptodate:
				    - bin_env: /srv/app/venv`,
			Plan: module.Look(planUptodate),
		},
	},
}
