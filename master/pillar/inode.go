package pillar

import (
	"os"
	"syscall"
)

// changed is what tells a file from another one that took its place or from itself before it was written.
type changed struct {
	device, inode uint64
	at            syscall.Timespec
}

func inode(st os.FileInfo) any {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return changed{uint64(sys.Dev), sys.Ino, sys.Ctim}
}
