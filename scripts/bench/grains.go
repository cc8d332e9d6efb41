package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"brine/minion/grains"
	"brine/states/host"
)

// grains times all grains of this machine, name servers included: as a minion
// collects them at its first start, and when it looks again.
func (b *bench) grains(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-bench.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	local := &host.Local{}
	defer local.Close()
	var cold, warm []time.Duration
	for range b.runs {
		m := grains.NewMachine(grains.MachineOptions{
			System: grains.System{Exec: local.Run}, Resolver: grains.SystemResolver(),
		})
		s := grains.New(grains.Options{ID: "bench", Machine: m, File: filepath.Join(dir, "grains"), Exec: local.Run})
		began := time.Now()
		s.Now(ctx)
		cold = append(cold, time.Since(began))
		began = time.Now()
		if err := s.Refresh(ctx); err != nil {
			return err
		}
		warm = append(warm, time.Since(began))
		m.Close()
	}
	b.say("all grains, cold", ms(median(cold)), "150 ms", median(cold) <= 150*time.Millisecond)
	b.say("all grains, warm", ms(median(warm)), "30 ms", median(warm) <= 30*time.Millisecond)
	return nil
}
