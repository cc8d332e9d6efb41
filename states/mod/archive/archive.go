// Package archive extracts and makes archives.
package archive

import "brine/states/module"

// Module is the archive module.
var Module = module.Module{
	Name: "archive",
	Doc: `
		Extract and make archives: tar (plain, gz, bz2; xz and zst by the programs of these names) and zip. Nothing is ever
		written outside of the directory that is extracted to, whatever names and links an archive has; one with devices in it
		is refused. What is extracted belongs to the minion's user, unless user and group say otherwise.`,
	Funcs: []module.Func{
		{Name: "gunzip", Doc: "Decompress a file by gunzip.", Example: "/srv/data.gz", Do: module.Call(gunzipRun)},
		{Name: "gzip", Doc: "Compress a file by gzip.", Example: "/srv/data", Do: module.Call(gzipRun)},
		{Name: "is_encrypted", Doc: "Say whether a zip has encrypted files.", Example: "/srv/app.zip", Do: module.Call(isEncrypted)},
		{Name: "list", Doc: "Return the names in an archive.", Example: "/srv/app.tar.gz verbose=true", Do: module.Call(list)},
		{Name: "tar", Doc: "Run tar, and return the lines that it writes.", Example: "xzf /srv/app.tar.gz dest=/srv/app", Do: module.Call(tarRun)},
		{Name: "unzip", Doc: "Extract a zip over what is there, and return the names in it.", Example: "/srv/app.zip /srv/app", Do: module.Call(unzip)},
		{Name: "zip", Doc: "Make a zip, and return the names in it.", Example: "/srv/app.zip /srv/app cwd=/srv", Do: module.Call(zipped)},
	},
	States: []module.State{{
		Name: "extracted",
		Doc: `
			Make sure that an archive is extracted. When something of it is missing, all of it that differs is written; else
			contents are compared only with overwrite, so that files may be changed after they were extracted.`,
		Example: `
			/srv/app:
			  archive.extracted:
			    - source: salt://app.tar.gz
			    - options: --strip-components=1
			    - enforce_toplevel: false`,
		Plan: module.Look(planExtracted),
	}},
}
