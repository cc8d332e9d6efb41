package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"brine/master/client"
	"brine/master/store"
	"brine/proto"
)

const patience = 60 * time.Second

// until asks again and again until check is content.
func until(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cannot wait longer until %s: %w", what, err)
		}
	}
}

// linked waits until every minion is online in the eyes of the master asked.
func (c *chaos) linked(ctx context.Context) error {
	return until(ctx, "all minions are online", func() error {
		reply := &proto.MinionListReply{}
		if err := c.client.Call(ctx, "minion.list", &proto.MinionListRequest{}, reply); err != nil {
			return err
		}
		online := 0
		for _, m := range reply.Minions {
			if m.Online {
				online++
			}
		}
		if online != len(c.lab.Minions) {
			return fmt.Errorf("%d of %d are online", online, len(c.lab.Minions))
		}
		return nil
	})
}

// whole waits until every master is live and every minion online.
func (c *chaos) whole(ctx context.Context) error {
	err := until(ctx, "all masters are live", func() error {
		reply := &proto.MasterListReply{}
		if err := c.client.Call(ctx, "master.list", &proto.Empty{}, reply); err != nil {
			return err
		}
		for _, m := range reply.Masters {
			if m.State != "live" {
				return fmt.Errorf("master %s is %s in the eyes of %s", m.Name, m.State, reply.Master)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.linked(ctx)
}

// noneTwice checks the marks that the commands left: each began at most once.
func (c *chaos) noneTwice() error {
	var errs []error
	for _, m := range c.lab.Minions {
		entries, err := os.ReadDir(c.effects(m.ID))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if n := c.marks(m.ID, e.Name()); n != 1 {
				errs = append(errs, fmt.Errorf("job %s was begun or ended %d times on %s", e.Name(), n, m.ID))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *chaos) marks(minion, name string) int {
	data, err := os.ReadFile(filepath.Join(c.effects(minion), name))
	if err != nil {
		return 0
	}
	return strings.Count(string(data), "x")
}

// noneLost checks every job of the run: each minion that began it has a
// result at the master asked, and the result agrees with the marks.
func (c *chaos) noneLost(ctx context.Context) error {
	for _, j := range c.jobs {
		err := until(ctx, "job "+j.jid+" is accounted for", func() error { return c.accounted(ctx, j) })
		if err != nil {
			return fmt.Errorf("round %d (%s, seed %d): %w", j.round, j.fault, c.seed, err)
		}
	}
	return nil
}

func (c *chaos) accounted(ctx context.Context, j *sent) error {
	r, err := c.client.Show(ctx, j.jid)
	if err != nil {
		return err
	}
	for _, m := range c.lab.Minions {
		if err := c.agrees(m.ID, j.jid, r); err != nil {
			return err
		}
	}
	return nil
}

func (c *chaos) agrees(minion, jid string, r *client.Result) error {
	began, ended := c.marks(minion, jid+".began"), c.marks(minion, jid+".ended")
	status := "missing"
	if m := r.Minions[minion]; m != nil {
		status = m.Status
	}
	switch {
	case status == "ok" && began == 1 && ended == 1,
		status == "interrupted" && began <= 1, // it was accepted; its effects may have come or not
		status == "expired" && began == 0,
		(status == "offline" || status == "no-answer") && began == 0:
		return nil
	}
	return fmt.Errorf("job %s on %s is %s, but began %d and ended %d times", jid, minion, status, began, ended)
}

// quietFor is for how long masters write nothing before their stores are compared: the start of one is told a moment later.
const quietFor = 2 * time.Second

// storesEqual waits until the masters write nothing more, stops them all, and compares what they hold.
func (c *chaos) storesEqual(ctx context.Context) error {
	return until(ctx, "the stores are equal", func() error {
		if err := c.quiet(ctx); err != nil {
			return err
		}
		return c.digests(ctx)
	})
}

// quiet waits until no master lags and none has written anything for a while.
func (c *chaos) quiet(ctx context.Context) error {
	var before []int64
	since := time.Now()
	return until(ctx, "the masters have caught up", func() error {
		reply := &proto.MasterListReply{}
		if err := c.client.Call(ctx, "master.list", &proto.Empty{}, reply); err != nil {
			return err
		}
		var ends []int64
		for _, m := range reply.Masters {
			if m.Lag > 0 {
				return fmt.Errorf("%d records of %s are not read by %s", m.Lag, m.Name, reply.Master)
			}
			ends = append(ends, m.Sequence)
		}
		if !slices.Equal(ends, before) {
			before, since = ends, time.Now()
		}
		if time.Since(since) < quietFor {
			return errors.New("records are still written")
		}
		return nil
	})
}

func (c *chaos) digests(ctx context.Context) error {
	for _, m := range c.lab.Masters {
		if err := c.lab.Kill(m.Name, syscall.SIGKILL); err != nil {
			return err
		}
	}
	var first string
	var differ error
	for _, m := range c.lab.Masters {
		d, err := digest(ctx, m.Root, m.Name)
		if err != nil {
			return err
		}
		if first == "" {
			first = d
		} else if d != first {
			differ = fmt.Errorf("the store of %s is not that of %s", m.Name, c.lab.Masters[0].Name)
		}
	}
	var names []string
	for _, m := range c.lab.Masters {
		names = append(names, m.Name)
	}
	return errors.Join(differ, c.back(ctx, names...))
}

func digest(ctx context.Context, root, name string) (string, error) {
	s, err := store.Open(filepath.Join(root, "var/lib/brine/master/store.db"), store.Options{Master: name})
	if err != nil {
		return "", err
	}
	defer s.Close()
	return s.Digest(ctx)
}
