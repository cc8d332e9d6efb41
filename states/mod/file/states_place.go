package file

import "brine/states/module"

// placeStates place or remove what is whole: files, links, devices, copies in the cache.
var placeStates = []module.State{
	{
		Name: "cached",
		Doc: `
			Make sure that the minion has a copy of a file of the masters or of the web in its cache, where cp.is_cached
			tells that it is. Of a file of the host only the hash is checked.`,
		Example: `
			salt://app/app.conf:
			  file.cached`,
		Plan: look(planCached),
	},
	{
		Name: "copy",
		Doc: `
			Copy a file, or a directory with all in it, of this host to another place of it. What is there is left alone
			without force. With it the copy takes the place in one step, and only when it differs: of a directory also what
			the source has not goes.`,
		Example: `
			/etc/app.conf.orig:
			  file.copy:
			    - source: /etc/app.conf
			    - preserve: true
			/srv/www/next:
			  file.copy:
			    - source: /srv/www/conf.d
			    - force: true`,
		Plan: look(planCopy),
	},
	{
		Name: "decode", Doc: "Make sure that a file holds what base64 in the state or in pillar stands for.",
		Example: `
			/etc/app.key:
			  file.decode:
			    - encoded_data: c2VjcmV0Cg==`,
		Plan: look(planDecode),
	},
	{
		Name: "hardlink",
		Doc: `
			Make sure that a path is another name of a file. A name of another file that has more names is replaced; with
			force also a file that has no other.`,
		Example: `
			/etc/app.conf.too:
			  file.hardlink:
			    - target: /etc/app.conf`,
		Plan: look(planHardlink),
	},
	{
		Name: "mknod",
		Doc: `
			Make sure that there is a device or a named pipe, and whose it is. What is there and is something else, or has other
			numbers, is an error.`,
		Example: `
			/run/app/pipe:
			  file.mknod:
			    - ntype: p
			    - mode: 0660`,
		Plan: look(planMknod),
	},
	{
		Name: "not_cached", Doc: "Make sure that the minion has no copy of a file of the masters or of the web in its cache.",
		Example: `
			https://example.org/app.tar.gz:
			  file.not_cached`,
		Plan: look(planNotCached),
	},
	{
		Name: "pruned",
		Doc: `
			Remove a directory that is empty, and with recurse the empty ones below it. With ignore_errors those that are not
			empty stay; else they are an error, and nothing is removed.`,
		Example: `
			/srv/unused:
			  file.pruned:
			    - recurse: true`,
		Plan: look(planPruned),
	},
	{
		Name: "rename",
		Doc: `
			Rename a file or directory, to another file system too. Nothing is done when the source is not there, or when
			something has the new name and force is not set.`,
		Example: `
			/etc/motd.kept:
			  file.rename:
			    - source: /etc/motd.old`,
		Plan: look(planRename),
	},
	{
		Name: "tidied",
		Doc: `
			Remove what is old or large below a directory; what of age and size is not given does not count, and without both
			all goes that matches. Days are those of the calendar. A directory goes with rmdirs when it fits itself, with all
			in it, unless something in it has to stay: because it is too young, excluded, or a link with rmlinks false.
			An argument that it has not, such as exclude_pat of file.recurse, stops the run: what was to be spared would go.`,
		Example: `
			/var/cache/app:
			  file.tidied:
			    - age: 30
			    - time_comparison: mtime
			    - matches:
			      - .*\.tmp
			    - rmdirs: true`,
		Plan:  look(planTidied),
		Exact: true,
	},
}
