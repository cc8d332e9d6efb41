package host

import (
	"context"
	"errors"
	"time"
)

// Exec runs one command to its end. A command that ran has an Output, whatever its
// status; an error says that it could not be started, was cut off by ctx (then the error
// is context.Cause(ctx), and the Output holds what was written so far), or that
// its input and output could not be carried.
type Exec func(ctx context.Context, c Command) (Output, error)

// A Command is a program to run. The zero value of each field but Argv is a sensible default.
type Command struct {
	Argv  []string
	Dir   string   // working directory under the host's root; "" is the root directory
	Env   []string // NAME=value, over the daemon's own environment
	Clean bool     // only Env and a PATH, nothing of the daemon's environment
	User  *User    // whom to run as; nil is the daemon's own user
	Umask string   // octal; "" is 022
	Stdin []byte
	Merge bool // standard error goes into Stdout, in the order written
	Bytes bool // keep output that is no UTF-8 as it is; else U+FFFD stands for it

	// Terminal makes its outputs terminals, and the first the one that controls it. Its background children get
	// SIGHUP when it ends, as those of anyone who hangs up.
	Terminal bool

	// ReadOnly takes from it the right to write to any file, where the system lets the daemon do so: as root, on Linux
	// 5.12 or later, outside of most containers. Only Scratch, a directory, is empty and writable then.
	ReadOnly bool
	Scratch  string

	// Background leaves the command alone once it started: its output is thrown away, and Output
	// holds only its PID.
	Background bool

	// Tee gets the standard output as it comes, beside Output.Stdout; it is called from one goroutine.
	Tee func(data []byte)

	// Limit is how many bytes are kept of each output, the middle is left out; 0 is DefaultLimit.
	Limit int
	// Grace is how long a command that is cut off may clean up: SIGTERM at once, SIGKILL
	// after Grace, to it and all its descendants. 0 is DefaultGrace.
	Grace time.Duration
}

const (
	// DefaultLimit is how much output of a command is kept.
	DefaultLimit = 16 << 20
	// DefaultGrace is the time from SIGTERM to SIGKILL.
	DefaultGrace = 3 * time.Second
)

// An Output is how a command ended and what it wrote.
type Output struct {
	PID    int
	Code   int // 128 + the signal, as in a shell, when a signal ended it
	Stdout []byte
	Stderr []byte
}

// ErrKill as the cause of a context's end kills commands at once, without Grace.
var ErrKill = errors.New("killed")
