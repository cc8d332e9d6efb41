// Command chaos breaks a running site again and again, at moments that a seed
// decides, and checks what brine promises: no job runs twice on a minion, no
// result is lost, and every master's store is the same at the end. With
// -events it sends events to rules meanwhile, and checks that each action
// happens once.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"brine/master/client"
	"brine/scripts/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &chaos{}
	flag.StringVar(&c.bin, "bin", "bin", "directory of the programs")
	flag.IntVar(&c.rounds, "rounds", 200, "how many faults")
	flag.Uint64Var(&c.seed, "seed", 1, "decides which fault comes when")
	flag.IntVar(&c.masters, "masters", 3, "masters of the site (at least 3)")
	flag.IntVar(&c.minions, "minions", 4, "minions of the site")
	flag.IntVar(&c.events, "events", 0, "send this many events to rules instead, while masters are killed and cut from each other (at least 2 masters)")
	flag.StringVar(&c.keep, "keep", "", "directory to keep, for looking into it afterwards")
	flag.Parse()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// A chaos is one run.
type chaos struct {
	bin, keep        string
	rounds, events   int
	seed             uint64
	masters, minions int

	dir    string
	lab    *lab.Lab
	client *client.Client
	rand   *rand.Rand
	jobs   []*sent
	began  time.Time
}

// sent is a job that was asked for: what must be found of it later.
type sent struct {
	jid   string
	round int
	fault string
}

func (c *chaos) run(ctx context.Context) (err error) {
	c.dir = c.keep
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "brine-chaos."); err != nil {
			return err
		}
		defer os.RemoveAll(c.dir)
	}
	c.rand = rand.New(rand.NewPCG(c.seed, c.seed))
	c.began = time.Now()
	o := lab.UpOptions{Dir: c.dir, Bin: c.bin, Masters: c.masters, Minions: c.minions}
	if c.events > 0 {
		if o.FileRoot, err = c.ruleTree(); err != nil {
			return err
		}
	}
	c.lab, err = lab.Up(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = c.lab.Down() }() // the end of the run: what it says of processes that are gone helps nobody
	config, err := client.LoadConfig(c.lab.Operator)
	if err != nil {
		return err
	}
	if c.client, err = client.New(config); err != nil {
		return err
	}
	defer c.client.Close()
	for _, m := range c.lab.Minions {
		if err := os.MkdirAll(c.effects(m.ID), 0o755); err != nil {
			return err
		}
	}
	if c.events > 0 {
		return c.eventLoop(ctx)
	}
	return c.loop(ctx)
}

func (c *chaos) loop(ctx context.Context) error {
	counts := map[string]int{}
	for round := 1; round <= c.rounds; round++ {
		f := faults[c.rand.IntN(len(faults))]
		counts[f.name]++
		if err := f.do(c, ctx, round); err != nil {
			return fmt.Errorf("round %d (%s, seed %d): %w", round, f.name, c.seed, err)
		}
		if err := c.noneTwice(); err != nil {
			return fmt.Errorf("round %d (%s, seed %d): %w", round, f.name, c.seed, err)
		}
		if round%10 == 0 {
			fmt.Printf("%4d rounds, %d jobs, %s\n", round, len(c.jobs), time.Since(c.began).Round(time.Second))
		}
	}
	if err := c.noneLost(ctx); err != nil {
		return err
	}
	if err := c.storesEqual(ctx); err != nil {
		return err
	}
	for _, f := range faults {
		fmt.Printf("%5d  %s\n", counts[f.name], f.name)
	}
	fmt.Printf("%d rounds, %d jobs on %d minions, %d masters: no job twice, no result lost, stores equal (seed %d, %s)\n",
		c.rounds, len(c.jobs), c.minions, c.masters, c.seed, time.Since(c.began).Round(time.Second))
	return nil
}

// effects is the directory in which a minion's commands leave their marks.
func (c *chaos) effects(minion string) string { return filepath.Join(c.dir, "effects", minion) }

// soon is a random moment within the next d.
func (c *chaos) soon(d time.Duration) time.Duration { return time.Duration(c.rand.Int64N(int64(d))) }

func (c *chaos) master() *lab.Master { return c.lab.Masters[c.rand.IntN(len(c.lab.Masters))] }
func (c *chaos) minion() *lab.Minion { return c.lab.Minions[c.rand.IntN(len(c.lab.Minions))] }
