package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"brine/master/orchestrate"
	"brine/states/all"
)

// docItem is the documentation of a function or state in JSON.
type docItem struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // function or state
	Doc  string `json:"doc"`
}

func (a *app) docCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "doc [FUNCTION|MODULE|GLOB]", Short: "Show what functions and states do; needs no master",
		ValidArgsFunction: documented,
		Example:           "  brine doc cmd.run\n  brine doc file",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("doc wants at most one function, module or glob")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			pattern := ""
			if len(args) == 1 {
				pattern = args[0]
			}
			docs, err := all.Docs(orchestrate.Index(), pattern)
			if err != nil {
				return usage("%v (brine doc without a name shows all; of a module of a state tree, a minion tells: brine run MINION sys.doc %s)", err, pattern)
			}
			if a.out == "nested" {
				for _, d := range docs {
					fmt.Fprintf(a.stdout, "%s\n", d.Text)
				}
				return nil
			}
			items := make([]docItem, 0, len(docs))
			for _, d := range docs {
				items = append(items, docItem{d.Name, d.Kind, d.Text})
			}
			return list(a, items, nil, nil)
		},
	})
}
