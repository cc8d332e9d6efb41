// Package file manages files and directories.
package file

import "brine/states/module"

// Module is the file module.
var Module = module.Module{
	Name: "file",
	Doc: `
		Manage files and directories.

		A file is replaced in one step: whoever reads it meanwhile sees the old or the new content, never a part.
		What a state does not mention, such as mode and owner, stays as it is.`,
	States: []module.State{
		{
			Name: "absent",
			Doc:  "Make sure that there is no such file, link or directory; a directory goes with all in it.",
			Example: `
				/etc/motd.old:
				  file.absent`,
			Plan: module.Look(planAbsent),
		},
		{
			Name: "directory", Doc: "Make sure that there is a directory, and whose it is.",
			Example: `
				/srv/www/logs:
				  file.directory:
				    - mode: 0750
				    - makedirs: true`,
			Plan: module.Look(planDirectory),
		},
		{
			Name: "managed",
			Doc: `
				Make sure of a file's content, mode and owner. Without contents and source an empty file is
				made when there is none, and the content of one that is there is left alone.`,
			Example: `
				/etc/motd:
				  file.managed:
				    - contents: |
				        Welcome.
				    - mode: 0644
				/srv/www/conf/site.conf:
				  file.managed:
				    - contents:
				      - listen 80
				      - server_name 1.10
				    - makedirs: true`,
			Plan: module.Look(planManaged),
		},
	},
}
