// Package cmd runs commands and scripts.
package cmd

import "brine/states/module"

// Module is the cmd module.
var Module = module.Module{
	Name: "cmd",
	Doc: `
		Run commands and scripts.

		A command that is text runs in a shell, a list of words runs without one. When a job is cancelled or a
		timeout is over, the command and all its descendants get SIGTERM, and SIGKILL 3 seconds later.`,
	Funcs: []module.Func{
		{
			Name: "has_exec", Doc: "Say whether a program is in the PATH.",
			Example: "git", Do: module.Call(hasExec),
		},
		{
			Name: "retcode", Doc: "Run a command and return its exit status; 128 and the signal when one ended it.",
			Example: "'grep -q root /etc/passwd'", Do: module.Call(retcode),
		},
		{
			Name: "run",
			Doc: `
				Run a command and return what it wrote, errors too, in the order written.
				The return code of the job is the command's exit status.`,
			Example: "'df -h | tail -n +2' cwd=/tmp timeout=10", Do: module.Call(run),
		},
		{
			Name: "run_all", Doc: "Run a command and return its pid, retcode, stdout and stderr.",
			Example: "'ls -l /etc' runas=nobody", Do: module.Call(runAll),
		},
		{
			Name: "run_bg", Doc: "Start a command, return its pid at once, and let it run.",
			Example: "'fstrim -a'", Do: module.Call(runBackground),
		},
		{
			Name: "run_stderr", Doc: "Run a command and return what it wrote to standard error.",
			Example: "'ls /nowhere'", Do: module.Call(runStderr),
		},
		{
			Name: "run_stdout", Doc: "Run a command and return what it wrote to standard output.",
			Example: "'ls -l /etc'", Do: module.Call(runStdout),
		},
		{
			Name: "script",
			Doc: `
				Fetch a script, run it, and return its pid, retcode, stdout and stderr.
				The script is one of the masters' files, or a file of this host.`,
			Example: "salt://scripts/audit.sh args='--full /srv'", Do: module.Call(script),
		},
		{
			Name: "shell", Doc: "Run a command in a shell, as run does.",
			Example: "'echo $HOME'", Do: module.Call(shell),
		},
		{
			Name: "which", Doc: "Return the path of a program in the PATH, or nothing.",
			Example: "git", Do: module.Call(which),
		},
	},
	States: []module.State{
		{
			Name: "run",
			Doc: `
				Run a command. It changes the host each time: say with creates, onlyif, unless or
				onchanges when it has nothing to do.`,
			Example: `
				update-aliases:
				  cmd.run:
				    - name: echo done
				    - cwd: /
				    - env:
				      - LEVEL: 0644`,
			Plan: module.Look(planRun), Watch: module.React(rerun),
		},
		{
			Name: "script", Doc: "Run a script of the masters or of this host. It changes the host each time.",
			Example: `
				set-up:
				  cmd.script:
				    - source: salt://scripts/setup.sh
				    - args: --quiet`,
			Plan: module.Look(planScript), Watch: module.React(rerunScript),
		},
		{
			Name: "wait", Doc: "Run a command only when a watched state changed. New trees say cmd.run with onchanges.",
			Example: `
				reload-rules:
				  cmd.wait:
				    - name: echo reloaded`,
			Plan: module.Look(planWait), Watch: module.React(rerun),
		},
	},
}
