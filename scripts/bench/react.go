package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"brine/master/client"
	"brine/proto"
	"brine/scripts/lab"
)

// reactions are few enough that the limit of actions a minute does not count.
const reactions = 200

// benchRule has a minion answer each event of the bench.
const benchRule = `[[rule]]
name = "bench"
mode = "enforce"
tag = "bench/*"
key = "event.id"
cooldown = "0s"
rate = "none"
rule_rate = "none"
[rule.breaker]
share = 100
[rule.action]
run = "test.ping"
target = "minion1"
`

// react times what a rule does: from when an operator sends an event until the return of its action is told.
func (b *bench) react(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-bench.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "_rules"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tree, "_rules", "bench.toml"), []byte(benchRule), 0o644); err != nil {
		return err
	}
	l, err := lab.Up(ctx, lab.UpOptions{Dir: filepath.Join(dir, "lab"), Bin: b.bin, Masters: 2, Minions: 1, FileRoot: tree})
	if err != nil {
		return err
	}
	defer func() { _ = l.Down() }() // what it says of processes that are gone helps nobody
	c, err := operatorOf(l)
	if err != nil {
		return err
	}
	defer c.Close()
	walls, err := reactionTimes(ctx, c)
	if err != nil {
		return err
	}
	slices.Sort(walls)
	middle, late := walls[len(walls)/2], walls[len(walls)*99/100]
	b.say("event to the return of a rule's action, median", ms(middle), "10 ms", middle <= 10*time.Millisecond)
	b.say("event to the return of a rule's action, 99th percentile", ms(late), "50 ms", late <= 50*time.Millisecond)
	return nil
}

// reactionTimes sends events one after the other, each when the one before was answered; the first ones warm.
func reactionTimes(ctx context.Context, c *client.Client) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	returned, begun, ended := make(chan time.Time, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		q := &proto.EventQuery{Tags: []string{"salt/job/*/ret/minion1"}}
		ended <- c.WatchEvents(ctx, q, func(string) { close(begun) }, func(*proto.EventInfo) error { returned <- time.Now(); return nil })
	}()
	select {
	case <-begun:
	case err := <-ended:
		return nil, err
	}
	var walls []time.Duration
	for i := range reactions + 10 {
		began := time.Now()
		if _, err := c.SendEvent(ctx, fmt.Sprintf("bench/%d", i), []byte("{}")); err != nil {
			return nil, err
		}
		select {
		case at := <-returned:
			if i >= 10 {
				walls = append(walls, at.Sub(began))
			}
		case err := <-ended:
			return nil, errors.Join(errors.New("events are watched no more"), err)
		}
	}
	return walls, nil
}
