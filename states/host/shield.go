package host

import "golang.org/x/sys/unix"

// shield gives the calling thread, and what it starts, a view of the file systems in which nothing can be written
// but a directory of its own. Where the system does not let it, all stays as it is. The thread must end after that.
func shield(scratch string) {
	if unix.Unshare(unix.CLONE_NEWNS) != nil {
		return
	}
	// Else what is done here would be done to the host, too.
	if unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "") != nil {
		return
	}
	readOnly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, readOnly) != nil {
		return
	}
	if scratch != "" {
		_ = unix.Mount("tmpfs", scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size=64m") // without it there is just no scratch
	}
}
