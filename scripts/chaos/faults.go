package main

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"brine/master/client"
	"brine/proto"
)

// A fault is one way to break the site, and what must hold meanwhile. It
// leaves the site whole.
type fault struct {
	name string
	do   func(c *chaos, ctx context.Context, round int) error
}

var faults = []fault{
	{"master killed during a job", (*chaos).masterKilled},
	{"master stopped during a job", (*chaos).masterStopped},
	{"all masters but one dead", (*chaos).oneMasterLeft},
	{"route between two masters cut", (*chaos).routeCut},
	{"minion killed during a job", (*chaos).minionKilled},
	{"master restored from an old backup", (*chaos).masterRestored},
	{"request retried at another master", (*chaos).retried},
}

const all = "*"

// job makes a request whose command leaves marks.
func (c *chaos) job(round int, fault, target, seconds string) *proto.JobRequest {
	req := c.client.NewJob(&proto.Target{Syntax: proto.Target_GLOB, Expression: target}, "cmd.run", nil)
	// The working directory of a command is the minion's home unless cwd is given, so the
	// minion's id comes from its grains, which the command does not see: the file is named by
	// the parent process, whose root directory is the minion's.
	command := fmt.Sprintf("id=$(basename $(tr '\\0' ' ' </proc/$PPID/cmdline | sed 's/.*--root //; s/ .*//')); cd %s/$id && echo x >> %s.began; sleep %s; echo x >> %s.ended",
		filepath.Join(c.dir, "effects"), req.Jid, seconds, req.Jid)
	req.Args = []*proto.Argument{{Value: &proto.Argument_Text{Text: command}}}
	c.jobs = append(c.jobs, &sent{jid: req.Jid, round: round, fault: fault})
	return req
}

// during runs a job on all minions and breaks something while it is under
// way; the job must end ok everywhere all the same.
func (c *chaos) during(ctx context.Context, round int, fault string, breakIt func() error) error {
	req := c.job(round, fault, all, "0.3")
	broke := make(chan error, 1)
	wait := c.soon(400 * time.Millisecond)
	go func() {
		select {
		case <-time.After(wait):
			broke <- breakIt()
		case <-ctx.Done():
			broke <- ctx.Err()
		}
	}()
	err := c.allOK(ctx, req)
	if b := <-broke; b != nil {
		return b
	}
	return err
}

// allOK runs a job and wants every minion to end it well.
func (c *chaos) allOK(ctx context.Context, req *proto.JobRequest) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := c.client.Run(ctx, req, func(*client.Result, []string) {})
	if err != nil {
		return fmt.Errorf("job %s: %w", req.Jid, err)
	}
	if n := r.Counts()["ok"]; n != len(c.lab.Minions) {
		return fmt.Errorf("job %s: want ok from %d minions, got %v", req.Jid, len(c.lab.Minions), r.Counts())
	}
	return nil
}

func (c *chaos) masterKilled(ctx context.Context, round int) error {
	name, err := c.sender(ctx)
	if err != nil {
		return err
	}
	err = c.during(ctx, round, "master killed", func() error { return c.lab.Kill(name, syscall.SIGKILL) })
	if err != nil {
		return err
	}
	return c.back(ctx, name)
}

func (c *chaos) masterStopped(ctx context.Context, round int) error {
	name, err := c.sender(ctx)
	if err != nil {
		return err
	}
	err = c.during(ctx, round, "master stopped", func() error { return c.lab.Kill(name, syscall.SIGSTOP) })
	if err != nil {
		return err
	}
	if err := c.lab.Kill(name, syscall.SIGCONT); err != nil {
		return err
	}
	return c.whole(ctx)
}

// sender is the master that will send the next job: mostly the one that the
// client is connected to, now and then another.
func (c *chaos) sender(ctx context.Context) (string, error) {
	if c.rand.IntN(4) == 0 {
		return c.master().Name, nil
	}
	// An answer proves that the connection holds; the next request goes there too.
	if err := c.client.Call(ctx, "master.list", &proto.Empty{}, &proto.MasterListReply{}); err != nil {
		return "", err
	}
	return c.client.Master(), nil
}

func (c *chaos) oneMasterLeft(ctx context.Context, round int) error {
	left := c.rand.IntN(len(c.lab.Masters))
	var dead []string
	for i, m := range c.lab.Masters {
		if i == left {
			continue
		}
		if err := c.lab.Kill(m.Name, syscall.SIGKILL); err != nil {
			return err
		}
		dead = append(dead, m.Name)
	}
	if err := c.linked(ctx); err != nil {
		return err
	}
	if err := c.allOK(ctx, c.job(round, "one master left", all, "0.1")); err != nil {
		return err
	}
	return c.back(ctx, dead...)
}

func (c *chaos) routeCut(ctx context.Context, round int) error {
	a := c.rand.IntN(len(c.lab.Masters))
	b := (a + 1 + c.rand.IntN(len(c.lab.Masters)-1)) % len(c.lab.Masters)
	err := c.during(ctx, round, "route cut", func() error {
		return c.lab.Cut(c.lab.Masters[a].Name, c.lab.Masters[b].Name)
	})
	if err == nil {
		err = c.linked(ctx)
	}
	if err == nil {
		err = c.allOK(ctx, c.job(round, "route cut, second job", all, "0.1"))
	}
	if healed := c.lab.Heal(); err == nil {
		err = healed
	}
	if err != nil {
		return err
	}
	return c.whole(ctx)
}

// minionKilled ends one minion at a random step of a job: there the job may
// be interrupted, or run once after the restart; elsewhere it must be ok.
func (c *chaos) minionKilled(ctx context.Context, round int) error {
	m := c.minion()
	req := c.job(round, "minion killed", all, "0.1")
	wait := c.soon(250 * time.Millisecond)
	killed := make(chan error, 1)
	go func() {
		select {
		case <-time.After(wait):
			killed <- c.lab.Kill(m.ID, syscall.SIGKILL)
		case <-ctx.Done():
			killed <- ctx.Err()
		}
	}()
	limit, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := c.client.Run(limit, req, func(*client.Result, []string) {})
	if k := <-killed; k != nil {
		return k
	}
	if err != nil {
		return fmt.Errorf("job %s: %w", req.Jid, err)
	}
	if n := r.Counts()["ok"]; n < len(c.lab.Minions)-1 {
		return fmt.Errorf("job %s: want ok from all but %s, got %v", req.Jid, m.ID, r.Counts())
	}
	return c.back(ctx, m.ID)
}

// masterRestored puts a backup back that lacks the newest jobs; the master
// must learn them again.
func (c *chaos) masterRestored(ctx context.Context, round int) error {
	m := c.master()
	file := filepath.Join(c.dir, fmt.Sprintf("backup-%d", round))
	if _, err := c.lab.Program(ctx, "brine-master", "backup", file, "--root", m.Root); err != nil {
		return err
	}
	if err := c.allOK(ctx, c.job(round, "after the backup", all, "0")); err != nil {
		return err
	}
	if err := c.lab.Kill(m.Name, syscall.SIGKILL); err != nil {
		return err
	}
	if _, err := c.lab.Program(ctx, "brine-master", "restore", file, "--root", m.Root); err != nil {
		return err
	}
	return c.back(ctx, m.Name)
}

// retried asks two masters for the same job at once.
func (c *chaos) retried(ctx context.Context, round int) error {
	req := c.job(round, "request retried", all, "0.1")
	second, err := client.New(c.client.Config())
	if err != nil {
		return err
	}
	defer second.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	other := make(chan error, 1)
	go func() {
		_, err := second.Run(ctx, req, func(*client.Result, []string) {})
		other <- err
	}()
	err = c.allOK(ctx, req)
	if o := <-other; o != nil {
		return o
	}
	return err
}

// back starts what was killed and waits until the site is whole.
func (c *chaos) back(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := c.lab.Restart(ctx, name); err != nil {
			return err
		}
	}
	return c.whole(ctx)
}
