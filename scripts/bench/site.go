package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"brine/master/client"
	"brine/proto"
	"brine/scripts/lab"
)

// site brings a lab up for one group of figures.
func (b *bench) site(ctx context.Context, minions, swarm int) (*lab.Lab, *client.Client, func(), error) {
	dir, err := os.MkdirTemp("", "brine-bench.")
	if err != nil {
		return nil, nil, nil, err
	}
	l, err := lab.Up(ctx, lab.UpOptions{Dir: dir, Bin: b.bin, Masters: 2, Minions: minions, Swarm: swarm})
	if err != nil {
		return nil, nil, nil, err
	}
	c, err := operatorOf(l)
	if err != nil {
		return nil, nil, nil, errors.Join(err, l.Down())
	}
	return l, c, func() {
		c.Close()
		_ = l.Down() // what it says of processes that are gone helps nobody
		os.RemoveAll(dir)
	}, nil
}

// operatorOf speaks as the operator of a lab, until it is closed.
func operatorOf(l *lab.Lab) (*client.Client, error) {
	config, err := client.LoadConfig(l.Operator)
	if err != nil {
		return nil, err
	}
	return client.New(config)
}

// gather runs test.ping on everybody; how many answered ok.
func gather(ctx context.Context, c *client.Client) (int, time.Duration, error) {
	began := time.Now()
	req := c.NewJob(&proto.Target{Syntax: proto.Target_GLOB, Expression: "*"}, "test.ping", nil)
	r, err := c.Run(ctx, req, func(*client.Result, []string) {})
	if err != nil {
		return 0, 0, err
	}
	return r.Counts()["ok"], time.Since(began), nil
}

func pids(l *lab.Lab) []int {
	var out []int
	for _, m := range l.Masters {
		out = append(out, m.PID)
	}
	return out
}

// ping compares a job on the whole swarm with the bare gather, and reads the
// memory of processes at rest.
func (b *bench) ping(ctx context.Context) error {
	bareWalls, bareCPU, err := b.bareGather(ctx, b.swarm)
	if err != nil {
		return err
	}
	l, c, stop, err := b.site(ctx, 1, b.swarm)
	if err != nil {
		return err
	}
	defer stop()
	if _, _, err := gather(ctx, c); err != nil { // warm
		return err
	}
	before, err := cpu(pids(l)...)
	if err != nil {
		return err
	}
	began := time.Now()
	var walls []time.Duration
	for range b.runs {
		n, d, err := gather(ctx, c)
		if err != nil {
			return err
		}
		if n != b.swarm+1 {
			return fmt.Errorf("%d of %d answered", n, b.swarm+1)
		}
		walls = append(walls, d)
	}
	wait(ctx, time.Second) // what the masters do after the last answer counts too
	elapsed := time.Since(began)
	after, err := cpu(pids(l)...)
	if err != nil {
		return err
	}
	rest, err := b.atRest(ctx, l)
	if err != nil {
		return err
	}
	used := after - before - time.Duration(float64(elapsed)*rest)
	per := func(d time.Duration) string { return ms(d / time.Duration(b.runs)) }
	b.say(fmt.Sprintf("bare gather of %d, wall", b.swarm), ms(median(bareWalls)), "", true)
	b.say(fmt.Sprintf("test.ping on %d, wall", b.swarm), ms(median(walls)), ms(6*median(bareWalls)), median(walls) <= 6*median(bareWalls))
	b.say("bare gather, both servers' CPU", per(bareCPU), "", true)
	b.say("test.ping, both masters' CPU", per(used), per(3*bareCPU), used <= 3*bareCPU)
	return b.memoryAtRest(ctx, l)
}

// atRest is how much of a processor the masters use with nothing to do: the
// pings of connections, which the gather's cost must not contain.
func (b *bench) atRest(ctx context.Context, l *lab.Lab) (float64, error) {
	const sample = 5 * time.Second
	before, err := cpu(pids(l)...)
	if err != nil {
		return 0, err
	}
	wait(ctx, sample)
	after, err := cpu(pids(l)...)
	share := float64(after-before) / float64(sample)
	b.say(fmt.Sprintf("masters at rest with %d minions, CPU", b.swarm), fmt.Sprintf("%.1f %%", 100*share), "", true)
	return share, err
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (b *bench) memoryAtRest(ctx context.Context, l *lab.Lab) error {
	wait(ctx, b.idle)
	for _, m := range l.Masters {
		_, resident, err := memory(m.PID)
		if err != nil {
			return err
		}
		b.say(fmt.Sprintf("master %s with %d minions, resident", m.Name, b.swarm), mb(resident), "", true)
	}
	return nil
}

// command times the whole command, and reads the memory of a small site at rest.
func (b *bench) command(ctx context.Context) error {
	l, _, stop, err := b.site(ctx, 3, 0)
	if err != nil {
		return err
	}
	defer stop()
	ping := func(target string) (time.Duration, error) {
		var walls []time.Duration
		for i := range b.runs + 1 {
			began := time.Now()
			cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "brine"), "--config", l.Operator, "run", target, "test.ping")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) {
				return 0, fmt.Errorf("%w: %s", err, out)
			}
			if i > 0 { // the first warms
				walls = append(walls, time.Since(began))
			}
		}
		return median(walls), nil
	}
	one, err := ping("minion1")
	if err != nil {
		return err
	}
	b.say("whole command, 1 minion", ms(one), "60 ms", one <= 60*time.Millisecond)
	all, err := ping("*")
	if err != nil {
		return err
	}
	if err := l.Kill("minion3", syscall.SIGKILL); err != nil {
		return err
	}
	some, err := ping("*")
	if err != nil {
		return err
	}
	b.say("whole command, 3 minions", ms(all), "", true)
	// A tenth and 2 ms are the noise of such a machine.
	b.say("whole command, 1 of 3 minions offline", ms(some), ms(all+all/10+2*time.Millisecond), some <= all+all/10+2*time.Millisecond)
	wait(ctx, b.idle)
	anonymous, resident, err := memory(l.Minions[0].PID)
	if err != nil {
		return err
	}
	b.say("minion at rest, anonymous", mb(anonymous), "8.0 MB", anonymous <= 8e6)
	b.say("minion at rest, resident", mb(resident), "20.0 MB", resident <= 20e6)
	for _, m := range l.Masters {
		_, resident, err := memory(m.PID)
		if err != nil {
			return err
		}
		b.say("master "+m.Name+" at rest, resident", mb(resident), "60.0 MB", resident <= 60e6)
	}
	return nil
}

func (b *bench) sizes(context.Context) error {
	for name, most := range map[string]int64{"brine-minion": 20e6, "brine-master": 45e6} {
		st, err := os.Stat(filepath.Join(b.bin, name))
		if err != nil {
			return err
		}
		b.say(name+", stripped", mb(st.Size()), mb(most), st.Size() <= most)
	}
	return nil
}

// failover kills or stops the master of half the swarm and waits until every
// minion answers again; then lets it come back and looks at the balance.
func (b *bench) failover(ctx context.Context) error {
	l, c, stop, err := b.site(ctx, 0, b.swarm)
	if err != nil {
		return err
	}
	defer stop()
	for _, f := range []struct {
		name string
		sig  syscall.Signal
		most time.Duration
	}{{"kill -9", syscall.SIGKILL, time.Second}, {"SIGSTOP", syscall.SIGSTOP, 2500 * time.Millisecond}} {
		var took []time.Duration
		for i := range b.failovers {
			name := l.Masters[i%2].Name
			if err := b.balanced(ctx, c); err != nil {
				return err
			}
			d, err := b.lose(ctx, l, c, name, f.sig)
			if err != nil {
				return err
			}
			took = append(took, d)
			if f.sig == syscall.SIGKILL {
				err = l.Restart(ctx, name)
			} else {
				err = l.Kill(name, syscall.SIGCONT)
			}
			if err != nil {
				return err
			}
		}
		b.say(fmt.Sprintf("all %d minions answer after %s", b.swarm, f.name), ms(median(took)), ms(f.most), median(took) <= f.most)
	}
	wait(ctx, b.idle)
	return b.balance(ctx, c)
}

// lose takes a master away and measures until all minions answer in one job.
func (b *bench) lose(ctx context.Context, l *lab.Lab, c *client.Client, name string, sig syscall.Signal) (time.Duration, error) {
	began := time.Now()
	if err := l.Kill(name, sig); err != nil {
		return 0, err
	}
	for {
		n, _, err := gather(ctx, c)
		if err == nil && n == b.swarm {
			return time.Since(began), nil
		}
		if ctx.Err() != nil || time.Since(began) > time.Minute {
			return 0, fmt.Errorf("%d of %d answer after %s: %w", n, b.swarm, time.Since(began), err)
		}
	}
}

func held(ctx context.Context, c *client.Client) (map[string]uint32, error) {
	reply := &proto.MasterListReply{}
	if err := c.Call(ctx, "master.list", &proto.Empty{}, reply); err != nil {
		return nil, err
	}
	out := map[string]uint32{}
	for _, m := range reply.Masters {
		out[m.Name] = m.Minions
	}
	return out, nil
}

// balanced waits until each master holds a fair part of the minions.
func (b *bench) balanced(ctx context.Context, c *client.Client) error {
	for began := time.Now(); ; wait(ctx, 500*time.Millisecond) {
		minions, err := held(ctx, c)
		fair := err == nil && len(minions) == 2
		for _, n := range minions {
			fair = fair && float64(n) > 0.35*float64(b.swarm) && float64(n) < 0.65*float64(b.swarm)
		}
		if fair {
			return nil
		}
		if ctx.Err() != nil || time.Since(began) > 2*time.Minute {
			return errors.Join(err, fmt.Errorf("two minutes after both live the masters hold %v of %d minions", minions, b.swarm))
		}
	}
}

func (b *bench) balance(ctx context.Context, c *client.Client) error {
	minions, err := held(ctx, c)
	if err != nil {
		return err
	}
	for name, n := range minions {
		share := 100 * float64(n) / float64(b.swarm)
		b.say(fmt.Sprintf("minions on %s %s after the dead master is back", name, b.idle), fmt.Sprintf("%.0f %%", share), "35-65 %", share >= 35 && share <= 65)
	}
	return nil
}
