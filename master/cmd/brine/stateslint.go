package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"brine/states/custom"
	"brine/states/host"
	"brine/states/lint"
)

const lintAbout = `Compile every SLS of a tree and list all mistakes of all files at once, each as FILE:LINE.

What top.sls gives a host is compiled together, as a highstate is; a target of ids that means none of the hosts is compiled as
if it meant each of them. An SLS that top.sls gives nobody is compiled by itself. Templates that nothing imports are read too.
DIR is the root of the tree, the first that has a file wins; ENV=DIR is of another environment. Of a FILE in a tree only its own
mistakes are listed. It ends with 65 when there are errors; warnings alone end with 0.`

func (a *app) lintCommand() *cobra.Command {
	f := &treeFlags{}
	var tree []string
	var describe bool
	c := a.outFlag(&cobra.Command{
		Use: "lint [DIR|FILE]...", Short: "Find every mistake of a tree of state files", Long: lintAbout,
		Example: "  brine states lint\n  brine states lint --grains rhel9 --grains web1=ubuntu2204 --pillar-root ../pillar states\n" +
			"  brine states lint states/web/init.sls --out json",
	})
	c.Flags().StringArrayVar(&tree, "tree", nil, "root of the tree that FILEs are of; else the nearest directory above that has a top.sls, or this one")
	c.Flags().BoolVar(&describe, "describe", false, "run the tree's own modules (_modules, _states) here, as this user, to ask what is in them; without it what uses them is not checked")
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := f.options()
		if err != nil {
			return err
		}
		dirs, only, err := sortOut(tree, args)
		if err != nil {
			return err
		}
		roots, err := f.roots(dirs)
		if err != nil {
			return err
		}
		o.Only = only
		if describe {
			local := &host.Local{}
			defer local.Close()
			store, remove, err := custom.Temporary(local.Run)
			if err != nil {
				return err
			}
			defer remove()
			o.Custom = store
		}
		r, err := lint.Tree(c.Context(), roots, o)
		if err != nil {
			return &exit{exitUsage, err}
		}
		return a.lint(r)
	}
	return c
}

// lint prints a report.
func (a *app) lint(r *lint.Report) error {
	if a.out == "nested" {
		a.findings(r)
		fmt.Fprintf(a.stdout, "%s compiled for %s: %s, %s\n", plural(len(r.Files), "SLS file"), some(r.Hosts),
			plural(r.Errors(), "error"), plural(r.Warnings(), "warning"))
	} else if err := list(a, r.Findings, []string{"FILE", "LINE", "SEVERITY", "MESSAGE", "HINT", "HOSTS"}, findingRow); err != nil {
		return err
	}
	if r.Errors() > 0 {
		return &exit{exitData, nil}
	}
	return nil
}

func findingRow(f lint.Finding) []string {
	return []string{f.File, strconv.Itoa(f.Line), f.Severity, f.Message, f.Hint, strings.Join(f.Hosts, ",")}
}

// sortOut tells the directories of a command line from the files in them, which it returns by their paths from the root.
func sortOut(tree, args []string) (dirs, only []string, err error) {
	dirs = tree
	var files []string
	for _, arg := range args {
		st, err := os.Stat(arg)
		switch {
		case err == nil && !st.IsDir():
			files = append(files, arg)
		case err != nil && !strings.Contains(arg, "="):
			return nil, nil, &exit{exitUsage, fmt.Errorf("cannot check: %w", err)}
		default:
			dirs = append(dirs, arg)
		}
	}
	if len(dirs) == 0 && len(files) > 0 {
		dirs = []string{rootOf(files[0])}
	}
	for _, file := range files {
		path, err := within(dirs, file)
		if err != nil {
			return nil, nil, &exit{exitUsage, err}
		}
		only = append(only, path)
	}
	return dirs, only, nil
}

// rootOf is the nearest directory above a file that has a top.sls; this one if none has.
func rootOf(file string) string {
	full, err := filepath.Abs(file)
	if err != nil {
		return "."
	}
	for dir := filepath.Dir(full); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "top.sls")); err == nil {
			return dir
		}
	}
	return "."
}

// within is the path of a file from the root that it lies under.
func within(dirs []string, file string) (string, error) {
	full, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	for _, dir := range dirs {
		env, rest, ok := strings.Cut(dir, "=")
		if _, err := os.Stat(dir); err == nil || !ok {
			env, rest = "", dir
		}
		root, err := filepath.Abs(rest)
		if err != nil {
			return "", err
		}
		if path, err := filepath.Rel(root, full); err == nil && fs.ValidPath(filepath.ToSlash(path)) {
			if env != "" {
				return env + ":" + filepath.ToSlash(path), nil
			}
			return filepath.ToSlash(path), nil
		}
	}
	return "", fmt.Errorf("cannot check %s: it lies in no tree of %s (--tree DIR names one)", file, strings.Join(dirs, ", "))
}
