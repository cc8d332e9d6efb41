// Package cp brings files to the host.
package cp

import "brine/states/module"

// Module is the cp module.
var Module = module.Module{
	Name: "cp",
	Doc:  "Bring files to the minion.",
	Funcs: []module.Func{
		{Name: "cache_dir", Doc: "Fetch all files below a directory of the masters' files, and return where their copies are.",
			Example: "salt://web include_pat='*.conf'", Do: module.Call(cacheDir)},
		{Name: "cache_file", Doc: "Fetch a file, and return where its copy is, which only may be read; false when there is no such file.",
			Example: "salt://web/app.conf", Do: module.Call(cacheFile)},
		{Name: "cache_files", Doc: "Fetch files, and return where their copies are.",
			Example: "salt://web/app.conf,salt://web/init.sls", Do: module.Call(cacheFiles)},
		{Name: "cache_local_file", Doc: "Copy a file of the host into the minion's cache, and return where; empty text when there is no such file.",
			Example: "/etc/hosts", Do: module.Call(cacheLocal)},
		{Name: "cache_master", Doc: "Fetch all of the masters' files, and return where their copies are.", Do: module.Call(cacheMaster)},
		{Name: "envs", Doc: "Return the environments whose files can be fetched.", Do: module.Call(envs)},
		{Name: "get_dir", Doc: "Put a directory of the masters' files, with all in it, below another, and return where the files are.",
			Example: "salt://web /srv", Do: module.Call(getDir)},
		{Name: "get_file", Doc: "Put a file in its place, and return that.", Example: "salt://web/app.conf /etc/app.conf makedirs=true", Do: module.Call(getFile)},
		{Name: "get_file_str", Doc: "Return the content of a file; false when there is no such file.", Example: "salt://web/app.conf", Do: module.Call(fileText)},
		{Name: "get_template", Doc: "Render a template, put what it makes in its place, and return that.",
			Example: "salt://web/app.conf.jinja /etc/app.conf port=80", Do: module.Call(getTemplate)},
		{Name: "get_url", Doc: "Fetch a file of the web or of the masters, and return where it is, or its content when dest is null.",
			Example: "https://example.org/app.tar.gz /opt/app.tar.gz", Do: module.Call(getURL)},
		{Name: "hash_file", Doc: "Return the hash of a file and the hash's type; an empty map when there is no such file.",
			Example: "salt://web/app.conf", Do: module.Call(hashFile)},
		{Name: "is_cached", Doc: "Return where the copy of a file is that was fetched before; empty text when none was.",
			Example: "salt://web/app.conf", Do: module.Call(isCached)},
		{Name: "list_master", Doc: "Return the paths of all files of the masters.", Do: module.Call(listMaster)},
		{Name: "list_master_dirs", Doc: "Return the paths of all directories of the masters' files.", Do: module.Call(listDirs)},
		{Name: "list_minion", Doc: "Return where the copies are of the masters' files that were fetched before.", Do: module.Call(listMinion)},
		{Name: "list_states", Doc: "Return the names of all state files.", Do: module.Call(listStates)},
		{
			Name: "push",
			Doc: `
				Send a file of the host to the masters.

				It is kept by every master that can be reached, below a directory of this minion's own. Masters take
				it only with file_recv = true in master.toml.`,
			Example: "/etc/fstab", Do: module.Call(push),
		},
		{Name: "push_dir", Doc: "Send the files below a directory of the host to the masters, as cp.push does.",
			Example: "/etc/modprobe.d glob='*.conf'", Do: module.Call(pushDir)},
		{
			Name: "recv",
			Doc: `
				Put files that came with the call in their places, and return their names, each with True. The command
				brine cp calls it.

				Everything is checked before the first file is written, and each file is replaced in one step: whoever
				reads it sees the old content or the new one. What is there keeps its owner and mode, unless
				others are given; a new file belongs to the minion's user.`,
			Example: "'[{path: motd, content: aGVsbG8K, sha256: " +
				"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03, mode: \"0644\"}]' /etc/motd",
			Do: module.Call(recv),
		},
		{Name: "stat_file", Doc: "Return the mode of a file; empty text when there is no such file.", Example: "salt://web/app.conf", Do: module.Call(statFile)},
	},
}
