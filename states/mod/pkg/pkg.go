// Package pkg installs, removes and upgrades packages with the package manager of the host.
package pkg

import "brine/states/module"

// Module is the pkg module.
var Module = module.Module{
	Name: "pkg",
	Doc: `
		Install, remove and upgrade packages with the package manager of the host: apt, dnf, yum, zypper, pacman or apk.

		What is installed is asked once in a run, and again after it changed. What is known of repositories is refreshed
		once in a run, before the first state that has to fetch something. While another process holds the lock of the
		package manager it is waited for, 10 minutes when lock_timeout says nothing else. Nothing is ever asked, and
		configuration files that were changed by hand stay as they are.

		States of one function that stand together are done in one transaction; each has its own result. In test mode the
		package manager simulates, from what the last refresh told.`,
	Funcs: []module.Func{
		{
			Name: "autoremove", Doc: "Remove packages that were installed for others which are gone.",
			Do: module.Call(autoremove),
		},
		{
			Name: "available_version", Doc: "The same as latest_version.",
			Example: "nginx", Do: module.Call(latestVersion),
		},
		{
			Name: "del_repo", Doc: "Remove a repository.",
			Example: "'deb http://example.org/debian stable main'", Do: module.Call(delRepo),
		},
		{
			Name: "file_dict", Doc: "Return the files of packages, by package.",
			Example: "nginx bash", Do: module.Call(fileDict),
		},
		{
			Name: "file_list", Doc: "Return the files of packages.",
			Example: "nginx", Do: module.Call(fileList),
		},
		{
			Name: "get_repo", Doc: "Return what the files say of a repository; nothing when there is none.",
			Example: "'deb http://deb.debian.org/debian bookworm main'", Do: module.Call(getRepo),
		},
		{
			Name: "get_selections", Doc: "Return what is wanted of packages: install, hold, deinstall or purge, with their names.",
			Example: "'python3*' state=hold", Do: module.Call(selections),
		},
		{
			Name: "hold", Doc: "Keep packages from being changed.",
			Example: "nginx", Do: module.Call(holdNow(true)),
		},
		{
			Name: "info_installed", Doc: "Return what is known of installed packages.",
			Example: "nginx attr=version,size", Do: module.Call(infoInstalled),
		},
		{
			Name:    "install",
			Doc:     "Install packages, those that are there in their newest version, and return what changed.",
			Example: "pkgs='[nginx, curl: 7.88*]' refresh=true", Do: module.Call(install),
		},
		{
			Name: "latest_version",
			Doc: `
				Return the newest version of a package when it is newer than the installed one, else nothing.
				Of several packages it returns a map.`,
			Example: "nginx", Do: module.Call(latestVersion),
		},
		{
			Name: "list_holds", Doc: "Return the packages on hold.",
			Do: module.Call(listHolds),
		},
		{
			Name: "list_pkgs", Doc: "Return the installed packages and their versions.",
			Do: module.Call(listPkgs),
		},
		{
			Name: "list_repo_pkgs", Doc: "Return the versions of packages that repositories have, the newest first.",
			Example: "nginx", Do: module.Call(listRepoPkgs),
		},
		{
			Name: "list_repos", Doc: "Return all repositories and what the files say of them.",
			Do: module.Call(listRepos),
		},
		{
			Name: "list_upgrades", Doc: "Return the packages that can be upgraded, and to which version.",
			Do: module.Call(listUpgrades),
		},
		{
			Name: "mod_repo", Doc: "Make or change a repository, and return what its file says then.",
			Example: "epel baseurl=https://example.org/epel enabled=true", Do: module.Call(modRepo),
		},
		{
			Name: "owner", Doc: "Return the package that a file belongs to; of several files a map.",
			Example: "/bin/sh", Do: module.Call(owner),
		},
		{
			Name: "purge", Doc: "Remove packages with their configuration, and return what changed.",
			Example: "nginx", Do: module.Call(removeNow(true)),
		},
		{
			Name: "refresh_db",
			Doc: `
				Bring what is known of repositories up to date. Returns of each repository True, None when it was up to date
				before, and False when it could not be had.`,
			Do: module.Call(refreshNow),
		},
		{
			Name: "remove", Doc: "Remove packages, and return what changed.",
			Example: "nginx", Do: module.Call(removeNow(false)),
		},
		{
			Name: "unhold", Doc: "Let packages be changed that are on hold.",
			Example: "nginx", Do: module.Call(holdNow(false)),
		},
		{
			Name: "upgrade", Doc: "Upgrade all packages, or some, and return what changed.",
			Example: "refresh=false", Do: module.Call(upgradeNow),
		},
		{
			Name: "upgrade_available", Doc: "Say whether there is a newer version of a package.",
			Example: "nginx", Do: module.Call(upgradeAvailable),
		},
		{
			Name:    "verify",
			Doc:     "Return the files of packages that are not as these brought them, and what differs.",
			Example: "nginx ignore_types=config,doc", Do: module.Call(verify),
		},
		{
			Name: "version", Doc: "Return the installed version of a package, or nothing; of several packages a map.",
			Example: "nginx", Do: module.Call(version),
		},
		{
			Name: "version_cmp", Doc: "Compare two versions as the package manager does: -1, 0 or 1.",
			Example: "1.0-1 1.0-2", Do: module.Call(versionCmp),
		},
	},
	States: states,
}

var states = []module.State{
	{
		Name: "downloaded", Doc: "Make sure that packages lie in the package manager's cache.",
		Example: `
			nginx:
			  pkg.downloaded:
			    - version: 1.0`,
		Plan: module.Look(planDownloaded),
	},
	{
		Name: "group_installed", Doc: "Make sure that the mandatory and default packages of a group are installed (dnf, yum, pacman).",
		Example: `
			tools:
			  pkg.group_installed:
			    - skip: [games]`,
		Plan: module.Look(planGroup),
	},
	{
		Name: "held", Doc: "Make sure that packages are on hold: nothing changes them but states that say so.",
		Example: `
			nginx:
			  pkg.held`,
		Plan: module.Look(planHeld),
	},
	{
		Name: "installed",
		Doc: `
			Make sure that packages are installed, and of their versions when these are given. A package that is there is
			left alone when its version will do; else it is upgraded or downgraded.

			What another package provides counts as installed, such as mail-transport-agent.`,
		Example: `
			nginx:
			  pkg.installed
			tools:
			  pkg.installed:
			    - pkgs:
			      - curl
			      - jq: ">=1.0"`,
		Plan: module.Look(planInstalled), Aggregate: true,
	},
	{
		Name: "latest",
		Doc:  "Make sure that packages are installed in the newest version that repositories have.",
		Example: `
			nginx:
			  pkg.latest
			curl:
			  pkg.latest`,
		Plan: module.Look(planLatest), Aggregate: true,
	},
	{
		Name: "purged", Doc: "Make sure that packages are not installed, and that no configuration of them is left.",
		Example: `
			telnet:
			  pkg.purged
			ftp:
			  pkg.purged`,
		Plan: module.Look(planPurged), Aggregate: true,
	},
	{
		Name: "removed", Doc: "Make sure that packages are not installed. Their configuration stays.",
		Example: `
			telnet:
			  pkg.removed
			ftp:
			  pkg.removed`,
		Plan: module.Look(planRemoved), Aggregate: true,
	},
	{
		Name: "unheld", Doc: "Make sure that packages are not on hold.",
		Example: `
			docker-ce:
			  pkg.unheld`,
		Plan: module.Look(planUnheld),
	},
	{
		Name: "uptodate", Doc: "Make sure that all packages, or some, are as new as repositories have them.",
		Example: `
			everything:
			  pkg.uptodate:
			    - refresh: true`,
		Plan: module.Look(planUptodate),
	},
}
