package file

import "brine/states/module"

// states are the states, in order of name.
var states = merged(contentStates, placeStates)

// merged is two lists in order of name as one. To sort them would add 20 KB to the minion.
func merged(a, b []module.State) []module.State {
	all := make([]module.State, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].Name < b[0].Name {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

var contentStates = []module.State{
	{
		Name: "absent",
		Doc:  "Make sure that there is no such file, link or directory; a directory goes with all in it.",
		Example: `
			/etc/motd.old:
			  file.absent`,
		Plan: look(planAbsent),
	},
	{
		Name: "accumulated",
		Doc: `
			Add text to a list for a file that other states of the run make. The template of a file.managed sees the lists
			for its file as accumulator, and a file.blockreplace adds their lines to its block: those of the lists that it
			requires, else all. Name the state that makes the file under require_in or watch_in.`,
		Example: `
			db port:
			  file.accumulated:
			    - name: ports
			    - filename: /etc/app.conf
			    - text: 5432`,
		Plan: module.Look(planAccumulated),
	},
	{
		Name: "append",
		Doc: `
			Add text to the end of a file, unless the file holds it already. A file that is not there is made.`,
		Example: `
			/etc/hosts.allow:
			  file.append:
			    - text:
			      - "sshd: 10.0.0.0/8"
			      - "ALL: LOCAL"`,
		Plan: look(planAppend),
	},
	{
		Name: "blockreplace",
		Doc:  "Make sure of what is between two marked lines of a file that is there.",
		Example: `
			/etc/hosts:
			  file.blockreplace:
			    - content: 10.0.0.5 db
			    - append_if_not_found: true`,
		Plan: look(planBlock),
	},
	{
		Name: "comment", Doc: "Make comments of the lines of a file that a regular expression matches.",
		Example: `
			/etc/fstab:
			  file.comment:
			    - regex: /mnt/old`,
		Plan: look(planComment),
	},
	{
		Name: "directory", Doc: "Make sure that there is a directory, whose it is, and with clean what is in it.",
		Example: `
			/srv/www/logs:
			  file.directory:
			    - mode: 0750
			    - makedirs: true
			/srv/www/conf.d:
			  file.directory:
			    - clean: true
			    - exclude_pat: "*.local"`,
		Plan: look(planDirectory),
	},
	{
		Name: "exists", Doc: "Fail when there is no such file or directory.",
		Example: `
			/etc/passwd:
			  file.exists`,
		Plan: look(planExists),
	},
	{
		Name: "keyvalue",
		Doc: `
			Make sure of the values of keys in a file of lines such as key=value. Values are written as they stand in the state,
			and a key is only found where it stands right before separator.`,
		Example: `
			/etc/ssh/sshd_config:
			  file.keyvalue:
			    - key_values:
			        PermitRootLogin: "no"
			        LoginGraceTime: 1m
			    - separator: " "
			    - uncomment: "# "
			    - key_ignore_case: true
			    - append_if_not_found: true`,
		Plan: look(planKeyvalue),
	},
	{
		Name: "line",
		Doc: `
			Make sure of one line of a file. A line that stands where it is to be put is not put there again. file.replace and
			file.keyvalue are easier to foresee where they do.`,
		Example: `
			/etc/nsswitch.conf:
			  file.line:
			    - mode: ensure
			    - content: "networks: files dns"
			    - after: "^hosts:"
			/etc/hosts:
			  file.line:
			    - mode: delete
			    - match: oldname`,
		Plan: look(planLine),
	},
	{
		Name: "managed",
		Doc: `
			Make sure of a file's content, mode and owner. Without contents and source an empty file is
			made when there is none, and the content of one that is there is left alone.

			What has changed is shown as a difference of bounded size; not that of binary content, nor of a file
			that only its owner may read or whose content comes from pillar, unless show_changes says so.`,
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
			    - makedirs: true
			/etc/app.conf:
			  file.managed:
			    - source: salt://app/app.conf
			    - mode: keep
			    - check_cmd: grep -q listen`,
		Plan: look(planManaged),
	},
	{
		Name: "missing", Doc: "Fail when there is such a file or directory.",
		Example: `
			/etc/nologin:
			  file.missing`,
		Plan: look(planMissing),
	},
	{
		Name: "patch",
		Doc: `
			Make sure that a patch has been applied to a file, or to the files of a directory. It is tried on copies by patch(1),
			which has to be there; nothing is changed unless all of it fits or is there already.`,
		Example: `
			/opt/app/app.conf:
			  file.patch:
			    - source: salt://app/app.patch`,
		Plan: look(planPatch),
	},
	{
		Name: "prepend",
		Doc:  "Add text to the beginning of a file, unless the file holds it already. A file that is not there is made.",
		Example: `
			/etc/resolv.conf:
			  file.prepend:
			    - text: nameserver 127.0.0.1`,
		Plan: look(planPrepend),
	},
	{
		Name: "recurse",
		Doc: `
			Make sure that a directory holds the files of a directory that masters serve. Other files in it are
			left alone without clean.`,
		Example: `
			/srv/www/site:
			  file.recurse:
			    - source: salt://site
			    - file_mode: keep
			    - dir_mode: 0755
			    - exclude_pat: "*.tmp"
			    - clean: true`,
		Plan: look(planRecurse),
	},
	{
		Name: "replace",
		Doc:  "Replace what matches a regular expression in a file that is there.",
		Example: `
			/etc/ssh/sshd_config:
			  file.replace:
			    - pattern: "^#?PermitRootLogin .*$"
			    - repl: PermitRootLogin no
			    - append_if_not_found: true`,
		Plan: look(planReplace),
	},
	{
		Name: "serialize",
		Doc: `
			Make sure that a file holds data as yaml, json, toml, configparser, keyvalue or python, written byte for byte as Salt
			does. With merge_if_exists the data of a file that is there stays where dataset has none; its comments go then.`,
		Example: `
			/etc/app.json:
			  file.serialize:
			    - dataset:
			        listen: 80
			        hosts: [a, b]
			    - serializer: json
			    - merge_if_exists: true`,
		Plan: look(planSerialize),
	},
	{
		Name: "symlink", Doc: "Make sure that a symbolic link leads somewhere. It is replaced in one step.",
		Example: `
			/srv/www/current:
			  file.symlink:
			    - target: releases/7
			    - makedirs: true`,
		Plan: look(planSymlink),
	},
	{
		Name: "touch",
		Doc: `
			Make an empty file, or set the times of one that is there: to now at every run, unless a time is given.`,
		Example: `
			/var/lib/app/stamp:
			  file.touch:
			    - mtime: 1700000000
			    - makedirs: true`,
		Plan: look(planTouch),
	},
	{
		Name: "uncomment", Doc: "Take the sign of a comment off the lines of a file that a regular expression matches.",
		Example: `
			/etc/fstab.old:
			  file.uncomment:
			    - regex: /mnt/new`,
		Plan: look(planUncomment),
	},
}
