package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"brine/master/orchestrate"
	"brine/states/lint"
	"brine/states/module"
	"brine/states/output"
	"brine/states/pillar"
	"brine/states/sls"
	"brine/states/value"
	"brine/states/yaml"
)

func (a *app) statesCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "states", Short: "Check and show a tree of state files, without a master and without a minion",
		Long: `Check and show a tree of state files, without a master and without a minion.

States are compiled for hosts of which only grains and pillar are known, and nothing of this machine is looked at but
the files. A function that would look at a machine, such as cmd.run, is not called by a template here: its result is
unknown, which is a warning, and what depends on it is looked at both as if it were true and as if it were false.
--answer says what it gives.`,
	}, a.lintCommand(), a.showCommand(), a.topCommand(), a.treeCommand())
}

// treeFlags say what a tree of state files is compiled for.
type treeFlags struct {
	grains, pillar, pillarRoots, answers, exclude []string

	env, merging, nodegroups string

	lenient, strict bool
}

func (f *treeFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringArrayVar(&f.grains, "grains", nil, "a host: a file of grains as grains.items prints them (JSON or YAML), or the name of "+
		"a built-in host; ID=FILE|NAME gives it an id (default "+lint.Default+")")
	fl.StringArrayVar(&f.pillar, "pillar", nil, "a file of pillar (JSON or YAML) that all hosts have; a later one wins")
	fl.StringArrayVar(&f.pillarRoots, "pillar-root", nil, "directory of pillar files with their top.sls; the first that has a file wins")
	fl.StringVar(&f.nodegroups, "nodegroups", "", "a TOML file with the [nodegroups] that top files name, such as master.toml")
	fl.StringArrayVar(&f.answers, "answer", nil, "FUNCTION=VALUE: what a function gives that is not called here, such as cmd.run=x")
	fl.StringArrayVar(&f.exclude, "exclude", nil, "glob of paths from the root, such as 'test/*': such files count only where others include them")
	fl.StringVar(&f.env, "saltenv", "base", "environment that the directories are of (ENV=DIR is of another one)")
	fl.StringVar(&f.merging, "top-merging", sls.TopMerge, "merge, same or merge_all: how the top files of environments are brought together")
	fl.BoolVar(&f.lenient, "lenient", false, "an argument that a state does not have is a warning, as where minion.toml says so")
	fl.BoolVar(&f.strict, "strict", false, "an argument that a state does not have is an error (what holds without --lenient)")
	complete(c, "top-merging", sls.TopMerge, sls.TopSame, sls.TopMergeAll)
	_ = c.RegisterFlagCompletionFunc("grains", func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return starting(lint.Builtin(), word), cobra.ShellCompDirectiveDefault
	}) // the flag is there
}

// options reads what the flags name.
func (f *treeFlags) options() (lint.Options, error) {
	o := lint.Options{Index: orchestrate.Index(), Env: f.env, Strategy: f.merging, Lenient: f.lenient, Exclude: f.exclude}
	if f.merging != sls.TopMerge && f.merging != sls.TopSame && f.merging != sls.TopMergeAll {
		return o, usage("unknown --top-merging %q (known: %s, %s, %s)", f.merging, sls.TopMerge, sls.TopSame, sls.TopMergeAll)
	}
	if f.lenient && f.strict {
		return o, usage("--lenient and --strict exclude one another")
	}
	var errs []error
	for _, text := range f.grains {
		hosts, err := readHosts(text)
		o.Hosts = append(o.Hosts, hosts...)
		errs = append(errs, err)
	}
	under, err := f.readPillar()
	errs = append(errs, err)
	if len(o.Hosts) == 0 {
		h, err := lint.Named(lint.Default)
		o.Hosts, errs = []lint.Host{h}, append(errs, err)
	}
	for i := range o.Hosts {
		o.Hosts[i].Pillar = under
	}
	if len(f.pillarRoots) > 0 {
		o.PillarRoots, err = lint.ParseRoots(f.env, f.pillarRoots)
		errs = append(errs, err)
	}
	o.Nodegroups, err = readNodegroups(f.nodegroups)
	errs = append(errs, err)
	o.Answers, err = readAnswers(o.Index, f.answers)
	if err := errors.Join(append(errs, err)...); err != nil {
		return o, &exit{exitUsage, err}
	}
	return o, nil
}

// readHosts reads a host as --grains names it.
func readHosts(text string) ([]lint.Host, error) {
	id, from := "", text
	if _, err := os.Stat(text); err != nil {
		if before, after, ok := strings.Cut(text, "="); ok {
			id, from = before, after
		}
	}
	data, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(from, "./") {
		h, err := lint.Named(from)
		if err != nil {
			return nil, fmt.Errorf("there is no file %q, and %w", from, err)
		}
		if id != "" {
			h = h.Renamed(id)
		}
		return []lint.Host{h}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read grains: %w", err)
	}
	hosts, err := lint.ReadHosts(from, data)
	if err != nil || id == "" {
		return hosts, err
	}
	if len(hosts) > 1 {
		return nil, fmt.Errorf("cannot call all of %s %q: it holds grains of %d hosts", from, id, len(hosts))
	}
	return []lint.Host{hosts[0].Renamed(id)}, nil
}

// readPillar lays the files of --pillar over one another.
func (f *treeFlags) readPillar() (*value.Dict, error) {
	all := &value.Dict{}
	for _, name := range f.pillar {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read pillar: %w", err)
		}
		d, err := lint.ReadDict(name, data)
		if err != nil {
			return nil, err
		}
		all = pillar.Merge(all, d)
	}
	return all, nil
}

// readNodegroups reads those of a master's configuration; nil when no file is named.
func readNodegroups(file string) (*value.Dict, error) {
	if file == "" {
		return nil, nil
	}
	var config struct {
		Nodegroups map[string]any `toml:"nodegroups"`
	}
	if _, err := toml.DecodeFile(file, &config); err != nil {
		return nil, fmt.Errorf("cannot read nodegroups of %s: %w", file, err)
	}
	if len(config.Nodegroups) == 0 {
		return nil, fmt.Errorf("cannot read nodegroups of %s: there is no [nodegroups] in it", file)
	}
	groups := &value.Dict{}
	for _, name := range slices.Sorted(maps.Keys(config.Nodegroups)) {
		v, err := value.Of(config.Nodegroups[name])
		if err != nil {
			return nil, fmt.Errorf("cannot read nodegroup %q of %s: %w", name, file, err)
		}
		groups.Put(name, v)
	}
	return groups, nil
}

// readAnswers reads FUNCTION=VALUE, where the value is YAML.
func readAnswers(x *module.Index, texts []string) (*value.Dict, error) {
	answers := &value.Dict{}
	for _, text := range texts {
		name, v, ok := strings.Cut(text, "=")
		if !ok || !strings.Contains(name, ".") {
			return nil, fmt.Errorf("cannot read --answer %q: want FUNCTION=VALUE, such as cmd.run=x", text)
		}
		if _, err := x.Func(name); err != nil && misspelt(x, name, err) {
			return nil, fmt.Errorf("cannot answer for a function: %w", err)
		}
		n, err := yaml.Parse("--answer "+name, []byte(v))
		if err != nil {
			return nil, err
		}
		answers.Put(name, n.Data())
	}
	return answers, nil
}

// misspelt tells a function that is not there from one of a module of the tree, which may have any name.
func misspelt(x *module.Index, name string, err error) bool {
	mod, _, _ := strings.Cut(name, ".")
	return contains(x.Modules(), mod) || contains(x.StateModules(), mod) || strings.Contains(err.Error(), "did you mean")
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// roots reads directories as typed, and "." without any.
func (f *treeFlags) roots(dirs []string) (lint.Roots, error) {
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	roots, err := lint.ParseRoots(f.env, dirs)
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	return roots, nil
}

// findings writes what was found, for people.
func (a *app) findings(r *lint.Report) {
	for _, f := range r.Findings {
		fmt.Fprintln(a.stdout, output.Harmless(findingLine(f, r)))
		for line := range strings.Lines(f.Detail) {
			fmt.Fprintln(a.stdout, output.Harmless("    "+strings.TrimRight(line, "\n")))
		}
	}
}

// findingLine is "web/init.sls:12: error: what is wrong (did you mean ...?) [for rhel9]".
func findingLine(f lint.Finding, r *lint.Report) string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Severity + ": " + f.Message)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	if len(f.Hosts) < len(r.Hosts) {
		b.WriteString(" [for " + some(f.Hosts) + "]")
	}
	return b.String()
}

// told writes what was found to stderr, beside the answer of a command, and returns the error of it.
func (a *app) told(r *lint.Report) error {
	for _, f := range r.Findings {
		fmt.Fprintln(a.stderr, output.Harmless(findingLine(f, r)))
		for line := range strings.Lines(f.Detail) {
			fmt.Fprintln(a.stderr, output.Harmless("    "+strings.TrimRight(line, "\n")))
		}
	}
	if r.Errors() > 0 {
		return &exit{exitData, nil}
	}
	return nil
}

// onlyOuts refuses an --out that a command does not have.
func (a *app) onlyOuts(outs ...string) error {
	if contains(outs, a.out) {
		return nil
	}
	return usage("unknown --out %q (known: %s)", a.out, strings.Join(outs, ", "))
}
