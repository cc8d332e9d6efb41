// Package cmd runs commands and scripts.
package cmd

import "brine/states/module"

// Module is the cmd module.
var Module = module.Module{
	Name: "cmd",
	Doc: `
		Run commands and scripts.

		A command that is text runs in a shell, a list of words runs without one. What a template calls runs without
		a shell too, unless it says python_shell=True or calls cmd.shell: its text is split into words.
		When a job is cancelled or a timeout is over, the command and all its descendants get SIGTERM, and SIGKILL 3
		seconds later. Of each output 16 MiB are kept, the first and the last half; a mark stands for what is left out.

		With runas the command has all groups of the user and the environment of its login: HOME, USER, LOGNAME,
		SHELL, /etc/environment, and what the profiles that the shell reads export.`,
	Funcs: []module.Func{
		{
			Name: "exec_code", Doc: "Run code of a language and return what it wrote to standard output.",
			Example: "python3 'import sys; print(sys.argv[1:])' args='[a, b]'", Do: module.Call(execCode),
		},
		{
			Name: "exec_code_all", Doc: "Run code of a language and return its pid, retcode, stdout and stderr.",
			Example: "perl 'print 6 * 7' runas=nobody", Do: module.Call(execCodeAll),
		},
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
			Name: "run_chroot",
			Doc: `
				Run a command with another root directory and return its pid, retcode, stdout and stderr.
				It finds dev, proc and sys mounted where root has those directories. Mounts and processes are its
				own: none is left when it ends. runas and group are looked up under root.`,
			Example: "/srv/image 'apt-get -y upgrade' binds='[/etc/apt]'", Do: module.Call(runChroot),
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
				The script is one of the masters' files, or a file of this host. It is run by the program that its
				first line names, or by the shell. Nothing in its arguments is expanded.`,
			Example: "salt://scripts/audit.sh args='--full /srv'", Do: module.Call(runScript),
		},
		{
			Name: "script_retcode", Doc: "Fetch a script, run it as script does, and return its exit status.",
			Example: "salt://scripts/audit.sh", Do: module.Call(scriptRetcode),
		},
		{
			Name: "shell", Doc: "Run a command in a shell, as run does.",
			Example: "'echo $HOME'", Do: module.Call(shell),
		},
		{
			Name: "shells", Doc: "Return the login shells of /etc/shells.",
			Do: module.Call(shells),
		},
		{
			Name: "tty", Doc: "Write text to a terminal.",
			Example: "tty1 'going down in 5 minutes'", Do: module.Call(tty),
		},
		{
			Name: "which", Doc: "Return the path of a program in the PATH, or nothing.",
			Example: "git", Do: module.Call(which),
		},
		{
			Name: "which_bin", Doc: "Return the path of the first of these programs that is in the PATH, or nothing.",
			Example: "'[pip3, pip]'", Do: module.Call(whichBin),
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
			Name: "script",
			Doc: `
				Run a script of the masters or of this host, as the function cmd.script does.
				It changes the host each time.`,
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
		{
			Name: "wait_script",
			Doc:  "Run a script only when a watched state changed. New trees say cmd.script with onchanges.",
			Example: `
				rebuild-index:
				  cmd.wait_script:
				    - source: salt://scripts/setup.sh`,
			Plan: module.Look(planWaitScript), Watch: module.React(rerunScript),
		},
		{
			Name: "watch", Doc: "Another name of wait.",
			Example: `
				reload-rules:
				  cmd.watch:
				    - name: echo reloaded`,
			Plan: module.Look(planWait), Watch: module.React(rerun),
		},
	},
}
