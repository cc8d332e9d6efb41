// Package mount mounts file systems, and keeps what is mounted at boot.
package mount

import "brine/states/module"

// Module is the mount module.
var Module = module.Module{
	Name: "mount",
	Doc: `
		Mount file systems, and keep what is mounted at boot.

		What is mounted is compared with the kernel's table: the device by all its names and its number, a bind by the
		directory that it shows, and the options that the kernel shows. Options of which it shows nothing are no reason to
		remount. Flags such as noexec that the fstab gave and that a state no longer has are taken away.

		The password of a share of cifs (password=, or user=NAME%PASSWORD) reaches mount in its environment, not in its
		command line, and stands in no result. An fstab that it is to persist in is read by every user: better is credentials=FILE.`,
	Funcs: []module.Func{
		{
			Name: "active", Doc: "Return what is mounted, by place.",
			Example: "extended=true", Do: module.Call(active),
		},
		{Name: "fstab", Doc: "Return the entries of an fstab, by place; passwords in options only with private.", Example: "/etc/fstab", Do: module.Call(showFstab)},
		{
			Name: "get_device_from_path", Doc: "Return the device that a path lies on.",
			Example: "/var/lib", Do: module.Call(deviceFromPath),
		},
		{
			Name: "get_mount_from_path", Doc: "Return where the file system of a path is mounted.",
			Example: "/var/lib", Do: module.Call(mountFromPath),
		},
		{
			Name: "is_fuse_exec", Doc: "Say whether a program mounts file systems by FUSE.",
			Example: "sshfs", Do: module.Call(isFuseExec),
		},
		{Name: "is_mounted", Doc: "Say whether something is mounted at a place.", Example: "/srv", Do: module.Call(isMounted)},
		{
			Name: "mount", Doc: "Mount a device, or what fstab has for a place.",
			Example: "/srv /dev/sdb1 mkmnt=true fstype=ext4", Do: module.Call(mountNow),
		},
		{
			Name: "remount", Doc: "Change the options of what is mounted, or mount it when it is not.",
			Example: "/srv /dev/sdb1 opts=noatime", Do: module.Call(remountNow),
		},
		{
			Name: "rm_fstab", Doc: "Take an entry out of an fstab.",
			Example: "/srv /dev/sdb1", Do: module.Call(rmFstab),
		},
		{
			Name: "set_fstab", Doc: "Have an entry in an fstab. Returns new, change or present.",
			Example: "/srv /dev/sdb1 ext4", Do: module.Call(setFstab),
		},
		{
			Name: "swapoff", Doc: "Stop swapping to a device or file; nothing is returned when no one did.",
			Example: "/swapfile", Do: module.Call(swapoff),
		},
		{
			Name: "swapon", Doc: "Swap to a device or file.",
			Example: "/swapfile priority=10", Do: module.Call(swapon),
		},
		{Name: "swaps", Doc: "Return what is swapped to.", Do: module.Call(showSwaps)},
		{Name: "umount", Doc: "Unmount what is mounted at a place.", Example: "/srv", Do: module.Call(umountNow)},
	},
	States: []module.State{
		{
			Name: "fstab_absent", Doc: "Have an entry not in the fstab.",
			Example: `
				/dev/sdc1:
				  mount.fstab_absent:
				    - fs_file: /old`,
			Plan: module.Look(planFstabAbsent),
		},
		{
			Name: "fstab_present", Doc: "Have an entry in the fstab; one that is new is mounted.",
			Example: `
				/dev/sdb1:
				  mount.fstab_present:
				    - fs_file: /srv
				    - fs_vfstype: ext4
				    - fs_mntops: [noatime, nodev]
				    - fs_passno: 2`,
			Plan: module.Look(planFstabPresent),
		},
		{
			Name: "mounted", Doc: "Have something mounted, now and at every boot.",
			Example: `
				/srv:
				  mount.mounted:
				    - device: /dev/sdb1
				    - fstype: ext4
				    - opts: noatime,nodev
				    - pass_num: 2
				/var/cache/big:
				  mount.mounted:
				    - device: /mnt/big
				    - fstype: none
				    - opts: [bind, ro]
				    - mkmnt: True`,
			Plan:  module.Look(planMounted),
			Watch: module.React(watchMounted),
		},
		{
			Name: "swap", Doc: "Swap to a device or a file, now and at every boot.",
			Example: `
				/swapfile:
				  mount.swap`,
			Plan: module.Look(planSwap),
		},
		{
			Name: "unmounted", Doc: "Have nothing mounted at a place.",
			Example: `
				/old:
				  mount.unmounted:
				    - persist: True`,
			Plan: module.Look(planUnmounted),
		},
	},
}
