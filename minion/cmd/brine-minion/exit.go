package main

import (
	"errors"
	"fmt"
	"os"
)

// Exit codes, as sysexits.h has them.
const (
	exitFailed   = 1
	exitPending  = 2
	exitRefused  = 4
	exitUsage    = 64
	exitData     = 65
	exitTryAgain = 75
)

// exit is an error with the status that the command ends with; without a text nothing is printed.
type exit struct {
	status int
	error
}

func (e *exit) Unwrap() error { return e.error }

func status(err error) int {
	var e *exit
	if isExit := errors.As(err, &e); err != nil && (!isExit || e.error != nil) {
		fmt.Fprintf(os.Stderr, "brine-minion: %v\n", err)
	}
	switch {
	case e != nil:
		return e.status
	case err != nil:
		return exitFailed
	}
	return 0
}
