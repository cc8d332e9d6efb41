package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/proto/moment"
	"brine/states/output"
	"brine/states/value"
	"brine/states/yaml"
)

// listOuts are the values of --out of a command that lists things.
var listOuts = []string{"json", "jsonl", "nested", "quiet", "table", "txt", "yaml"}

// outFlag adds --out to a command that lists things.
func (a *app) outFlag(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&a.out, "out", "nested", "nested (for people), json, jsonl, yaml, txt (no heading, tabs between), table, quiet")
	complete(c, "out", listOuts...)
	return c
}

// list prints items: as one object {"items": [...]} in JSON or YAML, as a line of JSON each, or as
// a table with a column for each name in columns.
func list[T any](a *app, items []T, columns []string, row func(T) []string) error {
	if items == nil {
		items = []T{}
	}
	if columns == nil && (a.out == "nested" || a.out == "table" || a.out == "txt") {
		return fieldTable(a, items)
	}
	switch a.out {
	case "json", "yaml":
		return writeObject(a.stdout, a.out, map[string][]T{"items": items})
	case "jsonl":
		for _, item := range items {
			if err := writeLine(a.stdout, item); err != nil {
				return err
			}
		}
		return nil
	case "quiet":
		return nil
	case "txt":
		for _, item := range items {
			cells := row(item)
			for i := range cells {
				cells[i] = strings.NewReplacer("\t", " ", "\n", " ").Replace(output.Harmless(cells[i]))
			}
			if _, err := fmt.Fprintln(a.stdout, strings.Join(cells, "\t")); err != nil {
				return err
			}
		}
		return nil
	case "nested", "table":
		rows := make([][]string, len(items))
		for i, item := range items {
			rows[i] = row(item)
		}
		o := output.Terminal(a.stdout, a.color)
		o.Width = 0 // ids and fingerprints are compared: they stay whole on a narrow terminal too
		return output.Table(a.stdout, columns, rows, o)
	}
	return usage("unknown --out %q (known: %s)", a.out, strings.Join(listOuts, ", "))
}

// fieldTable is list for items without columns: those of their JSON.
func fieldTable[T any](a *app, items []T) error {
	var columns []string
	var rows []*value.Dict
	for _, item := range items {
		data, err := json.Marshal(item)
		if err != nil {
			return err
		}
		v, err := value.FromJSON(data)
		if err != nil {
			return err
		}
		d, _ := v.(*value.Dict)
		rows = append(rows, d)
		for k := range d.All() {
			if name := fmt.Sprint(k); !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = strings.ToUpper(c)
	}
	return list(a, rows, append([]string{}, heads...), func(d *value.Dict) []string {
		cells := make([]string, len(columns))
		for i, c := range columns {
			v, _ := d.Get(c)
			cells[i] = output.Text(v)
		}
		return cells
	})
}

// writeObject writes one object as JSON, or the same as YAML.
func writeObject(w io.Writer, format string, object any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(object); err != nil {
		return err
	}
	text := output.HarmlessJSON(b.Bytes())
	if format == "yaml" {
		v, err := value.FromJSON(text)
		if err != nil {
			return err
		}
		if text, err = yaml.Dump(v); err != nil {
			return err
		}
	}
	_, err := w.Write(text)
	return err
}

// writeLine writes a value as a line of JSON.
func writeLine(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(output.HarmlessJSON(b.Bytes()))
	return err
}

// single prints a command's only value: bare for people and scripts, as the
// one item's field in JSON.
func (a *app) single(field, value string) error {
	if a.out == "nested" || a.out == "txt" {
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

// past reads a time in the past, in microseconds of Unix time. "" is 0.
func past(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	at, err := moment.Past(text, now)
	return at.UnixMicro(), err
}

// plural writes a count with its word: "1 minion", "4,961 minions".
func plural(n int, word string) string { return output.Plural(n, word) }

// some lists the first few names, and how many more there are.
func some(names []string) string { return output.Some(names) }
