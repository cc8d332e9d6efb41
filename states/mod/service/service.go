// Package service starts and stops services, and says which of them start with the host.
package service

import "brine/states/module"

// Module is the service module.
var Module = module.Module{
	Name: "service",
	Doc: `
		Start and stop services, and have them start with the host.

		By systemd where it runs, else by OpenRC or by init scripts. With systemd a service may be any unit: a name
		without an ending is a .service, others are written with theirs (backup.timer). A service that this host does
		not have is an error that names the nearest one, never one that is stopped; only in templates
		service.status, enabled and disabled answer false for it, as in Salt.

		Changed unit files are read by systemd before anything is done with their unit. A service that dies at once when
		it is started is a failure, told with the last lines of its journal. Where a job restarts or stops the service that
		the minion itself runs in, that happens when the job has ended.`,
	Funcs: []module.Func{
		{
			Name: "available", Doc: "Say whether the host has a service.",
			Example: "sshd", Do: module.Call(available),
		},
		{Name: "disable", Doc: "Let a service not start with the host any more.", Example: "cron", Do: module.Call(disable)},
		{
			Name: "disabled", Doc: "Say whether a service does not start with the host.",
			Example: "cron", Do: module.Call(disabled),
		},
		{Name: "enable", Doc: "Let a service start with the host.", Example: "cron", Do: module.Call(enable)},
		{
			Name: "enabled", Doc: "Say whether a service starts with the host, or with others that do.",
			Example: "cron", Do: module.Call(enabled),
		},
		{Name: "execs", Doc: "Return the programs of all services by their names (systemd).", Do: module.Call(execs)},
		{
			Name: "force_reload", Doc: "Reload a service, or restart it when it can't be reloaded.",
			Example: "nginx", Do: module.Call(do("force-reload")),
		},
		{
			Name: "full_restart", Doc: "Stop a service and start it; with systemd the same as restart.",
			Example: "nginx", Do: module.Call(do("full-restart")),
		},
		{Name: "get_all", Doc: "Return the names of all services.", Do: module.Call(lister(func(listed) bool { return true }))},
		{
			Name: "get_disabled", Doc: "Return the names of all services that do not start with the host, and could.",
			Do: module.Call(lister(func(l listed) bool { return l.state == "disabled" })),
		},
		{
			Name: "get_enabled", Doc: "Return the names of all services that start with the host.",
			Do: module.Call(lister(func(l listed) bool { return l.state == "enabled" })),
		},
		{Name: "get_running", Doc: "Return the names of all services that run.", Do: module.Call(getRunning)},
		{
			Name: "get_static", Doc: "Return the names of all services that only others start (systemd).",
			Do: module.Call(lister(func(l listed) bool { return l.state == "static" })),
		},
		{
			Name: "mask", Doc: "Keep a service from being started at all (systemd).",
			Example: "cups runtime=True", Do: module.Call(setMask(true)),
		},
		{Name: "masked", Doc: "Say whether a service is masked (systemd).", Example: "cups", Do: module.Call(masked)},
		{Name: "missing", Doc: "Say whether the host does not have a service.", Example: "sshd", Do: module.Call(missing)},
		{
			Name: "reload", Doc: "Let a service read its configuration again.",
			Example: "nginx", Do: module.Call(do("reload")),
		},
		{Name: "restart", Doc: "Restart a service.", Example: "nginx", Do: module.Call(do("restart"))},
		{Name: "show", Doc: "Return the properties of a service by name (systemd).", Example: "cron", Do: module.Call(show)},
		{Name: "start", Doc: "Start a service.", Example: "nginx", Do: module.Call(do("start"))},
		{
			Name: "status", Doc: "Say whether a service runs; of a glob say it of each that matches.",
			Example: "'ssh*'", Do: module.Call(status),
		},
		{Name: "stop", Doc: "Stop a service.", Example: "nginx", Do: module.Call(stop)},
		{
			Name: "systemctl_reload", Doc: "Let systemd read all unit files again.",
			Do: module.Call(reloadSystemd),
		},
		{
			Name: "unmask", Doc: "Take the mask off a service, so that it can be started again (systemd).",
			Example: "cups", Do: module.Call(setMask(false)),
		},
	},
	States: []module.State{
		{
			Name: "dead", Doc: "Have a service stopped. One that the host does not have is.",
			Example: `
				web:
				  service.dead:
				    - enable: False`,
			Plan: module.Look(planDead), Watch: module.React(watchDead),
		},
		{
			Name: "disabled", Doc: "Have a service not start with the host; whether it runs now is left alone.",
			Example: `
				web:
				  service.disabled`,
			Plan: module.Look(planDisabled),
		},
		{
			Name: "enabled", Doc: "Have a service start with the host; whether it runs now is left alone.",
			Example: `
				job.timer:
				  service.enabled`,
			Plan: module.Look(planEnabled),
		},
		{
			Name: "masked", Doc: "Have a service masked, so that nothing can start it (systemd).",
			Example: `
				cups:
				  service.masked`,
			Plan: module.Look(planMasked),
		},
		{
			Name: "running",
			Doc: `
				Have a service run. When a state that it watches changed, it is restarted, or reloaded with reload; one
				that does not run is started.`,
			Example: `
				idle:
				  service.running:
				    - enable: True
				    - reload: True`,
			Plan: module.Look(planRunning), Watch: module.React(watchRunning),
		},
		{
			Name: "unmasked", Doc: "Have a service not masked, so that it can be started (systemd).",
			Example: `
				hidden:
				  service.unmasked`,
			Plan: module.Look(planUnmasked),
		},
	},
}
