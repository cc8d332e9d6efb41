package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"brine/states/lint"
	"brine/states/output"
)

func (a *app) topCommand() *cobra.Command {
	f := &treeFlags{}
	c := &cobra.Command{
		Use: "top [DIR]...", Short: "Show which SLS the top file gives each host, and which targets mean none of them",
		Example: "  brine states top states --grains web1=debian12 --grains db1=rhel9",
	}
	c.Flags().StringVar(&a.out, "out", "nested", "nested (for people), json, yaml")
	complete(c, "out", "nested", "json", "yaml")
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := a.onlyOuts("nested", "json", "yaml"); err != nil {
			return err
		}
		o, err := f.options()
		if err != nil {
			return err
		}
		roots, err := f.roots(args)
		if err != nil {
			return err
		}
		g, err := lint.Top(c.Context(), roots, o)
		if err != nil {
			return &exit{exitUsage, err}
		}
		told := a.told(g.Report)
		if a.out != "nested" {
			if err := writeObject(a.stdout, a.out, g); err != nil {
				return err
			}
			return told
		}
		a.given(g, f.env)
		return told
	}
	return c
}

// given prints what a top file gives, for people.
func (a *app) given(g *lint.Given, env string) {
	for _, h := range g.Hosts {
		fmt.Fprintf(a.stdout, "%s:\n", output.Harmless(h.Host))
		for _, n := range h.SLS {
			fmt.Fprintln(a.stdout, "    "+output.Harmless(slsName(n, env)))
		}
		if len(h.SLS) == 0 {
			fmt.Fprintln(a.stdout, "    nothing")
		}
	}
	for _, t := range g.Targets {
		if len(t.Hosts) > 0 {
			continue
		}
		var names []string
		for _, n := range t.SLS {
			names = append(names, slsName(n, env))
		}
		fmt.Fprintln(a.stdout, output.Harmless(fmt.Sprintf("%s:%d: target %q means none of the hosts: %s",
			t.File, t.Line, t.Target, strings.Join(names, ", "))))
	}
}

// slsName is the name of an SLS, with its environment where that is not the run's.
func slsName(n lint.NamedIn, env string) string {
	if n.Env == env {
		return n.Name
	}
	return n.Env + ":" + n.Name
}
