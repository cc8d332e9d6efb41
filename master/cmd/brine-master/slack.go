package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timerSlack is how late the kernel may wake a sleeper. Go's scheduler has a
// thread that sleeps for 20 us again and again whenever something runs, which
// was an eighth of the processor time of a job on a thousand minions. Nothing
// in a master needs to be woken more exactly than this.
const timerSlack = time.Millisecond

// slacken begins this program again, in the same process, with timerSlack: a
// thread takes it from the one that starts it, and that of the scheduler
// starts before any code of ours. It returns when the slack is there already,
// as from the unit of systemd, or not to be had.
func slacken() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if slack() >= timerSlack || unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0, 0, 0) != nil ||
		slack() < timerSlack {
		return
	}
	if self, err := os.Executable(); err == nil {
		_ = syscall.Exec(self, os.Args, os.Environ()) // it works without, too
	}
}

// slack is that of this thread.
func slack() time.Duration {
	n, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}
