package cp

import (
	"io/fs"
	"syscall"
)

// keepOwner fills in the owner of what is there for a number that is not given.
func keepOwner(st fs.FileInfo, uid, gid int) (int, int) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		if uid < 0 {
			uid = int(sys.Uid)
		}
		if gid < 0 {
			gid = int(sys.Gid)
		}
	}
	return uid, gid
}
