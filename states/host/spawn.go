package host

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawn starts a command with what it would have from a login, not with what protects the daemon: the
// usual umask, and no exemption from being ended when memory is short.
func spawn(cmd *exec.Cmd, c Command) (err error) {
	onOwnThread(func() {
		if c.ReadOnly {
			shield(c.Scratch)
		}
		if unix.Unshare(unix.CLONE_FS) == nil { // else the umask would be the whole daemon's
			syscall.Umask(0o022)
		}
		err = startAnywhere(cmd)
	})
	if err == nil {
		expose(cmd.Process.Pid)
	}
	return err
}

// onOwnThread calls f on a thread that ends with it. The first thread of the process can't end, so it is
// held while another is taken.
func onOwnThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread is thrown away
		if unix.Gettid() == os.Getpid() {
			defer runtime.UnlockOSThread()
			onOwnThread(f)
			return
		}
		f()
	}()
	<-done
}

// expose takes the daemon's exemption from a command. Where it can't be, the command runs with it.
func expose(pid int) {
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err == nil && bytes.HasPrefix(own, []byte("-")) {
		_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("0"), 0)
	}
}
