// Package status tells how the host is doing.
package status

import "brine/states/module"

// Module is the status module.
var Module = module.Module{
	Name: "status",
	Doc:  "Tell how the host is doing: load, memory, disks, network, processes and who is logged in.",
	Funcs: []module.Func{
		{Name: "all_status", Doc: "Return what the other functions return, by their names. It is a lot.", Do: module.Call(allStatus)},
		{Name: "cpuinfo", Doc: "Return what the kernel knows of the last processor.", Do: module.Call(cpuinfo)},
		{Name: "cpustats", Doc: "Return how the processors spent their time, and the kernel's counters.", Do: module.Call(cpustats)},
		{Name: "diskstats", Doc: "Return the counters of the disks, by name.", Do: module.Call(diskstats)},
		{
			Name: "diskusage", Doc: "Return the bytes available and in all, by mount point or path.",
			Example: "/ 'ext?'", Do: module.Call(diskusage),
		},
		{Name: "loadavg", Doc: "Return the load averages of 1, 5 and 15 minutes.", Do: module.Call(loadavg)},
		{Name: "meminfo", Doc: "Return what the kernel knows of memory, each with value and unit.", Do: module.Call(meminfo)},
		{Name: "netdev", Doc: "Return the counters of network interfaces, by name.", Do: module.Call(netdev)},
		{Name: "netstats", Doc: "Return the counters of network protocols, by name.", Do: module.Call(netstats)},
		{Name: "nproc", Doc: "Return how many processors there are to run on.", Do: module.Call(nproc)},
		{
			Name: "pid", Doc: "Return the ids of the processes whose user or command matches, a line each.",
			Example: "'sshd.*-D'", Do: module.Call(pid),
		},
		{
			Name: "ping_master", Doc: "Say whether a master of this minion takes connections.",
			Example: "m1.example.org", Do: module.Call(pingMaster),
		},
		{Name: "procs", Doc: "Return user and command of all processes, by id.", Do: module.Call(procs)},
		{
			Name: "time", Doc: "Return the host's time in a format of strftime(3).",
			Example: "'%Y-%m-%d %H:%M:%S'", Do: module.Call(now),
		},
		{Name: "uptime", Doc: "Return for how long the host has been up, since when, and how many are logged in.", Do: module.Call(uptime)},
		{Name: "version", Doc: "Return the version of the kernel with how it was built.", Do: module.Call(version)},
		{Name: "vmstats", Doc: "Return the counters of virtual memory, by name.", Do: module.Call(vmstats)},
		{Name: "w", Doc: "Return who is logged in, where, and what they run.", Do: module.Call(who)},
	},
}
