package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"brine/states/host"
)

// interruptible returns a context that ends with the first SIGINT or SIGTERM: what runs is cut off in an orderly way.
// The second ends the process at once, with 128 + the signal, and kills the commands that it started.
func interruptible() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	commands := &host.Processes{}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		second := (<-signals).(syscall.Signal)
		commands.Signal(syscall.SIGKILL)
		os.Exit(128 + int(second))
	}()
	return host.WithProcesses(ctx, commands)
}
