package file

import "golang.org/x/sys/unix"

// The device of a file does not tell where it is mounted: on overlayfs a file of a lower layer has that of the layer,
// while directories have that of the overlay.

// mountOf returns the number of the mount that a name of an open directory lies on, "" for the directory itself, and
// whether something is mounted there itself. Kernels before 5.8 don't know, which is !ok.
func mountOf(dir int, name string) (id uint64, root, ok bool) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags = unix.AT_EMPTY_PATH
	}
	var st unix.Statx_t
	err := unix.Statx(dir, name, flags, unix.STATX_MNT_ID, &st)
	return st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, err == nil && st.Mask&unix.STATX_MNT_ID != 0
}

// oneMount says whether what is at a spot can get another name at one, which rename(2) and link(2) do on one mount.
func oneMount(from *spot, was *info, to *spot) bool {
	a, _, ok := mountOf(from.fd, from.base)
	b, _, ok2 := mountOf(to.fd, "")
	if !ok || !ok2 {
		return uint64(was.Dev) == to.device()
	}
	return a == b
}

// sameMount says whether what is at a name of an open directory, which has this device, is no mount.
func sameMount(dir int, name string, i *info, device uint64) bool {
	if uint64(i.Dev) == device {
		return true
	}
	_, root, ok := mountOf(dir, name)
	return ok && !root && !i.isDir()
}
