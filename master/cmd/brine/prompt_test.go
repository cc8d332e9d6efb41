package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

func TestAPromptEndsWithAnInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked, left := make(chan struct{}), make(chan struct{})
	defer close(left)
	go func() {
		<-asked
		cancel()
	}()
	_, err := answered(ctx, func() (string, error) {
		close(asked)
		<-left
		return "yes", nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if got, err := answered(t.Context(), func() (string, error) { return "yes", nil }); got != "yes" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWhatTakesLongIsSaid(t *testing.T) {
	r, w := io.Pipe()
	a := &app{stderr: w}
	done := a.slow(time.Millisecond, "it takes long")
	line, err := bufio.NewReader(r).ReadString('\n')
	if done(); line != "it takes long\n" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
}
