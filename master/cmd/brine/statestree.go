package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"brine/states/lint"
	"brine/states/output"
)

func (a *app) treeCommand() *cobra.Command {
	f := &treeFlags{}
	c := a.outFlag(&cobra.Command{
		Use: "tree [DIR]...", Short: "Show which SLS includes which",
		Example: "  brine states tree states\n  brine states tree states --out json",
	})
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := f.options()
		if err != nil {
			return err
		}
		roots, err := f.roots(args)
		if err != nil {
			return err
		}
		all, r, err := lint.Includes(c.Context(), roots, o)
		if err != nil {
			return &exit{exitUsage, err}
		}
		told := a.told(r)
		if a.out == "nested" {
			a.includes(all, f.env)
			return told
		}
		if err := list(a, all, []string{"SLS", "FILE", "INCLUDES"}, func(s lint.SLS) []string {
			var names []string
			for _, inc := range s.Includes {
				names = append(names, slsName(lint.NamedIn{Env: inc.Env, Name: inc.SLS}, f.env))
			}
			return []string{slsName(lint.NamedIn{Env: s.Env, Name: s.Name}, f.env), s.File, strings.Join(names, ",")}
		}); err != nil {
			return err
		}
		return told
	}
	return c
}

// includes prints SLS that nothing includes, each with what it includes beneath it, and then those of circles.
func (a *app) includes(all []lint.SLS, env string) {
	p := &includePrinter{app: a, env: env, by: map[lint.NamedIn]lint.SLS{}, shown: map[lint.NamedIn]bool{}}
	included := map[lint.NamedIn]bool{}
	for _, s := range all {
		p.by[lint.NamedIn{Env: s.Env, Name: s.Name}] = s
		for _, inc := range s.Includes {
			included[lint.NamedIn{Env: inc.Env, Name: inc.SLS}] = inc.SLS != s.Name || included[lint.NamedIn{Env: inc.Env, Name: inc.SLS}]
		}
	}
	for _, circles := range []bool{false, true} {
		for _, s := range all {
			n := lint.NamedIn{Env: s.Env, Name: s.Name}
			if !included[n] && !circles || circles && !p.shown[n] {
				p.print(n, "", nil)
			}
		}
	}
}

type includePrinter struct {
	*app
	env   string
	by    map[lint.NamedIn]lint.SLS
	shown map[lint.NamedIn]bool
}

// print prints an SLS and what it includes; what stands above already is named only.
func (p *includePrinter) print(n lint.NamedIn, indent string, above []lint.NamedIn) {
	s, found := p.by[n]
	name := slsName(n, p.env)
	circle := false
	for _, up := range above {
		circle = circle || up == n
	}
	switch {
	case !found:
		name += " (not found)"
	case circle:
		name += " (above)"
	case p.shown[n] && len(s.Includes) > 0:
		name += " ..."
	}
	fmt.Fprintln(p.stdout, indent+output.Harmless(name))
	if !found || circle || p.shown[n] {
		return
	}
	p.shown[n] = true
	for _, inc := range s.Includes {
		p.print(lint.NamedIn{Env: inc.Env, Name: inc.SLS}, indent+"    ", append(above, n))
	}
}
