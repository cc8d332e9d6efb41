package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
)

const storedReturns = 100_000

// storeRate has two processes store returns at the same time, as two masters do.
func (b *bench) storeRate(ctx context.Context) error {
	var parts []*part
	for range 2 {
		p, err := start(ctx, "store")
		if err != nil {
			return err
		}
		defer p.stop()
		parts = append(parts, p)
	}
	for i, p := range parts {
		text, err := p.line()
		if err != nil {
			return err
		}
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		b.say(fmt.Sprintf("returns stored a second, master %d of 2 at once", i+1), fmt.Sprintf("%.0f", rate), "at least 20000", rate >= 20000)
	}
	return nil
}

// storeWorker stores returns as fast as they are committed, and prints how
// many a second.
func storeWorker(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-store.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(filepath.Join(dir, "store.db"), store.Options{Master: "m1"})
	if err != nil {
		return err
	}
	defer s.Close()
	request := make([]byte, 16)
	_, _ = rand.Read(request) // never fails, says its documentation
	value := []byte(`{"text":"` + fmt.Sprintf("%0190d", 0) + `"}`)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	began := time.Now()
	for i := range storedReturns {
		now := time.Now()
		ret := &proto.Return{
			Jid: jid.FromTime(now.Truncate(time.Second).Add(time.Duration(i/1000) * time.Microsecond)), RequestId: request,
			Minion: fmt.Sprintf("minion%04d", i%1000), Outcome: proto.Outcome_OK, Value: value, Function: "test.ping",
			StartedAt: now.UnixMicro(), FinishedAt: now.UnixMicro(),
		}
		rec, err := store.NewRecord(s.Stamp(), ret.Minion, ret)
		if err != nil {
			return err
		}
		wait.Add(1)
		s.Enqueue(rec, func(err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
			wait.Done()
		})
	}
	wait.Wait()
	if failed != nil {
		return failed
	}
	fmt.Println(storedReturns / time.Since(began).Seconds())
	return nil
}
