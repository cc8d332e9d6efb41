// Package ps tells of processes and of what they use, and signals them.
package ps

import "brine/states/module"

// Module is the ps module.
var Module = module.Module{
	Name: "ps",
	Doc:  "Tell of processes and of what they use, and signal them. The minion's own process is never signalled by a pattern.",
	Funcs: []module.Func{
		{
			Name: "boot_time", Doc: "Return when the host was booted: seconds since 1970, or text.",
			Example: "time_format=iso", Do: module.Call(bootTime),
		},
		{
			Name: "cpu_percent", Doc: "Return how busy the processors are in percent.",
			Example: "interval=1 per_cpu=True", Do: module.Call(cpuPercent),
		},
		{
			Name: "cpu_times", Doc: "Return the seconds that the processors spent for what.",
			Example: "per_cpu=True", Do: module.Call(cpuTimes),
		},
		{
			Name: "disk_io_counters", Doc: "Return what was read from disks and written to them.",
			Example: "sda", Do: module.Call(diskCounters),
		},
		{
			Name: "disk_partitions", Doc: "Return the mounted file systems with device, mountpoint, fstype and opts.",
			Example: "all=True", Do: module.Call(partitions),
		},
		{
			Name: "disk_usage", Doc: "Return the bytes of a file system: total, used, free, and percent.",
			Example: "/var", Do: module.Call(diskUsage),
		},
		{Name: "get_pid_list", Doc: "Return the ids of all processes.", Do: module.Call(pidList)},
		{
			Name: "kill_pid", Doc: "Send a signal to a process and say whether there was one.",
			Example: "4711 signal=15", Do: module.Call(killPID),
		},
		{
			Name: "network_io_counters", Doc: "Return what was sent and received by all interfaces, or by one.",
			Example: "eth0", Do: module.Call(netCounters),
		},
		{Name: "num_cpus", Doc: "Return how many processors there are.", Do: module.Call(numCPUs)},
		{
			Name: "pgrep", Doc: "Return the ids of processes whose name has some text in it, or nothing.",
			Example: "nginx full=True user=root", Do: module.Call(pgrep),
		},
		{
			Name: "pkill", Doc: "Send a signal to processes whose name has some text in it, and return the ids, or nothing.",
			Example: "nginx signal=1", Do: module.Call(pkill),
		},
		{
			Name: "proc_info", Doc: "Return what is known of a process.",
			Example: "1 attrs='[name, username, cmdline]'", Do: module.Call(procInfo),
		},
		{
			Name: "psaux", Doc: "Return the lines of ps aux that match a regular expression, and how many there are.",
			Example: "www-data.+apache2", Do: module.Call(psaux),
		},
		{Name: "swap_memory", Doc: "Return the bytes of swap: total, used, free, percent, sin and sout.", Do: module.Call(swap)},
		{
			Name: "top", Doc: "Return the processes that used the processors most for a while.",
			Example: "num_processes=3 interval=1", Do: module.Call(top),
		},
		{Name: "total_physical_memory", Doc: "Return the bytes of memory.", Do: module.Call(totalMemory)},
		{Name: "virtual_memory", Doc: "Return the bytes of memory: total, available, used, free and more.", Do: module.Call(memory)},
	},
}
