package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"brine/states/lint"
	"brine/states/output"
	"brine/states/sls"
	"brine/states/value"
	"brine/states/yaml"
)

// shownJSON is what SLS compile to, in JSON. Of high, low and rendered only what was asked for is there.
type shownJSON struct {
	Host     string          `json:"host"`
	High     any             `json:"high,omitempty"`
	Low      any             `json:"low,omitempty"`
	Rendered []lint.Rendered `json:"rendered,omitempty"`
}

func (a *app) showCommand() *cobra.Command {
	f := &treeFlags{}
	var tree []string
	var low, rendered bool
	c := &cobra.Command{
		Use: "show [SLS]...", Short: "Show what SLS compile to: IDs with their states; of no SLS what the top file gives",
		ValidArgsFunction: func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, dir := range append(tree, ".")[:max(len(tree), 1)] {
				names = append(names, sls.Names(sls.Dir(os.DirFS(dir)))...)
			}
			return starting(names, word), noFiles
		},
		Example: "  brine states show web --tree states --grains rhel9\n  brine states show web --low\n  brine states show web --rendered",
	}
	c.Flags().StringVar(&a.out, "out", "nested", "nested (YAML for people), json, yaml")
	complete(c, "out", "nested", "json", "yaml")
	c.Flags().StringArrayVar(&tree, "tree", nil, "root of the tree (default: this directory)")
	c.Flags().BoolVar(&low, "low", false, "show the states one by one, in the order in which they run")
	c.Flags().BoolVar(&rendered, "rendered", false, "show the text of each file after its templates were evaluated")
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := a.onlyOuts("nested", "json", "yaml"); err != nil {
			return err
		}
		if low && rendered {
			return usage("--low and --rendered exclude one another")
		}
		o, err := f.options()
		if err != nil {
			return err
		}
		if len(o.Hosts) > 1 {
			return usage("show is for one host: --grains names %d", len(o.Hosts))
		}
		roots, err := f.roots(tree)
		if err != nil {
			return err
		}
		s, err := lint.Show(c.Context(), roots, args, o)
		if err != nil {
			return &exit{exitUsage, err}
		}
		told := a.told(s.Report)
		if err := a.shown(s, low, rendered); err != nil {
			return err
		}
		return told
	}
	return c
}

func (a *app) shown(s *lint.Shown, low, rendered bool) error {
	if a.out != "nested" {
		return a.shownData(s, low, rendered)
	}
	switch {
	case rendered:
		for i, r := range s.Rendered {
			if i > 0 {
				fmt.Fprintln(a.stdout)
			}
			fmt.Fprintf(a.stdout, "# %s\n%s", r.File, output.Harmless(r.Text))
		}
		return nil
	case s.High == nil:
		return nil
	case low:
		return a.yaml(lowList(s))
	}
	return a.yaml(s.High)
}

func lowList(s *lint.Shown) *value.List {
	list := value.NewList()
	for _, d := range s.Low {
		list.Items = append(list.Items, d)
	}
	return list
}

func (a *app) yaml(v any) error {
	text, err := yaml.Dump(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.stdout, output.Harmless(string(text)))
	return err
}

func (a *app) shownData(s *lint.Shown, low, rendered bool) error {
	if rendered {
		return writeObject(a.stdout, a.out, shownJSON{Host: s.Host, Rendered: s.Rendered})
	}
	if s.High == nil {
		return nil
	}
	object := shownJSON{Host: s.Host, High: raw{s.High}}
	if low {
		object.High, object.Low = nil, raw{lowList(s)}
	}
	return writeObject(a.stdout, a.out, object)
}

// raw is data that JSON has in its own order.
type raw struct{ v any }

// MarshalJSON writes the data.
func (r raw) MarshalJSON() ([]byte, error) { return value.MarshalJSON(r.v) }
