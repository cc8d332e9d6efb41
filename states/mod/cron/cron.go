// Package cron manages the jobs of users' crontabs.
package cron

import "brine/states/module"

// Module is the cron module.
var Module = module.Module{
	Name: "cron",
	Doc: `
		Manage the jobs of users' crontabs, by the program crontab.

		The format is Salt's: jobs stand below a line that says so, each below a comment with its identifier
		(# SALT_CRON_IDENTIFIER:name). A job is found by its identifier; one that has none by its command. Lines that no
		job or variable of a state is meant by stay as they are, wherever they stand.`,
	Funcs: []module.Func{
		{
			Name: "get_entry", Doc: "Return a job by its identifier or command, or false.",
			Example: "root identifier=backup", Do: module.Call(getEntry),
		},
		{
			Name: "list_tab", Doc: "Return what a crontab holds: the lines before the managed ones, jobs, specials and variables.",
			Example: "root", Do: module.Call(listTab),
		},
		{Name: "ls", Doc: "The same as list_tab.", Example: "root", Do: module.Call(listTab)},
		{Name: "raw_cron", Doc: "Return a crontab as it is.", Example: "root", Do: module.Call(rawCron)},
		{Name: "rm", Doc: "The same as rm_job.", Example: "root /usr/local/bin/backup", Do: module.Call(rmJob)},
		{Name: "rm_env", Doc: "Remove a variable; returns removed or absent.", Example: "root MAILTO", Do: module.Call(rmEnv)},
		{
			Name: "rm_job", Doc: "Remove a job; returns removed or absent.",
			Example: "root /usr/local/bin/backup", Do: module.Call(rmJob),
		},
		{
			Name: "rm_special", Doc: "Remove a job that runs at a special time; returns removed or absent.",
			Example: "root /usr/local/bin/backup special=@daily", Do: module.Call(rmSpecial),
		},
		{Name: "set_env", Doc: "Set a variable; returns new, updated or present.", Example: "root MAILTO ops", Do: module.Call(setEnv)},
		{
			Name: "set_job", Doc: "Set a job; returns new, updated or present.",
			Example: "root 5 '*/2' '*' '*' 1-5 /usr/local/bin/backup identifier=backup", Do: module.Call(setJob),
		},
		{
			Name: "set_special", Doc: "Set a job that runs at a special time; returns new, updated or present.",
			Example: "root @daily /usr/local/bin/backup", Do: module.Call(setSpecial),
		},
		{
			Name: "write_cron_file", Doc: "Replace a crontab by a file.",
			Example: "root /srv/root.cron", Do: module.Call(writeFile),
		},
		{
			Name: "write_cron_file_verbose", Doc: "Replace a crontab by a file, and return how that ended.",
			Example: "root /srv/root.cron", Do: module.Call(writeFileVerbose),
		},
	},
	States: []module.State{
		{
			Name: "absent", Doc: "Have a job not in a crontab.",
			Example: `
				/usr/local/bin/old:
				  cron.absent:
				    - identifier: old`,
			Plan: module.Look(planAbsent),
		},
		{
			Name: "env_absent", Doc: "Have a variable not set in a crontab.",
			Example: `
				PATH:
				  cron.env_absent`,
			Plan: module.Look(planEnvAbsent),
		},
		{
			Name: "env_present", Doc: "Have a variable set in a crontab, for the jobs below it.",
			Example: `
				MAILTO:
				  cron.env_present:
				    - value: ops@example.com`,
			Plan: module.Look(planEnvPresent),
		},
		{
			Name: "file", Doc: "Have a file as a user's whole crontab.",
			Example: `
				/srv/root.cron:
				  cron.file`,
			Plan: module.Look(planFile),
		},
		{
			Name: "present", Doc: "Have a job in a crontab.",
			Example: `
				/usr/local/bin/backup --full:
				  cron.present:
				    - identifier: backup
				    - minute: random
				    - hour: 2
				    - comment: each night
				cleanup:
				  cron.present:
				    - special: '@daily'`,
			Plan: module.Look(planPresent),
		},
	},
}
