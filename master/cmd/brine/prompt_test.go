package main

import (
	"context"
	"errors"
	"testing"
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
