package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// outFlag adds --out to a command that lists things.
func (a *app) outFlag(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&a.out, "out", "nested", "nested (for people), json, jsonl, quiet")
	return c
}

// list prints items: as one JSON object {"items": [...]}, as a line of JSON
// each, or as a table with a column for each name in columns.
func list[T any](a *app, items []T, columns []string, row func(T) []string) error {
	if items == nil {
		items = []T{}
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	switch a.out {
	case "json":
		enc.SetIndent("", "  ")
		return enc.Encode(map[string][]T{"items": items})
	case "jsonl":
		for _, item := range items {
			if err := enc.Encode(item); err != nil {
				return err
			}
		}
		return nil
	case "quiet":
		return nil
	case "nested":
		w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, strings.Join(columns, "\t"))
		for _, item := range items {
			fmt.Fprintln(w, strings.Join(row(item), "\t"))
		}
		return w.Flush()
	}
	return usage("unknown --out %q (known: nested, json, jsonl, quiet)", a.out)
}

// single prints a command's only value: bare for people and scripts, as the
// one item's field in JSON.
func (a *app) single(field, value string) error {
	if a.out == "nested" {
		_, err := fmt.Fprintln(a.stdout, value)
		return err
	}
	return list(a, []map[string]string{{field: value}}, nil, nil)
}

// stamp shows a moment in microseconds of Unix time: RFC 3339 in UTC; "" for none.
func stamp(micro int64) string {
	if micro == 0 {
		return ""
	}
	return time.UnixMicro(micro).UTC().Format(time.RFC3339)
}

// plural writes a count with its word: "1 minion", "3 minions".
func plural(n int, word string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, word)
	}
	return fmt.Sprintf("%d %ss", n, word)
}
