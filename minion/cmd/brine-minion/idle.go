package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// rest gives back what a minion doesn't need while it waits for the next job: freed memory, and the pages of the
// program, of which waiting needs a fraction. These stay in the kernel's cache, from where what is needed again comes
// back by itself.
func rest() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return // not mounted: they stay
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range readOnly(maps, program) {
		// An error leaves the pages where they are.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// A mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// readOnly finds the parts of a program's file in the text of /proc/self/smaps that cannot be written and of which no
// page was ever changed, such as by a relocation: only those can be read from the file again.
func readOnly(smaps []byte, program string) []mapping {
	var found []mapping
	in := false // the last of found is being read
	for line := range bytes.Lines(smaps) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if bytes.HasSuffix(fields[0], []byte(":")) {
			if in && string(fields[0]) == "Anonymous:" && string(fields[1]) != "0" {
				found, in = found[:len(found)-1], false
			}
			continue
		}
		in = false
		var m mapping
		if _, err := fmt.Sscanf(string(fields[0]), "%x-%x", &m.start, &m.end); err != nil {
			continue
		}
		if mode := string(fields[1]); (mode == "r-xp" || mode == "r--p") && len(fields) == 6 && string(fields[5]) == program {
			found, in = append(found, m), true
		}
	}
	return found
}
