// Command brine-lab runs a whole brine site on one machine, under one
// directory and without root: for trying things out, tests and benchmarks.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"brine/scripts/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "brine-lab:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "brine-lab", Short: "A brine site on one machine", SilenceErrors: true, SilenceUsage: true,
	}
	in := func(sub *cobra.Command) *cobra.Command {
		sub.Flags().StringVar(&dir, "dir", "", "directory of the lab")
		if err := sub.MarkFlagRequired("dir"); err != nil {
			panic(err) // the flag was added a line above
		}
		return sub
	}
	c.AddCommand(in(upCommand(&dir)), in(killCommand(&dir)), in(startCommand(&dir)), in(cutCommand(&dir)),
		in(healCommand(&dir)), in(statusCommand(&dir)), in(downCommand(&dir)), in(proxyCommand(&dir)), swarmCommand())
	return c
}

func upCommand(dir *string) *cobra.Command {
	o := lab.UpOptions{}
	c := &cobra.Command{
		Use: "up", Short: "Make a site, start it, and wait until every minion answers", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Dir = *dir
			l, err := lab.Up(c.Context(), o)
			if err != nil {
				return err
			}
			fmt.Printf("masters: %d  minions that answer: %d\ntry: brine --config %s run '*' test.ping\n",
				len(l.Masters), o.Minions+o.Swarm, l.Operator)
			return nil
		},
	}
	c.Flags().IntVar(&o.Masters, "masters", 2, "how many masters (1 to 5)")
	c.Flags().IntVar(&o.Minions, "minions", 3, "how many minions, a process each")
	c.Flags().IntVar(&o.Swarm, "swarm", 0, "how many more minions in one process")
	c.Flags().StringVar(&o.FileRoot, "file-root", "", "state tree that the masters serve")
	return c
}

func killCommand(dir *string) *cobra.Command {
	name := "KILL"
	c := &cobra.Command{
		Use: "kill NAME-OR-ID", Short: "Send a signal to a master or minion", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
			if sig == 0 {
				return fmt.Errorf("unknown signal %q", name)
			}
			l, err := lab.Open(*dir, "")
			if err != nil {
				return err
			}
			return l.Kill(args[0], sig)
		},
	}
	c.Flags().StringVar(&name, "signal", name, "KILL, STOP, CONT, TERM ...")
	return c
}

func startCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "start NAME-OR-ID", Short: "Start a master or minion again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := lab.Open(*dir, "")
			if err != nil {
				return err
			}
			return l.Restart(c.Context(), args[0])
		},
	}
}

func cutCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "cut MASTER MASTER", Short: "Stop everything between two masters, silently", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := lab.Open(*dir, "")
			if err != nil {
				return err
			}
			return l.Cut(args[0], args[1])
		},
	}
}

func healCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "heal", Short: "Undo every cut", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := lab.Open(*dir, "")
			if err != nil {
				return err
			}
			return l.Heal()
		},
	}
}

func statusCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the processes", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := lab.Open(*dir, "")
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
			for _, s := range l.States() {
				fmt.Fprintf(w, "%s\t%d\t%s\n", s.Name, s.PID, s.State)
			}
			return w.Flush()
		},
	}
}

func downCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "End every process; the files stay", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := lab.Open(*dir, "")
			if err != nil {
				return err
			}
			return l.Down()
		},
	}
}

// proxyCommand is run by up: the ways between the masters.
func proxyCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "proxy", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return lab.RunProxy(c.Context(), *dir) },
	}
}

// swarmCommand is run by up: many minions in one process.
func swarmCommand() *cobra.Command {
	var root string
	var count int
	c := &cobra.Command{
		Use: "swarm", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return lab.RunSwarm(c.Context(), root, count) },
	}
	c.Flags().StringVar(&root, "root", "", "directory of the swarm")
	c.Flags().IntVar(&count, "count", 0, "how many")
	return c
}
