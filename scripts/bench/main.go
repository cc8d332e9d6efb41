// Command bench measures the figures of README.md on real processes, beside a
// floor measured in the same run, and prints one table. What a line promises
// stands in it; the exit code is 1 when one does not hold.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{}
	role := flag.String("role", "", "a part that bench starts itself: server, swarm, store, plainserver or plainclient")
	flag.StringVar(&b.bin, "bin", "bin", "directory of the programs")
	flag.IntVar(&b.swarm, "swarm", 1000, "minions of the swarm")
	flag.IntVar(&b.runs, "runs", 9, "runs of each gather")
	flag.IntVar(&b.failovers, "failovers", 5, "runs of each failover")
	flag.DurationVar(&b.idle, "idle", time.Minute, "how long to wait before memory and balance are read")
	only := flag.String("only", "", "names of the groups to run, separated by commas (default: all)")
	flag.Parse()
	var err error
	switch *role {
	case "":
		err = b.run(ctx, *only)
	case "server":
		err = bareServer(ctx, flag.Args())
	case "swarm":
		err = bareSwarm(ctx, flag.Args())
	case "store":
		err = storeWorker(ctx)
	case "plainserver":
		err = plainServer(ctx, flag.Args())
	case "plainclient":
		err = plainClient(ctx, flag.Args())
	default:
		err = fmt.Errorf("unknown role %q", *role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	bin       string
	swarm     int
	runs      int
	failovers int
	idle      time.Duration

	lines  []line
	broken int
}

// A line of the table.
type line struct{ what, figure, bound, verdict string }

// say adds a line. A bound of "" is only shown.
func (b *bench) say(what, figure, bound string, holds bool) {
	verdict := "ok"
	switch {
	case bound == "":
		verdict = ""
	case !holds:
		verdict = "TOO MUCH"
		b.broken++
	}
	b.lines = append(b.lines, line{what, figure, bound, verdict})
	fmt.Fprintf(os.Stderr, "%s: %s %s\n", what, figure, verdict)
}

// groups is what can be measured, in order.
var groups = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"size", (*bench).sizes},
	{"store", (*bench).storeRate},
	{"queries", (*bench).stored},
	{"grains", (*bench).grains},
	{"local", (*bench).local},
	{"language", (*bench).language},
	{"modules", (*bench).modules},
	{"pillar", (*bench).pillar},
	{"target", (*bench).target},
	{"files", (*bench).files},
	{"command", (*bench).command},
	{"ping", (*bench).ping},
	{"match", (*bench).matched},
	{"react", (*bench).react},
	{"storm", (*bench).storm},
	{"printer", (*bench).printer},
	{"failover", (*bench).failover},
}

func (b *bench) run(ctx context.Context, only string) error {
	for _, g := range groups {
		if only != "" && !slices.Contains(strings.Split(only, ","), g.name) || only == "" && g.name == "storm" { // it takes minutes
			continue
		}
		if err := g.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tMEASURED\tAT MOST\t")
	for _, l := range b.lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.what, l.figure, l.bound, l.verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if b.broken > 0 {
		return fmt.Errorf("%d figures are over their bound", b.broken)
	}
	return nil
}

func median[T int64 | float64 | time.Duration](all []T) T {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000) }
