package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// A report is what came of all cases.
type report struct {
	Oracle  string    `json:"oracle"`
	Lenient bool      `json:"lenient"`
	Cases   []outcome `json:"cases"`
}

func (r *report) sort() {
	slices.SortStableFunc(r.Cases, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.Repo, b.Repo), cmp.Compare(a.SLS, b.SLS), cmp.Compare(a.Host, b.Host), -cmp.Compare(a.Pillar, b.Pillar))
	})
}

func printJSON(w io.Writer, r *report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// A line of the table counts the cases of one tree.
type line struct {
	repo   string
	sls    map[string]bool
	cases  int
	states int // cases that use states that there are none of
	counts map[string]int
}

func newLine(repo string) *line {
	return &line{repo: repo, sls: map[string]bool{}, counts: map[string]int{}}
}

func (l *line) add(o outcome) {
	l.sls[o.Repo+" "+o.SLS] = true
	l.cases++
	l.counts[o.Class]++
	if len(o.Unknown) > 0 {
		l.states++
	}
}

func (l *line) differing() (n int) {
	for _, class := range differing {
		n += l.counts[class]
	}
	return n
}

func (l *line) print(w io.Writer) {
	c := l.counts
	compiled := c[classEqual] + c[classCompiled] + c[classAlone] + c[classDiffers] + c[classOrder]
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", l.repo, len(l.sls), l.cases, compiled, c[classEqual], c[classOrder],
		c[classBoth], c[classDecided], c[classMissing], c[classMachine], l.states, l.differing())
}

func printTable(w io.Writer, r *report, verbose bool) error {
	how := "compared with " + r.Oracle
	if r.Oracle == "" {
		how = "compared with nothing: python3 has neither Salt nor Jinja2"
	}
	mode := "strict"
	if r.Lenient {
		mode = "lenient"
	}
	fmt.Fprintf(w, "%s, %s\n\n", how, mode)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "tree\tSLS\tcases\tcompiled\tequal\tother order\trefused by both\trefused on purpose\tno function\tasks machine\tunknown states\tdiffering\t")
	total := newLine("total")
	var current *line
	for _, o := range r.Cases {
		if current == nil || current.repo != o.Repo {
			if current != nil {
				current.print(t)
			}
			current = newLine(o.Repo)
		}
		current.add(o)
		total.add(o)
	}
	if current != nil {
		current.print(t)
	}
	total.print(t)
	if err := t.Flush(); err != nil {
		return err
	}
	printNames(w, r)
	if verbose {
		printDifferences(w, r)
	}
	return nil
}

// printNames tells which states and functions were met that there are none of, the most frequent first.
func printNames(w io.Writer, r *report) {
	states, functions := map[string]int{}, map[string]int{}
	for _, o := range r.Cases {
		for _, name := range o.Unknown {
			states[name]++
		}
		for _, name := range o.Missing {
			functions[name]++
		}
	}
	for _, kind := range []struct {
		title string
		names map[string]int
	}{{"states that there are none of", states}, {"functions that there are none of", functions}} {
		if len(kind.names) == 0 {
			continue
		}
		names := slices.SortedFunc(maps.Keys(kind.names), func(a, b string) int {
			return cmp.Or(-cmp.Compare(kind.names[a], kind.names[b]), cmp.Compare(a, b))
		})
		for i, name := range names {
			names[i] = fmt.Sprintf("%s %d", name, kind.names[name])
		}
		fmt.Fprintf(w, "\n%s (cases): %s\n", kind.title, strings.Join(names, ", "))
	}
}

// printDifferences lists the cases that differ, those of one SLS that differ in the same together.
func printDifferences(w io.Writer, r *report) {
	type entry struct{ repo, sls, class, text string }
	where := map[entry][]string{}
	var order []entry
	for _, o := range r.Cases {
		if !slices.Contains(differing, o.Class) {
			continue
		}
		text := strings.Join(o.Here, "\n\t")
		if o.Class == classAlone {
			text = strings.Join(o.There, "\n\t")
		}
		e := entry{o.Repo, o.SLS, o.Class, text}
		if where[e] == nil {
			order = append(order, e)
		}
		where[e] = append(where[e], o.Host+"/"+o.Pillar)
	}
	words := map[string]string{classRefused: "refused here alone", classAlone: "compiled here alone", classDiffers: "differs"}
	for _, e := range order {
		fmt.Fprintf(w, "\n%s %s: %s (%s)\n\t%s\n", e.repo, e.sls, words[e.class], strings.Join(where[e], " "), e.text)
	}
}
